"""Counts what a worker's time goes to: phases, steps, rules, systems. A few microseconds each time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ludb.model.figures import Figure, Name, once


@dataclass(slots=True)
class Done:
    """What was done in one block, for whoever knows it before the block ends."""

    rows: int = 0
    sent: int = 0
    received: int = 0


class Meter:
    """The sums of one process so far; written by the worker, read by its heart."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Nothing is counted yet."""
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._sums: dict[Name, Figure] = {}

    @contextmanager
    def timed(self, kind: str, name: str) -> Iterator[Done]:
        """Count the block, whether it ends well or not."""
        done, began = Done(), self._monotonic()
        try:
            yield done
        finally:
            figure = once(self._monotonic() - began, rows=done.rows, sent=done.sent, received=done.received)
            with self._lock:
                known = self._sums.get((kind, name))
                self._sums[kind, name] = figure if known is None else known.plus(figure)

    def told(self) -> dict[Name, Figure]:
        """All of it so far."""
        with self._lock:
            return dict(self._sums)
