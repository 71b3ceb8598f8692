"""The journal of calls to APIs: the `CallJournal` port over SQLAlchemy Core."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from ludb.errors import FatalError, LeaseLost
from ludb.model.calls import Answer, Call, CallRequest, Result
from ludb.model.keys import key_text
from ludb.model.run import CALL_CHANGES, CallState, Chunk, ChunkState
from ludb.repositories.store import tables as t
from ludb.repositories.store.chunk_rows import owned
from ludb.repositories.store.database import Database, batches
from ludb.repositories.store.quick import NEW, Listed, Many

_c = t.call.c


def _changing(*names: str) -> Many:
    """Give calls that are in a state (`same_id`, `same_state`) new values in these columns."""
    same = (_c.id == bindparam("same_id")) & (_c.state == bindparam("same_state"))
    statement = update(t.call).where(same).values({name: bindparam(NEW + name) for name in names})
    return Many(statement, {NEW + name: _c[name] for name in names} | {"same_id": _c.id, "same_state": _c.state})


_NEW = [column for column in t.call.c if column is not _c.number]
_INSERT = Many(insert(t.call), {column.name: column for column in _NEW})
_PLACES = Listed(select(_c.id, _c.state, _c.position).with_for_update(), _c.id)
_CLAIM = ("run", "chunk", "seq", "position", "changed_at")
_MARK = _changing(*_CLAIM, "state", "reason")
_ANSWER = _changing(*_CLAIM, "state", "status", "body", "reason", "server_id", "returned")
_STATES = {str(state): state for state in CallState}
_REWRITABLE = frozenset({CallState.INTENDED, CallState.UNSENT, CallState.ABSENT})


class StoreCalls:
    """The `CallJournal` port. A change is all or nothing: one call in an unexpected state refuses the whole list."""

    def __init__(self, database: Database) -> None:
        """Work on this database."""
        self._db = database

    def of_units(
        self, chunk: Chunk, instance: str, positions: Collection[int], besides: Collection[str] = ()
    ) -> list[Call]:
        """All calls of these units; `position` is the unit's place in this run's list, also for calls of others."""
        wanted = set(positions)
        at = {text: place for text, place in zip(unit_keys(chunk), chunk.positions, strict=True) if place in wanted}
        with self._db.read() as connection:
            owned(connection, chunk, *ChunkState, lock=False)
            return calls_of(connection, instance, at, besides)

    def intend(self, chunk: Chunk, calls: Sequence[Call]) -> None:
        """Keep new calls as given, or give known ones a new request; a known one keeps its state."""
        if not calls:
            return
        keys = dict(zip(chunk.positions, unit_keys(chunk), strict=True))
        for each in calls:
            if keys.get(each.position) != each.unit_key:
                # `of_units` finds calls by unit key: one filed under another text would be made twice.
                raise FatalError(f"chunk {chunk.id}: call {each.id} ({each.output}) is not of the unit it names")
        with self._db.write() as connection:
            owned(connection, chunk, ChunkState.CLAIMED)
            known = _states(connection, [each.id for each in calls])
            for each in calls:
                if each.id in known and known[each.id] not in _REWRITABLE:
                    raise LeaseLost(f"chunk {chunk.id}: call {each.id} ({each.output}) is {known[each.id]} already")
            now = self._db.now()
            fresh = [_row(chunk, each, now) for each in calls if each.id not in known]
            try:
                if fresh:
                    _INSERT.run(connection, fresh)
            except IntegrityError as error:
                raise LeaseLost(f"chunk {chunk.id}: a call of its units was journaled by somebody else") from error
            rewritten = [
                (each, known[each.id], _claim(chunk, each.position, now) | _request(each.request))
                for each in calls
                if each.id in known
            ]
            _update(connection, chunk, rewritten)

    def mark(self, chunk: Chunk, calls: Sequence[Call], state: CallState, reason: str = "") -> None:
        """Move calls to a state; one that is in it already is only touched."""
        with self._db.write() as connection:
            owned(connection, chunk, ChunkState.CLAIMED)
            if self._as_believed(connection, chunk, calls, state, reason):
                return
            known = _places(connection, [each.id for each in calls])
            states = {call_id: now_in for call_id, (now_in, _) in known.items()}
            now = self._db.now()
            alike: dict[CallState, list[str]] = {}
            moved = []
            for each in calls:
                now_in = _allowed(chunk, each, states, state)
                alike.setdefault(now_in, []).append(each.id)
                if known[each.id][1] != each.position:  # first called for by another run, whose list is another one
                    moved.append((each, now_in, {"position": each.position}))
            _update(connection, chunk, moved)
            for now_in, ids in alike.items():
                values = {"run": chunk.run, "chunk": chunk.id, "seq": chunk.seq, "state": str(state), "reason": reason}
                if now_in is not state:  # how long a call has been in its state decides whether it may be resent
                    values["changed_at"] = now
                _update_alike(connection, chunk, ids, now_in, values)

    def settle(self, chunk: Chunk, results: Sequence[tuple[CallState, Result]]) -> None:
        """Record what came back; a server id or returned values that an answer lacks stay as they were.

        An update that was answered `done` gives its call the new request; any other answer leaves the old one, so that
        the update is seen to be wanted still.
        """
        with self._db.write() as connection:
            owned(connection, chunk, ChunkState.CLAIMED)
            now = self._db.now()
            if _answered(connection, chunk, results, now):
                return
            known = _states(connection, [result.action.call.id for _, result in results])
            changes = []
            for state, result in results:
                each = result.action.call
                values = _claim(chunk, each.position, now) | {
                    "state": str(state),
                    "status": result.status,
                    "body": result.body,
                    "reason": result.reason,
                }
                if known.get(each.id) is state:
                    del values["changed_at"]
                if result.server_id is not None:
                    values["server_id"] = result.server_id
                if result.returned:
                    values["returned"] = dict(result.returned)
                if result.action.kind == "update" and result.answer is Answer.DONE:
                    values |= _request(each.request)
                changes.append((each, _allowed(chunk, each, known, state), values))
                known[each.id] = state
            _update(connection, chunk, changes)

    def _as_believed(
        self, connection: Connection, chunk: Chunk, calls: Sequence[Call], state: CallState, reason: str
    ) -> bool:
        """Mark the calls without looking at them first, where all of them are in the state that their caller knows. False if
        that is not so: some may have been marked then, which marking them once more does not change.
        """
        if not calls or any(state not in CALL_CHANGES[call.state] for call in calls):
            return False
        claim = {"run": chunk.run, "chunk": chunk.id, "seq": chunk.seq, "changed_at": self._db.now()}
        rows = [
            {**claim, "position": call.position, "state": str(state), "reason": reason,
             "same_id": call.id, "same_state": str(call.state)}
            for call in calls
        ]  # fmt: skip
        return _MARK.run(connection, rows) == len(rows)


def _answered(connection: Connection, chunk: Chunk, results: Sequence[tuple[CallState, Result]], now: float) -> bool:
    """Record first answers to requests that are `sent`, without looking at their calls first. False if any is something else."""
    allowed = CALL_CHANGES[CallState.SENT]
    rows = []
    for state, result in results:
        if result.action.kind != "send" or state not in allowed or result.server_id is None:
            return False
        call = result.action.call
        rows.append({
            **_claim(chunk, call.position, now), "state": str(state), "status": result.status, "body": result.body,
            "reason": result.reason, "server_id": result.server_id, "returned": dict(result.returned or call.returned),
            "same_id": call.id, "same_state": "sent",
        })  # fmt: skip
    return bool(rows) and _ANSWER.run(connection, rows) == len(rows)


def unit_keys(chunk: Chunk) -> list[str]:
    """The chunk's unit keys as text, in the order of its positions."""
    if chunk.keys.num_columns == 0:
        raise FatalError(f"chunk {chunk.id} is only a view without keys: calls belong to a claimed chunk")
    columns = [column.to_pylist() for column in chunk.keys.columns]
    return [key_text(values) for values in zip(*columns, strict=True)]


