"""Tasks of servers, answers that are kept, and samples of runs over SQLAlchemy Core: the ports of `ludb.ports.tasks`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, type_coerce, update
from sqlalchemy.exc import IntegrityError

from ludb.model.tasks import Answered, Sample, Task, TaskState
from ludb.repositories.store import tables_server as t
from ludb.repositories.store.database import Database
from ludb.repositories.store.types import Long

_TASK = tuple(field.name for field in fields(Task))
_DAY = 86400.0


class StoreTasks:
    """The `Tasks` port. Whoever changes the state of a waiting task first has it."""

    def __init__(self, database: Database) -> None:
        """Work on this database."""
        self._db = database

    def put(self, task: Task) -> Task:
        """Keep a new task."""
        made = replace(task, put_at=self._db.now())
        values: dict[str, Any] = {name: getattr(made, name) for name in _TASK if name != "number"}
        values |= {"state": str(made.state), "arguments": dict(made.arguments), "outcome": dict(made.outcome)}
        with self._db.write() as connection:
            result = connection.execute(insert(t.task).values(values))
            assert result.inserted_primary_key is not None
            return replace(made, number=int(result.inserted_primary_key[0]))

    def get(self, task_id: str) -> Task | None:
        """The task, None if there is none."""
        with self._db.read() as connection:
            row = connection.execute(select(t.task).where(t.task.c.id == task_id)).one_or_none()
        return None if row is None else _task_of(row)

    def page(
        self, *, before: int | None = None, state: TaskState | None = None, run: str | None = None, limit: int = 100
    ) -> list[Task]:
        """Tasks, the newest first."""
        c = t.task.c
        query = select(t.task).order_by(c.number.desc()).limit(limit)
        if before is not None:
            query = query.where(c.number < before)
        if state is not None:
            query = query.where(c.state == str(state))
        if run is not None:
            query = query.where(c.run == run)
        with self._db.read() as connection:
            return [_task_of(row) for row in connection.execute(query)]

    def begin(self, task_id: str, host: str, lock: str) -> bool:
        """Take a waiting task."""
        waiting = (t.task.c.id == task_id, t.task.c.state == str(TaskState.WAITING))
        values = {"state": str(TaskState.RUNNING), "host": host, "lock": lock, "started_at": self._db.now()}
        with self._db.write() as connection:
            return connection.execute(update(t.task).where(*waiting).values(values)).rowcount == 1

    def end(self, task_id: str, state: TaskState, outcome: Mapping[str, object], run: str = "") -> None:
        """Say what came of a running task."""
        running = (t.task.c.id == task_id, t.task.c.ended_at.is_(None))
        values: dict[str, Any] = {"state": str(state), "ended_at": self._db.now(), "outcome": dict(outcome)}
        with self._db.write() as connection:
            connection.execute(update(t.task).where(*running).values(values | ({"run": run} if run else {})))


class StoreAnswers:
    """The `Answers` port."""

    def __init__(self, database: Database) -> None:
        """Work on this database."""
        self._db = database

    def get(self, answer_id: str) -> Answered | None:
        """What was answered."""
        with self._db.read() as connection:
            return _answered(connection, answer_id)

    def reserve(self, answer_id: str, request_sha: str) -> Answered | None:
        """Say that the command is being done."""
        values = {"id": answer_id, "at": self._db.now(), "request_sha": request_sha, "status": 0, "answer": {}}
        with self._db.write() as connection:
            connection.execute(delete(t.idempotent).where(t.idempotent.c.at < self._db.now() - _DAY))
            known = _answered(connection, answer_id)
            if known is not None:
                return known
            try:
                with connection.begin_nested():
                    connection.execute(insert(t.idempotent).values(values))
            except IntegrityError:  # another process was first
                return _answered(connection, answer_id) or Answered(answer_id, request_sha, 0, {})
        return None

    def keep(self, answered: Answered) -> None:
        """Keep the answer for a reserved key."""
        values = {"status": answered.status, "answer": dict(answered.answer)}
        with self._db.write() as connection:
            connection.execute(update(t.idempotent).where(t.idempotent.c.id == answered.id).values(values))

    def forget(self, answer_id: str) -> None:
        """Nothing was done under this key."""
        with self._db.write() as connection:
            connection.execute(delete(t.idempotent).where(t.idempotent.c.id == answer_id))


class StoreSamples:
    """The `Samples` port."""

    def __init__(self, database: Database) -> None:
        """Work on this database."""
        self._db = database

    def add(self, run_id: str, sample: Sample, most: int = 720) -> None:
        """Keep a sample, and halve them where they have become too many."""
        mine = t.sample.c.run == run_id
        values: dict[str, Any] = asdict(sample) | {
            "run": run_id,
            "data": dict(sample.data),
            "rates": dict(sample.rates),
        }
        with self._db.write() as connection:
            connection.execute(delete(t.sample).where(mine, t.sample.c.at == sample.at))
            connection.execute(insert(t.sample).values(values))
            kept = connection.execute(select(func.count()).select_from(t.sample).where(mine)).scalar_one()
            if kept > most:
                halved = [
                    asdict(one) | {"run": run_id} for one in _halved(_samples(connection, run_id, 0.0, rates=True))
                ]
                connection.execute(delete(t.sample).where(mine))
                connection.execute(insert(t.sample), halved)

    def of(self, run_id: str, since: float = 0.0, *, rates: bool = False) -> list[Sample]:
        """Samples after a moment, oldest first."""
        with self._db.read() as connection:
            return _samples(connection, run_id, since, rates=rates)


def _samples(connection: Connection, run_id: str, since: float, *, rates: bool) -> list[Sample]:
    s = t.sample.c
    texts = [type_coerce(column, Long) for column in ([s.data, s.rates] if rates else [s.data])]
    query = select(s.at, s.span, s.settled, *texts).where(s.run == run_id, s.at > since).order_by(s.at)
    rows = connection.execute(query).all()
    data, *more = ([one or {} for one in _read(row[3 + at] for row in rows)] for at in range(len(texts)))
    told = more[0] if more else [{}] * len(rows)
    return [Sample(row.at, row.span, row.settled, data[at], told[at]) for at, row in enumerate(rows)]


def _read(texts: Iterable[str | None]) -> list[Any]:
    """Many JSON texts, read as one: hundreds of short ones take half the time."""
    found: list[Any] = json.loads(f"[{','.join(text or 'null' for text in texts)}]")
    return found


def _halved(samples: Sequence[Sample]) -> list[Sample]:
    """Each two neighbours as one: the later moment, the spans together, figures weighed by span. Neighbours between which
    nobody looked (a pause, no server) stay apart.
    """
    found: list[Sample] = []
    rest = list(samples)
    while rest:
        first = rest.pop(0)
        if not rest or rest[0].at - rest[0].span > first.at + rest[0].span:
            found.append(first)
            continue
        second = rest.pop(0)
        span = first.span + second.span
        both = first.data.keys() & second.data.keys()
        mean = _mean(first.data, second.data, both, first.span, second.span)
        rates = _mean(first.rates, second.rates, first.rates.keys() | second.rates.keys(), first.span, second.span)
        found.append(Sample(second.at, span, second.settled, {**first.data, **second.data, **mean}, rates))
    return found


def _mean(
    first: Mapping[str, float], second: Mapping[str, float], names: Iterable[str], *spans: float
) -> dict[str, float]:
    """Figures weighed by span; 0 stands for what is missing."""
    span = sum(spans)
    return {
        name: (first.get(name, 0.0) * spans[0] + second.get(name, 0.0) * spans[1]) / span if span else 0.0
        for name in names
    }


def _answered(connection: Connection, answer_id: str) -> Answered | None:
    row = connection.execute(select(t.idempotent).where(t.idempotent.c.id == answer_id)).one_or_none()
    return None if row is None else Answered(row.id, row.request_sha, row.status, row.answer)


def _task_of(row: Any) -> Task:
    values = {name: getattr(row, name) for name in _TASK}
    return Task(**{**values, "state": TaskState(values["state"])})
