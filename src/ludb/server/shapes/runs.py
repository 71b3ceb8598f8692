"""Runs in answers. Times are Unix seconds; what may hold row values is null, and `masked` true, without the right."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from ludb.model.run import CallState, ChunkState, RunState, UnitState


class CountersShape(BaseModel):
    """Where the units are: done, quarantined, in_doubt, gone, rolled_back and pending add up to `total`."""

    total: int = Field(examples=[2_000_000])
    done: int
    quarantined: int
    in_doubt: int
    gone: int
    rolled_back: int
    pending: int
    committing: int = Field(description="The decided part of pending")


class CallLimitsShape(BaseModel):
    """How hard a system is called; null: as fast as it answers, or as its adapter chooses."""

    pace: float | None = Field(None, description="Requests in a second, all workers together")
    in_flight: int | None = Field(None, description="Requests on their way at the same time, per worker")


class LiveShape(BaseModel):
    """What may be turned while the run goes on."""

    workers: int = Field(examples=[4])
    chunk: int = Field(description="Units in a chunk", examples=[500])
    calls: dict[str, CallLimitsShape] = Field(description="By system that is called")


class RunShape(BaseModel):
    """A run. `held`: a supervisor holds it, so that commands are in force at once."""

    id: str = Field(examples=["telco-20260101-221500-a1b2"])
    job: str = Field(examples=["telco"])
    instance: str
    state: RunState
    reason: str
    version: str = Field(description="Hash of the job's content that workers load")
    actor: str
    host: str
    parameters: dict[str, Any]
    counters: CountersShape
    percent: float = Field(ge=0, le=100, description="Settled units of all, never rounded up to 100")
    live: LiveShape
    selection: dict[str, Any] | None = Field(None, description="What was selected; null: everything")
    created_at: float
    started_at: float | None
    ended_at: float | None
    seconds: float = Field(description="From start to end, or until now")
    held: bool | None = Field(None, description="Null in lists")


class EtaShape(BaseModel):
    """When the run will end: with a chance of 90% between `low` and `high`."""

    low: float
    typical: float
    high: float


class WaitingShape(BaseModel):
    """Chunks that wait for the same reason."""

    reason: str
    chunks: int


class ProgressShape(BaseModel):
    """A run at this moment: all a page needs between two events."""

    run: str
    at: float
    state: RunState
    reason: str
    counters: CountersShape
    percent: float
    rate: float | None = Field(None, description="Units settled in a second, lately; null while nobody knows")
    mean_rate: float | None = Field(None, description="The same since the start")
    eta: EtaShape | None = Field(None, description="Null while it is not known, and when the run does not go on")
    workers: int
    held: bool
    waiting: list[WaitingShape]
    last_event: int = Field(description="Number of the newest event")


class ChunkShape(BaseModel):
    """A chunk: positions `lo` to before `hi` of the unit list, `units` of them."""

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
    claimed_at: float | None = Field(None, description="By whoever had it last; null in runs of older versions")


class WorkerShape(BaseModel):
    """A worker or supervisor. `cpu` is its share of one core, `memory` in bytes, as its last heartbeat said."""

    id: str
    role: str
    host: str
    pid: int
    state: str = Field(description="alive, dismissed, ended or dead")
    doing: str = Field(examples=["writing"])
    cpu: float
    memory: int
    chunk: str | None = Field(None, description="What it holds now")
    chunk_units: int | None = None
    chunk_first: str | None = Field(None, description="The first key of that chunk")
    claimed_at: float | None = None
    age: float | None = Field(None, description="Seconds for which it has held it")


class EventShape(BaseModel):
    """Something that happened. The same shape comes over the stream; `number` goes on from there."""

    number: int
    at: float
    run: str
    name: str = Field(examples=["command.done"])
    level: str
    chunk: str
    data: dict[str, Any]


class EventsShape(BaseModel):
    """Events after a number, oldest first. Ask again with `after` = `last`."""

    items: list[EventShape]
    last: int


class TableRowsShape(BaseModel):
    """Rows of one table by the state of their unit."""

    table: str
    planned: int | None = Field(None, description="Rows of the unit list's tables, as counted at planning")
    by_state: dict[str, int]
    balances: bool | None = None


class RowsShape(BaseModel):
    """Rows read and written. `waiting` rows of pending units are in no state."""

    source: list[TableRowsShape]
    output: list[TableRowsShape]
    warnings: dict[str, int]
    conversions: dict[str, int]


class MiscountShape(BaseModel):
    """A counter that is wrong: how many units of this state, step, system and reason there are, and what it says."""

    state: str
    phase: str
    step: str
    system: str
    reason: str
    counted: int
    kept: int


class RecountShape(BaseModel):
    """The units counted in independent ways; `agrees` says that all of them say the same."""

    agrees: bool
    counters: CountersShape
    listed: int
    done: int
    aside: int
    unclaimed: int
    held: int
    committing: int
    live_calls: int = Field(description="Calls of quarantined units that still stand: 0")
    undecided: int = Field(description="Finished chunks without a decision: 0")
    wrong: list[MiscountShape] = Field(description="Counters of units set aside that are not true, by name: none")


class SampleShape(BaseModel):
    """How a run went in the `span` seconds before `at`. Where spans do not touch, nobody looked: a gap is a gap."""

    at: float
    span: float
    settled: int
    data: dict[str, float] = Field(description="cpu and memory of workers and host, workers, shares by what they did")


class AsideShape(BaseModel):
    """A unit set aside, as a list shows it."""

    run: str
    key: str
    position: int
    state: UnitState
    phase: str
    step: str
    reason: str
    message: str
    at: float
    chunk: str
    job_version: str


class ReasonShape(BaseModel):
    """Units set aside for one reason."""

    run: str
    job: str
    state: UnitState
    reason: str
    step: str
    units: int
    last_at: float | None = None
    keys: list[str] = Field(default_factory=list, description="The first of them")


class CallShape(BaseModel):
    """A call to an API. Request, answer and returned values are masked without the right to see personal data."""

    id: str
    output: str
    key: str
    row_key: str
    generation: int
    state: CallState
    status: int | None
    reason: str
    changed_at: float
    method: str
    path: str | None
    server_id: str | None
    request: str | None
    answer: str | None
    returned: dict[str, str] | None
    masked: bool


class HistoryShape(BaseModel):
    """Something that happened to a unit."""

    at: float
    what: str
    data: dict[str, Any]


class ExceptionShape(AsideShape):
    """Why a unit was set aside, whole."""

    detail: str | None
    answer: str | None = Field(description="What a server said")
    trace: str | None
    source_rows: dict[str, list[dict[str, Any]]] | None
    rows: dict[str, dict[str, int]]
    masked: bool


class UnitShape(BaseModel):
    """Where a unit of a run stands."""

    run: str
    job: str
    key: str
    position: int
    state: UnitState
    history: list[HistoryShape]
    exception: ExceptionShape | None
    calls: list[CallShape]


class DifferenceShape(BaseModel):
    """A cell at a target that is not as it was written, or a row that is missing there (`column` is empty then). `row`
    counts the rows of the output from 0.
    """

    output: str
    row: int
    kind: str = Field(description="differs or missing")
    column: str
    meant: Any = None
    found: Any = None


class UnitRowsShape(BaseModel):
    """A unit's rows: of the source (as they were when it was set aside, else as they are now), as written, and as found at
    the targets (null where that was not asked for). Masked, the tables and their columns remain.
    """

    run: str
    key: str
    source: dict[str, list[dict[str, Any]]]
    outputs: dict[str, list[dict[str, Any]]]
    found: dict[str, list[dict[str, Any]]] | None = None
    differences: list[DifferenceShape] = Field(default_factory=list)
    note: str
    masked: bool
