"""Links that a source follows by more than the bytes: what is staged here is linked by value, and would lose those rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ludb.errors import ConfigError
from ludb.model.unit import UnitSchema
from ludb.ports.source import CanFold, Source


def refuse_folded(unit: UnitSchema, sources: Mapping[str, Source], tables: Collection[str], remedy: str) -> None:
    """`ConfigError` naming the links of these unit tables that join rows of which the texts differ in their bytes (`A` and
    `a`), within one system. Whoever links by value would hold the children for orphans.
    """
    told = []
    for table in unit.tables:
        source = sources[table.table.system]
        if table.name not in tables or table.parent is None or not isinstance(source, CanFold):
            continue
        parent = unit.table(table.parent)
        links = [(parent, table.on)] if parent.table.system == table.table.system else []
        links += [(table, table.recursive)] if table.recursive else []
        for above, on in links:
            count = source.folded(table, above, on)
            if count:
                columns = ", ".join(f"{here} = {up}" for here, up in on)
                told.append(f"{table.table} to {above.table} ({columns}): {count} pairs of rows")
    if told:
        raise ConfigError(
            "links that only the source's collation, or blanks at the end, make, and that are not equal byte by byte: "
            + "; ".join(told),
            file="job.yaml",
            field="unit.tables",
            remedy=remedy,
        )
