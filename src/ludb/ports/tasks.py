"""What servers are asked to do, and what they note of runs, as small ports over the repository."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from ludb.model.tasks import Answered, Sample, Task, TaskState


class Tasks(Protocol):
    """Tasks for the processes of a server. Every method is one transaction."""

    def put(self, task: Task) -> Task:
        """Keep a new task; number and time are set by the store."""

    def get(self, task_id: str) -> Task | None:
        """The task, None if there is none."""

    def page(
        self, *, before: int | None = None, state: TaskState | None = None, run: str | None = None, limit: int = 100
    ) -> list[Task]:
        """Tasks with numbers below `before`, the newest first."""

    def begin(self, task_id: str, host: str, lock: str) -> bool:
        """Take a waiting task; False if somebody else has."""

    def end(self, task_id: str, state: TaskState, outcome: Mapping[str, object], run: str = "") -> None:
        """Say what came of a running task; `run` is the one that it made. The first answer stays."""


class Answers(Protocol):
    """Answers to commands with an idempotency key, so that a command sent again is answered again and not done again."""

    def get(self, answer_id: str) -> Answered | None:
        """What was answered, None if nothing was yet. `status` 0: somebody is at it."""

    def reserve(self, answer_id: str, request_sha: str) -> Answered | None:
        """Say that the command is being done: None for the one who may; what is known, for all others. Answers of more
        than a day are forgotten.
        """

    def keep(self, answered: Answered) -> None:
        """Keep the answer for a reserved key."""

    def forget(self, answer_id: str) -> None:
        """Nothing was done under this key; it may be tried again."""


class Samples(Protocol):
    """How a run went, for as long as the run is kept: few rows, whatever its length."""

    def add(self, run_id: str, sample: Sample, most: int = 720) -> None:
        """Keep a sample; where there are more than `most`, each two neighbours of the run become one."""

    def of(self, run_id: str, since: float = 0.0, *, rates: bool = False) -> list[Sample]:
        """Samples after a moment, oldest first; with their `rates`, which are long, only where asked for."""
