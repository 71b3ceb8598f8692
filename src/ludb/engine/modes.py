"""What the modes of outputs need beside rows: keys to merge by, and which rows of the target are a unit's own.

A unit that no longer yields a row must lose its old ones too, so what tells them comes from the unit and not from its
rows: from its key, from its new key in a key map, or from the unit's rows in another table that is replaced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from ludb.engine.migration import Migration
from ludb.errors import ConfigError, Fault, UnitError
from ludb.model.data import Removal, WriteSet
from ludb.model.job import Job, OutputSpec
from ludb.model.unit import POSITION, Column
from ludb.ports.target import CanRewrite, Target


def merge_keys(migration: Migration) -> dict[str, tuple[str, ...]]:
    """The key of every output that is merged: as the job says it, else the table's primary key."""
    return {
        name: spec.key or primary_key(migration.targets[spec.system].columns(spec.table))
        for name, spec in migration.job.outputs.items()
        if spec.mode == "upsert"
    }


def primary_key(columns: Sequence[Column]) -> tuple[str, ...]:
    """The table's key columns in its own order."""
    return tuple(column.name for column in columns if column.key)


def own_values(
    migration: Migration, keys: pa.Table, maps: Mapping[str, pa.Table], positions: Sequence[int]
) -> dict[str, pa.Table]:
    """By output that is replaced: `ludb_position` and the values that a unit's rows share there, one row per unit.

    `keys` are the unit keys, `maps` the chunk's key maps. `UnitError` without faults for a value that the target's column
    cannot hold.
    """
    wanted = pa.table({POSITION: pa.array(sorted(positions), pa.int64())})
    found: dict[str, pa.Table] = {}
    for name, spec in migration.job.outputs.items():
        if spec.mode != "replace_unit":
            continue
        kinds = {column.name: column.type for column in migration.targets[spec.system].columns(spec.table)}
        units = wanted
        for column, origin in spec.by:
            if origin.kind == "table":
                continue
            held = keys.column(origin.name) if origin.kind == "unit" else maps[origin.name].column("new")
            at = (keys if origin.kind == "unit" else maps[origin.name]).column(POSITION)
            values = held.take(pc.index_in(wanted.column(POSITION), value_set=at.combine_chunks()))
            try:
                units = units.append_column(column, values.cast(kinds[column]))
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                raise UnitError(
                    f"{name}: the value of `by: {column}` does not fit the column", detail=str(error)
                ) from error
        found[name] = units
    return found


def strangers(
    migration: Migration, tables: Mapping[str, pa.Table], own: Mapping[str, pa.Table]
) -> dict[int, tuple[str, Fault]]:
    """Units with a row, in an output that is replaced, which the next run would not find as theirs: (output, fault)."""
    found: dict[int, tuple[str, Fault]] = {}
    for name, units in own.items():
        spec, rows = migration.job.outputs[name], tables.get(name)
        if rows is None or not rows.num_rows:
            continue
        columns = [column for column, _ in spec.by]
        _expect(name, columns, rows)
        if spec.by[0][1].kind == "table":
            parent = tables.get(f"{spec.system}.{spec.by[0][1].parent}")
            there = [origin.name for _, origin in spec.by]
            lost = _unlinked(rows, columns, parent, there)
        else:
            lost = _unlike(rows, columns, units)
        what = f"{name}: a row's {', '.join(columns)} is not what `by` says of its unit: the next run would not find it"
        for position in lost:
            found.setdefault(position, (name, Fault(what)))
    return found


def _expect(name: str, columns: Sequence[str], rows: pa.Table) -> None:
    missing = [column for column in columns if column not in rows.column_names]
    if missing:
        raise ConfigError(f"{name}: no step fills {', '.join(missing)}, which `by` names", remedy="Select it")


def _unlike(rows: pa.Table, columns: Sequence[str], units: pa.Table) -> list[int]:
    at = pc.index_in(rows.column(POSITION), value_set=units.column(POSITION).combine_chunks())
    same = pa.chunked_array([pa.array([True] * rows.num_rows)])
    for column in columns:
        wanted = units.column(column).take(at)
        try:
            equal = pc.equal(rows.column(column).cast(wanted.type), wanted)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            continue  # a value that the column cannot hold: the target refuses its unit by name
        same = pc.and_(same, pc.fill_null(equal, False))
    return sorted(set(rows.column(POSITION).filter(pc.invert(same)).to_pylist()))


