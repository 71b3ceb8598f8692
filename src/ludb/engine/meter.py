"""Counts what a worker's time goes to: phases, steps, rules, systems. A few microseconds each time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ludb.model.figures import PHASE, RULE, STEP, Figure, Name, once


@dataclass(slots=True)
class Done:
    """What was done in one block, for whoever knows it before the block ends."""

    rows: int = 0
    sent: int = 0
    received: int = 0


_LAP = (PHASE, STEP, RULE)
"""Kinds that are also told of the chunk in hand: what its worker does, one after the other."""


class Meter:
    """The sums of one process so far, and those of the chunk in hand; written by the worker, read by its heart."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Nothing is counted yet."""
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._sums: dict[Name, Figure] = {}
        self._lap: dict[Name, float] = {}

    def anew(self) -> None:
        """Another chunk is in hand."""
        self._lap = {}

    def lap(self) -> dict[str, dict[str, float]]:
        """Seconds that the chunk in hand has taken so far, by kind and name."""
        told: dict[str, dict[str, float]] = {kind: {} for kind in _LAP}
        for (kind, name), seconds in self._lap.items():
            told[kind][name] = round(seconds, 6)
        return told

    @contextmanager
    def timed(self, kind: str, name: str) -> Iterator[Done]:
        """Count the block, whether it ends well or not."""
        done, began = Done(), self._monotonic()
        try:
            yield done
        finally:
            seconds = self._monotonic() - began
            figure = once(seconds, rows=done.rows, sent=done.sent, received=done.received)
            if kind in _LAP:
                self._lap[kind, name] = self._lap.get((kind, name), 0.0) + seconds
            with self._lock:
                known = self._sums.get((kind, name))
                self._sums[kind, name] = figure if known is None else known.plus(figure)

    def told(self) -> dict[Name, Figure]:
        """All of it so far."""
        with self._lock:
            return dict(self._sums)
