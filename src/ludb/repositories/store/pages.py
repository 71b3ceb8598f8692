"""Pages of lists: the `Pages` port over SQLAlchemy Core. Every query is cut in the database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import and_, func, or_, select

from ludb.model.calls import Call
from ludb.model.events import Event
from ludb.model.run import CallState, ChunkState, Counters, Run, RunState, UnitException, UnitState
from ludb.ports.pages import ChunkLine
from ludb.repositories.store import tables as t
from ludb.repositories.store.calls import call_of
from ludb.repositories.store.database import Database, batches
from ludb.repositories.store.outcomes import exception_of
from ludb.repositories.store.runs import get_run, run_of
from ludb.repositories.store.segments import Segments
from ludb.repositories.store.tally import aside
from ludb.repositories.store.typed import looked_for, place
from ludb.repositories.store.views import UNRESOLVED

_CHUNK = tuple(field.name for field in fields(ChunkLine))
_HEAVY = ("detail", "body", "trace", "source_rows")
_EXCEPTION = tuple(field.name for field in fields(UnitException) if field.name not in _HEAVY)


class StorePages:
    """The `Pages` port."""

    def __init__(self, database: Database, segments: Segments) -> None:
        """Work on this database; keys come from `segments`."""
        self._db, self._segments = database, segments

    def runs(
        self, *, before: int | None = None, job: str | None = None, states: Collection[RunState] = (), limit: int = 50
    ) -> list[tuple[int, Run]]:
        """Runs with their numbers, the newest first."""
        c = t.run.c
        query = select(t.run).order_by(c.number.desc()).limit(limit)
        if before is not None:
            query = query.where(c.number < before)
        if job is not None:
            query = query.where(c.job == job)
        if states:
            query = query.where(c.state.in_([str(state) for state in states]))
        with self._db.read() as connection:
            return [(row.number, run_of(row)) for row in connection.execute(query)]

    def counters(self, run_ids: Sequence[str]) -> Mapping[str, Counters]:
        """Where the units of several runs are: three queries for all of them."""
        r, c = t.run.c, t.chunk.c
        totals: dict[str, int] = {}
        found: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        with self._db.read() as connection:
            for some in batches(run_ids):
                totals |= {
                    run: int(units) for run, units in connection.execute(select(r.id, r.units).where(r.id.in_(some)))
                }
                done = select(c.run, c.state, func.sum(c.done)).where(c.run.in_(some), c.done > 0)
                for run, state, units in connection.execute(done.group_by(c.run, c.state)):
                    found[run][state] += int(units)
                for run, states in aside(connection, some).items():
                    found[run].update(states)
        return {run: _counters(total, found[run]) for run, total in totals.items()}

    def chunks(
        self, run_id: str, *, after: tuple[int, str] | None = None, states: Collection[ChunkState] = (), limit: int = 50
    ) -> list[ChunkLine]:
        """Chunks in list order."""
        c = t.chunk.c
        # Chunks that are not over are few: found by their state and sorted, not met one by one among all others.
        place = c.lo + 0 if states and set(UNRESOLVED).issuperset(states) else c.lo
        query = select(*(c[name] for name in _CHUNK)).where(c.run == run_id).order_by(place, c.id).limit(limit)
        if after is not None:
            query = query.where(or_(c.lo > after[0], and_(c.lo == after[0], c.id > after[1])))
        if states:
            query = query.where(c.state.in_([str(state) for state in states]))
        with self._db.read() as connection:
            get_run(connection, run_id)
            return [_line_of(row) for row in connection.execute(query)]

    def exceptions(
        self,
        run_id: str,
        *,
        after: int | None = None,
        state: UnitState | None = None,
        reason: str | None = None,
        text: str = "",
        error: str = "",
        since: float | None = None,
        limit: int = 50,
    ) -> list[UnitException]:
        """Units set aside, without the columns that may be long and hold row values."""
        e = t.unit_exception.c
        query = select(*(e[name] for name in _EXCEPTION)).where(e.run == run_id).order_by(e.position).limit(limit)
        if after is not None:
            query = query.where(e.position > after)
        if state is not None:
            query = query.where(e.state == str(state))
        if reason is not None:
            query = query.where(e.reason == reason)
        if text:
            query = query.where(e.unit_key.contains(text, autoescape=True))
        if error:
            query = query.where(or_(*(one.icontains(error, autoescape=True) for one in (e.reason, e.message))))
        if since is not None:
            query = query.where(e.at >= since)
        with self._db.read() as connection:
            get_run(connection, run_id)
            return [
                UnitException(**{**{name: getattr(row, name) for name in _EXCEPTION}, "state": UnitState(row.state)})
                for row in connection.execute(query)
            ]

    def exception(self, run_id: str, position: int) -> UnitException | None:
        """One of them, whole."""
        e = t.unit_exception.c
        with self._db.read() as connection:
            row = connection.execute(
                select(t.unit_exception).where(e.run == run_id, e.position == position)
            ).one_or_none()
        return None if row is None else exception_of(row)

    def calls(
        self, run_id: str, *, after: int | None = None, states: Collection[CallState] = (), limit: int = 50
    ) -> list[tuple[int, Call]]:
        """Calls with their numbers, oldest first."""
        c = t.call.c
        query = select(t.call).where(c.run == run_id).order_by(c.number).limit(limit)
        if after is not None:
            query = query.where(c.number > after)
        if states:
            query = query.where(c.state.in_([str(state) for state in states]))
        with self._db.read() as connection:
            get_run(connection, run_id)
            return [(row.number, call_of(row, row.position)) for row in connection.execute(query)]

    def events(self, run_id: str, *, before: int | None = None, limit: int = 50) -> list[tuple[int, float, Event]]:
        """What happened, the newest first."""
        e = t.event.c
        query = select(t.event).order_by(e.number.desc()).limit(limit)
        if run_id:
            query = query.where(e.run == run_id)
        if before is not None:
            query = query.where(e.number < before)
        with self._db.read() as connection:
            return [
                (row.number, row.at, Event(row.name, row.run, row.chunk, row.level, bool(row.lasting), row.data))
                for row in connection.execute(query)
            ]

    def position(self, run_id: str, key: str) -> int | None:
        """The list position of a unit key, segment by segment."""
        with self._db.read() as connection:
            get_run(connection, run_id)
            for first, keys in self._segments.each(connection, run_id, looked_for(key)):
                found = place(keys, key)
                if found is not None:
                    return first + found
        return None


def _counters(total: int, found: Mapping[str, int]) -> Counters:
    others = {
        str(state): found.get(state, 0)
        for state in (UnitState.QUARANTINED, UnitState.IN_DOUBT, UnitState.GONE, UnitState.ROLLED_BACK)
    }
    done, committing = found.get(ChunkState.FINISHED, 0), found.get(ChunkState.DECIDED, 0)
    return Counters(total=total, done=done, committing=committing, **others)


def _line_of(row: Any) -> ChunkLine:
    values = {name: getattr(row, name) for name in _CHUNK}
    waits = row.not_before if row.state == ChunkState.RELEASED else None
    return ChunkLine(**{**values, "state": ChunkState(row.state), "not_before": waits})
