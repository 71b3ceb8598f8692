"""What the work of runs cost: the `RunFigures` port over SQLAlchemy Core."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, case, delete, func, insert, select

from ludb.model.figures import Figures, figures_of, plain
from ludb.model.keys import key_text
from ludb.model.run import ChunkState
from ludb.ports.figures import ChunkTime, Load
from ludb.repositories.store import tables as t
from ludb.repositories.store import tables_server as s
from ludb.repositories.store.database import Database, batches
from ludb.repositories.store.positions import positions_of
from ludb.repositories.store.runs import get_run
from ludb.repositories.store.segments import Segments

_SHOWN = (
    "id",
    "kind",
    "state",
    "units",
    "owner",
    "attempt",
    "claimed_at",
    "finished_at",
    "error",
    "lo",
    "hi",
    "positions",
)
_HELD = (str(ChunkState.CLAIMED), str(ChunkState.DECIDED))


class StoreFigures:
    """The `RunFigures` port."""

    def __init__(self, database: Database, segments: Segments) -> None:
        """Work on this database; keys come from `segments`."""
        self._db, self._segments = database, segments

    def note(self, owner_id: str, run_id: str, figures: Figures) -> None:
        """Replace what the worker said before."""
        values = {"owner": owner_id, "run": run_id, "at": self._db.now(), "data": plain(figures)}
        with self._db.write() as connection:
            connection.execute(delete(s.figure).where(s.figure.c.owner == owner_id))
            connection.execute(insert(s.figure).values(values))

    def of(self, run_ids: Sequence[str]) -> Mapping[str, Mapping[str, Figures]]:
        """What workers have noted."""
        f = s.figure.c
        found: dict[str, dict[str, Figures]] = {}
        with self._db.read() as connection:
            for some in batches(run_ids):
                for row in connection.execute(select(f.owner, f.run, f.data).where(f.run.in_(some)).order_by(f.owner)):
                    found.setdefault(row.run, {})[row.owner] = figures_of(row.data)
        return found

    def load(self, run_id: str) -> list[Load]:
        """Sums over finished chunks, by who finished them."""
        c = t.chunk.c
        seconds = func.sum(case((c.claimed_at.is_(None), 0.0), else_=c.finished_at - c.claimed_at))
        sums = (
            func.count(),
            func.sum(c.units),
            func.sum(c.done),
            seconds,
            func.min(c.finished_at),
            func.max(c.finished_at),
        )
        query = select(c.owner, *sums).where(c.run == run_id, c.state == str(ChunkState.FINISHED)).group_by(c.owner)
        with self._db.read() as connection:
            get_run(connection, run_id)
            rows = connection.execute(query.order_by(func.sum(c.units).desc(), c.owner)).all()
        return [
            Load(owner, int(chunks), int(units), int(done), max(0.0, float(took or 0.0)), float(first), float(last))
            for owner, chunks, units, done, took, first, last in rows
        ]

    def held(self, run_id: str) -> list[ChunkTime]:
        """Claimed and decided chunks."""
        c = t.chunk.c
        query = select(*(c[name] for name in _SHOWN)).where(c.run == run_id, c.state.in_(_HELD), c.owner != "")
        with self._db.read() as connection:
            get_run(connection, run_id)
            rows = connection.execute(query.order_by(c.claimed_at, c.id).limit(1000)).all()
            now = self._db.now()
            return self._times(connection, run_id, rows, now)

    def waiting(self, run_id: str, limit: int = 10) -> list[ChunkTime]:
        """Released chunks, the oldest first."""
        c = t.chunk.c
        query = select(*(c[name] for name in _SHOWN)).where(c.run == run_id, c.state == str(ChunkState.RELEASED))
        with self._db.read() as connection:
            get_run(connection, run_id)
            rows = connection.execute(query.order_by(c.seq).limit(limit)).all()
            now = self._db.now()
            return self._times(connection, run_id, rows, now)

    def slowest(self, run_id: str, limit: int = 10) -> list[ChunkTime]:
        """Finished chunks by seconds for a unit."""
        c = t.chunk.c
        query = select(*(c[name] for name in _SHOWN)).where(
            c.run == run_id, c.state == str(ChunkState.FINISHED), c.claimed_at.is_not(None), c.units > 0
        )
        each = (c.finished_at - c.claimed_at) / c.units
        with self._db.read() as connection:
            get_run(connection, run_id)
            rows = connection.execute(query.order_by(each.desc(), c.id).limit(limit)).all()
            return self._times(connection, run_id, rows, None)

    def typical(self, run_id: str, newest: int = 200) -> float | None:
        """A median over the chunks that were claimed last."""
        c = t.chunk.c
        query = (
            select(c.finished_at, c.claimed_at)
            .where(c.run == run_id, c.state == str(ChunkState.FINISHED), c.claimed_at.is_not(None))
            .order_by(c.seq.desc())
            .limit(newest)
        )
        with self._db.read() as connection:
            took = [max(0.0, end - begin) for end, begin in connection.execute(query)]
        return statistics.median(took) if took else None

    def _times(self, connection: Connection, run_id: str, rows: Sequence[Any], now: float | None) -> list[ChunkTime]:
        """The chunks with their first and last keys, which are looked up together."""
        ends = [(at[0], at[-1]) for at in map(_ends, rows)]
        places = [at for pair in ends for at in pair]
        columns = [column.to_pylist() for column in self._segments.of(connection, run_id, places).columns]
        names = [key_text(values) for values in zip(*columns, strict=True)]
        return [
            _time(row, row.finished_at if now is None else now, names[2 * at], names[2 * at + 1])
            for at, row in enumerate(rows)
        ]


def _ends(row: Any) -> Sequence[int]:
    return (row.lo, row.hi - 1) if row.positions is None else positions_of(row)


def _time(row: Any, until: float, first: str, last: str) -> ChunkTime:
    since = until if row.claimed_at is None else row.claimed_at
    return ChunkTime(
        row.id, row.kind, ChunkState(row.state), row.units, row.owner, row.attempt, since, max(0.0, until - since),
        row.error, first, last,
    )  # fmt: skip
