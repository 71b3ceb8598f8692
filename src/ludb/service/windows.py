"""Windows: when runs of a job may work, and the hand that pauses them and lets them go on."""

from __future__ import annotations

import contextlib
import time as clocks
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ludb.errors import ConfigError
from ludb.model.run import Run, RunState
from ludb.model.setup import WINDOW, Entry
from ludb.model.windows import DAYS, Gate, Span, Window
from ludb.ports.repository import Repository
from ludb.service.forecast import Forecast
from ludb.service.room import paused_by

BY = "window"
"""What a run that waits for its window is paused by."""
AHEAD = 15
"""Days that are looked at."""
LOOK_EVERY = 2.0
"""Seconds between two looks at the windows of a run's job."""


def windows_of(repository: Repository, job: str) -> list[Window]:
    """The windows of a job that are switched on."""
    found = [window_of(one) for one in repository.setup.all(WINDOW)]
    return [one for one in found if one.enabled and one.job == job]


def window_of(entry: Entry) -> Window:
    """A window as it is kept. `ConfigError` for a time zone or a span that is none."""
    data: Mapping[str, Any] = entry.data
    _zone(data["zone"])
    spans = tuple(
        Span(_clock(one["begin"]), _clock(one["end"]), tuple(one.get("days") or DAYS)) for one in data["spans"]
    )
    return Window(entry.id, data["name"], data["job"], data["zone"], spans, bool(data.get("enabled", True)))


def gate_of(windows: Sequence[Window], now: float) -> Gate:
    """Whether work is allowed now, until when or from when on; always where there is no window."""
    if not windows:
        return Gate(open=True)
    names, zone = tuple(one.name for one in windows), windows[0].zone
    for begin, end in _merged(windows, now):
        if begin <= now < end:
            return Gate(True, None, end, names, zone)
        if begin > now:
            return Gate(False, begin, None, names, zone)
    return Gate(False, None, None, names, zone)


def gate_for(repository: Repository, run: Run, now: float) -> Gate:
    """The gate of a run's job."""
    return gate_of(windows_of(repository, run.job), now)


def fits(gate: Gate, told: Forecast, now: float) -> str | None:
    """Whether the run ends before its window closes: `yes` (with a chance of 95%), `no` (it does not, with as much),
    `unsure` in between; None where nothing closes or nothing is known.
    """
    if gate.closes_at is None or told.low is None or told.high is None:
        return None
    left = gate.closes_at - now
    return "yes" if told.high <= left else "no" if told.low > left else "unsure"


def words(gate: Gate) -> str:
    """A shut gate as a reason."""
    what = f"outside its window ({', '.join(gate.names)})"
    if gate.opens_at is None:
        return f"{what}, which does not open within {AHEAD - 1} days"
    opens = datetime.fromtimestamp(gate.opens_at, ZoneInfo(gate.zone))
    return f"{what}: it goes on by itself at {opens:%Y-%m-%d %H:%M} {gate.zone}"


@dataclass(slots=True)
class WindowWatch:
    """Pauses a run when its window closes, and lets it go on when one opens; asked again and again by who holds the run."""

    repository: Repository
    tell: Callable[..., None]
    now: Callable[[], float] = clocks.time
    monotonic: Callable[[], float] = clocks.monotonic
    _next: float = float("-inf")

    def obey(self, run: Run) -> Run:
        """The run as it then is. A pause by a person, or for want of room, is theirs."""
        if self.monotonic() < self._next or run.state not in {RunState.RUNNING, RunState.PAUSED}:
            return run
        self._next = self.monotonic() + LOOK_EVERY
        gate = gate_for(self.repository, run, self.now())
        with contextlib.suppress(ConfigError):  # the run has ended meanwhile
            if not gate.open and run.state is RunState.RUNNING:
                paused = self.repository.runs.change(run.id, RunState.PAUSED, words(gate), pause_of(gate))
                self.tell("run.paused", reason=words(gate), by=BY)
                return paused
            if gate.open and paused_by(run) == BY:
                going = self.repository.runs.change(run.id, RunState.RUNNING)
                self.tell("run.running", reason="its window is open", after=run.reason)
                return going
        return self.repository.runs.get(run.id)


def pause_of(gate: Gate) -> dict[str, object]:
    """What a run's settings keep of a pause by its window."""
    return {"pause": {"by": BY, "opens_at": gate.opens_at}}


def _merged(windows: Sequence[Window], now: float) -> list[tuple[float, float]]:
    """Stretches of open time from yesterday on, in order; those that touch are one."""
    merged: list[tuple[float, float]] = []
    for begin, end in sorted(one for window in windows for one in _stretches(window, now)):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged


def _stretches(window: Window, now: float) -> Iterator[tuple[float, float]]:
    zone = _zone(window.zone)
    first = datetime.fromtimestamp(now, zone).date() - timedelta(days=1)
    for day in (first + timedelta(days=offset) for offset in range(AHEAD + 1)):
        for span in window.spans:
            if DAYS[day.weekday()] in span.days:
                later = day + timedelta(days=1) if span.end <= span.begin else day
                begin, end = moment(day, span.begin, zone), moment(later, span.end, zone)
                if end > begin:  # a span that lies in the hour which a leap leaves out is not there
                    yield begin, end


def moment(day: date, at: time, zone: ZoneInfo) -> float:
    """A time of day as a moment: of an hour that comes twice the first one, of one that is left out the leap itself."""
    local = datetime.combine(day, at, zone)
    first = local.timestamp()
    second = local.replace(fold=1).timestamp()
    if second >= first:
        return first
    low, high = int(second) - 1, int(first) + 1  # the leap lies in between
    before = datetime.fromtimestamp(low, zone).utcoffset()
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if datetime.fromtimestamp(middle, zone).utcoffset() == before else (low, middle)
    return float(high)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(
            f"there is no time zone {name!r}", field="zone", remedy="Write one like Europe/Berlin, or UTC"
        ) from None


def _clock(text: str) -> time:
    try:
        return time.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{text!r} is no time of day", field="spans", remedy="Write it like 22:00") from None