def calls_of(connection: Connection, instance: str, at: Mapping[str, int], besides: Collection[str] = ()) -> list[Call]:
    """All calls of the units with these keys (text -> list position), oldest first; without those that are done at the
    outputs `besides`.
    """
    rows: list[Any] = []
    for some in batches(list(at)):
        query = select(t.call).where(_c.instance == instance, _c.unit_key.in_(some))
        if besides:
            query = query.where(or_(_c.state != str(CallState.DONE), _c.output.not_in(list(besides))))
        rows.extend(connection.execute(query).all())
    return [call_of(row, at[row.unit_key]) for row in sorted(rows, key=lambda row: row.number)]


def call_of(row: Any, position: int) -> Call:
    """The call that a row of table `call` holds; `position` is its unit's place in the run's list."""
    return Call(
        id=row.id,
        instance=row.instance,
        output=row.output,
        unit_key=row.unit_key,
        row_key=row.row_key,
        generation=row.generation,
        position=position,
        request=CallRequest(row.method, row.path, row.request, row.request_sha),
        state=CallState(row.state),
        server_id=row.server_id,
        returned=row.returned,
        status=row.status,
        body=row.body,
        reason=row.reason,
        changed_at=row.changed_at,
    )


def _request(request: CallRequest) -> dict[str, object]:
    return {"method": request.method, "path": request.path, "request": request.body, "request_sha": request.sha}


