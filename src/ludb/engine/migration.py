"""A job bound to its adapters: everything a worker needs to move a chunk, loaded once per process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa

from ludb.model.job import Job
from ludb.ports.source import Source
from ludb.ports.step import Step
from ludb.ports.target import CallTarget, Target
from ludb.sql.library import called_in


@dataclass(frozen=True, slots=True)
class Rule:
    """SQL returning `(unit_key, reason)`: `warn` counts, `reject` sets the unit aside, `stop` fails the run."""

    name: str
    sql: str
    severity: Literal["warn", "reject", "stop"] = "reject"


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of steps, in order, and the rules that run after it."""

    name: str
    steps: tuple[Step, ...]
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Migration:
    """The job, its steps and rules, its adapters by system name, and its snapshot of shared tables (`ref.<name>`).

    `macros` are SQL texts run in every new UnitBatch, by file name. `parameters` are the run's values by name.
    """

    job: Job
    folders: tuple[Folder, ...]
    rules: tuple[Rule, ...]
    sources: Mapping[str, Source]
    targets: Mapping[str, Target]
    calls: Mapping[str, CallTarget]
    reference: Mapping[str, pa.Table] = field(default_factory=dict)
    macros: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, object] = field(default_factory=dict)

    @property
    def cleanses(self) -> bool:
        """Whether a step or macro calls functions of `ludb.sql`, as far as texts tell."""
        steps = [getattr(step, "text", "") for folder in self.folders for step in folder.steps]
        return any(called_in(text) for text in (*steps, *self.macros.values()))

    def close(self) -> None:
        """Close every adapter."""
        for source in self.sources.values():
            source.close()
        for target in self.targets.values():
            target.close()
        for calls in self.calls.values():
            calls.close()
