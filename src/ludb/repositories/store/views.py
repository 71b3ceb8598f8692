"""The read side: the `RunViews` port over SQLAlchemy Core. Every answer is one read transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, func, select

from ludb.errors import ConfigError
from ludb.model.calls import Call
from ludb.model.keys import key_text
from ludb.model.run import Chunk, ChunkState, Counters, Run, UnitException, UnitState
from ludb.ports.views import RowCounts
from ludb.repositories.store import tables as t
from ludb.repositories.store.calls import calls_of
from ludb.repositories.store.chunk_rows import chunk_of
from ludb.repositories.store.database import Database
from ludb.repositories.store.outcomes import exception_of
from ludb.repositories.store.positions import positions_of, unpack
from ludb.repositories.store.runs import get_run, run_of
from ludb.repositories.store.segments import Segments
from ludb.repositories.store.tally import aside

_MOVING = ("move", "retry")
_HELD = (str(ChunkState.CLAIMED), str(ChunkState.DECIDED))
UNRESOLVED = (ChunkState.CLAIMED, ChunkState.DECIDED, ChunkState.RELEASED)
"""States of chunks that are not over."""
History = list[tuple[float, str, Mapping[str, object]]]


class StoreViews:
    """The `RunViews` port. Counts come from chunks and from `tally`, both kept in the transactions that move units."""

    def __init__(self, database: Database, segments: Segments) -> None:
        """Work on this database; keys come from `segments`."""
        self._db, self._segments = database, segments

    def runs(self, job: str | None = None, limit: int = 100) -> list[Run]:
        """Runs, the newest first."""
        query = select(t.run).order_by(t.run.c.number.desc()).limit(limit)
        if job is not None:
            query = query.where(t.run.c.job == job)
        with self._db.read() as connection:
            return [run_of(row) for row in connection.execute(query)]

    def counters(self, run_id: str) -> Counters:
        """Where the units are: the sums of chunks, each of which counts its own, and of what was set aside."""
        c = t.chunk.c
        done = select(c.state, func.sum(c.done)).where(c.run == run_id).group_by(c.state)
        with self._db.read() as connection:
            total = get_run(connection, run_id).units
            moved = {state: int(units) for state, units in connection.execute(done)}
            set_aside = aside(connection, [run_id]).get(run_id, {})
        return Counters(
            total=total,
            done=moved.get(ChunkState.FINISHED, 0),
            quarantined=set_aside.get(UnitState.QUARANTINED, 0),
            in_doubt=set_aside.get(UnitState.IN_DOUBT, 0),
            gone=set_aside.get(UnitState.GONE, 0),
            rolled_back=set_aside.get(UnitState.ROLLED_BACK, 0),
            committing=moved.get(ChunkState.DECIDED, 0),
        )

    def rows(self, run_id: str) -> RowCounts:
        """Rows by table and unit state: of finished chunks' done units, of strays, of units set aside; warnings by rule,
        conversions by function.
        """
        r, e = t.chunk_rows.c, t.unit_exception.c
        moved = select(r.side, r.name, func.sum(r.n)).where(r.run == run_id).group_by(r.side, r.name)
        # Units of one shape have the same counts as the same text: few groups, however many exceptions.
        others = select(e.state, e.rows, func.count()).where(e.run == run_id).group_by(e.state, e.rows)
        sides: dict[str, dict[str, dict[str, int]]] = {
            "source": defaultdict(lambda: defaultdict(int)),
            "output": defaultdict(lambda: defaultdict(int)),
        }
        told: dict[str, dict[str, int]] = {"warning": {}, "conversion": {}}
        with self._db.read() as connection:
            get_run(connection, run_id)
            for side, name, rows in connection.execute(moved):
                if side in told:
                    told[side][name] = int(rows)
                elif side == "stray":
                    sides["source"][name]["stray"] += int(rows)
                else:
                    sides[side][name][str(UnitState.DONE)] += int(rows)
            for state, counts, units in connection.execute(others):
                for side in sides:
                    for name, rows in counts.get(side, {}).items():
                        sides[side][name][state] += rows * units
        plain = {side: {name: dict(states) for name, states in tables.items()} for side, tables in sides.items()}
        return RowCounts(plain["source"], plain["output"], told["warning"], told["conversion"])

    def exceptions(
        self, run_id: str, state: UnitState | None = None, reason: str | None = None, limit: int | None = None
    ) -> list[UnitException]:
        """Units that are neither done nor pending, in list order."""
        e = t.unit_exception.c
        query = select(t.unit_exception).where(e.run == run_id).order_by(e.position).limit(limit)
        if state is not None:
            query = query.where(e.state == str(state))
        if reason is not None:
            query = query.where(e.reason == reason)
        with self._db.read() as connection:
            get_run(connection, run_id)
            return [exception_of(row) for row in connection.execute(query)]

    def chunks(self, run_id: str, *, unresolved: bool = False) -> list[tuple[Chunk, str, float | None]]:
        """Chunks in list order, with their last error and the time before which released ones wait."""
        c = t.chunk.c
        query = select(t.chunk).where(c.run == run_id)
        if unresolved:
            query = query.where(
                c.state.in_([str(state) for state in UNRESOLVED])
            )  # an index leads there, past the many
        with self._db.read() as connection:
            get_run(connection, run_id)
            rows = sorted(connection.execute(query), key=lambda row: (row.lo, row.seq))
        return [
            (chunk_of(row), row.error, row.not_before if row.state == ChunkState.RELEASED else None) for row in rows
        ]

    def keys(self, run_id: str) -> pa.Table:
        """The whole unit list: `ludb_position` and the key columns."""
        with self._db.read() as connection:
            get_run(connection, run_id)
            return self._segments.all(connection, run_id)

    def unit(self, run_id: str, position: int) -> tuple[UnitState, History, list[Call]]:
        """A unit's state, its history and its calls; `ConfigError` if the list has no such position."""
        with self._db.read() as connection:
            run = get_run(connection, run_id)
            if not 0 <= position < run.units:
                raise ConfigError(
                    f"run {run_id} has no unit at position {position}; its list holds {run.units}",
                    remedy="Count positions from 0",
                )
            h, e = t.unit_history.c, t.unit_exception.c
            told = select(h.at, h.what, h.data).where(h.run == run_id, h.position == position).order_by(h.number)
            history: History = [(row.at, row.what, row.data) for row in connection.execute(told)]
            moved = _moved_by(connection, run_id, position)
            aside = select(e.state, e.chunk).where(e.run == run_id, e.position == position)
            state, chunk = connection.execute(aside).one_or_none() or (None, None)
            if moved is not None:
                history += _way(connection, moved)
            else:
                history = _claimed(connection, run_id, position, chunk, history)
            keys = self._segments.of(connection, run_id, [position])
            text = key_text([column[0].as_py() for column in keys.columns])
            calls = calls_of(connection, run.instance, {text: position})
        fallback = UnitState.DONE if moved is not None else UnitState.PENDING
        return (fallback if state is None else UnitState(state)), history, calls

    def done(self, run_id: str) -> pa.Array:
        """The positions of done units, ascending: those of finished chunks, less what these chunks left out."""
        c = t.chunk.c
        query = select(c.lo, c.hi, c.positions, c.excluded)
        query = query.where(c.run == run_id, c.state == str(ChunkState.FINISHED), c.kind.in_(_MOVING))
        pieces = [pa.array([], pa.int64())]
        with self._db.read() as connection:
            get_run(connection, run_id)
            for row in connection.execute(query):
                positions = pa.array(positions_of(row), pa.int64())
                if row.excluded is not None:
                    # Per chunk: a unit that one chunk left out may have been moved by a later one.
                    left_out = pa.array(unpack(row.excluded), pa.int64())
                    positions = positions.filter(pc.invert(pc.is_in(positions, value_set=left_out)))
                pieces.append(positions)
        return pa.concat_arrays(pieces).sort()


