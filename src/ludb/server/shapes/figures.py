"""What the work of a run costs, in answers. Times are Unix seconds, durations seconds, sizes bytes."""

from __future__ import annotations

from pydantic import BaseModel, Field

from ludb.model.run import ChunkState


class FigureShape(BaseModel):
    """Sums over all times that something was done. In a series: by second. `p50` and `p95` are the times that half, and 95
    of 100, stay below.
    """

    name: str = Field(examples=["steps/10_customer/billing.account.sql"])
    count: float = Field(description="Times that it was done; requests to an API")
    seconds: float = Field(description="All workers together; in a series: workers that were at it")
    rows: float
    p50: float | None
    p95: float | None
    sent: float
    received: float
    throttled: float = Field(description="Answers that said later (429)")
    failed: float = Field(description="5xx, or no answer")
    waited: float = Field(description="Seconds waited for the pace")
    latencies: list[float] = Field(
        default=[], description="Times by class: up to 5, 10, 25, 50, 100, 250, 500 ms, 1, 2.5, 5, 10, 30 s, and above"
    )


class SystemFigureShape(FigureShape):
    """Of a system that is called also what came of it. `requests` by what came back: 2xx, 3xx, 4xx (without 429), 429, 5xx,
    none; `calls` by what they came to: done, rejected, ambiguous and others.
    """

    requests: dict[str, float] = {}
    calls: dict[str, float] = {}
    in_flight: float = Field(default=0.0, description="Requests on their way, of workers that live; not in a series")


class FiguresShape(BaseModel):
    """What the work costs by phase of a chunk, step file, rule file and system."""

    phases: list[FigureShape]
    steps: list[FigureShape]
    rules: list[FigureShape]
    systems: list[SystemFigureShape]


class FiguresAtShape(FiguresShape):
    """The same by second, in the `span` seconds before `at`."""

    at: float
    span: float


class LoadShape(BaseModel):
    """What one worker has settled: finished chunks, their units, those that moved; `seconds` it spent on them."""

    worker: str
    chunks: int
    units: int
    done: int
    seconds: float
    first_at: float
    last_at: float


class ChunkTimeShape(BaseModel):
    """A chunk and its time. `first` and `last` are keys of its units, in list order."""

    id: str
    kind: str
    state: ChunkState
    units: int
    owner: str
    attempt: int
    claimed_at: float
    seconds: float
    error: str
    first: str
    last: str


class StragglersShape(BaseModel):
    """Where time is lost. `stuck`: chunks held for more than 10 seconds and 4 times the typical time; `waiting` ones were
    given back and wait. `slowest` finished ones are those that took longest for each of their units.
    """

    typical: float | None = Field(description="Median of the seconds that the newest chunks took")
    slowest: list[ChunkTimeShape]
    stuck: list[ChunkTimeShape]
    waiting: list[ChunkTimeShape]


class HealthOfSystemShape(BaseModel):
    """A system over the newest runs of its job. `away` is told from what the runs that go on have met last."""

    job: str
    name: str
    type: str
    roles: list[str]
    state: str = Field(description="ok, away, or unused where no run has touched it")
    since: float | None = Field(description="When it was found away")
    error: str
    runs: int = Field(description="Runs of the newest 20 that have touched it")
    last_run: str | None
    last_at: float | None
    figure: FigureShape | None
    of_runs: list[FigureOfRunShape]


class FigureOfRunShape(FigureShape):
    """What a run did with a system; `name` is the run."""

    started_at: float | None


HealthOfSystemShape.model_rebuild()
