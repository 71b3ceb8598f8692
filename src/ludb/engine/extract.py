"""From a chunk's keys to its rows: every table of the unit, each row with the position of its unit."""

from __future__ import annotations

from contextlib import ExitStack

import pyarrow as pa

from ludb.engine.ownership import Owners, distinct
from ludb.engine.strays import Reading, settle_strays
from ludb.engine.workplace import Workplace
from ludb.model.data import Extract
from ludb.model.figures import SYSTEM
from ludb.model.keys import key_bytes
from ludb.model.run import Chunk
from ludb.model.unit import POSITION, Fetched, KeySet, UnitTable
from ludb.ports.source import CanFetch


def extract(chunk: Chunk, at: Workplace) -> Extract:
    """Read the chunk's rows, one consistent snapshot per source system.

    Rows of two units, strays and rows that cannot be carried become faults of their units. Raises `TransientError` if a
    source is away.
    """
    unit, keys = at.migration.job.unit, unread(chunk, at).keys
    reading = Reading()
    with ExitStack() as snapshots:
        for name, source in at.migration.sources.items():
            if isinstance(source, CanFetch) and any(_is_fetched(table, name, at) for table in unit.tables):
                snapshots.enter_context(source.snapshot())
        for table in unit.tables:
            reading.tables[table.name] = _read(table, chunk, keys, reading, at)
    present = set(reading.tables[unit.root.name].column(POSITION).to_pylist())
    settle_strays(unit, reading, at.shared, chunk.positions)
    for position in chunk.positions:
        fault = at.planned_faults.get(position)
        if fault is not None:
            reading.faults.setdefault(position, fault)
    gone = frozenset(chunk.positions) - present
    faults = {position: fault for position, fault in reading.faults.items() if position not in gone}
    warnings = {reason: frozenset(positions) for reason, positions in reading.warnings.items()}
    return Extract(keys, reading.tables, faults, gone, reading.strays, warnings)


def unread(chunk: Chunk, at: Workplace) -> Extract:
    """The extract of a chunk whose rows are left alone: of each unit its root row is known, and of that one its key."""
    keys = pa.table({POSITION: pa.array(list(chunk.positions), pa.int64())} | _columns(chunk.keys))
    return Extract(keys, {at.migration.job.unit.root.name: keys})


def _is_fetched(table: UnitTable, system: str, at: Workplace) -> bool:
    """Whether the system is asked for the table's rows: staged ones are here already."""
    return table.table.system == system and not (at.stage is not None and table.name in at.stage.tables)


def _columns(keys: pa.Table) -> dict[str, pa.ChunkedArray]:
    return {name: keys.column(name) for name in keys.column_names}


def _read(table: UnitTable, chunk: Chunk, keys: pa.Table, reading: Reading, at: Workplace) -> pa.Table:
    if at.stage is not None and table.name in at.stage.tables:
        for position in chunk.positions:
            if position in at.stage.faults:
                reading.faults.setdefault(position, at.stage.faults[position])
        return at.stage.fetch(table.name, chunk.positions)
    unit = at.migration.job.unit
    source = at.migration.sources[table.table.system]
    assert isinstance(source, CanFetch)
    path = unit.stretch(table.name)
    if len(path) > 1 and path[0].recursive:
        path = path[1:]  # what the walk has found counts too, and only we know it
    if path[0].parent is None:
        owners = Owners(keys, unit.key)
        by = KeySet(unit.key, keys.select(list(unit.key)))
    else:
        parent = reading.tables[path[0].parent]
        links, columns = zip(*path[0].on, strict=True)
        owners = Owners(parent, columns)
        by = KeySet(links, distinct(parent, columns, links))
    rows = _tagged(_fetch(source, path, by, at), owners, reading)
    return _walk(table, rows, source, reading, at) if table.recursive else rows


def _fetch(source: CanFetch, path: tuple[UnitTable, ...], by: KeySet, at: Workplace) -> Fetched:
    with at.meter.timed(SYSTEM, path[-1].table.system) as done:
        fetched = source.fetch(path, by)
        done.rows, done.received = fetched.rows.num_rows, fetched.rows.nbytes
    return fetched


def _tagged(fetched: Fetched, owners: Owners, reading: Reading) -> pa.Table:
    """The rows with their units' positions; units with a row that cannot be carried are at fault."""
    for refusal in fetched.refused:
        row = f" (row {refusal.row_id})" if refusal.row_id else ""
        reason = f"{refusal.table}.{refusal.column}: {refusal.reason}"
        reading.fault(owners.of(refusal.match), reason, f"{refusal.detail}{row}")
    return owners.tag(fetched)


def _walk(table: UnitTable, rows: pa.Table, source: CanFetch, reading: Reading, at: Workplace) -> pa.Table:
    """Follow the self reference until no new key appears. Each key is asked for once per unit, and rows that the link
    to the parent has brought are left out, so that every row comes once, whatever its own key.
    """
    children, parents = zip(*table.recursive, strict=True)
    lone = UnitTable(table.name, table.table, types=table.types)
    on = [child for child, _ in table.on]
    linked = _marks(rows, on)
    asked: set[tuple[int, bytes]] = set()
    parts, frontier = [rows], rows
    while frontier.num_rows:
        fresh = []
        for mark in _marks_in_order(frontier, parents):
            fresh.append(mark is not None and mark not in asked)
            if mark is not None:
                asked.add(mark)
        frontier = frontier.filter(pa.array(fresh, pa.bool_()))
        if not frontier.num_rows:
            break
        wanted = KeySet(children, distinct(frontier, parents, children))
        found = _tagged(_fetch(source, (lone,), wanted, at), Owners(frontier, parents), reading)
        frontier = found.filter(pa.array([mark not in linked for mark in _marks_in_order(found, on)], pa.bool_()))
        parts.append(frontier)
    return pa.concat_tables(parts)


def _marks(rows: pa.Table, columns: list[str]) -> set[tuple[int, bytes]]:
    return {mark for mark in _marks_in_order(rows, columns) if mark is not None}


def _marks_in_order(rows: pa.Table, columns: list[str] | tuple[str, ...]) -> list[tuple[int, bytes] | None]:
    """Position and key bytes of each row; None where a part of the key is NULL."""
    values = zip(*(rows.column(name).to_pylist() for name in columns), strict=True)
    return [
        None if None in key else (position, key_bytes(key))
        for position, key in zip(rows.column(POSITION).to_pylist(), values, strict=True)
    ]