def _claim(chunk: Chunk, position: int, now: float) -> dict[str, object]:
    return {"run": chunk.run, "chunk": chunk.id, "seq": chunk.seq, "position": position, "changed_at": now}


def _row(chunk: Chunk, call: Call, now: float) -> dict[str, object]:
    return {
        **_claim(chunk, call.position, now),
        **_request(call.request),
        "id": call.id,
        "instance": call.instance,
        "output": call.output,
        "unit_key": call.unit_key,
        "row_key": call.row_key,
        "generation": call.generation,
        "state": str(call.state),
        "server_id": call.server_id,
        "status": call.status,
        "reason": call.reason,
        "returned": dict(call.returned),
        "body": call.body,
    }


def _states(connection: Connection, ids: Sequence[str]) -> dict[str, CallState]:
    return {call_id: state for call_id, (state, _) in _places(connection, ids).items()}


def _places(connection: Connection, ids: Sequence[str]) -> dict[str, tuple[CallState, int]]:
    """State and list position of the calls that are known, locked."""
    return {row[0]: (_STATES[row[1]], row[2]) for row in _PLACES.run(connection, ids)}


def _allowed(chunk: Chunk, call: Call, known: Mapping[str, CallState], to: CallState) -> CallState:
    state = known.get(call.id)
    if state is None or (to is not state and to not in CALL_CHANGES[state]):
        raise LeaseLost(
            f"chunk {chunk.id}: call {call.id} ({call.output}) is {state or 'unknown'}, it cannot become {to}"
        )
    return state


def _update_alike(
    connection: Connection, chunk: Chunk, ids: Sequence[str], state: CallState, values: Mapping[str, object]
) -> None:
    """Give calls that are still in this state the same values, in one statement."""
    for some in batches(ids):
        changed = update(t.call).where(t.call.c.id.in_(some), t.call.c.state == str(state)).values(values)
        if connection.execute(changed).rowcount != len(some):
            raise LeaseLost(f"chunk {chunk.id}: a call of its units was changed by somebody else")


def _update(
    connection: Connection, chunk: Chunk, changes: Sequence[tuple[Call, CallState, Mapping[str, object]]]
) -> None:
    """Change calls that are still in the given states, one statement for all that change the same columns."""
    groups: dict[tuple[str, ...], list[dict[str, object]]] = {}
    for each, state, values in changes:
        bound = {f"new_{name}": value for name, value in values.items()}
        groups.setdefault(tuple(values), []).append({"same_id": each.id, "same_state": str(state), **bound})
    for names, rows in groups.items():
        statement = (
            update(t.call)
            .where(t.call.c.id == bindparam("same_id"), t.call.c.state == bindparam("same_state"))
            .values({name: bindparam(f"new_{name}") for name in names})
        )
        if connection.execute(statement, rows).rowcount != len(rows):
            raise LeaseLost(f"chunk {chunk.id}: a call of its units was changed by somebody else")
