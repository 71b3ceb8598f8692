"""Before any unit moves: reflect, find orphans, decide who keeps what must be unique."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from ludb.engine.folding import refuse_folded
from ludb.engine.migration import Migration
from ludb.engine.ownership import is_exact
from ludb.engine.strays import link_columns
from ludb.engine.unit_list import UnitList, read_keys
from ludb.errors import ConfigError, ConfigErrors, Fault
from ludb.model.keys import key_bytes
from ludb.model.unit import POSITION, Column, Fetched, UniqueAcross, UnitSchema, UnitTable
from ludb.ports.source import CanFetch
from ludb.unitdb.locate import Locator
from ludb.unitdb.stage import Stage, build_stage

ORPHAN_SAMPLES = 100
"""Orphans kept by name per table; all are counted."""


@dataclass(frozen=True, slots=True)
class Orphans:
    """Rows of a table that belong to no unit: how many, how many with a missing parent of their own, and samples."""

    count: int
    direct: int
    samples: tuple[tuple[str, str | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Survey:
    """What planning saw of the source: columns, row counts, orphans, by unit table."""

    columns: Mapping[str, Sequence[Column]]
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    orphans: Mapping[str, Orphans] = field(default_factory=dict)


def reflect(migration: Migration) -> dict[str, Sequence[Column]]:
    """The columns of every unit table. `ConfigErrors` for what is missing or cannot be carried: nothing has run yet."""
    unit = migration.job.unit
    errors: list[ConfigError] = []
    found: dict[str, Sequence[Column]] = {}
    for table in unit.tables:
        columns = _columns(table, migration)
        found[table.name] = columns
        names = {column.name for column in columns}
        errors.extend(
            ConfigError(
                f"{table.table} has no column {name!r}; it has {', '.join(sorted(names))}",
                file="job.yaml",
                field=_field(table),
                remedy="Correct the name",
            )
            for name in sorted(_named_columns(unit, table, migration) - names)
        )
        errors.extend(
            ConfigError(
                f"{table.table}.{column.name} ({column.native}) cannot be carried: {column.refused}",
                file="job.yaml",
                field=f"unit.tables.{table.name}.types",
                remedy="Declare how to carry it under types:",
            )
            for column in columns
            if column.refused
        )
    errors.extend(_unlike_links(unit, found, migration))
    if errors:
        raise ConfigErrors(errors)
    return found


def _field(table: UnitTable) -> str:
    """Where the job names the table."""
    return "unit.root" if table.parent is None else f"unit.tables.{table.name}"


def _columns(table: UnitTable, migration: Migration) -> Sequence[Column]:
    """The table's columns; an error that is about this table says where the job names it."""
    try:
        return migration.sources[table.table.system].columns(table)
    except ConfigError as error:
        if error.field is None and repr(table.table.name) in error.message:
            error.field = _field(table)
        raise


def _unlike_links(
    unit: UnitSchema, found: Mapping[str, Sequence[Column]], migration: Migration
) -> Iterator[ConfigError]:
    """Links that are followed by value (between systems, to the table itself, to a second parent) need one type on both
    sides: 7 and '7' never meet, and every row would be an orphan or a stray.
    """
    kinds = {(name, column.name): column.type for name, columns in found.items() for column in columns}
    for table in unit.tables:
        links = [(table.name, pair) for pair in table.recursive]
        links += [(other, pair) for other, pairs in table.also for pair in pairs]
        if table.parent is not None:
            home = unit.table(table.parent).table.system
            if home != table.table.system or not isinstance(migration.sources[home], CanFetch):
                links += [(table.parent, pair) for pair in table.on]
        for other, (child, parent) in links:
            one, two = kinds.get((table.name, child)), kinds.get((other, parent))
            if one is None or two is None or one == two or (pa.types.is_integer(one) and pa.types.is_integer(two)):
                continue
            yield ConfigError(
                f"{table.name}.{child} ({one}) is linked to {other}.{parent} ({two}): values of two types never meet",
                file="job.yaml",
                field=f"unit.tables.{table.name}",
                remedy="Give one of them the other's type under types:",
            )


