"""What stands out over all runs: the `Overview` port over SQLAlchemy Core. Every query is cut in the database."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import case, func, select

from ludb.model.events import Event
from ludb.model.run import CallState, RunState, UnitState
from ludb.ports.pages import CallLine, ReasonLine, VersionLine
from ludb.repositories.store import tables as t
from ludb.repositories.store.calls import call_of
from ludb.repositories.store.database import Database, batches
from ludb.repositories.store.segments import Segments
from ludb.repositories.store.typed import looked_for, place


class StoreOverview:
    """The `Overview` port."""

    def __init__(self, database: Database, segments: Segments) -> None:
        """Work on this database; keys come from `segments`."""
        self._db, self._segments = database, segments

    def reasons(self, job: str | None = None, limit: int = 200) -> list[ReasonLine]:
        """Groups by (run, state, reason)."""
        k, r = t.tally.c, t.run.c
        step = func.min(case((k.step != "", k.step), else_=k.phase))
        query = (
            select(k.run, r.job, k.state, k.reason, step, func.sum(k.n), func.max(k.last_at))
            .select_from(t.tally.join(t.run, r.id == k.run))
            .where(r.state != str(RunState.ABANDONED), k.n != 0)
            .group_by(k.run, r.job, k.state, k.reason)
            .order_by(func.sum(k.n).desc(), k.run, k.reason)
            .limit(limit)
        )
        if job is not None:
            query = query.where(r.job == job)
        with self._db.read() as connection:
            return [
                ReasonLine(run, name, UnitState(state), reason, said, int(units), float(at))
                for run, name, state, reason, said, units, at in connection.execute(query)
            ]

    def calls(
        self,
        *,
        before: int | None = None,
        states: Collection[CallState] = (),
        system: str | None = None,
        run: str | None = None,
        job: str | None = None,
        call: str | None = None,
        limit: int = 50,
    ) -> list[CallLine]:
        """Calls of all runs, the newest first."""
        c, r = t.call.c, t.run.c
        query = select(t.call, r.job).join(t.run, r.id == c.run).order_by(c.number.desc()).limit(limit)
        if call is not None:
            query = query.where(c.id == call)
        if before is not None:
            query = query.where(c.number < before)
        if states:
            query = query.where(c.state.in_([str(state) for state in states]))
        if system is not None:
            query = query.where(c.output.startswith(f"{system}.", autoescape=True))
        if run is not None:
            query = query.where(c.run == run)
        if job is not None:
            query = query.where(r.job == job)
        with self._db.read() as connection:
            return [
                CallLine(row.number, row.run, row.job, call_of(row, row.position)) for row in connection.execute(query)
            ]

    def places(self, job: str, key: str, *, before: int | None = None, limit: int = 50) -> list[tuple[int, str, int]]:
        """Where a unit stands in the lists of a job's runs: one look at all lists, of which few are read."""
        found: list[tuple[int, str, int]] = []
        with self._db.read() as connection:
            for number, run, first, keys in self._segments.of_job(connection, job, before, looked_for(key)):
                at = place(keys, key)
                if at is not None:
                    found.append((number, run, first + at))
                    if len(found) == limit:
                        break
        return found

    def named(self, run: str, names: Collection[str], limit: int = 50) -> list[tuple[int, float, Event]]:
        """Events of a run under some names, the newest first."""
        e = t.event.c
        query = select(t.event).where(e.run == run, e.name.in_(list(names))).order_by(e.number.desc()).limit(limit)
        with self._db.read() as connection:
            return [
                (row.number, row.at, Event(row.name, row.run, row.chunk, row.level, bool(row.lasting), row.data))
                for row in connection.execute(query)
            ]

    def versions(self, job: str) -> list[VersionLine]:
        """Versions with the first and the last of their runs: one query for the sums, one for the names."""
        r = t.run.c
        query = select(
            r.version, func.count(), func.sum(r.units), func.min(r.number), func.max(r.number),
            func.min(r.created_at), func.max(r.created_at),
        ).where(r.job == job).group_by(r.version).order_by(func.max(r.number).desc())  # fmt: skip
        with self._db.read() as connection:
            rows = connection.execute(query).all()
            numbers = {number for row in rows for number in (row[3], row[4])}
            names = {
                number: name
                for some in batches(sorted(numbers))
                for number, name in connection.execute(select(r.number, r.id).where(r.number.in_(some)))
            }
        return [
            VersionLine(version, int(runs), int(units), names[first], names[last], float(since), float(until))
            for version, runs, units, first, last, since, until in rows
        ]
