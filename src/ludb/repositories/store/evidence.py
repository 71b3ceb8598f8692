"""Evidence by sums in SQL: the `RunEvidence` port over SQLAlchemy Core."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, Select, and_, case, exists, func, select

from ludb.model.run import SETTLED_CALLS, CallState, ChunkState, UnitState
from ludb.ports.evidence import Accounts, Asked, CallGroup, ChunkGroup, Decided, ReasonGroup, Settled
from ludb.repositories.store import tables as t
from ludb.repositories.store import tally
from ludb.repositories.store.database import Database
from ludb.repositories.store.runs import get_run
from ludb.wording import plural

_MOVING = ("move", "retry")
_OPEN = (str(ChunkState.CLAIMED), str(ChunkState.RELEASED))
_TRANSACTIONS = pa.schema(
    [(name, pa.string()) for name in ("txn", "job", "run", "chunk", "state")]
    + [("seq", pa.int64()), ("participants", pa.list_(pa.string()))]
)


class StoreEvidence:
    """The `RunEvidence` port. What is summed stays in the database; lists are cut there."""

    def __init__(self, database: Database) -> None:
        """Work on this database."""
        self._db = database

    def pace(self, run_id: str) -> list[Settled]:
        """When units were settled: finished chunks by the time of their end, others by the time of their verdict."""
        c, e = t.chunk.c, t.unit_exception.c
        moved = select(c.finished_at, func.sum(c.done)).where(
            c.run == run_id, c.state == str(ChunkState.FINISHED), c.kind.in_(_MOVING), c.done > 0
        )
        others = select(e.at, func.count()).where(e.run == run_id).group_by(e.at)
        with self._db.read() as connection:
            get_run(connection, run_id)
            done = {at: int(units) for at, units in connection.execute(moved.group_by(c.finished_at))}
            aside = {at: int(units) for at, units in connection.execute(others)}
        return [Settled(at, done.get(at, 0), aside.get(at, 0)) for at in sorted({**done, **aside})]

    def reasons(self, run_id: str, *, named: int = 0, limit: int | None = None) -> list[ReasonGroup]:
        """Groups by (state, reason). A step's name is one of several where rules of several steps give one reason."""
        k = t.tally.c
        step = func.min(case((k.step != "", k.step), else_=k.phase))
        query = (
            select(k.state, k.reason, step, func.sum(k.n))
            .where(k.run == run_id, k.n != 0)
            .group_by(k.state, k.reason)
            .order_by(func.sum(k.n).desc(), k.state, k.reason)
            .limit(limit)
        )
        with self._db.read() as connection:
            get_run(connection, run_id)
            rows = connection.execute(query).all()
            keys = self._named(connection, run_id, named) if named else {}
        return [
            ReasonGroup(UnitState(state), reason, said, int(units), tuple(keys.get((state, reason), ())))
            for state, reason, said, units in rows
        ]

    @staticmethod
    def _named(connection: Connection, run_id: str, named: int) -> dict[tuple[str, str], list[str]]:
        e = t.unit_exception.c
        number = func.row_number().over(partition_by=(e.state, e.reason), order_by=e.position).label("number")
        ranked = select(e.state, e.reason, e.unit_key, e.position, number).where(e.run == run_id).subquery()
        query = select(ranked).where(ranked.c.number <= named).order_by(ranked.c.position)
        found: dict[tuple[str, str], list[str]] = defaultdict(list)
        for row in connection.execute(query):
            found[row.state, row.reason].append(row.unit_key)
        return found

    def chunks(self, run_id: str) -> list[ChunkGroup]:
        """Chunks by kind and state."""
        c = t.chunk.c
        again = func.sum(case((c.attempt > 1, 1), else_=0))
        query = select(c.kind, c.state, func.count(), func.sum(c.units), again).where(c.run == run_id)
        query = query.group_by(c.kind, c.state).order_by(c.kind, c.state)
        return [
            ChunkGroup(kind, ChunkState(state), int(chunks), int(units), int(repeated))
            for kind, state, chunks, units, repeated in self._rows(run_id, query)
        ]

    def calls(self, run_id: str) -> list[CallGroup]:
        """Calls by output and state."""
        c = t.call.c
        query = select(c.output, c.state, func.count()).where(c.run == run_id)
        query = query.group_by(c.output, c.state).order_by(c.output, c.state)
        return [CallGroup(output, CallState(state), int(calls)) for output, state, calls in self._rows(run_id, query)]

    def asked(self, run_id: str) -> list[Asked]:
        """Commands, and retries as the units' histories tell them: one per moment, however many units."""
        c, h = t.command.c, t.unit_history.c
        retries = select(h.at, func.count(), func.min(h.number)).where(h.run == run_id, h.what == "retried")
        with self._db.read() as connection:
            get_run(connection, run_id)
            rows = connection.execute(select(t.command).where(c.run == run_id).order_by(c.number)).all()
            found = [
                Asked(row.name, row.actor, row.put_at, row.arguments, row.acknowledged_at, row.outcome or "")
                for row in rows
            ]
            for at, units, number in connection.execute(retries.group_by(h.at)).all():
                data = connection.execute(select(h.data).where(h.number == number)).scalar_one()
                outcome = f"{plural(int(units), 'unit')} pending again"
                found.append(Asked("quarantine retry", str(data.get("by", "")), at, {}, at, outcome))
        return sorted(found, key=lambda one: one.at)

    def accounts(self, run_id: str) -> Accounts:
        """The list's length from its segments, what is left from segments and chunks; no counter is asked, but for `wrong`."""
        s, c, e, k = t.segment.c, t.chunk.c, t.unit_exception.c, t.call.c
        segments = select(func.sum(s.n), func.sum(s.first_pos + s.n - s.next_pos)).where(s.run == run_id)
        held = select(func.sum(c.units)).where(c.run == run_id, c.state.in_(_OPEN))
        done, committing = (
            select(func.sum(c.done)).where(c.run == run_id, c.state == str(state))
            for state in (ChunkState.FINISHED, ChunkState.DECIDED)
        )
        aside = select(func.count()).where(e.run == run_id)
        settled = [str(state) for state in SETTLED_CALLS]
        mine = and_(e.run == k.run, e.position == k.position, e.state == str(UnitState.QUARANTINED))
        alive = select(func.count()).select_from(t.call.join(t.unit_exception, mine))
        alive = alive.where(k.run == run_id, k.state.not_in(settled))
        known = exists(select(t.decision.c.txn).where(t.decision.c.chunk == c.id))
        undecided = select(func.count()).where(
            c.run == run_id, c.state == str(ChunkState.FINISHED), c.kind.in_(_MOVING), ~known
        )
        with self._db.read() as connection:
            get_run(connection, run_id)
            listed, unclaimed = connection.execute(segments).one()
            done_, aside_, held_, committing_, alive_, undecided_ = (
                int(connection.execute(query).scalar_one() or 0)
                for query in (done, aside, held, committing, alive, undecided)
            )
            wrong = tally.miscounts(connection, run_id)
        unclaimed_ = int(unclaimed or 0)
        return Accounts(
            int(listed or 0), done_, aside_, unclaimed_, held_, committing_, alive_, undecided_, tuple(wrong)
        )

    def decided(self, run_id: str) -> Decided:
        """Sums over the decisions of finished chunks; what a chunk left out at recovery is not among its units."""
        c, d = t.chunk.c, t.decision.c
        finished = and_(c.id == d.chunk, c.state == str(ChunkState.FINISHED))
        versions = select(d.job_version, func.count(), func.sum(c.done)).where(d.run == run_id)
        versions = versions.select_from(t.decision.join(t.chunk, finished)).group_by(d.job_version)
        texts = select(d.rows).where(d.run == run_id).select_from(t.decision.join(t.chunk, finished))
        written: Counter[str] = Counter()
        with self._db.read() as connection:
            get_run(connection, run_id)
            by_version = {
                version: (int(chunks), int(units or 0))
                for version, chunks, units in connection.execute(versions.order_by(d.job_version))
            }
            for rows in connection.execute(texts).scalars():
                written.update(rows.get("output", {}))
        return Decided(by_version, dict(sorted(written.items())))

    def transactions(self) -> pa.Table:
        """Every decision of the repository."""
        c, d, r = t.chunk.c, t.decision.c, t.run.c
        query = select(d.txn, r.job, d.run, d.chunk, c.state, d.seq, d.participants)
        query = query.select_from(t.decision.join(t.chunk, c.id == d.chunk).join(t.run, r.id == d.run))
        with self._db.read() as connection:
            rows = connection.execute(query.order_by(d.seq)).all()
        return pa.table([list(column) for column in zip(*rows, strict=True)] or [[]] * 7, schema=_TRANSACTIONS)

    def _rows(self, run_id: str, query: Select[Any]) -> list[Any]:
        with self._db.read() as connection:
            get_run(connection, run_id)
            return list(connection.execute(query))
