"""Rows that belong to no unit alone: claimed by several, or pointing out of their own. Nothing of it is silent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from ludb.engine.ownership import unheld
from ludb.errors import Fault
from ludb.model.data import rows_of
from ludb.model.keys import key_bytes
from ludb.model.unit import POSITION, Pairs, UnitSchema, UnitTable

FIRST = "ludb_first"
"""Column with the list position of the first unit that claims a row: the one that counts it."""

Shared = Mapping[str, pa.Table]
"""By unit table, as planning found them: `ludb_position`, `ludb_first` and the link columns of rows that several units
claim, once per unit."""


@dataclass(slots=True)
class Reading:
    """What has been read so far. Faults are kept by position, the first one stands.

    `strays`: rows dropped with a warning, by table and position; a row that several units claim counts for the first of
    them alone. `warnings`: positions by reason. `dropped`: the rows themselves. `first`: by table, who counts a shared
    row, by its link.
    """

    tables: dict[str, pa.Table] = field(default_factory=dict)
    faults: dict[int, Fault] = field(default_factory=dict)
    strays: dict[str, dict[int, int]] = field(default_factory=dict)
    warnings: dict[str, set[int]] = field(default_factory=dict)
    dropped: dict[str, pa.Table] = field(default_factory=dict)
    first: dict[str, dict[bytes, int]] = field(default_factory=dict)

    def fault(self, positions: Iterable[int], reason: str, detail: str = "") -> None:
        """Say why units cannot move."""
        for position in positions:
            self.faults.setdefault(position, Fault(reason, detail))

    def drop(self, table: UnitTable, gone: pa.Array, reason: str) -> None:
        """Take the rows at which `gone` is true out of a table, with a warning."""
        rows = self.tables[table.name]
        out = rows.filter(gone)
        self.tables[table.name] = rows.filter(pc.invert(gone))
        before = self.dropped.get(table.name)
        self.dropped[table.name] = out if before is None else pa.concat_tables([before, out])
        self.warnings.setdefault(reason, set()).update(out.column(POSITION).to_pylist())
        first = self.first.get(table.name, {})
        by_position = self.strays.setdefault(table.name, {})
        for position, link in _links(out, link_columns(table)):
            if first.get(link, position) == position:
                by_position[position] = by_position.get(position, 0) + 1


def settle_strays(unit: UnitSchema, reading: Reading, shared: Shared, positions: Iterable[int]) -> None:
    """Judge every table of a chunk by its `on_stray`: rows that several units claim, then rows whose second parent is
    not in their own unit. What hangs below a dropped row is dropped with it.
    """
    here = frozenset(positions)
    claims = {table.name: _shared_links(table, reading, shared.get(table.name), here) for table in unit.tables[1:]}
    for table in unit.tables[1:]:
        _drop_below(table, reading)
        if claims[table.name]:
            _settle_shared(table, reading, claims[table.name])
    again = True
    while again:
        again = False
        for table in unit.tables[1:]:
            again |= _drop_below(table, reading)
            for parent, pairs in table.also:
                again |= _check_second_parent(table, parent, pairs, reading)


def link_columns(table: UnitTable) -> list[str]:
    """The columns that alone decide which units a row belongs to."""
    return list(dict.fromkeys(child for child, _ in (*table.on, *table.recursive)))


def _shared_links(
    table: UnitTable, reading: Reading, planned: pa.Table | None, here: frozenset[int]
) -> dict[bytes, set[int]]:
    """The links of shared rows, each with the units of this chunk that claim it. Rows with the same link belong to the
    same units, so a link at two positions is claimed twice: by units of this chunk, or (as planning saw it) of two.
    """
    links = link_columns(table)
    rows = reading.tables[table.name]
    names = [POSITION, *links]
    pairs = rows.select(names).group_by(names, use_threads=False).aggregate([])
    ours = rows_of(planned, here) if planned is not None else pairs.slice(0, 0)
    alone = pairs.select(links).group_by(links, use_threads=False).aggregate([]).num_rows == pairs.num_rows
    if alone and not ours.num_rows:
        return {}
    claims: dict[bytes, set[int]] = {}
    for position, link in _links(pairs, links) + _links(ours, links):
        claims.setdefault(link, set()).add(position)
    first = {link: min(found) for link, found in claims.items() if len(found) > 1}
    if ours.num_rows:
        told = zip(_links(ours, links), ours.column(FIRST).to_pylist(), strict=True)
        first |= {link: min(earliest, position) for (position, link), earliest in told}
    reading.first[table.name] = first
    return {link: claims[link] for link in first}


def _settle_shared(table: UnitTable, reading: Reading, claims: Mapping[bytes, set[int]]) -> None:
    first, rows = reading.first[table.name], reading.tables[table.name]
    reason = f"{table.name}: a row belongs to several units by {', '.join(child for child, _ in table.on)}"
    held = _links(rows, link_columns(table))
    if table.on_stray == "reject":
        reading.fault(sorted(set().union(*claims.values())), reason)
        mine = [first.get(link, position) == position for position, link in held]
        reading.tables[table.name] = rows.filter(pa.array(mine, pa.bool_()))
    else:
        reading.drop(table, pa.array([link in first for _, link in held], pa.bool_()), reason)


def _links(rows: pa.Table, links: list[str]) -> list[tuple[int, bytes]]:
    values = zip(*(rows.column(name).to_pylist() for name in links), strict=True)
    return [
        (position, key_bytes(link)) for position, link in zip(rows.column(POSITION).to_pylist(), values, strict=True)
    ]


def _drop_below(table: UnitTable, reading: Reading) -> bool:
    """Drop the rows whose parent in their unit was dropped; whether there were any. A self reference may lead to them
    on another way: those stay.
    """
    if table.parent not in reading.dropped or table.recursive:
        return False
    rows = reading.tables[table.name]
    links, keys = [child for child, _ in table.on], [parent for _, parent in table.on]
    lost = unheld(rows, links, reading.tables[table.parent], keys)
    below = pc.and_(lost, pc.invert(unheld(rows, links, reading.dropped[table.parent], keys)))
    if not pc.any(below).as_py():
        return False
    reading.drop(table, below, f"{table.name}: a row below a dropped row of {table.parent}")
    return True


def _check_second_parent(table: UnitTable, parent: str, pairs: Pairs, reading: Reading) -> bool:
    """A row whose second parent is not in its own unit is a stray: its unit is rejected, or the row is dropped (then
    True).
    """
    rows = reading.tables[table.name]
    links, keys = [child for child, _ in pairs], [held for _, held in pairs]
    strays = unheld(rows, links, reading.tables[parent], keys)
    if not pc.any(strays).as_py():
        return False
    reason = f"{table.name}.{', '.join(links)} points to a row of {parent} outside the unit"
    if table.on_stray == "reject":
        reading.fault(pc.unique(rows.column(POSITION).filter(strays)).to_pylist(), reason)
        return False
    reading.drop(table, strays, reason)
    return True
