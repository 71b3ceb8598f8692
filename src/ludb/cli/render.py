"""Answers as a person reads them."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ludb.service.runs import Planned
from ludb.service.summary import Summary
from ludb.service.units import Trial, UnitView


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        numeric = column not in {"table", "output", "reason", "state", "unit", "step", "run", "when", "what", "job"}
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    return table


def render_plan(console: Console, planned: Planned) -> None:
    """What a run would move."""
    run, settings = planned.run, planned.job.job.settings
    chunks = -(-run.units // settings.chunk_units)
    console.print(f"[bold]{run.instance}[/]  version {run.version}")
    console.print(f"{run.units:,} units in {chunks:,} chunks of {settings.chunk_units}, {settings.workers} workers")
    if planned.units.moved_before:
        console.print(f"{planned.units.moved_before:,} units were moved by an earlier run and are left out")
    table = _table("table", "rows in units", "orphans", "carried as")
    table.columns[3].justify = "left"
    for name, columns in planned.survey.columns.items():
        counts = run.counts[name]
        carried = ", ".join(f"{c.name} {c.type}" for c in columns)
        table.add_row(escape(name), f"{counts['rows']:,}", f"{counts['orphans']:,}", escape(carried))
    console.print(table)
    for name, lost in planned.survey.orphans.items():
        samples = ", ".join(f"row {row} -> {missing}" for row, missing in lost.samples[:5])
        console.print(
            f"[yellow]orphans[/] in {escape(name)}: {lost.count:,} rows belong to no unit ({escape(samples)})"
        )
    for name, left in planned.preflight.unread.items():
        console.print(f"no step reads {escape(name)}: {escape(', '.join(left))}")
    for name, left in planned.preflight.unfilled.items():
        console.print(f"no step fills {escape(name)}: {escape(', '.join(left))}")


def render_summary(console: Console, summary: Summary) -> None:
    """What a run has done."""
    run, counters = summary.run, summary.counters
    color = {"completed": "green", "completed_with_exceptions": "yellow"}.get(run.state, "red")
    console.print(f"[bold]{run.id}[/]  [{color}]{run.state}[/]  {escape(run.reason)}".rstrip())
    console.print(
        f"{counters.total:,} units: {counters.done:,} moved, {counters.quarantined:,} quarantined, "
        f"{counters.in_doubt:,} in doubt, {counters.gone:,} gone, {counters.pending:,} pending; "
        f"{summary.seconds:.1f} s, {summary.rate:,.0f} units/s"
    )
    if summary.source:
        console.print(_source_table(summary))
    if summary.outputs:
        table = _table("output", "produced", "written", "held back")
        for line in summary.outputs:
            table.add_row(
                escape(line.output), f"{line.produced:,}", f"{line.written:,}", f"{line.produced - line.written:,}"
            )
        console.print(table)
    if summary.reasons:
        table = _table("reason", "state", "units")
        for state, reason, count in summary.reasons:
            table.add_row(escape(reason), state, f"{count:,}")
        console.print(table)
        console.print(f"see them: ludb quarantine list {run.id}")
    for rule, count in summary.warnings.items():
        console.print(f"[yellow]warning[/] {escape(rule)}: {count:,} units")
    for chunk, error, _ in summary.waiting[:5]:
        console.print(f"waiting: chunk {chunk[:8]}: {escape(error)}")


def _source_table(summary: Summary) -> Table:
    table = _table("table", "rows in units", "moved", "held back", "stray", "pending", "orphans", "balance")
    for line in summary.source:
        held = sum(count for state, count in line.by_state.items() if state != "done")
        balance = "[green]ok[/]" if line.balances else "[red]differs: the source changed since planning[/]"
        numbers = [line.planned, line.by_state.get("done", 0), held, line.stray, line.pending, line.orphans]
        table.add_row(escape(line.table), *(f"{number:,}" for number in numbers), balance)
    return table


def render_runs(console: Console, summaries: list[Summary]) -> None:
    """Runs, the newest first."""
    table = _table("run", "state", "units", "moved", "quarantined", "when")
    for summary in summaries:
        run, counters = summary.run, summary.counters
        when = _when(run.created_at)
        table.add_row(
            run.id, str(run.state), f"{counters.total:,}", f"{counters.done:,}", f"{counters.quarantined:,}", when
        )
    console.print(table)


def render_unit(console: Console, view: UnitView) -> None:
    """Where one unit stands."""
    console.print(f"unit [bold]{escape(view.key)}[/]  {view.state}")
    for at, what, data in view.history:
        told = ", ".join(f"{name} {value}" for name, value in data.items())
        console.print(f"  {_when(at)}  {what}  {escape(told)}")
    found = view.exception
    if found is not None:
        console.print(f"  {found.phase}: {escape(found.message)}")
        for text in (found.detail, found.body, found.trace):
            if text:
                console.print(f"    {escape(text)}")
    for call in view.calls:
        console.print(f"  call {call.output} {call.row_key} gen {call.generation}: {call.state} {call.server_id or ''}")


def render_trial(console: Console, trial: Trial) -> None:
    """What the steps make of one unit."""
    for title, tables in (("source", trial.source), ("output", trial.outputs)):
        for name, rows in tables.items():
            console.print(f"[bold]{title} {escape(name)}[/]  {len(rows)} row(s)")
            for row in rows[:10]:
                console.print("  " + escape(", ".join(f"{k}={_short(v)}" for k, v in row.items())))
            if len(rows) > 10:
                console.print(f"  ... {len(rows) - 10} more")
    for name, texts in trial.requests.items():
        for text in texts[:10]:
            console.print(f"[bold]call {escape(name)}[/]  {escape(text)}")
    if trial.verdict is None:
        console.print("[green]the unit would move[/]; nothing was written")
    else:
        console.print(f"[red]the unit would be set aside[/]: {escape(trial.verdict.message)}")
        for text in (trial.verdict.detail, trial.verdict.trace):
            if text:
                console.print(f"  {escape(text)}")


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _when(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
