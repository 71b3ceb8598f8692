"""Who gets which chunk: the order of `Chunks.claim`, one query per kind of work."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, exists, func, or_, select, update

from ludb.model.run import CallState, Chunk, ChunkState, RunState
from ludb.repositories.store import tables as t
from ludb.repositories.store.chunk_rows import NO_KEYS, chunk_of, insert_chunk
from ludb.repositories.store.database import Database, next_seq
from ludb.repositories.store.segments import Segments

_OPEN_CALLS = (str(CallState.SENT), str(CallState.UNDOING))


def look(connection: Connection, run: str, now: float) -> Any:
    """All that most claims need to know, in one statement: the run's `state`, whether a chunk has `rested`, and the first
    segment with keys left (`seg`, `first_pos`, `n`, `next_pos`, None where there is none). None if there is no such run.
    """
    s = t.segment.c
    first = select(func.min(s.seg)).where(s.run == run, s.next_pos < s.first_pos + s.n).scalar_subquery()
    waiting = exists(select(t.chunk.c.id).where(*_rested(run, now)))
    query = (
        select(t.run.c.state, waiting.label("rested"), s.seg, s.first_pos, s.n, s.next_pos)
        .select_from(t.run.outerjoin(t.segment, and_(s.run == t.run.c.id, s.seg == first)))
        .where(t.run.c.id == run)
    )
    return connection.execute(query).one_or_none()


def deserted(connection: Connection, run: str, state: RunState, silent: Collection[str], dead: Collection[str]) -> Any:
    """A chunk whose owner is dead, or silent with no request on its way; decided ones first. None if there is none."""
    if not silent and not dead:
        return None
    c = t.chunk.c
    # While an update is on its way, its call is `done` with a document that nobody knows (no hash).
    on_its_way = or_(
        t.call.c.state.in_(_OPEN_CALLS), and_(t.call.c.state == str(CallState.DONE), t.call.c.request_sha == "")
    )
    open_calls = exists(select(t.call.c.id).where(t.call.c.chunk == c.id, on_its_way))
    held = (
        [str(ChunkState.DECIDED)] if state is RunState.STOPPING else [str(ChunkState.CLAIMED), str(ChunkState.DECIDED)]
    )
    query = (
        select(t.chunk)
        .where(c.run == run, c.state.in_(held))
        .where(or_(c.owner.in_(sorted(dead)), and_(c.owner.in_(sorted(silent)), ~open_calls)))
        .order_by(case((c.state == str(ChunkState.DECIDED), 0), else_=1), c.seq)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return connection.execute(query).one_or_none()


def rested(connection: Connection, run: str, now: float) -> Any:
    """The released chunk that waited longest, of those whose delay is over; None if there is none."""
    query = select(t.chunk).where(*_rested(run, now)).order_by(t.chunk.c.seq).limit(1).with_for_update(skip_locked=True)
    return connection.execute(query).one_or_none()


def _rested(run: str, now: float) -> tuple[ColumnElement[bool], ...]:
    c = t.chunk.c
    # A release in the future means that the clock was set back: nobody waits for it to come round again.
    return (c.run == run, c.state == str(ChunkState.RELEASED), or_(c.not_before <= now, c.released_at > now))


def hand_over(
    database: Database,
    connection: Connection,
    segments: Segments,
    row: Any,
    owner: str,
    *,
    taken_over: bool,
    died: bool = False,
) -> Chunk | None:
    """Give an existing chunk to a new owner; a decided one keeps its state and txn. None if somebody was quicker. `died`:
    its old owner did, which counts while nothing is decided.
    """
    values: dict[str, object] = {"owner": owner, "seq": next_seq(connection), "attempt": row.attempt + 1}
    if row.state != ChunkState.DECIDED:
        values |= {"state": str(ChunkState.CLAIMED), "txn": database.new_id(), "claimed_at": database.now()}
        values |= {"deaths": row.deaths + died}
    same = (t.chunk.c.id == row.id, t.chunk.c.seq == row.seq, t.chunk.c.state == row.state)
    if connection.execute(update(t.chunk).where(*same).values(values)).rowcount != 1:
        return None
    fresh = connection.execute(select(t.chunk).where(t.chunk.c.id == row.id)).one()
    chunk = chunk_of(fresh, taken_over=taken_over)
    return replace(chunk, keys=segments.of(connection, chunk.run, chunk.positions))


def cut(
    database: Database, connection: Connection, segments: Segments, seen: Any, *, run: str, owner: str, units: int
) -> Chunk | None:
    """The next keys of the list as a new chunk, from the first segment that has any left; never across segments. `seen` is
    what `look` saw of that segment. None where no units are asked for, or none are left.
    """
    if units < 1 or seen.seg is None:
        return None
    # Where others write at the same time, what was seen may be over by now.
    row = seen if database.exclusive else _wait_for_keys(connection, run)
    stop = None if row is None else _take(connection, row, run, units)
    if stop is None:
        return None
    positions = tuple(range(row.next_pos, stop))
    chunk = Chunk(
        id=database.new_id(),
        run=run,
        kind="move",
        state=ChunkState.CLAIMED,
        positions=positions,
        keys=NO_KEYS,
        txn=database.new_id(),
        seq=next_seq(connection),
        owner=owner,
    )
    insert_chunk(connection, chunk, seg=row.seg, claimed_at=database.now())
    return replace(chunk, keys=segments.within(connection, run, row, positions))


def _take(connection: Connection, row: Any, run: str, units: int) -> int | None:
    """Move a segment's `next_pos` on, to what is returned; None if it is no longer where `row` says."""
    s = t.segment.c
    stop = min(row.next_pos + units, row.first_pos + row.n)
    taken = update(t.segment).where(s.run == run, s.seg == row.seg, s.next_pos == row.next_pos).values(next_pos=stop)
    return int(stop) if connection.execute(taken).rowcount == 1 else None


def _wait_for_keys(connection: Connection, run: str) -> Any:
    s = t.segment.c
    query = (
        select(s.seg, s.first_pos, s.n, s.next_pos)
        .where(s.run == run, s.next_pos < s.first_pos + s.n)
        .order_by(s.seg)
        .limit(1)
        .with_for_update()  # waits: a list of one segment has keys for all who ask at once
    )
    return connection.execute(query).one_or_none()