def _named_columns(unit: UnitSchema, table: UnitTable, migration: Migration) -> set[str]:
    names = {child for child, _ in (*table.on, *table.recursive)} | {parent for _, parent in table.recursive}
    names |= {child for _, pairs in table.also for child, _ in pairs} | {name for name, _ in table.types}
    names |= {parent for other in unit.tables if other.parent == table.name for _, parent in other.on}
    names |= {
        parent for other in unit.tables for also, pairs in other.also if also == table.name for _, parent in pairs
    }
    names |= {column for spec in migration.job.keys if spec.table == table.name for column in spec.columns}
    names |= {column for spec in unit.unique_across if spec.table == table.name for column in spec.columns}
    return names | (set(unit.key) if table.parent is None else set())


def scanner(migration: Migration) -> _Scanner:
    """A `Scan` over the migration's sources."""
    return _Scanner(migration)


class _Scanner:
    def __init__(self, migration: Migration) -> None:
        self._sources = migration.sources

    def __call__(self, table: UnitTable, columns: tuple[str, ...] | None) -> Iterator[Fetched]:
        return self._sources[table.table.system].scan(table, columns)


def staged_tables(migration: Migration) -> tuple[str, ...]:
    """Unit tables that can only be read in full: they are staged before the run."""
    unit = migration.job.unit
    return tuple(t.name for t in unit.tables if not isinstance(migration.sources[t.table.system], CanFetch))


def stage(migration: Migration, units: UnitList, folder: Path) -> Stage | None:
    """Stage what must be staged; None if every source can look rows up by key."""
    tables = staged_tables(migration)
    if not tables:
        return None
    return build_stage(folder, migration.job.unit, units.keys, scanner(migration), tables)


def survey(
    migration: Migration,
    units: UnitList,
    staged: Stage | None,
    columns: Mapping[str, Sequence[Column]],
    keep: Callable[[str, pa.Table], None] = lambda _name, _lost: None,
    spill: Path | None = None,
) -> Survey:
    """Count every table and find the rows that belong to no unit: one anti-join per link. `keep` is given the orphans of
    each table (`row_id`, `missing`, `direct`); only samples stay in memory. What memory does not hold goes into `spill`.
    """
    unit = migration.job.unit
    counts: dict[str, Mapping[str, int]] = {}
    orphans: dict[str, Orphans] = {}
    # A source counts all its units; where the list has only some of them, only the list tells whose rows are whose.
    crossing = [
        t.name for t in unit.tables if not (staged and t.name in staged.tables) and (units.partial or _crosses(unit, t))
    ]
    refuse_folded(
        unit,
        migration.sources,
        crossing,
        "Write these values in the source as their parents have them, or move all units of one system",
    )
    wanted = dict.fromkeys(crossing, ())
    locator = Locator(unit, units.keys, scanner(migration), wanted, spill=spill) if crossing else None
    with locator or nullcontext() as located:
        for table in unit.tables:
            source = migration.sources[table.table.system]
            if staged is not None and table.name in staged.tables:
                held, lost = staged.counts[table.name], staged.orphans(table.name)
            elif located is not None and table.name in crossing:
                held, lost = located.count(table.name), located.orphans(table.name)
            else:
                assert isinstance(source, CanFetch)
                lost = source.orphans(unit.path(table.name)) if table.parent else _NONE
                held = source.count(table) - lost.num_rows
            keep(table.name, lost)
            orphans[table.name] = _summed(lost)
            counts[table.name] = {"rows": held, "orphans": lost.num_rows}
    return Survey(columns, counts, {name: found for name, found in orphans.items() if found.count})


_NONE = pa.table(
    {"row_id": pa.array([], pa.string()), "missing": pa.array([], pa.string()), "direct": pa.array([], pa.bool_())}
)


def _crosses(unit: UnitSchema, table: UnitTable) -> bool:
    """Whether the table's path leaves its source, or a self reference can reach more than the path does."""
    path = unit.path(table.name)
    return len({step.table.system for step in path}) > 1 or any(step.recursive for step in path)


def _summed(lost: pa.Table) -> Orphans:
    sample = lost.slice(0, ORPHAN_SAMPLES)
    pairs = tuple(zip(sample.column("row_id").to_pylist(), sample.column("missing").to_pylist(), strict=True))
    return Orphans(lost.num_rows, int(pc.sum(lost.column("direct")).as_py() or 0), pairs)


