"""What runs have done, as a person reads it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ludb.cli.places import Hints
from ludb.model.run import LIMIT_REACHED, Counters, Run, RunState
from ludb.service.dry_run import is_dry
from ludb.service.room import paused_by
from ludb.service.steering import told as told_arguments
from ludb.service.summary import Summary
from ludb.service.windows import BY as WINDOW
from ludb.sql.library import told as told_conversions
from ludb.wording import plural

LEFT = frozenset({"table", "output", "reason", "state", "run", "started", "by", "selected"})
"""Columns of text; all others hold numbers."""
COLORS = {RunState.COMPLETED: "green", RunState.EXCEPTIONS: "yellow", RunState.RUNNING: "cyan"}


def table_of(*columns: str) -> Table:
    """A table without lines: numbers right, text left; only the last column is ever folded."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        last = number == len(columns) - 1
        table.add_column(column, justify="left" if column in LEFT else "right", overflow="fold", no_wrap=not last)
    return table


def moment(seconds: float) -> str:
    """A time as local wall clock."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def ago(moment: float) -> str:
    """How long ago a moment was, as a person reads it: `3 h`."""
    seconds = max(0.0, time.time() - moment)
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size or (unit == "min" and seconds >= size):
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def render_summary(console: Console, summary: Summary, hints: Hints | None) -> None:
    """What a run has done, whether it balances, who works on it; last, where the eye is, its state and what to do next
    (without `hints`, nothing: the run is not kept where commands would look).
    """
    if summary.source:
        console.print(_source_table(summary))
    if not all(line.balances for line in summary.source):
        console.print("[red]a table that differs has changed since the run was planned[/]")
    if summary.outputs:
        table = table_of("output", "produced", "written", "held back")
        for line in summary.outputs:
            table.add_row(
                escape(line.output), f"{line.produced:,}", f"{line.written:,}", f"{line.produced - line.written:,}"
            )
        console.print(table)
    if summary.reasons:
        table = table_of("units", "state", "reason")
        for state, reason, count in summary.reasons:
            table.add_row(f"{count:,}", state, escape(reason))
        console.print(table)
    _noted(console, summary)
    _who(console, summary)
    _state(console, summary, hints)


def _state(console: Console, summary: Summary, hints: Hints | None) -> None:
    run, counters = summary.run, summary.counters
    console.print(f"[bold]{run.id}[/]  [{COLORS.get(run.state, 'red')}]{run.state}[/]", soft_wrap=True)
    if run.reason:
        console.print(escape(run.reason), soft_wrap=True)
    for hook in summary.hooks:
        if hook.state == "failed" and run.state not in {RunState.RUNNING, RunState.FAILED}:
            console.print(
                f"[red]the {hook.moment} hook failed[/] {escape(hook.name)}: {escape(hook.reason)}", soft_wrap=True
            )
    if selected(run):
        console.print(f"selected: {escape(selected(run))}", soft_wrap=True)
    staged = run.settings.get("staged")
    for system, take in staged.items() if isinstance(staged, dict) else ():
        console.print(f"staged: {escape(system)} as of {moment(take['taken_at'])}, {ago(take['taken_at'])} ago")
    rate = f"{summary.rate:,.1f}" if 0 < summary.rate < 10 else f"{summary.rate:,.0f}"
    console.print(f"{plural(counters.total, 'unit')}: {told(counters)}; {summary.seconds:,.1f} s, {rate} units/s")
    if alive := summary.live_calls:
        console.print(
            f"{plural(alive, 'object')} of quarantined units still at an API: going on, or abandoning, takes them back"
        )
    for step in next_steps(summary, hints) if hints else ():
        console.print(step, soft_wrap=True, markup=False)
    if is_dry(run):
        for name in _listed(run.notes.get("hooks_skipped")):
            console.print(f"hook skipped, {name}", soft_wrap=True, markup=False)
        console.print("[bold]dry run: nothing was written[/], and no call was sent")


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def selected(run: Run) -> str:
    """What selected the run's units, as its instance names it; empty where nothing did."""
    asked = run.notes.get("selection")
    return str(asked["text"]) if isinstance(asked, dict) else ""


def _noted(console: Console, summary: Summary) -> None:
    """What happened to units that moved all the same."""
    if summary.conversions:
        console.print(f"converted in moved units: {told_conversions(summary.conversions)}", soft_wrap=True)
    for rule, count in summary.warnings.items():
        console.print(f"[yellow]warning[/] {escape(rule)}: {plural(count, 'unit')}")


def told(counters: Counters) -> str:
    """Units by state; states that nobody is in are left out, but for the two that everybody asks for."""
    parts = [f"{counters.done:,} moved", f"{counters.quarantined:,} quarantined"]
    named = {"in doubt": counters.in_doubt, "gone": counters.gone, "rolled back": counters.rolled_back}
    parts += [f"{count:,} {name}" for name, count in named.items() if count]
    return ", ".join([*parts, f"{counters.pending:,} pending"])


