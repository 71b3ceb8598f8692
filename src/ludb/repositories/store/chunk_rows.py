"""Chunks as rows: reading one, writing one, and checking that it is still the caller's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, insert, select, update

from ludb.errors import LeaseLost
from ludb.model.run import Chunk, ChunkState
from ludb.repositories.store import tables as t
from ludb.repositories.store.positions import place, positions_of

NO_KEYS = pa.table({})
"""The keys of a chunk that is only shown."""


def chunk_of(row: Any, keys: pa.Table = NO_KEYS, *, taken_over: bool = False) -> Chunk:
    """The chunk that a row of table `chunk` holds."""
    return Chunk(
        id=row.id,
        run=row.run,
        kind=row.kind,
        state=ChunkState(row.state),
        positions=positions_of(row),
        keys=keys,
        txn=row.txn,
        seq=row.seq,
        owner=row.owner,
        attempt=row.attempt,
        parent=row.parent,
        payload=row.payload,
        taken_over=taken_over,
        deaths=row.deaths,
    )


def insert_chunk(connection: Connection, chunk: Chunk, **more: object) -> None:
    """Keep a new chunk; `more` holds columns that a `Chunk` does not show (`seg`, `not_before`, ...)."""
    values: dict[str, object] = {
        "id": chunk.id,
        "run": chunk.run,
        "kind": chunk.kind,
        "state": str(chunk.state),
        "txn": chunk.txn,
        "seq": chunk.seq,
        "owner": chunk.owner,
        "attempt": chunk.attempt,
        "parent": chunk.parent,
        "payload": chunk.payload,
        "deaths": chunk.deaths,
    }
    connection.execute(insert(t.chunk).values(values | place(chunk.positions) | more))


def owned(connection: Connection, chunk: Chunk, *states: ChunkState, lock: bool = True) -> Any:
    """The chunk's row, locked where something is to be changed; `LeaseLost` unless the caller's claim stands and its state
    is one of `states`.
    """
    query = select(t.chunk).where(t.chunk.c.id == chunk.id)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None or row.seq != chunk.seq or row.txn != chunk.txn or row.state not in states:
        now = "gone" if row is None else f"{row.state} under seq {row.seq} by {row.owner or 'nobody'}"
        raise LeaseLost(f"run {chunk.run}: chunk {chunk.id} was claimed with seq {chunk.seq}, now it is {now}")
    return row


def change_chunk(connection: Connection, chunk: Chunk, expected: ChunkState, **values: object) -> None:
    """Change a chunk whose row has this `seq`, this `txn` (a restored repository gives out the same `seq` again) and the
    expected state; `LeaseLost` if it has not.
    """
    changed = connection.execute(
        update(t.chunk)
        .where(t.chunk.c.id == chunk.id, t.chunk.c.seq == chunk.seq, t.chunk.c.txn == chunk.txn)
        .where(t.chunk.c.state == str(expected))
        .values(values)
    )
    if changed.rowcount != 1:
        owned(connection, chunk, expected)  # says how it is now
        raise LeaseLost(f"run {chunk.run}: chunk {chunk.id} is no longer {expected} under seq {chunk.seq}")


def move_calls(connection: Connection, origin: str, to: str, positions: Sequence[int]) -> None:
    """Give the calls of some units of one chunk to another, so that open ones still guard their chunk's takeover."""
    mine = select(t.call.c.id, t.call.c.position).where(t.call.c.chunk == origin)
    wanted = set(positions)
    ids = [row.id for row in connection.execute(mine) if row.position in wanted]
    for start in range(0, len(ids), 500):
        connection.execute(update(t.call).where(t.call.c.id.in_(ids[start : start + 500])).values(chunk=to))
