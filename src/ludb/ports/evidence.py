"""What a report, an auditor and a DBA ask of the repository: sums made where the rows are. Nothing here changes anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import pyarrow as pa

from ludb.model.run import CallState, ChunkState, UnitState


class Settled(NamedTuple):
    """Units that were settled at one moment (Unix seconds): `done` ones, and ones set `aside`."""

    at: float
    done: int
    aside: int


@dataclass(frozen=True, slots=True)
class ReasonGroup:
    """Units set aside in one state for one reason; `keys` names the first of them in list order, `step` one that said so."""

    state: UnitState
    reason: str
    step: str
    units: int
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChunkGroup:
    """Chunks of one kind in one state. `again` counts those that were claimed more than once."""

    kind: str
    state: ChunkState
    chunks: int
    units: int
    again: int


@dataclass(frozen=True, slots=True)
class CallGroup:
    """Calls of one output in one state."""

    output: str
    state: CallState
    calls: int


@dataclass(frozen=True, slots=True)
class Asked:
    """Something that a person asked of a run; `done_at` and `outcome` are those of its acknowledgement."""

    name: str
    actor: str
    at: float
    arguments: Mapping[str, object] = field(default_factory=dict)
    done_at: float | None = None
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class Miscount:
    """A counter of units set aside that says something else than a count of the units themselves. `kept` is the counter."""

    state: str
    phase: str
    step: str
    system: str
    reason: str
    counted: int
    kept: int


@dataclass(frozen=True, slots=True)
class Accounts:
    """The same units counted in independent ways. `listed` = `done` + `aside` + `unclaimed` + `held` + `committing` in a
    sound repository; `live_calls` of quarantined units and `undecided` finished chunks are 0 in one, and no counter is
    `wrong`.
    """

    listed: int
    done: int
    aside: int
    unclaimed: int
    held: int
    committing: int
    live_calls: int
    undecided: int
    wrong: tuple[Miscount, ...] = ()


@dataclass(frozen=True, slots=True)
class Decided:
    """What the decisions of finished chunks say: (chunks, units) by job version, and rows by output."""

    versions: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)


class RunEvidence(Protocol):
    """Evidence of what a run did. Every answer is one consistent look; none grows with the number of done units."""

    def pace(self, run_id: str) -> list[Settled]:
        """When units were settled, oldest first: one entry per moment, so a few per chunk at most."""

    def reasons(self, run_id: str, *, named: int = 0, limit: int | None = None) -> list[ReasonGroup]:
        """Units set aside by state and reason, the largest groups first, each with up to `named` unit keys."""

    def chunks(self, run_id: str) -> list[ChunkGroup]:
        """Chunks by kind and state."""

    def calls(self, run_id: str) -> list[CallGroup]:
        """Calls that this run touched last, by output and state."""

    def asked(self, run_id: str) -> list[Asked]:
        """Commands, and retries of quarantined units (`quarantine retry`), oldest first."""

    def accounts(self, run_id: str) -> Accounts:
        """The run's units, counted again."""

    def decided(self, run_id: str) -> Decided:
        """Sums over the decisions of finished chunks."""

    def transactions(self) -> pa.Table:
        """Every decision of the repository, by `seq`: `txn`, `seq`, `job`, `run`, `chunk`, `state` of the chunk and
        `participants` (list of target names).
        """