def _unlinked(rows: pa.Table, columns: Sequence[str], parent: pa.Table | None, there: Sequence[str]) -> list[int]:
    held = set()
    if parent is not None and parent.num_rows:
        held = set(zip(*(parent.column(name).to_pylist() for name in (POSITION, *there)), strict=True))
    links = zip(*(rows.column(name).to_pylist() for name in (POSITION, *columns)), strict=True)
    return sorted({link[0] for link in links if None in link or link not in held})


def removal(spec: OutputSpec, units: pa.Table) -> Removal:
    """What is deleted of the output's table for these units."""
    links = tuple((column, origin.name) for column, origin in spec.by if origin.kind == "table")
    parent = next((origin.parent for _, origin in spec.by if origin.kind == "table"), None)
    return Removal(units, parent, links)


def in_order(writes: WriteSet, target: Target) -> WriteSet:
    """The same write-set as it is carried out, now and in recovery: rows of parents first, removals of children first."""
    tables = {name: writes.tables[name] for name in target.order(list(writes.tables))}
    left = list(reversed(target.order(list(writes.removals))))
    removals: dict[str, Removal] = {}
    while left:
        leading = {writes.removals[name].parent for name in left}
        free = next((name for name in left if name not in leading), left[0])
        removals[free] = writes.removals[free]
        left.remove(free)
    return replace(writes, tables=tables, removals=removals)


def mode_errors(migration: Migration, filled: Mapping[str, Sequence[str]]) -> list[ConfigError]:
    """What is wrong with the modes of the outputs, and with the order of their tables.

    `filled` are the columns that steps fill, by output; outputs of which that is not known are left out.
    """
    errors: list[ConfigError] = []
    removed = {
        system: [spec.table for spec in migration.job.outputs.values() if spec.system == system and spec.by]
        for system in migration.targets
    }
    for name, spec in migration.job.outputs.items():
        if spec.call is None and spec.mode != "insert":
            try:
                _check(spec, migration, filled.get(name), removed[spec.system])
            except ConfigError as error:
                error.file, error.field = error.file or "job.yaml", error.field or f"outputs.{name}"
                errors.append(error)
    for system, target in migration.targets.items():
        try:
            target.order([spec.table for spec in migration.job.outputs.values() if spec.system == system])
        except ConfigError as error:  # foreign keys in a circle, or a table that is not there
            errors.append(error)
    return errors


def _check(spec: OutputSpec, migration: Migration, filled: Sequence[str] | None, removed: Sequence[str]) -> None:
    target = migration.targets[spec.system]
    columns = target.columns(spec.table)
    if not isinstance(target, CanRewrite):
        raise ConfigError(f"system {spec.system} is only added to: it cannot {spec.mode}", remedy="Use mode: insert")
    named = spec.key or primary_key(columns) if spec.mode == "upsert" else tuple(column for column, _ in spec.by)
    if not named:
        raise ConfigError(
            f"{spec.name} has no primary key to upsert by", remedy="Name the columns of a unique key: key: [...]"
        )
    known = {column.name for column in columns}
    for column in named:
        if column not in known:
            raise ConfigError(
                f"{spec.name} has no column {column!r}; it has {', '.join(sorted(known))}", remedy="Correct the name"
            )
        if filled is not None and column not in filled:
            raise ConfigError(f"{spec.name}: no step fills {column!r}, which {spec.mode} needs", remedy="Select it")
    for _, origin in spec.by:
        if origin.kind == "table" and origin.name not in {c.name for c in target.columns(origin.parent)}:
            raise ConfigError(f"{spec.system}.{origin.parent} has no column {origin.name!r}", remedy="Correct the name")
    if spec.mode == "upsert":
        target.check_merge(spec.table, named, filled or named)
    else:
        target.check_removal(spec.table, named, removed)


def told(job: Job, keys: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """How each table output is written, in words; `keys` are those of merged outputs, if known."""
    found = {}
    for name, spec in job.outputs.items():
        if spec.call is not None:
            continue
        by = ", ".join(column for column, _ in spec.by) or ", ".join(keys.get(name, spec.key)) or "the primary key"
        found[name] = spec.mode if spec.mode == "insert" else f"{spec.mode} by {by}"
    return found
