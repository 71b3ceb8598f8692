"""Sums over many rows, kept for a moment: so many who look cost the repository little more than one."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

from ludb.model.run import Counters

T = TypeVar("T")
PAUSE, LONGEST, MOST = 20.0, 5.0, 200
"""How many times its own time a sum is kept, and for how many seconds at most; sums that are kept."""


class Kept:
    """Sums by name, each with the counters of its run as they were. Once nothing is pending, other counters make it anew."""

    def __init__(self) -> None:
        """Nothing is kept yet."""
        self._lock = threading.Lock()
        self._sums: OrderedDict[tuple[object, ...], tuple[float, Counters, Any]] = OrderedDict()

    def of(self, name: tuple[object, ...], counters: Counters, make: Callable[[], T]) -> T:
        """The sum of this name, made anew if it is too old."""
        with self._lock:
            until, then, found = self._sums.get(name, (float("-inf"), counters, None))
        if time.monotonic() < until and (counters.pending or then == counters):
            kept: T = found
            return kept
        began = time.monotonic()
        made = make()
        now = time.monotonic()
        with self._lock:
            self._sums[name] = (now + min(LONGEST, PAUSE * (now - began)), counters, made)
            self._sums.move_to_end(name)
            while len(self._sums) > MOST:
                self._sums.popitem(last=False)
        return made
