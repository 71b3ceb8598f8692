"""Lists in pages, for people who look at them: each answer is short, whatever the size of the run. Nothing is changed here."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ludb.model.calls import Call
from ludb.model.events import Event
from ludb.model.run import CallState, ChunkState, Counters, Run, RunState, UnitException, UnitState


@dataclass(frozen=True, slots=True)
class ChunkLine:
    """A chunk as a list shows it: positions from `lo` to before `hi`, `units` of them. `not_before` is when it may go on."""

    id: str
    kind: str
    state: ChunkState
    lo: int
    hi: int
    units: int
    done: int
    owner: str
    attempt: int
    parent: str | None
    error: str
    not_before: float | None
    finished_at: float | None
    claimed_at: float | None = None


@dataclass(frozen=True, slots=True)
class ReasonLine:
    """Units of one run set aside in one state for one reason; `last_at` is when the newest was."""

    run: str
    job: str
    state: UnitState
    reason: str
    step: str
    units: int
    last_at: float


@dataclass(frozen=True, slots=True)
class CallLine:
    """A call with its number, and the run (of which job) that touched it last."""

    number: int
    run: str
    job: str
    call: Call


@dataclass(frozen=True, slots=True)
class VersionLine:
    """Runs of a job whose newest pinned content is of one version; `units` are those of their lists."""

    version: str
    runs: int
    units: int
    first_run: str
    last_run: str
    first_at: float
    last_at: float


class Pages(Protocol):
    """Pages of lists. Each begins after a place that the page before told; every answer is one consistent look."""

    def runs(
        self, *, before: int | None = None, job: str | None = None, states: Collection[RunState] = (), limit: int = 50
    ) -> list[tuple[int, Run]]:
        """Runs with their numbers, the newest first; only those with numbers below `before`."""

    def counters(self, run_ids: Sequence[str]) -> Mapping[str, Counters]:
        """Where the units of several runs are; runs that are not known are left out."""

    def chunks(
        self, run_id: str, *, after: tuple[int, str] | None = None, states: Collection[ChunkState] = (), limit: int = 50
    ) -> list[ChunkLine]:
        """Chunks in list order, after one with this (`lo`, `id`)."""

    def exceptions(
        self,
        run_id: str,
        *,
        after: int | None = None,
        state: UnitState | None = None,
        reason: str | None = None,
        text: str = "",
        error: str = "",
        since: float | None = None,
        limit: int = 50,
    ) -> list[UnitException]:
        """Units set aside after a list position, in list order, without what may hold row values. `text` is part of the
        unit key, `error` of the reason or the message; `since` is when they were set aside at the earliest.
        """

    def exception(self, run_id: str, position: int) -> UnitException | None:
        """One of them, whole."""

    def calls(
        self, run_id: str, *, after: int | None = None, states: Collection[CallState] = (), limit: int = 50
    ) -> list[tuple[int, Call]]:
        """Calls that this run touched last, with their numbers, oldest first."""

    def events(self, run_id: str, *, before: int | None = None, limit: int = 50) -> list[tuple[int, float, Event]]:
        """What happened, the newest first, each with its number and time. An empty `run_id`: in all runs."""

    def position(self, run_id: str, key: str) -> int | None:
        """The list position of a unit key as a person types it, None if the list has no such unit."""


class Overview(Protocol):
    """What stands out over all runs."""

    def reasons(self, job: str | None = None, limit: int = 200) -> list[ReasonLine]:
        """Units set aside by run, state and reason, in runs that were not abandoned; the largest groups first."""

    def calls(
        self,
        *,
        before: int | None = None,
        states: Collection[CallState] = (),
        system: str | None = None,
        run: str | None = None,
        job: str | None = None,
        call: str | None = None,
        limit: int = 50,
    ) -> list[CallLine]:
        """Calls of all runs with numbers below `before`, the newest first."""

    def versions(self, job: str) -> list[VersionLine]:
        """The versions of a job that its runs have, the one that was run last first."""

    def places(self, job: str, key: str, *, before: int | None = None, limit: int = 50) -> list[tuple[int, str, int]]:
        """The runs of a job, with numbers below `before`, whose lists hold a unit key as a person types it, the newest first:
        the run's number and id, the unit's position.
        """

    def named(self, run: str, names: Collection[str], limit: int = 50) -> list[tuple[int, float, Event]]:
        """What happened in a run under these names, the newest first, each with its number and time."""
