"""What may be changed of a run while it goes on, and what people ask of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ludb.model.run import RunState

MOST_WORKERS, MOST_UNITS, MOST_IN_FLIGHT, MOST_PACE = 1024, 100_000, 1000, 1_000_000.0
"""Bounds of live settings: workers, units in a chunk, requests on their way, requests in a second."""

OFF = "off"
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_PACE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*/\s*(s|m|h)\s*")


def per_second(text: str) -> float | None:
    """A pace such as `100/s`, `6000/m`, `1/h` as requests in a second; None for `off`. `ValueError` for anything else."""
    if text.strip().lower() == OFF:
        return None
    found = _PACE.fullmatch(text)
    rate = float(found[1]) / _SECONDS[found[2]] if found else 0.0
    if not 0.0 < rate <= MOST_PACE:
        raise ValueError("must be a pace such as 100/s, 6000/m or 1/h (at most 1000000/s), or off")
    return rate


@dataclass(frozen=True, slots=True)
class CallLimits:
    """How hard a system is called, all workers together: requests in a second (None: as fast as it answers), and requests
    on their way at the same time (None: as its adapter chooses).
    """

    pace: float | None = None
    in_flight: int | None = None


@dataclass(frozen=True, slots=True)
class Live:
    """A run's live settings. `calls` has an entry for every system of the job that is called."""

    workers: int = 2
    chunk_units: int = 500
    calls: Mapping[str, CallLimits] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Mapping[str, object]) -> Live:
        """Read from a run's settings: `set.<name>` (a person's word, kept until another one) goes before what the job says
        (`workers`, `chunk_units`, `calls`).
        """
        said = {name.removeprefix("set."): value for name, value in settings.items() if name.startswith("set.")}
        systems = settings.get("calls")
        calls = {}
        for system, own in (systems if isinstance(systems, Mapping) else {}).items():
            pace = said.get(f"{system}.pace", own.get("pace"))
            flying = said.get(f"{system}.in_flight", own.get("in_flight"))
            calls[system] = CallLimits(
                None if pace is None else per_second(str(pace)), None if flying is None else int(str(flying))
            )
        return cls(
            int(str(said.get("workers", settings.get("workers", 2)))),
            int(str(said.get("chunk", settings.get("chunk_units", 500)))),
            calls,
        )


@dataclass(frozen=True, slots=True)
class Orders:
    """What a heartbeat brings back: the run's state and live settings, whether this owner is to leave after its chunk, and
    how many workers are at work (known to have neither ended nor died).
    """

    state: RunState
    live: Live = field(default_factory=Live)
    dismissed: bool = False
    at_work: int = 1


@dataclass(frozen=True, slots=True)
class Command:
    """What a person asks of a run. `outcome` is None until it took effect; times are Unix seconds."""

    number: int
    name: str
    arguments: Mapping[str, object]
    actor: str
    put_at: float
    acknowledged_at: float | None = None
    outcome: str | None = None
