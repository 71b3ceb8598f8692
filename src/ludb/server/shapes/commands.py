"""What may be asked of runs, and what is answered."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel as _Shape
from pydantic import Field, model_validator

from ludb.model.tasks import TaskState
from ludb.server.shapes.people import Asked

Text = Annotated[str, Field(max_length=2000)]
Parameters = dict[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]*$")], Text]
KeyText = Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")]


class SelectionAsked(Asked):
    """Which units a start moves; nothing said: all."""

    where: Text | None = Field(
        None, description="A condition on the root row, in the source's SQL; needs the role editor"
    )
    units: str | None = Field(
        None, max_length=3_500_000, description="Unit keys, one per line; a CSV with header for composite keys"
    )
    only_quarantined: Text | None = Field(
        None, description="Units that earlier runs set aside, for reasons with this text"
    )
    sample: Annotated[str, Field(pattern=r"^\d+(\.\d+)?%$")] | None = Field(None, examples=["1%"])
    seed: int | None = None
    limit: int | None = Field(None, ge=1)
    skip_missing: bool = False


class StartAsked(Asked):
    """Start a job's instance, or go on with it where it was."""

    job: str = Field(max_length=190, examples=["telco"])
    parameters: Parameters = Field(default_factory=dict, examples=[{"region": "north"}])
    selection: SelectionAsked | None = None
    workers: int | None = Field(None, ge=1, le=1024)
    dry_run: bool = Field(False, description="Do everything but write; the task's outcome is the summary")
    accept_change: bool = Field(False, description="Go on although the unit, key maps or systems have changed")


class StopAsked(Asked):
    """How to stop. `now` gives back the chunks in flight that are not decided; else they end first."""

    now: bool = False


class ResumeAsked(Asked):
    """How to go on."""

    workers: int | None = Field(None, ge=1, le=1024)
    accept_change: bool = False


class RetryAsked(Asked):
    """Which quarantined units to try again: exactly one of `keys`, `reason` and `all`."""

    keys: list[KeyText] | None = Field(None, min_length=1, max_length=10_000, examples=[["4711", "4712"]])
    reason: Text | None = Field(None, min_length=1, description="The whole reason, word for word")
    all: bool = False

    @model_validator(mode="after")
    def _one(self) -> RetryAsked:
        if sum((self.keys is not None, self.reason is not None, self.all)) != 1:
            raise ValueError("say exactly one of keys, reason and all")
        return self


class SetAsked(Asked):
    """Live settings by name: `workers`, `chunk`, `<system>.pace` (100/s, 6000/m, 1/h, off), `<system>.in_flight`."""

    settings: dict[str, str | int] = Field(min_length=1, max_length=100, examples=[{"workers": 8, "crm.pace": "100/s"}])


class DeclareDeadAsked(Asked):
    """A worker or supervisor whose host is lost for good."""

    owner: str = Field(max_length=190, examples=["w-1a2b3c4d"])


class PurgeAsked(Asked):
    """What old runs have left behind is to be removed."""

    job: str | None = Field(None, max_length=190, description="Only runs of this job")
    older_than: str = Field(pattern=r"^\d+(\.\d+)?[mhdw]$", examples=["90d"])
    what: list[Literal["journal", "quarantine", "runs"]] | None = Field(None, min_length=1)
    with_exceptions: bool = False
    dry_run: bool = Field(True, description="Only tell what would go")


class CommandShape(_Shape):
    """A command. `outcome` is null until it took effect; `held`: a supervisor carries it out."""

    number: int
    run: str
    name: str = Field(examples=["pause"])
    arguments: dict[str, Any]
    by: str
    at: float
    done_at: float | None
    outcome: str | None = Field(examples=["paused"])
    held: bool | None = None


class TaskShape(_Shape):
    """Something that takes a while. `run` is the one that it made or is about; `outcome` is what came of it."""

    id: str
    name: str = Field(examples=["start"])
    job: str
    run: str
    state: TaskState
    by: str
    at: float
    started_at: float | None
    ended_at: float | None
    arguments: dict[str, Any]
    outcome: dict[str, Any] = Field(description="On failure: error, message, where and remedy")
