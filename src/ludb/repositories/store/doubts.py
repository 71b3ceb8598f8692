"""Calls in doubt, and the word of whoever looked."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, select, update

from ludb.errors import ConfigError
from ludb.model.calls import Call
from ludb.model.run import CallState, Chunk, ChunkState, RunState, UnitState
from ludb.ports.doubts import Resolution
from ludb.repositories.store import tables as t
from ludb.repositories.store.calls import call_of
from ludb.repositories.store.chunk_rows import NO_KEYS, insert_chunk
from ludb.repositories.store.database import Database, next_seq
from ludb.repositories.store.outcomes import reopen, tell
from ludb.repositories.store.runs import get_run

OPEN = frozenset({CallState.SENT, CallState.IN_DOUBT, CallState.UNDOING})
"""Call states that leave it open whether something is at the server."""


class StoreDoubts:
    """The `Doubts` port."""

    def __init__(self, database: Database) -> None:
        """Work on this database."""
        self._db = database

    def calls(self, run_id: str, states: Collection[CallState] = ()) -> list[Call]:
        """The run's calls, oldest first."""
        c = t.call.c
        query = select(t.call).where(c.run == run_id).order_by(c.number)
        if states:
            query = query.where(c.state.in_([str(state) for state in states]))
        with self._db.read() as connection:
            get_run(connection, run_id)
            return [call_of(row, row.position) for row in connection.execute(query)]

    def resolve(self, run_id: str, resolution: Resolution) -> tuple[CallState, bool]:
        """Settle a call, tell the unit's history, and set the unit free where nothing else of it is in doubt."""
        with self._db.write() as connection:
            run = get_run(connection, run_id, lock=True)
            if run.state is RunState.ABANDONED:
                raise ConfigError(f"run {run_id} was abandoned: nothing of it is in doubt any more")
            row = _doubtful(connection, run_id, resolution.call)
            now = self._db.now()
            # An object that the server has named was there: it is gone, and its id is never used again.
            gone = CallState.UNDONE if row.server_id is not None else CallState.ABSENT
            state = CallState.DONE if resolution.word == "done" else gone
            values: dict[str, object] = {"state": str(state), "changed_at": now}
            values["reason"] = f"said by {resolution.actor}: {resolution.reason}"
            if resolution.word == "done":
                values["server_id"] = resolution.server_id or row.server_id
                values["returned"] = {**row.returned, **resolution.returned}
            connection.execute(update(t.call).where(t.call.c.id == row.id).values(values))
            said = {
                "call": row.id, "output": row.output, "was": row.state, "state": str(state), "by": resolution.actor,
                "reason": resolution.reason,
            }  # fmt: skip
            tell(connection, run_id, [(row.position, now, "resolved", said)])
            free = not _open_calls(connection, row)
            if free:
                self._retry(connection, run_id, row.position, resolution.actor, now)
            return state, free

    def _retry(self, connection: Connection, run_id: str, position: int, actor: str, now: float) -> None:
        chunk = Chunk(
            id=self._db.new_id(), run=run_id, kind="retry", state=ChunkState.RELEASED, positions=(position,), keys=NO_KEYS,
            txn=self._db.new_id(), seq=next_seq(connection), owner=actor, attempt=0,
        )  # fmt: skip
        reopen(connection, run_id, [position], now, {"chunk": chunk.id, "by": actor}, state=UnitState.IN_DOUBT)
        insert_chunk(connection, chunk, not_before=now, released_at=now)


def _doubtful(connection: Connection, run_id: str, call_id: str) -> Any:
    """The call's row; `ConfigError` where a person's word about it changes nothing, or would change what is certain."""
    row = connection.execute(select(t.call).where(t.call.c.id == call_id).with_for_update()).one_or_none()
    if row is None or row.run != run_id:
        raise ConfigError(f"run {run_id} has no call {call_id}", remedy="See `ludb calls`")
    e = t.unit_exception.c
    aside = select(e.state, e.phase).where(e.run == run_id, e.position == row.position)
    held = connection.execute(aside.with_for_update()).one_or_none()
    where = f"call {call_id} ({row.output}, unit {row.unit_key})"
    if held is None or held.state != UnitState.IN_DOUBT:
        state = "at work or done" if held is None else held.state
        raise ConfigError(f"{where} is {row.state}, and its unit is {state}: nothing is to be resolved")
    if held.phase == "recover":
        raise ConfigError(
            f"{where}: the unit is in doubt because its rows no longer fit a target, not for its calls",
            remedy=f"See `ludb unit {row.unit_key}`",
        )
    if row.state not in OPEN | {CallState.DONE}:
        raise ConfigError(f"{where} is {row.state}: nothing is in doubt about it")
    return row


def _open_calls(connection: Connection, row: Any) -> bool:
    c = t.call.c
    query = select(c.id).where(c.instance == row.instance, c.unit_key == row.unit_key)
    return connection.execute(query.where(c.state.in_([str(state) for state in OPEN])).limit(1)).first() is not None
