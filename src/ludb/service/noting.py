"""What a worker has counted, kept in the repository every few seconds by its heart, and once more at its end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from ludb.engine.workplace import Workplace
from ludb.errors import LudbError
from ludb.model.calls import Metered
from ludb.model.figures import CALL, FLYING, REQUEST, SYSTEM, Figure, Name
from ludb.ports.target import CanMeter

EVERY = 2.0
"""Seconds between two notes."""


class Noting:
    """Notes what a workplace's meter, and the meters of the APIs that it calls, have counted."""

    def __init__(self, at: Workplace, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Nothing is noted yet."""
        self._at, self._monotonic = at, monotonic
        self._last = monotonic()
        self._told: dict[Name, Figure] = {}

    def tick(self, *, last: bool = False) -> None:
        """Note what is new, if it is time for it, or the `last` time. A repository that is away loses nothing: sums grow."""
        now = self._monotonic()
        if not last and now - self._last < EVERY:
            return
        self._last = now
        told = self.counted()
        if told == self._told:
            return
        with contextlib.suppress(LudbError):
            self._at.repository.figures.note(self._at.owner, self._at.run.id, told)
            self._told = told

    def counted(self) -> dict[Name, Figure]:
        """All of it so far."""
        told = dict(self._at.meter.told())
        for name, target in self._at.migration.calls.items():
            if isinstance(target, CanMeter):
                told |= called_figures(name, target.metered())
        return told


def called_figures(system: str, seen: Metered) -> dict[Name, Figure]:
    """What passed to and from an API: in sum, by outcome, and what is on its way. Nothing where nothing did."""
    whole = called_figure(seen)
    found: dict[Name, Figure] = {(SYSTEM, system): whole} if whole.count else {}
    for kind, counted in ((REQUEST, seen.requests), (CALL, seen.answers)):
        found |= {(kind, f"{system} {outcome}"): Figure(count) for outcome, count in counted.items() if count}
    if found or seen.in_flight:
        found[(FLYING, system)] = Figure(seen.in_flight)
    return found


def called_figure(seen: Metered) -> Figure:
    """What passed to and from an API, as a figure: a request is one time, its document one row."""
    count = sum(seen.requests.values())
    failed = seen.requests.get("5xx", 0) + seen.requests.get("none", 0)
    return Figure(
        count, seen.seconds, count, tuple(float(n) for n in seen.latencies), seen.sent_bytes, seen.received_bytes,
        seen.requests.get("429", 0), failed, seen.paced_seconds,
    )  # fmt: skip
