"""Forgetting what nobody needs any more: the `Retention` port over SQLAlchemy Core."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, Update, and_, delete, func, or_, select, type_coerce, update

from ludb.errors import ConfigError
from ludb.model.run import Run, RunState
from ludb.ports.retention import Room, What
from ludb.repositories.store import tables as t
from ludb.repositories.store.database import Database, batches
from ludb.repositories.store.runs import get_run
from ludb.repositories.store.tables_server import sample
from ludb.repositories.store.types import Json, Long

_OVER = (RunState.COMPLETED, RunState.EXCEPTIONS, RunState.ABANDONED)
_TOLD = "retried"
"""The history entry that tells what a person did; it stays, without the exception that it replaced."""
_SEEN = 100_000
"""Keys that are looked for at a time."""
_WAS = '%"was":{%'
"""Such an entry while it still holds that exception: canonical JSON, in which a quoted quote looks otherwise."""


@dataclass(frozen=True, slots=True)
class _Part:
    """Columns of a table that are emptied, or, without columns, rows that are deleted; `where` holds until it is done.

    `within` is what a row is found by besides `key`, where that is not unique in the whole table.
    """

    table: Table
    key: ColumnElement[Any]
    where: ColumnElement[bool]
    empty: dict[str, object]
    within: tuple[ColumnElement[bool], ...] = ()


def _parts(run_id: str) -> dict[str, tuple[_Part, ...]]:
    e, h, d, c, k, v, m = (
        each.c for each in (t.unit_exception, t.unit_history, t.decision, t.chunk, t.call, t.event, t.merged)
    )  # fmt: skip
    mine = select(t.run.c.number).where(t.run.c.id == run_id).scalar_subquery()
    return {
        "journal": (_texts(t.call, k.number, k.run == run_id, {"request": "", "body": ""}),),
        "quarantine": (
            _texts(
                t.unit_exception, e.position, e.run == run_id,
                dict.fromkeys(("detail", "body", "trace", "source_rows"), ""), within=(e.run == run_id,),
            ),
            _Part(
                t.unit_history, h.number,
                and_(h.run == run_id, h.what == _TOLD, type_coerce(h.data, Long).like(_WAS)), {"data": None},
            ),
            _texts(t.decision, d.txn, d.run == run_id, {"exceptions": b"", "undo": b""}),
            _texts(t.chunk, c.id, c.run == run_id, {"payload": b""}),
        ),
        "runs": (
            _Part(t.unit_history, h.number, and_(h.run == run_id, h.what != _TOLD), {}),
            _Part(t.merged, m.digest, m.run == mine, {}, within=(m.run == mine,)),
            _Part(t.event, v.number, and_(v.run == run_id, ~v.name.like("run.%"), ~v.name.like("command.%")), {}),
            _Part(sample, sample.c.at, sample.c.run == run_id, {}, within=(sample.c.run == run_id,)),
        ),
    }  # fmt: skip


def _texts(
    table: Table,
    key: ColumnElement[Any],
    mine: ColumnElement[bool],
    empty: dict[str, object],
    within: tuple[ColumnElement[bool], ...] = (),
) -> _Part:
    filled = or_(*(table.c[name] != value for name, value in empty.items()))
    return _Part(table, key, and_(mine, filled), empty, within)


class StoreRetention:
    """The `Retention` port: every step is one short transaction, so that a run at work next to it is not held up."""

    def __init__(self, database: Database) -> None:
        """Work on this database."""
        self._db = database
        # Keys that were seen to be left: looking for them is what takes time in a large run.
        self._waiting: dict[tuple[str, What, int], list[Any]] = {}

    def measure(self, run_id: str, what: What) -> Room:
        """Rows that still hold something, and the length of it."""
        rows = size = 0
        with self._db.read() as connection:
            get_run(connection, run_id)
            for part in _parts(run_id)[what]:
                columns = [part.table.c[name] for name in part.empty] or [
                    column for column in part.table.c if isinstance(column.type, Json)
                ]
                length = sum((func.length(type_coerce(column, Long)) for column in columns), start=0)
                count, total = connection.execute(select(func.count(), func.sum(length)).where(part.where)).one()
                rows, size = rows + int(count), size + int(total or 0)
        return Room(rows, size)

    def mark(self, run_id: str, what: What, by: str, *, finished: bool) -> None:
        """Write `purged` into the run's notes. Finishing keeps who began, and when."""
        self._waiting = {step: keys for step, keys in self._waiting.items() if step[:2] != (run_id, what)}
        with self._db.write() as connection:
            run = _over(connection, run_id)
            marks = dict(_marks(run))
            begun = marks.get(what, {}) if finished else {"by": by, "at": self._db.now()}
            marks[what] = {**begun, "finished": finished}
            notes = {**run.notes, "purged": marks}
            connection.execute(update(t.run).where(t.run.c.id == run_id).values(notes=notes))

    def clear(self, run_id: str, what: What, rows: int = 2000) -> int:
        """Empty or delete the next rows, of the first part that has any."""
        for number, part in enumerate(_parts(run_id)[what]):
            step = (run_id, what, number)
            with self._db.write() as connection:
                run = _over(connection, run_id)
                if _marks(run).get(what, {}).get("finished", True):
                    raise ConfigError(f"run {run_id}: nobody has said who purges it", remedy="Use `ludb purge`")
                waiting = self._waiting.get(step) or list(
                    connection.execute(select(part.key).where(part.where).limit(_SEEN)).scalars()
                )
                keys = waiting[:rows]
                for some in batches(keys):
                    _forget(connection, part, and_(part.key.in_(some), *part.within), some)
            self._waiting[step] = waiting[rows:]
            if keys:
                return len(keys)
        return 0


def _forget(connection: Connection, part: _Part, these: ColumnElement[bool], keys: Any) -> None:
    if not part.empty:
        connection.execute(delete(part.table).where(these))
    elif "data" not in part.empty:
        changed: Update = update(part.table).where(these).values(part.empty)
        connection.execute(changed)
    else:
        h = part.table.c
        for row in connection.execute(select(h.number, h.data).where(h.number.in_(keys))).all():
            kept = {name: value for name, value in row.data.items() if name != "was"}
            connection.execute(update(part.table).where(h.number == row.number).values(data=kept))


def _over(connection: Connection, run_id: str) -> Run:
    run = get_run(connection, run_id)
    if run.state not in _OVER:
        raise ConfigError(
            f"run {run_id} is {run.state}: nothing of it is purged before it is over",
            remedy="Go on with it, or give it up with `ludb abandon`",
        )
    return run


def _marks(run: Run) -> dict[str, dict[str, Any]]:
    marks = run.notes.get("purged", {})
    assert isinstance(marks, dict)
    return marks
