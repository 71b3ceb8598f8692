"""Forecasts of runs, made anew only now and then: looking must not slow a run down."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

from ludb.model.run import Run
from ludb.ports.repository import Repository
from ludb.service.forecast import Forecast, forecast

FRESH, PAUSE, KEPT = 2.0, 30.0, 200
"""Seconds for which a forecast holds; how many times its own time it holds at least; runs that are kept in mind."""


class Forecasts:
    """The newest forecast of each run that somebody looks at, with how many units were pending then."""

    def __init__(self) -> None:
        """Nothing is foretold yet."""
        self._lock = threading.Lock()
        self._made: OrderedDict[str, tuple[float, tuple[object, ...], Forecast]] = OrderedDict()

    def of(self, repository: Repository, run: Run, pending: int, now: float) -> Forecast:
        """How fast the run goes, and in how many seconds from `now` (about) it will end."""
        if run.started_at is None:
            return Forecast()
        same = (run.state, run.ended_at, pending == 0)
        with self._lock:
            known = self._made.get(run.id)
            if known is not None and time.monotonic() < known[0] and known[1] == same:
                return known[2]
        began = time.monotonic()
        made = forecast(repository.evidence.pace(run.id), pending, run.started_at, run.ended_at or now)
        took = time.monotonic() - began
        with self._lock:
            self._made[run.id] = (time.monotonic() + max(FRESH, PAUSE * took), same, made)
            self._made.move_to_end(run.id)
            while len(self._made) > KEPT:
                self._made.popitem(last=False)
        return made
