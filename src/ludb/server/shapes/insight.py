"""What explains jobs and runs, in answers: lineage, versions, preflight, two runs side by side, calls of all runs."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from ludb.server.shapes.runs import CallShape, RunShape


class PlaceShape(BaseModel):
    """A column of a table as steps call it; `keys.*` are key maps, `ref.*` shared tables."""

    table: str = Field(examples=["legacy.customers"])
    column: str = Field(examples=["customer_id"])


class ColumnLineageShape(BaseModel):
    """A column of an output: what its step reads for it, the same followed through earlier outputs and key maps, and how it
    is made.
    """

    column: str
    sources: list[PlaceShape]
    origins: list[PlaceShape]
    expression: str = Field(examples=["lower(c.email)"])


class StepLineageShape(BaseModel):
    """What one step fills. `note` says why columns are not known."""

    step: str = Field(examples=["steps/10_customer/billing.account.sql"])
    output: str = Field(examples=["billing.account"])
    kind: str
    columns: list[ColumnLineageShape]
    note: str


class VersionShape(BaseModel):
    """A version of a job, over its runs: those that ended with it, or go on with it."""

    version: str
    current: bool = Field(description="It is what the job's folder holds now")
    runs: int
    units: int
    first_run: str | None
    last_run: str | None
    first_at: float | None
    last_at: float | None


class FindingShape(BaseModel):
    """What a start would stumble over, or what should be known before it."""

    severity: Literal["error", "warning"]
    system: str
    text: str
    remedy: str
    table: str
    column: str


class PreflightShape(BaseModel):
    """What `ludb check` says of a job at this moment."""

    job: str
    version: str | None
    ok: bool
    connected: bool = Field(description="Its systems were looked at")
    modes: dict[str, str] = Field(description="How each output is written")
    findings: list[FindingShape]


class PointShape(BaseModel):
    """How far a run was, so many seconds after its start."""

    second: float
    settled: int


class SideShape(BaseModel):
    """One of two runs. `rate` is in units per second, over its whole time."""

    run: RunShape
    rate: float
    pace: list[PointShape] = Field(description="At most 120 points")


class NumberPairShape(BaseModel):
    """The same count of two runs."""

    kind: str = Field(description="state, reason, source or output")
    name: str
    state: str = ""
    a: int
    b: int


class SettingPairShape(BaseModel):
    """The same setting of two runs, null where a run has none."""

    name: str = Field(examples=["workers"])
    a: Any
    b: Any
    same: bool


class ComparisonShape(BaseModel):
    """Two runs side by side."""

    a: SideShape
    b: SideShape
    counts: list[NumberPairShape]
    settings: list[SettingPairShape]


class CallOfRunShape(CallShape):
    """A call, with the run that touched it last."""

    number: int
    run: str
    job: str
    system: str