def unique_faults(migration: Migration, units: UnitList, spill: Path | None = None) -> dict[int, Fault]:
    """Units that may not have a value because another unit keeps it (DESIGN section 2, `unique_across_units`).

    Who keeps it is decided among all units of the source, so that it does not depend on which of them are in the list.
    """
    unit = migration.job.unit
    found = read_keys(migration) if unit.unique_across else None
    if found is None:
        return {}
    everyone = UnitList.of(found).keys
    places = _places(everyone, units.keys)
    faults: dict[int, Fault] = {}
    for spec in unit.unique_across:
        with Locator(unit, everyone, scanner(migration), {spec.table: spec.columns}, spill=spill) as located:
            rows = located.rows(spec.table).select([POSITION, *spec.columns])
        names = ", ".join(spec.columns)
        for position in _losers(spec, _doubtful(rows, spec.columns)):
            if position in places:
                fault = Fault(f"{spec.table}.{names} is also held by another unit, which keeps it")
                faults.setdefault(places[position], fault)
    return faults


def _places(everyone: pa.Table, listed: pa.Table) -> dict[int, int] | range:
    """The list position of each unit of the source, by its position there; units that are not listed have none."""
    if everyone.equals(listed):
        return range(listed.num_rows)
    keys = [name for name in everyone.column_names if name != POSITION]
    rows = [zip(*(table.column(name).to_pylist() for name in keys), strict=True) for table in (everyone, listed)]
    held = {key_bytes(key): position for position, key in enumerate(rows[1])}
    found = ((position, held.get(key_bytes(key))) for position, key in enumerate(rows[0]))
    return {position: at for position, at in found if at is not None}


def shared_rows(migration: Migration, units: UnitList, spill: Path | None = None) -> dict[str, pa.Table]:
    """By unit table, the rows that several units claim (as `Locator.shared` has them). Tables whose links lead to a key
    of their parent all the way up need no look.
    """
    unit = migration.job.unit
    doubtful: list[str] = []
    for table in unit.tables[1:]:
        assert table.parent is not None
        parent = unit.table(table.parent)
        up = {column for _, column in table.on}
        columns = migration.sources[parent.table.system].columns(parent)
        key = set(unit.key) if parent.parent is None else {column.name for column in columns if column.key}
        if table.recursive or not key or not key <= up or parent.name in doubtful:
            doubtful.append(table.name)
    if not doubtful:
        return {}
    wanted = {name: tuple(link_columns(unit.table(name))) for name in doubtful}
    with Locator(unit, units.keys, scanner(migration), wanted, spill=spill) as located:
        found = {name: located.shared(name, links) for name, links in wanted.items()}
    return {name: rows for name, rows in found.items() if rows.num_rows}


def _doubtful(rows: pa.Table, columns: Sequence[str]) -> pa.Table:
    """The rows whose values stand there more than once: of all the others nobody loses."""
    if not all(is_exact(rows.column(name).type) for name in columns):
        return rows  # equal by key bytes is not equal by Arrow
    counted = rows.group_by(list(columns), use_threads=False).aggregate([([], "count_all")])
    several = counted.filter(pc.greater(counted.column("count_all"), 1)).drop_columns(["count_all"])
    return rows.join(several, keys=list(columns), join_type="left semi", use_threads=False).sort_by(POSITION)


def _losers(spec: UniqueAcross, rows: pa.Table) -> list[int]:
    """Positions that lose, in list order. NULLs are no values."""
    held: dict[bytes, list[int]] = {}
    values = [rows.column(name).to_pylist() for name in spec.columns]
    for position, value in zip(rows.column(POSITION).to_pylist(), zip(*values, strict=True), strict=True):
        if None in value:
            continue
        holders = held.setdefault(key_bytes(value), [])
        if not holders or holders[-1] != position:
            holders.append(position)
    losers = {
        at for holders in held.values() if len(holders) > 1 for at in holders[0 if spec.rule == "reject_all" else 1 :]
    }
    return sorted(losers)
