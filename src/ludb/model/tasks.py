"""What a server was asked to do in a process of its own, and how a run went by the minute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class TaskState(StrEnum):
    """The states of a task: waiting -> running -> done or failed."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Task:
    """Something that takes a while (start, resume, retry, abandon, purge): kept, so that no server that ends forgets it.

    `lock` is the lock file that its process holds on `host`; `outcome` is what it answered, an error in its fields.
    `run` is empty until a start has made one. Times are Unix seconds.
    """

    id: str
    name: str
    job: str
    run: str
    arguments: Mapping[str, object]
    actor: str
    state: TaskState = TaskState.WAITING
    host: str = ""
    lock: str = ""
    put_at: float = 0.0
    started_at: float | None = None
    ended_at: float | None = None
    outcome: Mapping[str, object] = field(default_factory=dict)
    number: int = 0


@dataclass(frozen=True, slots=True)
class Sample:
    """How a run stood at one moment (Unix seconds), and the mean of some figures over the `span` seconds before it.

    `settled` is how many units were settled by then. `data` holds numbers by name (`cpu`, `memory`, `workers`, ...), `rates`
    sums by second (`ludb.model.figures.rates`), where one that is missing is 0.
    """

    at: float
    span: float
    settled: int
    data: Mapping[str, float] = field(default_factory=dict)
    rates: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answered:
    """What a command with an idempotency key was answered. `request_sha` tells another request under the same key."""

    id: str
    request_sha: str
    status: int
    answer: Mapping[str, object]
