"""Sums over many rows, kept for a moment: so many who look cost the repository little more than one."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

from ludb.model.run import Counters

T = TypeVar("T")
PAUSE, LONGEST, MOST = 50.0, 5.0, 200
"""How many times its own time a sum is kept, and for how many seconds at most; sums that are kept."""
LARGE, BRIEFLY = 100_000, 0.25
"""From how many units on counters are kept, and for how many seconds."""


class Kept:
    """Sums by name, each with the counters of its run as they were. Once nothing is pending, other counters make it anew."""

    def __init__(self) -> None:
        """Nothing is kept yet."""
        self._lock = threading.Lock()
        self._counters: OrderedDict[str, tuple[float, Counters | None]] = OrderedDict()
        self._sums: OrderedDict[tuple[object, ...], tuple[float, Counters, Any]] = OrderedDict()

    def counters(self, run_id: str, make: Callable[[], Counters]) -> Counters:
        """A run's counters; those of a large run are kept for a quarter of a second: they add up, as of that moment."""
        with self._lock:
            until, found = self._counters.get(run_id, (float("-inf"), None))
        if found is not None and time.monotonic() < until:
            return found
        made = make()
        if made.total >= LARGE:
            with self._lock:
                self._counters[run_id] = (time.monotonic() + BRIEFLY, made)
                self._counters.move_to_end(run_id)
                while len(self._counters) > MOST:
                    self._counters.popitem(last=False)
        return made

    def of(
        self, name: tuple[object, ...], counters: Counters, make: Callable[[], T],
        worth: Callable[[T], bool] = lambda _: True,
    ) -> T:  # fmt: skip
        """The sum of this name, made anew if it is too old. What is not `worth` it is made for everybody who asks."""
        with self._lock:
            until, then, found = self._sums.get(name, (float("-inf"), counters, None))
        if time.monotonic() < until and (counters.pending or then == counters):
            kept: T = found
            return kept
        began = time.monotonic()
        made = make()
        now = time.monotonic()
        if not worth(made):
            return made
        with self._lock:
            self._sums[name] = (now + min(LONGEST, PAUSE * (now - began)), counters, made)
            self._sums.move_to_end(name)
            while len(self._sums) > MOST:
                self._sums.popitem(last=False)
        return made
