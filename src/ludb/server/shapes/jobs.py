"""Jobs and systems in answers. Addresses and other settings of systems are never shown: they may hold secrets."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from ludb.server.problems import Mistake


class ParameterShape(BaseModel):
    """A parameter that a start may be given."""

    name: str = Field(examples=["region"])
    type: str = Field(description="text, integer, number, boolean or date")
    default: Any = None
    identifying: bool = Field(description="Part of the instance's identity: another value is another migration")


class JobShape(BaseModel):
    """A job. One that does not load has `errors` and nothing else."""

    name: str = Field(examples=["telco"])
    folder: str
    loads: bool
    version: str | None = Field(None, description="Hash of its content")
    steps: int = 0
    outputs: list[str] = Field(default_factory=list)
    systems: list[str] = Field(default_factory=list)
    parameters: list[ParameterShape] = Field(default_factory=list)
    errors: list[Mistake] = Field(default_factory=list)


class UnitTableShape(BaseModel):
    """A table of the unit: where its rows live, and how they hang together."""

    name: str
    table: str = Field(examples=["legacy.customers"])
    parent: str | None
    on: list[tuple[str, str]] = Field(description="Pairs (column of this table, column of the parent)")
    also: dict[str, list[tuple[str, str]]] = Field(
        default_factory=dict, description="Second parents that must be of the same unit, with their pairs"
    )
    on_stray: str


class KeyMapShape(BaseModel):
    """A key map: old keys of a table to new ones, in `keys.<name>`."""

    name: str = Field(examples=["account_id"])
    table: str
    columns: list[str]
    kind: str = Field(description="sequence or uuid; returned for what an API answers")


class StepShape(BaseModel):
    """A step or a rule, in the order they run."""

    folder: str
    name: str = Field(examples=["steps/10_customer/billing.account.sql"])
    kind: str = Field(description="sql or py; for rules warn, reject or stop")
    output: str | None = Field(None, description="What the step fills; null for rules")


class OutputShape(BaseModel):
    """An output of the job."""

    name: str = Field(examples=["billing.account"])
    mode: str
    call: str | None = Field(None, examples=["POST /customer"])
    undo: str | None = None
    probe: str | None = None


class JobDetailShape(JobShape):
    """A job with its unit, steps and outputs."""

    key: list[str] = Field(default_factory=list)
    unit: list[UnitTableShape] = Field(default_factory=list)
    reference: list[str] = Field(default_factory=list)
    keys: list[str] = Field(default_factory=list, description="Key maps")
    key_maps: list[KeyMapShape] = Field(default_factory=list)
    step_list: list[StepShape] = Field(default_factory=list)
    output_list: list[OutputShape] = Field(default_factory=list)
    settings: dict[str, Any] = Field(default_factory=dict)
    hooks: list[str] = Field(default_factory=list)


class FileShape(BaseModel):
    """A file of the job's content, as text. `job.yaml` holds names of secrets, never their values."""

    path: str = Field(examples=["steps/10_customer/billing.account.sql"])
    text: str


class SystemShape(BaseModel):
    """A system of a job."""

    job: str
    name: str = Field(examples=["billing"])
    type: str = Field(examples=["postgres"])
    roles: list[str] = Field(description="source, target, calls")
    variables: list[str] = Field(description="Names of the variables that its settings come from")


class SettingsShape(BaseModel):
    """How this server is set up."""

    state: str
    jobs: list[str]
    adopt: bool
    session_hours: float
    idle_minutes: float
    tls: bool
    behind_proxy: bool


class LogLineShape(BaseModel):
    """A line of a run's log."""

    at: str = Field(description="As written, UTC")
    file: str
    level: str
    event: str
    data: dict[str, Any]
