"""The job repository, as small ports over one store (DESIGN section 5).

Every method is one transaction. Driver errors arrive as `TransientError`, except where a docstring says otherwise. All
times come from the store's injected clock; positions are int64 list positions.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from ludb.model.calls import Call, Result
from ludb.model.events import Event
from ludb.model.run import CallState, Chunk, Decision, Owner, Run, RunState, Segment, UnitException
from ludb.model.steering import Command, Orders
from ludb.ports.access import Access
from ludb.ports.alerts import Alerts
from ludb.ports.doubts import Doubts
from ludb.ports.evidence import RunEvidence
from ludb.ports.figures import RunFigures
from ludb.ports.pages import Overview, Pages
from ludb.ports.recovery import Recovery
from ludb.ports.retention import Retention
from ludb.ports.schedules import Schedules
from ludb.ports.setup import Setup
from ludb.ports.tasks import Answers, Samples, Tasks
from ludb.ports.views import RunViews


class Runs(Protocol):
    """Runs and the frozen unit list."""

    def create(self, run: Run, segments: Iterable[Segment]) -> Run:
        """Keep a planned run with its unit list, all or nothing. `segments` may be a generator; `units` and `created_at`
        are set by the store.
        """

    def get(self, run_id: str) -> Run:
        """The run; `ConfigError` naming the known runs if there is none."""

    def latest(self, job: str, instance: str) -> Run | None:
        """The newest run of the instance that was not abandoned."""

    def change(self, run_id: str, to: RunState, reason: str = "", settings: Mapping[str, object] | None = None) -> Run:
        """Move the run to another state (compare-and-set), and `adjust` its settings in the same transaction;
        `ConfigError` if `RUN_CHANGES` does not allow it. Moving to the state it is in changes nothing. `running` clears
        `reason` and `ended_at`.
        """

    def adjust(self, run_id: str, settings: Mapping[str, object]) -> Run:
        """Merge these into the run's settings; None forgets one."""

    def pin(self, run_id: str, version: str, pinned: str) -> Run:
        """Store the job version that workers load from now on."""

    def settle(self, run_id: str) -> Run:
        """End the run if no key is unclaimed and every chunk is finished or split: `completed`, or
        `completed_with_exceptions` if any unit is quarantined, in doubt or gone. A `stopping` run becomes `stopped`
        once no chunk is claimed or decided. Otherwise nothing changes. Safe to repeat by anybody.
        """

    def seq(self) -> int:
        """The highest sequence number handed out so far."""


class Chunks(Protocol):
    """The life of chunks. Every change is compare-and-set on the chunk's `seq`; a stale one raises `LeaseLost`."""

    def claim(
        self,
        run_id: str,
        owner: str,
        units: int,
        *,
        silent: Collection[str] = (),
        dead: Collection[str] = (),
        new_first: bool = False,
    ) -> Chunk | None:
        """Give the owner a chunk with a fresh `seq` and, unless it is decided, a fresh `txn`; None if there is none now.

        In this order: chunks claimed or decided by an owner in `dead` (known to be dead or fenced) or in `silent`
        (lease expired; not if the chunk has calls in state `sent`, `undoing`: those need `dead`), with `taken_over`
        true, and for the dead with one more of `deaths`; released chunks whose delay is over; the next `units` keys of
        the list (0: none). `new_first` changes the places of the last two. Runs not `running` or `stopping` give
        nothing; a `stopping` run gives only chunks in state `decided`.
        """

    def decide(self, chunk: Chunk, decision: Decision) -> Chunk:
        """The point of no return: state `decided`, the decision, its exceptions and a released `undo` chunk (payload:
        the `undo` exceptions) in one transaction. `LeaseLost` if somebody else owns the chunk; `TransientError` if the
        answer was lost: then `decision` tells. `UnitError`, naming the units, if a key in `merged` is another unit's.
        """

    def decision(self, txn: str) -> Decision | None:
        """The standing decision of a transaction, None if there is none."""

    def holders(self, run_id: str, digests: Sequence[bytes]) -> dict[bytes, int]:
        """Which unit (list position) of the run wrote these keys of merged outputs: what decisions gave as `merged`. Keys
        that none has written are left out.
        """

    def finish(self, chunk: Chunk, exceptions: Sequence[UnitException] = ()) -> None:
        """Close a chunk. A decided one: its done units count from now on, less `exceptions` (units in doubt, because the
        journal no longer fitted). A claimed `undo` chunk: `exceptions` are its units' final states, one each.
        """

    def release(self, chunk: Chunk, reason: str, delay: float) -> None:
        """Give a claimed chunk back, to be claimed after `delay` seconds (of the store's clock; a clock set back does
        not prolong it). A `LeaseLost` here is for the caller to swallow.
        """

    def split(self, chunk: Chunk, parts: Sequence[Sequence[int]]) -> tuple[Chunk, ...]:
        """Replace a claimed chunk by claimed ones of the same owner, in one transaction."""

    def retry(self, run_id: str, positions: Sequence[int], owner: str = "") -> Chunk | None:
        """Make quarantined units pending again: their exceptions go to the history, a released `retry` chunk holds
        them. `ConfigError` if one of them is not quarantined.
        """


