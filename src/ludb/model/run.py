"""Runs, chunks, decisions and their states. Any change that is not in `RUN_CHANGES` is a bug (DESIGN section 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

import pyarrow as pa


class RunState(StrEnum):
    """The states of a run."""

    PLANNED = "planned"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    STOPPED = "stopped"
    COMPLETED = "completed"
    EXCEPTIONS = "completed_with_exceptions"
    FAILED = "failed"
    ABANDONED = "abandoned"


RUN_CHANGES: Mapping[RunState, frozenset[RunState]] = {
    RunState.PLANNED: frozenset({RunState.RUNNING, RunState.ABANDONED}),
    RunState.RUNNING: frozenset(
        {RunState.PAUSED, RunState.STOPPING, RunState.COMPLETED, RunState.EXCEPTIONS, RunState.FAILED}
    ),
    RunState.PAUSED: frozenset({RunState.RUNNING, RunState.STOPPING, RunState.FAILED}),
    RunState.STOPPING: frozenset({RunState.STOPPED, RunState.FAILED}),
    RunState.STOPPED: frozenset({RunState.RUNNING, RunState.ABANDONED}),
    RunState.COMPLETED: frozenset(),
    RunState.EXCEPTIONS: frozenset({RunState.RUNNING}),
    RunState.FAILED: frozenset({RunState.RUNNING, RunState.ABANDONED}),
    RunState.ABANDONED: frozenset(),
}
"""Allowed changes of a run's state."""


LIMIT_REACHED = "this looks like one fault in many units"
"""What the reason of a run says that failed at its quarantine limit: its units have to be tried again once it is mended."""
DONE_STATES = frozenset({RunState.COMPLETED, RunState.EXCEPTIONS})
"""States of runs that are complete."""


class ChunkState(StrEnum):
    """The states of a chunk."""

    CLAIMED = "claimed"
    DECIDED = "decided"
    FINISHED = "finished"
    RELEASED = "released"
    SPLIT = "split"


class UnitState(StrEnum):
    """The states of a unit. `done` and `pending` are never stored: they follow from the chunks."""

    PENDING = "pending"
    DONE = "done"
    QUARANTINED = "quarantined"
    IN_DOUBT = "in_doubt"
    GONE = "gone"
    ROLLED_BACK = "rolled_back"


class CallState(StrEnum):
    """The states of a call to an API."""

    INTENDED = "intended"
    UNSENT = "unsent"
    SENT = "sent"
    DONE = "done"
    REJECTED = "rejected"
    ABSENT = "absent"
    IN_DOUBT = "in_doubt"
    UNDOING = "undoing"
    UNDONE = "undone"


CALL_CHANGES: Mapping[CallState, frozenset[CallState]] = {
    CallState.INTENDED: frozenset({CallState.SENT, CallState.UNSENT}),
    CallState.UNSENT: frozenset({CallState.INTENDED, CallState.SENT}),
    CallState.SENT: frozenset(
        {CallState.DONE, CallState.REJECTED, CallState.IN_DOUBT, CallState.ABSENT, CallState.UNSENT}
    ),
    CallState.ABSENT: frozenset({CallState.SENT, CallState.UNSENT}),
    CallState.IN_DOUBT: frozenset({CallState.DONE, CallState.ABSENT, CallState.UNDOING}),
    CallState.DONE: frozenset({CallState.UNDOING, CallState.DONE}),
    CallState.UNDOING: frozenset({CallState.UNDONE, CallState.IN_DOUBT}),
    CallState.UNDONE: frozenset(),
    CallState.REJECTED: frozenset(),
}
"""Allowed changes of a call's state. `sent -> absent` is a negative probe, `sent -> unsent` a connection never made,
`done -> done` an update of the same object (it takes the new request)."""

