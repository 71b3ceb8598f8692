"""Plans, units and trials as a person reads them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape

from ludb.cli.report import moment, table_of
from ludb.engine.pipeline import PHASES
from ludb.engine.preflight import Preflight
from ludb.model.findings import Finding
from ludb.service.compared import Compared
from ludb.service.planning import Planned
from ludb.service.trial import Trial
from ludb.service.units import Rows, UnitView
from ludb.sql.library import told as told_conversions
from ludb.wording import plural

SHOWN = 10
"""Rows of a table that are shown of one unit."""


def render_plan(console: Console, planned: Planned) -> None:
    """What a run would move."""
    run, settings = planned.run, planned.job.job.settings
    chunks = -(-run.units // settings.chunk_units)
    console.print(f"[bold]{escape(run.instance)}[/]  version {run.version}", soft_wrap=True)
    cut = f"{plural(chunks, 'chunk')} of {settings.chunk_units:,}, {plural(settings.workers, 'worker')}"
    console.print(f"{plural(run.units, 'unit')} in {cut}; nothing was moved")
    if planned.units.moved_before:
        console.print(f"{plural(planned.units.moved_before, 'unit')} moved by earlier runs, left out")
    if planned.units.unselected:
        console.print(f"{plural(planned.units.unselected, 'unit is', 'units are')} not selected")
    table = table_of("table", "rows in units", "orphans")
    for name in planned.survey.columns:
        counts = run.counts[name]
        table.add_row(escape(name), f"{counts['rows']:,}", f"{counts['orphans']:,}")
    console.print(table)
    console.print("columns as they are declared and as they are carried:")
    for name, columns in planned.survey.columns.items():
        carried = ", ".join(f"{c.name} ({c.native or 'no type'}: {c.type})" for c in columns)
        console.print(f"  [bold]{escape(name)}[/]: {escape(carried)}")
    for name, lost in planned.survey.orphans.items():
        samples = ", ".join(f"row {row} -> {missing}" for row, missing in lost.samples[:5])
        told = plural(lost.count, "row belongs", "rows belong")
        console.print(f"[yellow]orphans[/] in {escape(name)}: {told} to no unit ({escape(samples)})")
    for reason, count in Counter(fault.reason for fault in planned.refused.values()).items():
        console.print(f"[yellow]would be refused[/]: {plural(count, 'unit')}: {escape(reason)}")
    _preflight(console, planned.preflight)


def _preflight(console: Console, seen: Preflight) -> None:
    for name, left in seen.unread.items():
        console.print(f"no step reads {escape(name)}: {escape(', '.join(left))}")
    for name, left in seen.unfilled.items():
        console.print(f"no step fills {escape(name)}: {escape(', '.join(left))}")
    for name, mode in seen.modes.items():
        console.print(f"{escape(name)}: {escape(mode)}", soft_wrap=True)
    for warning in seen.warnings:
        console.print(f"[yellow]warning[/] {escape(warning)}")


def render_findings(console: Console, found: Sequence[Finding]) -> None:
    """What a look at the systems found, errors first, each with what to do."""
    for severity, colour in (("error", "red"), ("warning", "yellow")):
        for one in found:
            if one.severity == severity:
                where = f"{one.system}.{one.table}" if one.table else one.system
                console.print(f"[{colour}]{severity}[/] {escape(where)}: {escape(one.text)}", soft_wrap=True)
                if one.remedy:
                    console.print(f"  {one.remedy}", soft_wrap=True, markup=False)


def render_unit(console: Console, view: UnitView) -> None:
    """Where one unit stands, what it consists of, and what was written of it."""
    console.print(f"unit [bold]{escape(view.key)}[/]  {view.state}")
    for at, what, data in view.history:
        console.print(f"  {moment(at)}  {escape(what)}{escape(_told(data))}", soft_wrap=True)
    found = view.exception
    if found is not None:
        for name in ("detail", "body", "trace"):
            text = str(getattr(found, name))
            if text:
                console.print(f"  [bold]{name}[/] {escape(text)}", soft_wrap=True)
    for call in view.calls:
        again = f" (generation {call.generation})" if call.generation else ""
        server = f", id {call.server_id}" if call.server_id else ""
        status = f", status {call.status}" if call.status else ""
        console.print(
            f"  call {escape(call.output)} {escape(call.row_key)}{again}: {call.state}{status}{escape(server)}",
            soft_wrap=True,
        )
    _rows(console, "source", view.source)
    _rows(console, "written", view.outputs)
    if view.note:
        console.print(f"[yellow]{escape(view.note)}[/]", soft_wrap=True)


def render_differences(console: Console, compared: Compared) -> None:
    """Where the rows at the targets are not as they were written."""
    for one in compared.differences:
        where = f"{one.output}, row {one.row + 1}"
        told = (
            "is missing"
            if one.kind == "missing"
            else f"{one.column}: {one.meant!r} was written, {one.found!r} is there"
        )
        console.print(f"  [yellow]{escape(where)}[/] {escape(told)}", soft_wrap=True)
    read = ", ".join(sorted(compared.found))
    if read and not compared.differences:
        console.print(f"  [green]as written[/] in {escape(read)}", soft_wrap=True)


def _told(data: Mapping[str, object]) -> str:
    """What a line of a unit's history says: its message, else whatever there is."""
    if data.get("message"):
        return f": {data['message']}"
    told = "".join(f"  {name} {value}" for name, value in data.items() if value and name != "seconds")
    seconds = data.get("seconds")
    phases = seconds.get("phase", {}) if isinstance(seconds, Mapping) else {}
    took = ", ".join(f"{name} {taken * 1000:,.0f} ms" for name in PHASES if (taken := phases.get(name)) is not None)
    return told + (f"  its chunk took {took}" if took else "")


def render_trial(console: Console, trial: Trial) -> None:
    """What the steps make of one unit."""
    _rows(console, "source", trial.source)
    _rows(console, "output", trial.outputs)
    for name, texts in trial.requests.items():
        for text in texts[:SHOWN]:
            console.print(f"[bold]call {escape(name)}[/]  {escape(text)}", soft_wrap=True)
    if trial.unreached:
        console.print(f"not reached: {escape(', '.join(trial.unreached))}", soft_wrap=True)
    if trial.conversions:
        console.print(f"converted: {told_conversions(trial.conversions)}", soft_wrap=True)
    if trial.verdict is None:
        made = {**trial.outputs, **trial.requests}
        asked = sorted({name.split(".", 1)[0] for name, found in made.items() if found})
        taken = f" if {' and '.join(map(escape, asked))} will have it (not asked)" if asked else ""
        console.print(f"[green]the unit would move[/]{taken}; nothing was written", soft_wrap=True)
    else:
        console.print(f"[red]the unit would be set aside[/]: {escape(trial.verdict.message)}; nothing was written")
        for text in (trial.verdict.detail, trial.verdict.trace):
            if text:
                console.print(f"  {escape(text)}", soft_wrap=True)


def _rows(console: Console, title: str, tables: Rows) -> None:
    for name, rows in tables.items():
        console.print(f"[bold]{title} {escape(name)}[/]  {plural(len(rows), 'row')}")
        for row in rows[:SHOWN]:
            console.print("  " + escape(", ".join(f"{k}={_short(v)}" for k, v in row.items())), soft_wrap=True)
        if len(rows) > SHOWN:
            console.print(f"  ... {len(rows) - SHOWN:,} more (--json shows all)")


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."