class KeyMap(Protocol):
    """Old keys to new keys, for good: the same answer on every retry, restart and re-run."""

    def allocate(self, job: str, name: str, old: Sequence[bytes], start: int) -> list[int]:
        """New numbers for old keys, in order: those the map has, else the next of its counter (which begins at
        `start`).
        """

    def next(self, job: str, name: str, start: int) -> int:
        """The number that the next new key would get; takes none."""

    def store(self, job: str, name: str, pairs: Mapping[bytes, str]) -> None:
        """Keep values that a server returned; replaces what was there."""

    def lookup(self, job: str, name: str, old: Sequence[bytes]) -> list[str | None]:
        """The new values as text, in order; None where the map has none."""


class CallJournal(Protocol):
    """Calls to APIs. Every change is compare-and-set on the chunk's `seq` and on `CALL_CHANGES`; `LeaseLost` otherwise."""

    def of_units(
        self, chunk: Chunk, instance: str, positions: Collection[int], besides: Collection[str] = ()
    ) -> list[Call]:
        """All calls of these units, every generation, oldest first; without those that are `done` at the outputs `besides`.
        `LeaseLost` if the claim no longer stands: what its successor is doing to them would look like a fault.
        """

    def intend(self, chunk: Chunk, calls: Sequence[Call]) -> None:
        """Keep new calls, or give calls in state `intended`, `unsent` or `absent` a new request."""

    def mark(self, chunk: Chunk, calls: Sequence[Call], state: CallState, reason: str = "") -> None:
        """Move calls to a state (`sent` before a request leaves, `undoing` before a delete does)."""

    def settle(self, chunk: Chunk, results: Sequence[tuple[CallState, Result]]) -> None:
        """Record what came back: state, status, server id, returned values, body."""


class Commands(Protocol):
    """What a person asks of a run, as rows: never signals."""

    def put(self, run_id: str, name: str, arguments: Mapping[str, object], actor: str) -> int:
        """Ask for something; returns the command's number."""

    def take(self, run_id: str) -> list[Command]:
        """Commands that nobody has acknowledged, oldest first; taking changes nothing."""

    def acknowledge(self, command: int, outcome: str) -> None:
        """Say that a command took effect; the first acknowledgement stays."""

    def recent(self, run_id: str, limit: int = 10) -> list[Command]:
        """Commands, acknowledged or not, the newest first."""


class Owners(Protocol):
    """Workers and supervisors, with a heartbeat counter each: liveness, never safety."""

    def enrol(self, owner: Owner) -> None:
        """Make an owner known."""

    def beat(self, owner: Owner) -> Orders:
        """Add one to the owner's counter, keep what it is doing and its cpu and memory; returns what it is to do now.
        `LeaseLost` for an owner that was declared dead.
        """

    def all(self, run_id: str) -> list[Owner]:
        """The owners of a run, the newest first."""

    def dismiss(self, owner_id: str) -> None:
        """Ask an owner that is `alive` to leave after its chunk: it is `dismissed`, and at work, until it has left."""

    def leave(self, owner_id: str, state: str) -> None:
        """Say that an owner has ended (`ended`) or is known to be dead (`dead`). It stays in the table."""


class Events(Protocol):
    """What happened, kept: the story of a run."""

    def append(self, event: Event) -> None:
        """Keep an event."""

    def since(self, run_id: str, number: int = 0, limit: int = 1000) -> list[tuple[int, float, Event]]:
        """Events after `number`, oldest first, each with its number and time."""


class Repository(Protocol):
    """All ports of one store, and its identity. Opened once per process; safe to use from several threads."""

    @property
    def id(self) -> str:
        """The identity written into every ledger: made when the store is created, random."""

    @property
    def runs(self) -> Runs: ...  # noqa: D102
    @property
    def chunks(self) -> Chunks: ...  # noqa: D102
    @property
    def keymap(self) -> KeyMap: ...  # noqa: D102
    @property
    def calls(self) -> CallJournal: ...  # noqa: D102
    @property
    def commands(self) -> Commands: ...  # noqa: D102
    @property
    def owners(self) -> Owners: ...  # noqa: D102
    @property
    def events(self) -> Events: ...  # noqa: D102
    @property
    def views(self) -> RunViews: ...  # noqa: D102
    @property
    def evidence(self) -> RunEvidence: ...  # noqa: D102
    @property
    def retention(self) -> Retention: ...  # noqa: D102
    @property
    def recovery(self) -> Recovery: ...  # noqa: D102
    @property
    def doubts(self) -> Doubts: ...  # noqa: D102
    @property
    def access(self) -> Access: ...  # noqa: D102
    @property
    def tasks(self) -> Tasks: ...  # noqa: D102
    @property
    def answers(self) -> Answers: ...  # noqa: D102
    @property
    def samples(self) -> Samples: ...  # noqa: D102
    @property
    def figures(self) -> RunFigures: ...  # noqa: D102
    @property
    def pages(self) -> Pages: ...  # noqa: D102
    @property
    def overview(self) -> Overview: ...  # noqa: D102
    @property
    def alerts(self) -> Alerts: ...  # noqa: D102
    @property
    def schedules(self) -> Schedules: ...  # noqa: D102
    @property
    def setup(self) -> Setup: ...  # noqa: D102
