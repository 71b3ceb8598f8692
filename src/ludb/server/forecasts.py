"""Forecasts of runs, made anew only now and then: looking must not slow a run down."""

from __future__ import annotations

from dataclasses import replace

from ludb.model.run import Run
from ludb.ports.repository import Repository
from ludb.server.kept import LARGE, RECENT, Renewed
from ludb.service.forecast import Forecast, forecast

FRESH, PAUSE, LONGEST = 4.0, 60.0, 10.0
"""Seconds for which a forecast holds at least, how many times its own time it does, and seconds at most."""


class Forecasts:
    """The newest forecast of each run that somebody looks at, made anew at once when its state changes or nothing is pending."""

    def __init__(self) -> None:
        """Nothing is foretold yet."""
        self._made = Renewed(PAUSE, LONGEST, FRESH)

    def of(self, repository: Repository, run: Run, pending: int, now: float) -> Forecast:
        """How fast the run goes, and in how many seconds from `now` it will end."""
        started = run.started_at
        if started is None:
            return Forecast()
        same = (run.state, run.ended_at, pending == 0)

        def make() -> Forecast:
            return forecast(repository.evidence.pace(run.id), pending, started, run.ended_at or now)

        recent = RECENT if run.units >= LARGE else 0.0
        told, age = self._made.aged((run.id,), same, make, lambda then: then == same, recent=recent)
        return replace(told, **{name: _left(getattr(told, name), age) for name in ("low", "typical", "high")})


def _left(seconds: float | None, age: float) -> float | None:
    """Of the seconds until the end, those that are left when the forecast is so old."""
    return None if seconds is None else max(0.0, seconds - age)