def _source_table(summary: Summary) -> Table:
    table = table_of("table", "in units", "moved", "held back", "stray", "pending", "orphans", "balance")
    for line in summary.source:
        held = sum(count for state, count in line.by_state.items() if state != "done")
        balance = "[green]ok[/]" if line.balances else "[red]differs[/]"
        numbers = [line.planned, line.by_state.get("done", 0), held, line.stray, line.pending, line.orphans]
        table.add_row(escape(line.table), *(f"{number:,}" for number in numbers), balance)
    return table


def _who(console: Console, summary: Summary) -> None:
    """Who is at work, and what chunks wait for."""
    for owner in summary.owners:
        leaving = ", leaves after its chunk" if owner.state == "dismissed" else ""
        doing = leaving + (f": {owner.doing}" if owner.doing else "")
        console.print(f"{owner.role} {owner.id} on {owner.host}, process {owner.pid}{escape(doing)}")
    for command in reversed(summary.commands):
        asked = f"{command.name} {told_arguments(command.arguments)}".strip()
        outcome = "waiting" if command.outcome is None else command.outcome
        console.print(f"{moment(command.put_at)} {command.actor}: {asked}: {outcome}", soft_wrap=True, markup=False)
    waiting = Counter(error for _, error, _ in summary.waiting if error)
    for error, count in waiting.most_common(5):
        console.print(f"[yellow]waiting[/] {plural(count, 'chunk')}: {escape(error)}", soft_wrap=True)


def next_steps(summary: Summary, hints: Hints) -> list[str]:
    """What a person may do next, as commands that can be copied."""
    run, counters = summary.run, summary.counters
    ludb, where = hints.program, hints.options
    steps = []
    held = any(owner.role == "supervisor" for owner in summary.owners)
    waits = {
        "room": f"make room: it goes on by itself, or at once with {ludb} resume {run.id}{where}",
        WINDOW: "it goes on by itself when its window opens; an editor may change that at the server",
    }
    if is_dry(run):
        steps.append(f"see it again: {ludb} status{where}")
    elif run.state in {RunState.RUNNING, RunState.STOPPING} and not held:
        steps.append(f"nobody holds this run; go on with it: {hints.again}")
    elif held and paused_by(run) in waits:
        steps.append(waits[paused_by(run)])
    elif held and run.state is RunState.PAUSED:
        steps.append(f"let it go on: {ludb} resume {run.id}{where}")
    elif run.state is RunState.FAILED and LIMIT_REACHED in run.reason:
        steps.append(f"once that is mended, try them again and go on: {ludb} quarantine retry {run.id} --all{where}")
    elif run.state in {RunState.PLANNED, RunState.STOPPED, RunState.PAUSED, RunState.FAILED}:
        mended = "" if run.state in {RunState.PLANNED, RunState.STOPPED} else "once that is mended, "
        steps.append(f"{mended}go on with it: {hints.again}")
    if not held and any(hook.moment == "after" and hook.state != "done" for hook in summary.hooks):
        steps.append(f"do the hooks that are left: {hints.again}")
    if counters.quarantined or counters.in_doubt or counters.gone:
        steps.append(f"see who was set aside: {ludb} quarantine list {run.id}{where}")
    if counters.in_doubt:
        steps.append(f"what is known of a unit in doubt: {ludb} unit KEY --run {run.id}{where}")
        steps.append(f"calls that a person has to look up: {ludb} calls {run.id} --state in_doubt{where}")
    return steps


def render_runs(console: Console, found: Sequence[tuple[Run, Counters]]) -> None:
    """Runs, the newest first: as a table where it fits, else two lines each. A run's id is never broken."""
    chosen = any(selected(run) for run, _ in found)
    rows = [
        (run.id, str(run.state), f"{c.total:,}", f"{c.done:,}", f"{_aside(c):,}", moment(run.created_at), run.actor)
        + ((selected(run),) if chosen else ())
        for run, c in found
    ]
    names = ("run", "state", "units", "moved", "aside", "started", "by", *(("selected",) if chosen else ()))
    for columns in range(len(names), 4, -1):
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in names[:columns]:
            table.add_column(name, justify="left" if name in LEFT else "right", no_wrap=True)
        for row in rows:
            table.add_row(*(escape(value) for value in row[:columns]))
        if console.measure(table, options=console.options.update(width=10_000)).maximum <= console.width:
            console.print(table)
            return
    for run, counters in found:
        console.print(f"[bold]{run.id}[/]  {run.state}", soft_wrap=True)
        console.print(f"  {plural(counters.total, 'unit')}: {told(counters)}; started {moment(run.created_at)}")
        if selected(run):
            console.print(f"  selected: {escape(selected(run))}", soft_wrap=True)


def _aside(counters: Counters) -> int:
    return counters.quarantined + counters.in_doubt + counters.gone + counters.rolled_back
