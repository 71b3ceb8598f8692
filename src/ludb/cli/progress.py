"""How a run shows while it goes on: a bar and what is being done in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ludb.errors import TransientError
from ludb.model.run import Owner, Run, RunState
from ludb.service.activity import Activity
from ludb.service.dry_run import is_dry
from ludb.service.runs import Started
from ludb.wording import plural

BAR_EVERY, LINE_EVERY, LATER_EVERY, LATER = 0.5, 5.0, 30.0, 60.0
"""Seconds between two looks in a terminal; between two plain lines, at first and after `LATER` seconds."""
SHOWN = frozenset({RunState.RUNNING, RunState.PAUSED, RunState.STOPPING})
"""States whose beginning is told while a run is held; how it ended is told by its summary."""
NAMED = 4
"""Workers that are named one by one; more are counted by what they do."""


class Progress:
    """True progress: units settled of units planned, from the repository. Rate and time left are of this start alone, and of
    the time in which it was not paused.
    """

    def __init__(self, console: Console, look: Callable[[], Activity], run: Run) -> None:
        """Show nothing yet. `look` is asked for each picture; `TransientError` of it leaves the last one."""
        self._console, self._run, self._look = console, run, look
        self._began = time.monotonic()
        self._idle = 0.0
        self._first: int | None = None
        self._shown = float("-inf")
        self._live: Live | None = None
        self._state = RunState.RUNNING

    def start(self, started: Started) -> None:
        """Say what begins."""
        how = "going on with" if started.resumed else "started dry" if is_dry(self._run) else "started"
        changed = ", with changed steps" if started.changed else ""
        self.begin(f"{how} run [bold]{self._run.id}[/] ({plural(self._run.units, 'unit')}{changed})")

    def begin(self, words: str) -> None:
        """Say what begins (with markup), and draw from now on, where there is a terminal."""
        self._console.print(words)
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            # Refreshed by `tick` alone: no thread of its own, nothing drawn between two looks.
            self._live = Live(console=self._console, transient=True, auto_refresh=False, redirect_stdout=False)
            self._live.start()

    def tick(self) -> None:
        """Show where the units are, now and then."""
        now = time.monotonic()
        later = LATER_EVERY if now - self._began > LATER else LINE_EVERY
        if now - self._shown < (BAR_EVERY if self._live else later):
            return
        if self._state is RunState.PAUSED:
            self._idle += now - self._shown
        self._shown = now
        try:
            seen = self._look()
        except TransientError:
            return
        if seen.state != self._state:
            # Shown above the bar, and kept.
            if seen.state in SHOWN:
                self._console.print(change_of(seen), markup=False)
            self._state = seen.state
        settled = seen.counters.total - seen.counters.pending
        self._first = settled if self._first is None else self._first
        rate = (settled - self._first) / max(1e-9, now - self._began - self._idle)
        if self._live is not None:
            self._live.update(self._picture(seen, settled, rate), refresh=True)
        else:
            parts = [f"{share(seen):5.1f}%  {states(seen)}, {pace(seen, rate)}", *details(seen)]
            self._console.print("; ".join(parts), markup=False)

    def away(self, reason: str) -> None:
        """Say why the run waits, and when it goes on."""
        self._console.print(f"the run waits: {reason}" if reason else "the run goes on", markup=False)

    def notice(self, words: str) -> None:
        """Say something above the picture."""
        self._console.print(words, markup=False)

    def lost(self, worker: Owner) -> None:
        """Say who has died: nothing is lost, but a person may want to know why."""
        self._console.print(
            f"worker {worker.id} on {worker.host}, process {worker.pid}, has died; its chunk is given to others",
            markup=False,
        )

    def _picture(self, seen: Activity, settled: int, rate: float) -> Group:
        """The bar, and below it the states, what was written and set aside, and who does what."""
        top = Table.grid(padding=(0, 1))
        top.add_column(no_wrap=True)
        top.add_column(ratio=1)
        top.add_column(no_wrap=True)
        top.expand = True
        total = max(1, seen.counters.total)
        top.add_row(f"{share(seen):5.1f}%", ProgressBar(total=total, completed=settled), pace(seen, rate))
        lines = [f"{states(seen)}, of {plural(seen.counters.total, 'unit')}", *details(seen)]
        return Group(top, *(Text(f"  {line}", no_wrap=True, overflow="ellipsis") for line in lines))

    def close(self) -> None:
        """Leave the terminal as it was."""
        live, self._live = self._live, None
        if live is not None:
            live.stop()


def share(seen: Activity) -> float:
    """Percent of the units that are settled."""
    return 100.0 * (seen.counters.total - seen.counters.pending) / max(1, seen.counters.total)


def states(seen: Activity) -> str:
    """Units by state."""
    c = seen.counters
    named = {"quarantined": c.quarantined, "in doubt": c.in_doubt, "gone": c.gone, "rolled back": c.rolled_back}
    aside = [f"{count:,} {name}" for name, count in named.items() if count]
    return ", ".join([f"{c.done:,} done", *aside, f"{c.pending:,} pending"])


def pace(seen: Activity, rate: float) -> str:
    """Units per second, and how long the rest will take."""
    if not seen.counters.pending:
        return f"{rate:,.0f} units/s"
    left = f"{duration(seen.counters.pending / rate)} left" if rate > 0 else "time left not known yet"
    return f"{rate:,.1f} units/s, {left}" if 0 < rate < 10 else f"{rate:,.0f} units/s, {left}"


def details(seen: Activity) -> list[str]:
    """Rows written by system, units set aside by step, what each worker does, and what chunks wait for."""
    systems: Counter[str] = Counter()
    for output, rows in seen.written.items():
        systems[output.split(".", 1)[0]] += rows
    found = []
    if systems:
        found.append("written: " + counted(systems))
    if seen.aside:
        steps: Counter[str] = Counter()
        for (_, step), units in seen.aside.items():
            steps[step.removeprefix("steps/").removeprefix("rules/").removesuffix(".sql")] += units
        found.append("set aside by: " + counted(steps))
    if seen.workers:
        found.append(f"{plural(len(seen.workers), 'worker')}: {doings(seen)}")
    elif seen.state is RunState.RUNNING:
        found.append("workers are starting")
    else:
        found.append(change_of(seen))
    if seen.waiting and seen.state is not RunState.PAUSED:  # else the run's reason has said it
        error = next(iter(seen.waiting))
        found.append(f"{plural(sum(seen.waiting.values()), 'chunk')} waiting: {error}")
    return found


def change_of(seen: Activity) -> str:
    """The run's state and the reason for it."""
    if not seen.reason or seen.reason.startswith(f"{seen.state} "):
        return seen.reason or str(seen.state)
    return f"{seen.state}: {seen.reason}"


def counted(counts: Mapping[str, int]) -> str:
    """Names with numbers, the greatest first."""
    ranked = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    return ", ".join(f"{name} {count:,}" for name, count in ranked)


def doings(seen: Activity) -> str:
    """What the workers do: each by itself, or counted where they are many."""
    words = [worker.doing or "starting" for worker in reversed(seen.workers)]
    if len(words) <= NAMED:
        return " | ".join(words)
    return counted(Counter(word.split(",", 1)[0] for word in words))


def duration(seconds: float) -> str:
    """A time as people say it: `9 s`, `3 min 05 s`, `2 h 10 min`."""
    minutes, rest = divmod(int(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
