"""What every system's entry in `job.yaml` shares, and what an adapter is told about its surroundings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class SystemSettings(BaseModel):
    """One entry of `systems:`. Each adapter extends it as its `Settings`; unknown fields are mistakes.

    Fields that may hold a secret (URLs, headers, passwords) are `pydantic.SecretStr`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: str = Field(description="Adapter type: sqlite, files, rest, ...")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where an adapter runs: the job's folder (relative paths start there), the state directory, and for each settings
    field the names of the variables it came from (`{"headers.Authorization": ("CRM_TOKEN",)}`), so that an error can name a
    credential without showing it.
    """

    folder: Path
    state: Path
    variables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
