"""From a chunk's keys to its rows: every table of the unit, each row with the position of its unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from ludb.engine.workplace import Workplace
from ludb.errors import ConfigError, Fault
from ludb.model.data import Extract
from ludb.model.keys import key_bytes
from ludb.model.run import Chunk
from ludb.model.unit import MATCH, POSITION, Fetched, KeySet, Pairs, UnitSchema, UnitTable
from ludb.ports.source import CanFetch

Owners = Mapping[bytes, Sequence[int]]
"""Key bytes -> positions of the units that hold the key."""


@dataclass(slots=True)
class _Reading:
    """What has been read so far; faults are kept by position, the first one stands."""

    tables: dict[str, pa.Table] = field(default_factory=dict)
    faults: dict[int, Fault] = field(default_factory=dict)
    strays: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def extract(chunk: Chunk, at: Workplace) -> Extract:
    """Read the chunk's rows, one consistent snapshot per source system.

    Rows of two units, strays and rows that cannot be carried become faults of their units. Raises `TransientError` if a
    source is away.
    """
    unit = at.migration.job.unit
    keys = pa.table({POSITION: pa.array(list(chunk.positions), pa.int64())} | _columns(chunk.keys))
    reading = _Reading()
    with ExitStack() as snapshots:
        for name, source in at.migration.sources.items():
            if isinstance(source, CanFetch) and any(table.table.system == name for table in unit.tables):
                snapshots.enter_context(source.snapshot())
        for table in unit.tables:
            reading.tables[table.name] = _read(table, chunk, keys, reading, at)
    present = set(reading.tables[unit.root.name].column(POSITION).to_pylist())
    for table in unit.tables:
        _check_second_parents(unit, table, reading)
    for position in chunk.positions:
        fault = at.planned_faults.get(position)
        if fault is not None:
            reading.faults.setdefault(position, fault)
    gone = frozenset(chunk.positions) - present
    faults = {position: fault for position, fault in reading.faults.items() if position not in gone}
    return Extract(keys, reading.tables, faults, gone, reading.strays, tuple(reading.warnings))


def _columns(keys: pa.Table) -> dict[str, pa.ChunkedArray]:
    return {name: keys.column(name) for name in keys.column_names}


def _read(table: UnitTable, chunk: Chunk, keys: pa.Table, reading: _Reading, at: Workplace) -> pa.Table:
    if at.stage is not None and table.name in at.stage.tables:
        rows = at.stage.fetch(table.name, chunk.positions)
        for position in chunk.positions:
            if position in at.stage.faults:
                reading.faults.setdefault(position, at.stage.faults[position])
        return rows
    unit = at.migration.job.unit
    source = at.migration.sources[table.table.system]
    assert isinstance(source, CanFetch)
    path = unit.stretch(table.name)
    if path[0].parent is None:
        owners = _owners(keys, unit.key, keys.column(POSITION))
        by = KeySet(unit.key, keys.select(list(unit.key)))
    else:
        parent = reading.tables[path[0].parent]
        columns = tuple(column for _, column in path[0].on)
        owners = _owners(parent, columns, parent.column(POSITION))
        by = KeySet(tuple(column for column, _ in path[0].on), _distinct(parent, columns))
    if not len(by):
        return _tagged(table, source.fetch(path, by), {}, reading)
    rows = _tagged(table, source.fetch(path, by), owners, reading)
    return _walk(table, rows, source, reading) if table.recursive else rows


def _distinct(rows: pa.Table, columns: Sequence[str]) -> pa.Table:
    picked = rows.select(list(dict.fromkeys(columns)))
    unique = picked.group_by(picked.column_names, use_threads=False).aggregate([])
    unique = unique.drop_null()
    return pa.table([unique.column(column) for column in columns], names=[f"k{i}" for i in range(len(columns))])


def _owners(rows: pa.Table, columns: Sequence[str], positions: pa.ChunkedArray) -> dict[bytes, list[int]]:
    found: dict[bytes, list[int]] = {}
    values = [rows.column(column).to_pylist() for column in columns]
    for position, key in zip(positions.to_pylist(), zip(*values, strict=True), strict=True):
        if None in key:
            continue
        holders = found.setdefault(key_bytes(key), [])
        if position not in holders:
            holders.append(position)
    return found


def _tagged(table: UnitTable, fetched: Fetched, owners: Owners, reading: _Reading) -> pa.Table:
    """The rows with their unit's position. A match by collation that is none by bytes falls away (PROTOCOL R11); a row
    of several units rejects them all, or is dropped with a warning.
    """
    matches = [name for name in fetched.rows.column_names if name.startswith(MATCH)]
    values = [fetched.rows.column(name).to_pylist() for name in matches]
    positions: list[int | None] = []
    for key in zip(*values, strict=True):
        holders = () if None in key else owners.get(key_bytes(key), ())
        if len(holders) > 1:
            _claimed_twice(table, holders, reading)
        positions.append(holders[0] if holders and (len(holders) == 1 or table.on_stray == "reject") else None)
    for refusal in fetched.refused:
        for position in owners.get(key_bytes(refusal.match), ()):
            where = f"{refusal.table}.{refusal.column}"
            row = f" (row {refusal.row_id})" if refusal.row_id else ""
            reading.faults.setdefault(position, Fault(f"{where}: {refusal.reason}", f"{refusal.detail}{row}"))
    column = pa.array(positions, pa.int64())
    rows = fetched.rows.drop_columns(matches).add_column(0, POSITION, column)
    return rows.filter(pc.is_valid(column)) if column.null_count else rows


def _claimed_twice(table: UnitTable, holders: Sequence[int], reading: _Reading) -> None:
    reason = f"{table.name}: a row belongs to several units by {', '.join(child for child, _ in table.on)}"
    if table.on_stray == "reject":
        for position in holders:
            reading.faults.setdefault(position, Fault(reason))
    else:
        reading.strays[table.name] = reading.strays.get(table.name, 0) + 1
        reading.warnings.append(reason)


def _walk(table: UnitTable, rows: pa.Table, source: CanFetch, reading: _Reading) -> pa.Table:
    """Follow the self reference until no new row appears; a row is known by its referenced columns."""
    parents = tuple(parent for _, parent in table.recursive)
    children = tuple(child for child, _ in table.recursive)
    lone = UnitTable(table.name, table.table, types=table.types)
    known = _owners(rows, parents, rows.column(POSITION))
    frontier = rows
    parts = [rows]
    while frontier.num_rows:
        owners = _owners(frontier, parents, frontier.column(POSITION))
        found = _tagged(table, source.fetch((lone,), KeySet(children, _distinct(frontier, parents))), owners, reading)
        values = [found.column(name).to_pylist() for name in parents]
        fresh = [key_bytes(key) not in known for key in zip(*values, strict=True)]
        frontier = found.filter(pa.array(fresh, pa.bool_()))
        known |= _owners(frontier, parents, frontier.column(POSITION))
        parts.append(frontier)
    return pa.concat_tables(parts)


def _check_second_parents(unit: UnitSchema, table: UnitTable, reading: _Reading) -> None:
    """A row whose second parent is not in its own unit is a stray: its unit is rejected, or the row is dropped."""
    for parent, pairs in table.also:
        if parent not in {other.name for other in unit.tables}:
            raise ConfigError(f"unknown table {parent!r} in also:", field=f"unit.tables.{table.name}.also")
        strays = _strays(reading.tables[table.name], reading.tables[parent], pairs)
        if not any(strays):
            continue
        rows = reading.tables[table.name]
        columns = ", ".join(child for child, _ in pairs)
        reason = f"{table.name}.{columns} points to a row of {parent} outside the unit"
        if table.on_stray == "reject":
            for position, stray in zip(rows.column(POSITION).to_pylist(), strays, strict=True):
                if stray:
                    reading.faults.setdefault(position, Fault(reason))
        else:
            reading.strays[table.name] = reading.strays.get(table.name, 0) + sum(strays)
            reading.warnings.append(reason)
            reading.tables[table.name] = rows.filter(pa.array([not stray for stray in strays], pa.bool_()))


def _strays(rows: pa.Table, parents: pa.Table, pairs: Pairs) -> list[bool]:
    held: set[tuple[int, bytes]] = set()
    values = [parents.column(parent).to_pylist() for _, parent in pairs]
    for position, key in zip(parents.column(POSITION).to_pylist(), zip(*values, strict=True), strict=True):
        held.add((position, key_bytes(key)))
    links = [rows.column(child).to_pylist() for child, _ in pairs]
    found = []
    for position, key in zip(rows.column(POSITION).to_pylist(), zip(*links, strict=True), strict=True):
        found.append(None not in key and (position, key_bytes(key)) not in held)
    return found
