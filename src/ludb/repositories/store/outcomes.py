"""What becomes of units: exceptions and their history, and the rows that finished chunks moved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from ludb.errors import FatalError
from ludb.model.exceptions import exception_values
from ludb.model.run import Chunk, UnitException, UnitState
from ludb.repositories.store import tables as t
from ludb.repositories.store.database import batches
from ludb.repositories.store.tally import count

_FIELDS = tuple(field.name for field in fields(UnitException))
_LIGHT = ("unit_key", "phase", "step", "reason", "message", "job_version", "chunk")


def exception_of(row: Any) -> UnitException:
    """The exception that a row of table `unit_exception` holds."""
    values = {name: getattr(row, name) for name in _FIELDS}
    return UnitException(**{**values, "state": UnitState(row.state)})


def stamped(exceptions: Iterable[UnitException], chunk: Chunk, now: float, version: str) -> list[UnitException]:
    """The exceptions with chunk, time and job version filled in where the engine left them open."""
    return [
        replace(each, chunk=each.chunk or chunk.id, at=each.at or now, job_version=each.job_version or version)
        for each in exceptions
    ]


def refuse_strangers(chunk: Chunk, positions: Sequence[int], allowed: Iterable[int]) -> None:
    """`FatalError` if a unit is named twice or is not one of `allowed`: the counters would stop adding up."""
    if len(set(positions)) != len(positions) or not set(positions) <= set(allowed):
        raise FatalError(
            f"run {chunk.run}: chunk {chunk.id} was given the outcome of a unit twice, or of one that is not its own"
        )


def set_aside(connection: Connection, run: str, exceptions: Sequence[UnitException]) -> None:
    """Keep units as neither done nor pending, and say so in their history."""
    if not exceptions:
        return
    if any(each.state in (UnitState.PENDING, UnitState.DONE) for each in exceptions):
        raise FatalError(f"run {run}: pending and done are never stored as exceptions")
    connection.execute(insert(t.unit_exception), [{"run": run, **exception_values(each)} for each in exceptions])
    count(connection, run, exceptions)
    tell(connection, run, [(each.position, each.at, str(each.state), _told(each)) for each in exceptions])


def tell(connection: Connection, run: str, entries: Sequence[tuple[int, float, str, Mapping[str, object]]]) -> None:
    """Add to the history of units: (position, time, what, data)."""
    if entries:
        rows = [
            {"run": run, "position": at, "at": time, "what": what, "data": data} for at, time, what, data in entries
        ]
        connection.execute(insert(t.unit_history), rows)


def held_back(exceptions: Iterable[UnitException]) -> list[tuple[int, float, str, Mapping[str, object]]]:
    """The history of units that wait for their calls to be undone."""
    return [(each.position, each.at, "undo", _told(each)) for each in exceptions]


def reopen(
    connection: Connection,
    run: str,
    positions: Sequence[int],
    now: float,
    entry: Mapping[str, object],
    state: UnitState = UnitState.QUARANTINED,
) -> list[int]:
    """Move the exceptions of units in this state into the history, whole; returns the positions that were not in it."""
    found: dict[int, UnitException] = {}
    e = t.unit_exception.c
    for some in batches(positions):
        rows = connection.execute(
            select(t.unit_exception).where(e.run == run, e.position.in_(some)).with_for_update()
        ).all()
        found |= {row.position: exception_of(row) for row in rows if row.state == state}
    missing = [at for at in positions if at not in found]
    if missing:
        return missing
    tell(connection, run, [(at, now, "retried", {**entry, "was": exception_values(found[at])}) for at in positions])
    for some in batches(positions):
        connection.execute(delete(t.unit_exception).where(e.run == run, e.position.in_(some)))
    count(connection, run, [found[at] for at in positions], sign=-1)
    return []


def count_rows(connection: Connection, chunk: Chunk, decided: Any, doubtful: Iterable[UnitException]) -> None:
    """Keep the rows of a finished chunk's done units: those decided, less those of units now in doubt."""
    counts = {side: Counter(tables) for side, tables in decided.items()}
    for each in doubtful:
        for side, tables in each.rows.items():
            counts.setdefault(side, Counter()).subtract(tables)
    rows = [
        {"chunk": chunk.id, "run": chunk.run, "side": side, "name": name, "n": n}
        for side, tables in counts.items()
        for name, n in tables.items()
        if n
    ]
    if rows:
        connection.execute(insert(t.chunk_rows), rows)


def _told(exception: UnitException) -> Mapping[str, object]:
    # Texts that may hold row values stay in the exception itself, where rights guard them.
    return {name: getattr(exception, name) for name in _LIGHT}
