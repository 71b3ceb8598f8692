"""What the engine announces. Observers decide what becomes a log line, a metric or a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened. `name` is stable (`chunk.finished`, `unit.quarantined`, `phase.begin`, ...); `data` holds names
    and numbers, never row values. `lasting` events are kept in the repository, the others only logged.
    """

    name: str
    run: str = ""
    chunk: str = ""
    level: Literal["debug", "info", "warning", "error"] = "info"
    lasting: bool = False
    data: Mapping[str, object] = field(default_factory=dict)
