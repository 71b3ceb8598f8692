"""When runs of a job may work."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""Days by name, as they are counted from Monday on."""


@dataclass(frozen=True, slots=True)
class Span:
    """From a time of day until another one, of the next day where that is not later. `days` are those on which it begins."""

    begin: time
    end: time
    days: tuple[str, ...] = DAYS


@dataclass(frozen=True, slots=True)
class Window:
    """Runs of `job` work only within these spans of the time zone `zone`. Several windows of one job add up."""

    id: str
    name: str
    job: str
    zone: str
    spans: tuple[Span, ...]
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether a job's runs may work at one moment. `closes_at` is when that ends, `opens_at` when it begins (Unix seconds;
    None: never, or not within two weeks). `names` are the windows that say so, none: the job has no window.
    """

    open: bool
    opens_at: float | None = None
    closes_at: float | None = None
    names: tuple[str, ...] = ()
    zone: str = "UTC"
