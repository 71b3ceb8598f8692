"""The unit list: the keys of the root in the source's own order, all of them or those that a selection leaves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from ludb.engine.migration import Migration
from ludb.errors import ConfigError, UnitError
from ludb.model.keys import key_text
from ludb.model.run import Segment
from ludb.model.unit import POSITION, UnitSchema, UnitTable
from ludb.ports.source import CanFilter, Source
from ludb.unitdb.database import UnitDatabase, quote
from ludb.wording import plural

SEGMENT_UNITS = 50_000
"""Keys per segment of the unit list."""


@dataclass(frozen=True, slots=True)
class UnitList:
    """The frozen list: `keys` holds `ludb_position` and the key columns. Units of the source that are not in it were
    `moved_before` by an earlier run, or are `unselected`.
    """

    keys: pa.Table
    moved_before: int = 0
    unselected: int = 0

    @classmethod
    def of(cls, keys: pa.Table, *, moved_before: int = 0, unselected: int = 0) -> UnitList:
        """The list of these keys, in this order."""
        numbers = pa.array(range(keys.num_rows), pa.int64())
        return cls(keys.combine_chunks().add_column(0, POSITION, numbers), moved_before, unselected)

    @property
    def partial(self) -> bool:
        """Whether the source has units that are not in the list."""
        return bool(self.moved_before or self.unselected)

    def segments(self) -> Iterator[Segment]:
        """The list cut into segments."""
        bare = self.keys.drop_columns([POSITION])
        for first in range(0, bare.num_rows, SEGMENT_UNITS):
            yield Segment(first, bare.slice(first, SEGMENT_UNITS))


def root_keys(migration: Migration) -> pa.Table:
    """The keys of all units in the source's own order. Raises `ConfigError` for a NULL key, a duplicate key (both named)
    and a root without rows.
    """
    unit = migration.job.unit
    keys = read_keys(migration)
    if keys is None:
        raise ConfigError(
            f"{unit.root.table} has no rows: there is no unit to move", file="job.yaml", field="unit.root",
            remedy="Check the table and the system's URL",
        )  # fmt: skip
    check_keys(unit, keys)
    return keys


def read_keys(migration: Migration) -> pa.Table | None:
    """The keys as the source has them now, whatever is wrong with them; None for a root without rows."""
    unit = migration.job.unit
    source = migration.sources[unit.root.table.system]
    parts = [part.select(list(unit.key)) for part in source.keys(unit.root, unit.key)]
    return pa.concat_tables(parts) if sum(part.num_rows for part in parts) else None


def keys_where(migration: Migration, where: str) -> list[tuple[object, ...]]:
    """The keys of units whose root row meets a condition: in the source's own SQL; in DuckDB's, over the root's columns as
    they are carried, where the source has none. `ConfigError` for a condition that it does not understand.
    """
    root, names = migration.job.unit.root, migration.job.unit.key
    source = migration.sources[root.table.system]
    try:
        found = list(source.keys_where(root, names, where) if isinstance(source, CanFilter) else _filtered(
            root, names, where, source
        ))  # fmt: skip
    except (ConfigError, UnitError) as error:
        said = error.message if isinstance(error, ConfigError) else str(error)
        raise ConfigError(f"--where {where}: {said}", remedy=f"Write one condition over {root.table}") from error
    return [key for part in found for key in zip(*(part.column(name).to_pylist() for name in names), strict=True)]


def _filtered(root: UnitTable, names: Sequence[str], where: str, source: Source) -> Iterator[pa.Table]:
    with UnitDatabase(memory_limit="2GB") as database:
        database.stream(quote(root.name), (fetched.rows for fetched in source.scan(root)))
        database.seal()
        wanted = ", ".join(quote(name) for name in names)
        yield database.query(f"SELECT {wanted} FROM {quote(root.name)} WHERE (\n{where}\n)")


def check_keys(unit: UnitSchema, keys: pa.Table) -> None:
    """`ConfigError` for NULL keys, counted, and for keys that come twice, counted and up to five of them named."""
    for name in unit.key:
        nulls = keys.column(name).null_count
        if nulls:
            raise ConfigError(
                f"{unit.root.table}.{name} is NULL in {plural(nulls, 'row')}: a unit needs a key", file="job.yaml",
                field="unit.key", remedy="Mend the rows, or name another key",
            )  # fmt: skip
    counted = keys.group_by(list(unit.key), use_threads=False).aggregate([([], "count_all")])
    if counted.num_rows < keys.num_rows:
        twice = counted.filter(pc.greater(counted.column("count_all"), 1)).slice(0, 5).to_pylist()
        names = ", ".join(key_text([row[name] for name in unit.key]) for row in twice)
        raise ConfigError(
            f"{unit.root.table}: {plural(keys.num_rows - counted.num_rows, 'row repeats', 'rows repeat')} a unit key "
            f"(for example {names})",
            file="job.yaml", field="unit.key", remedy="Name a key that is unique, or remove the duplicates",
        )  # fmt: skip