def _way(connection: Connection, moved: Any) -> History:
    """How a unit got through: never written down for it, since its finished chunk and that one's decision say so."""
    d = t.decision.c
    found = select(d.decided_at, d.participants, d.rows, d.seconds).where(d.txn == moved.txn)
    decided = connection.execute(found).one_or_none()
    way: History = [_claim(moved)]
    if decided is not None:
        rows = {side: decided.rows[side] for side in ("source", "output") if side in decided.rows}
        said = {"targets": decided.participants, "rows": rows, "seconds": decided.seconds or {}}
        way.append((decided.decided_at, "decided", said))
    way.append((moved.finished_at, str(UnitState.DONE), {"chunk": moved.id, "txn": moved.txn}))
    return [one for one in way if one[0] is not None]


def _claimed(connection: Connection, run_id: str, position: int, aside: str | None, history: History) -> History:
    """The history of a unit that has not moved, with the claim of the chunk that set it aside, or that holds it now."""
    c = t.chunk.c
    if aside is not None:
        query = select(t.chunk).where(c.id == aside)
    else:
        query = select(t.chunk).where(c.run == run_id, c.state.in_(_HELD), c.lo <= position, c.hi > position)
    for row in connection.execute(query):
        if row.claimed_at is not None and position in positions_of(row):
            # Not by time: what is told of its end comes from the worker's clock, the claim's from the repository's.
            end = next((at for at, one in enumerate(history) if one[2].get("chunk") == row.id), len(history))
            at, what, data = _claim(row)
            took = connection.execute(select(t.decision.c.seconds).where(t.decision.c.chunk == row.id)).scalar()
            return [*history[:end], (at, what, {**data, "seconds": took} if took else data), *history[end:]]
    return history


def _claim(row: Any) -> tuple[float, str, Mapping[str, object]]:
    return (row.claimed_at, "claimed", {"chunk": row.id, "units": row.units, "worker": row.owner})


def _moved_by(connection: Connection, run_id: str, position: int) -> Any:
    """The finished chunk that moved the unit, None if there is none."""
    c = t.chunk.c
    query = select(t.chunk).where(c.run == run_id, c.state == str(ChunkState.FINISHED), c.kind.in_(_MOVING))
    for row in connection.execute(query.where(c.lo <= position, c.hi > position)):
        if position in positions_of(row) and position not in unpack(row.excluded):
            return row
    return None
