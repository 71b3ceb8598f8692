"""What every system's entry in `job.yaml` shares, and what an adapter is told about its surroundings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from ludb.model.calls import Patience
from ludb.model.steering import MOST_IN_FLIGHT, MOST_PACE, per_second

DRY_RUNS = "dry-runs"
"""Where dry runs have their state directories, below that of the job."""


class SystemSettings(BaseModel):
    """One entry of `systems:`. Each adapter extends it as its `Settings`; unknown fields are mistakes.

    Fields that may hold a secret (URLs, headers, passwords) are `pydantic.SecretStr`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: str = Field(description="Adapter type: sqlite, files, rest, ...")


def _pace(value: object) -> object:
    """`100/s` as requests a second; a mistake is named by `per_second`."""
    return per_second(value) if isinstance(value, str) else value


class SetAside(BaseModel):
    """When a call that its system fails each time is tried no more, and its unit set aside (docs/adr/0013)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tries: int = Field(
        default=5, ge=2, description="Failed tries before a call is given up: server errors, no answer, a useless one"
    )
    others: int = Field(
        default=20, ge=1, description="Other calls to the system that must have got through meanwhile: it is well"
    )


class CallSystemSettings(SystemSettings):
    """One entry of `systems:` that is written by calls: how hard it may be called. Both can be changed while a run goes on."""

    in_flight: int = Field(
        default=16,
        ge=1,
        le=MOST_IN_FLIGHT,
        description="Requests on their way at the same time, all workers of a run together (each has one at least)",
    )
    pace: Annotated[
        float | None,
        BeforeValidator(_pace),
        WithJsonSchema({"type": "string", "pattern": r"^(\d+(\.\d+)?/(s|m|h)|off)$"}),
    ] = Field(
        default=None, gt=0, le=MOST_PACE,
        description="Requests in a second, minute or hour, all workers of a run together: 100/s, 6000/m, 1/h",
    )  # fmt: skip
    set_aside: SetAside = Field(
        default=SetAside(), description="When a call that fails each time is given up: {tries, others}"
    )

    def patience(self, own: Mapping[str, int]) -> Patience:
        """The system's patience, with what an output says of its own."""
        return Patience(**{**self.set_aside.model_dump(), **own})


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where an adapter runs: the job's folder (relative paths start there), the state directory, and for each settings
    field the names of the variables it came from (`{"headers.Authorization": ("CRM_TOKEN",)}`), so that an error can name a
    credential without showing it.
    """

    folder: Path
    state: Path
    variables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def lasting(self) -> Path:
        """The job's state directory, also for a dry run, whose own is thrown away."""
        return self.state.parent.parent if self.state.parent.name == DRY_RUNS else self.state
