"""Sums over many rows, kept for a moment: so many who look cost the repository little more than one, and nobody waits."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ludb.errors import LudbError
from ludb.model.run import Counters
from ludb.server.ages import told

T = TypeVar("T")
PAUSE, LONGEST, MOST = 100.0, 5.0, 200
"""How many times its own time a sum is kept, and for how many seconds at most; sums that are kept."""
LARGE, BRIEFLY, RECENT = 100_000, 0.25, 30.0
"""From how many units on counters are kept, and for how many seconds; for how many more an old sum of such a run is shown, with
its age, while a new one is made.
"""


@dataclass(frozen=True, slots=True)
class _Made:
    """A value, what it was made from and when; when it is made again if somebody looks, and when it is too old to be shown."""

    value: Any
    basis: object
    at: float
    again: float
    until: float


@dataclass(slots=True)
class _Sum:
    """One sum. Who holds `making` makes it; whoever else needs a new one waits for that. `asked`: it is to be made beside."""

    made: _Made | None = None
    asked: bool = False
    making: threading.Lock = field(default_factory=threading.Lock)


class Renewed:
    """Values by name that are slow to make. One that is asked for in the second half of its life is made anew beside, one after
    the other: who asks gets what is there, and waits only where there is nothing, or nothing young enough.
    """

    def __init__(
        self, pause: float, longest: float, least: float = 0.0, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """A value lives for `pause` times what it took to make it, in seconds at least `least` and at most `longest`."""
        self._pause, self._longest, self._least, self._clock = pause, longest, least, clock
        self._lock = threading.Lock()
        self._sums: OrderedDict[tuple[object, ...], _Sum] = OrderedDict()
        self._beside: ThreadPoolExecutor | None = None

    def of(
        self, name: tuple[object, ...], basis: object, make: Callable[[], T],
        good: Callable[[Any], bool], worth: Callable[[T], bool] = lambda _: True,
    ) -> T:  # fmt: skip
        """The value of this name. `good` says of the basis of an older one whether that still holds; what is not `worth` it
        is made for everybody who asks.
        """
        return self.aged(name, basis, make, good, worth)[0]

    def aged(
        self, name: tuple[object, ...], basis: object, make: Callable[[], T],
        good: Callable[[Any], bool], worth: Callable[[T], bool] = lambda _: True, recent: float = 0.0,
    ) -> tuple[T, float]:  # fmt: skip
        """The same with its age in seconds. For `recent` seconds beyond its life an old one is shown, and made anew."""
        with self._lock:
            known = self._sums.setdefault(name, _Sum())
            self._sums.move_to_end(name)
            while len(self._sums) > MOST:
                self._sums.popitem(last=False)
        found = self._shown(known, good, recent)
        if found is None:
            with known.making:
                found = self._shown(known, good, recent) or self._make(known, basis, make, worth)
        elif self._clock() > found.again:
            self._make_beside(known, basis, make)
        return found.value, max(0.0, self._clock() - found.at)

    def knows(self, name: tuple[object, ...]) -> bool:
        """Whether somebody has asked for this name."""
        with self._lock:
            return name in self._sums

    def _shown(self, known: _Sum, good: Callable[[Any], bool], recent: float) -> _Made | None:
        made = known.made
        return made if made is not None and self._clock() < made.until + recent and good(made.basis) else None

    def _make(
        self, known: _Sum, basis: object, make: Callable[[], T], worth: Callable[[T], bool] = lambda _: True
    ) -> _Made:
        began = self._clock()
        value = make()
        now = self._clock()
        life = min(self._longest, max(self._least, self._pause * (now - began)))
        made = _Made(value, basis, began, now + life / 2, now + life)
        if worth(value):
            known.made = made
        return made

    def _make_beside(self, known: _Sum, basis: object, make: Callable[[], object]) -> None:
        """In its turn, once for all who ask meanwhile."""

        def work() -> None:
            known.asked = False  # before it is made: whoever looks later may find it too old already
            with known.making, suppress(LudbError):  # whoever finds nothing young enough is told
                self._make(known, basis, make)

        with self._lock:
            if known.asked or known.making.locked():
                return
            known.asked = True
            self._beside = self._beside or ThreadPoolExecutor(1, thread_name_prefix="sums")
        try:
            self._beside.submit(work)
        except RuntimeError:  # the process is about to end
            known.asked = False


class Kept:
    """Sums by name, each with the counters of its run as they were. Once nothing is pending, other counters make it anew."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing is kept yet."""
        self._lock = threading.Lock()
        self._counters: OrderedDict[str, tuple[float, Counters | None]] = OrderedDict()
        self._sums = Renewed(PAUSE, LONGEST, clock=clock)

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
        """The sum of this name, made anew if it is too old. What is not `worth` it is made for everybody who asks. The answer
        that tells it says its age.
        """
        recent = RECENT if counters.total >= LARGE else 0.0
        value, age = self._sums.aged(
            name, counters, make, lambda then: bool(counters.pending) or then == counters, worth, recent
        )
        told(age)
        return value

    def knows(self, name: tuple[object, ...]) -> bool:
        """Whether somebody has asked for this sum."""
        return self._sums.knows(name)
