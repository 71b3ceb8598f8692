"""How a run shows while it goes on: one bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bar

from ludb.errors import TransientError
from ludb.model.run import Run
from ludb.service.runs import Started
from ludb.service.site import Site

LINE_EVERY = 5.0
"""Seconds between two plain lines."""


class Progress:
    """True progress: units settled of units planned, from the repository. Rate and time left are of this start alone."""

    def __init__(self, console: Console, site: Site, run: Run, *, quiet: bool = False) -> None:
        """Show nothing yet; `quiet` shows nothing at all."""
        self._console, self._site, self._run, self._quiet = console, site, run, quiet
        self._began = time.monotonic()
        self._first: int | None = None
        self._shown = 0.0
        self._bar: Bar | None = None
        self._task: TaskID | None = None

    def start(self, started: Started) -> None:
        """Say what begins."""
        if self._quiet:
            return
        how = "going on with" if started.resumed else "started"
        changed = ", with changed steps" if started.changed else ""
        self._console.print(f"{how} run [bold]{self._run.id}[/] ({self._run.units:,} units{changed})")
        if self._console.is_terminal:
            self._bar = Bar(
                TextColumn("{task.percentage:>5.1f}%"), BarColumn(), TextColumn("{task.description}"),
                console=self._console, transient=True,
            )  # fmt: skip
            self._task = self._bar.add_task("", total=self._run.units)
            self._bar.start()

    def tick(self) -> None:
        """Show where the units are, now and then."""
        now = time.monotonic()
        every = 0.5 if self._bar else LINE_EVERY
        if self._quiet or now - self._shown < every:
            return
        self._shown = now
        try:
            text, settled = self._line(now)
        except TransientError:
            return
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=settled, description=text)
        else:
            total = max(1, self._run.units)
            self._console.print(f"{100 * settled / total:5.1f}%  {text}")

    def _line(self, now: float) -> tuple[str, int]:
        counters = self._site.repository.views.counters(self._run.id)
        settled = counters.total - counters.pending
        if self._first is None:
            self._first = settled
        rate = (settled - self._first) / max(1e-9, now - self._began)
        left = f"{_duration(counters.pending / rate)} left" if rate > 0 else "time left unknown"
        parts = [f"{counters.done:,} done"]
        named = {"quarantined": counters.quarantined, "in doubt": counters.in_doubt, "gone": counters.gone}
        parts += [f"{count:,} {name}" for name, count in named.items() if count]
        parts += [f"{counters.pending:,} pending", f"{rate:,.0f} units/s", left]
        waiting = [error for _, error, _ in self._site.repository.views.chunks(self._run.id, unresolved=True) if error]
        if waiting:
            parts.append(f"{len(waiting)} chunk(s) waiting: {waiting[0][:60]}")
        return ", ".join(parts), settled

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._bar is not None:
            self._bar.stop()


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