SETTLED_CALLS = frozenset({CallState.UNSENT, CallState.REJECTED, CallState.ABSENT, CallState.UNDONE})
"""Call states that leave nothing behind at the server."""


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of a job instance. `clock` is pinned at planning; times are Unix seconds.

    `counts` per source table: rows in units and orphans, as counted at planning (`{"customers": {"rows": 9, "orphans": 0}}`).
    """

    id: str
    job: str
    instance: str
    state: RunState
    version: str
    pinned: str
    clock: float
    units: int
    actor: str
    host: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    settings: Mapping[str, object] = field(default_factory=dict)
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    notes: Mapping[str, object] = field(default_factory=dict)
    reason: str = ""
    created_at: float = 0.0
    started_at: float | None = None
    ended_at: float | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of the unit list: keys in the source's own order, one Arrow column per key column."""

    first: int
    keys: pa.Table


Kind = Literal["move", "retry", "undo"]
"""Kinds of chunk: `move` from the unit list, `retry` of quarantined units, `undo` of rejected units' calls."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A claimed slice of the unit list. `positions` never changes after the chunk is born; `seq` and `txn` are the claim's.

    `keys` holds the unit keys in the order of `positions`. `payload` is what an `undo` chunk must still record. `deaths`
    counts the workers that died while they held it undecided.
    """

    id: str
    run: str
    kind: Kind
    state: ChunkState
    positions: Sequence[int]
    keys: pa.Table
    txn: str
    seq: int
    owner: str
    attempt: int = 1
    parent: str | None = None
    payload: bytes = b""
    taken_over: bool = False
    deaths: int = 0


@dataclass(frozen=True, slots=True)
class UnitException:
    """A unit that is neither done nor pending, with everything a person needs to mend it.

    `reason` is short and groups; `message` says where and what to do; `detail`, `body` and `source_rows` may hold row
    values. `source_rows` is JSON: unit table -> list of rows. `rows` counts: `{"source": {...}, "output": {...}}`.
    """

    position: int
    unit_key: str
    state: UnitState
    phase: str
    step: str
    reason: str
    message: str
    detail: str = ""
    body: str = ""
    trace: str = ""
    source_rows: str = ""
    rows: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    job_version: str = ""
    at: float = 0.0
    chunk: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """The durable commit record of a chunk: the one point of no return.

    `participants` are the targets with a ledger row under `txn`; `journal` maps each to the sha256 of its part.
    `done` counts units that move; `exceptions` are settled now, `undo` become an `undo` chunk (their calls are still
    alive). `rows` holds row counts of the done units and of strays: `{"source": {}, "output": {}, "stray": {},
    "warning": {}}`; warnings count units by rule. `conversions` counts the values of done units that steps changed, by
    function of `ludb.sql`. `merged` gives keys of merged outputs (16 bytes each) to the units at these positions; it is
    asked for by `holders` and does not come back with a decision that is read. `seconds` tells what the chunk's phases, steps
    and rules took up to here: `{"phase": {"extract": 0.2}, "step": {}, "rule": {}}`.
    """

    txn: str
    chunk: str
    seq: int
    participants: tuple[str, ...]
    journal: Mapping[str, str]
    done: int
    exceptions: tuple[UnitException, ...] = ()
    undo: tuple[UnitException, ...] = ()
    rows: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    job_version: str = ""
    conversions: Mapping[str, int] = field(default_factory=dict)
    merged: Mapping[bytes, int] = field(default_factory=dict)
    seconds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Txn:
    """What a target writes into its ledger, in the same transaction as the rows."""

    id: str
    repository: str
    run: str
    chunk: str
    seq: int
    positions: tuple[int, ...]
    kind: Literal["commit", "undo"] = "commit"


@dataclass(frozen=True, slots=True)
class Owner:
    """A worker or supervisor process. `lock` is the path of its lock file on `host`; free lock = dead owner."""

    id: str
    run: str
    role: Literal["worker", "supervisor"]
    host: str
    pid: int
    lock: str
    beat: int = 0
    state: str = "alive"
    doing: str = ""
    cpu: float = 0.0
    memory: int = 0


@dataclass(frozen=True, slots=True)
class Counters:
    """Where the units of a run are. The six states add up to `total`; `committing` is the decided part of `pending`."""

    total: int
    done: int
    quarantined: int
    in_doubt: int
    gone: int
    rolled_back: int
    committing: int

    @property
    def pending(self) -> int:
        """Units that are in no other state."""
        return self.total - self.done - self.quarantined - self.in_doubt - self.gone - self.rolled_back
