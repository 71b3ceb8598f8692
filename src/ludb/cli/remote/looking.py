"""Commands that look, at a server: what they show is what they show here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from rich.markup import escape

from ludb.cli import options
from ludb.cli.console import answer, out
from ludb.errors import ConfigError

if TYPE_CHECKING:
    from ludb.cli.remote.choice import Choice
    from ludb.remote.client import Client


def latest(client: Client, run: str | None, job: Path | None = None) -> str:
    """The run asked for, or the newest one; with `--job` the newest of the job of that name."""
    if run:
        return str(client.get(f"/runs/{quote(run, safe='')}")["id"])
    found = client.get("/runs", limit=1, job=None if job is None else str(job))["items"]
    if not found:
        whose = f" of {job}" if job else ""
        raise ConfigError(
            f"there are no runs{whose} at {client.address.shown}", remedy=f"Start one: ludb run {job or 'JOB'}"
        )
    return str(found[0]["id"])


def status(client: Client, choice: Choice, *, run: str | None, job: Path | None, json: bool) -> None:
    """Where a run stands."""
    from ludb.cli.remote.shapes import hints_at, summary_of
    from ludb.cli.report import render_summary

    summary = summary_of(client.get(f"/runs/{latest(client, run, job)}/summary"))
    answer(summary) if json else render_summary(out, summary, hints_at(choice, summary.run))


def runs(client: Client, choice: Choice, *, job: Path | None, json: bool) -> None:
    """The runs, the newest first."""
    from ludb.cli.remote.shapes import counters_of, run_of
    from ludb.cli.report import render_runs

    del choice
    told = client.pages("/runs", job=None if job is None else str(job))
    found = [(run_of(one), counters_of(one["counters"])) for one in told]
    if json:
        answer([{"run": run, "counters": counters} for run, counters in found])
    elif found:
        render_runs(out, found)
    else:
        out.print(f"there are no runs at {client.address.shown}", soft_wrap=True, markup=False)


def jobs(json: options.Json = False) -> None:
    """List the jobs that a server knows (with --server): what `ludb run` may name there; one that does not load with why."""
    from ludb.cli.remote.choice import connect, named
    from ludb.cli.report import table_of

    client = connect(named())
    found = client.get("/jobs")
    if json:
        answer(found)
        return
    table = table_of("job", "version", "parameters")
    for column in table.columns:
        column.justify = "left"
    for one in found:
        if one["loads"]:
            names = ", ".join(f"{p['name']} ({p['type']})" for p in one["parameters"])
            table.add_row(escape(one["name"]), one["version"] or "", escape(names))
    if table.row_count:
        out.print(table)
    for one in found:
        for error in one["errors"]:
            where = f"{error['where']}: " if error["where"] else ""
            out.print(
                f"[red]{escape(one['name'])} does not load[/]: {escape(where + error['message'])}", soft_wrap=True
            )
    if not found:
        out.print(f"there are no jobs at {client.address.shown}", soft_wrap=True, markup=False)


def unit(
    client: Client, choice: Choice, *, key: str, run: str | None, trial: bool, found: bool, sql: str | None,
    job: Path | None, param: list[str] | None, json: bool,
) -> None:  # fmt: skip
    """One unit, or the answer to a query on its rows."""
    from ludb.cli.inspect import query_of, show_answer, show_found
    from ludb.cli.remote.shapes import compared_of, view_of
    from ludb.cli.render import render_unit

    del choice, param
    if trial:
        raise ConfigError(
            "--try runs the steps of a folder on this machine", remedy="Leave --server out, or say `run JOB --dry-run`"
        )
    name = latest(client, run, job)
    if sql is not None:
        of = client.get(f"/runs/{name}")["job"]
        asked = {"sql": query_of(sql), "run": name}
        show_answer(client.say(f"/units/{quote(of, safe='')}/{quote(key, safe='')}/sql", asked), json=json)
        return
    place = f"/runs/{name}/units/{quote(key, safe='')}"
    told, rows = client.get(place), client.get(f"{place}/rows", found="true" if found else None)
    view = view_of(told, rows)
    if found:
        show_found(view, compared_of(rows), json=json)
    else:
        answer(view) if json else render_unit(out, view)


def calls(
    client: Client, choice: Choice, *, run: str | None, states: list[str] | None = None, job: Path | None, json: bool
) -> None:
    """A run's calls to APIs."""
    from ludb.cli.doubts import show_calls, told_apart
    from ludb.cli.remote.shapes import call_of

    wanted, folder = told_apart(states or [])
    if folder is not None:
        raise ConfigError(
            f"--state {folder}: no state of calls, and a server has its own state directory",
            remedy=f"Leave it out, or leave --server ({choice.url}) out",
        )
    name = latest(client, run, job)
    found = [call_of(one) for one in client.pages(f"/runs/{name}/calls", state=sorted(map(str, wanted)) or None)]
    show_calls(name, found, wanted, json=json)


def report(
    client: Client, choice: Choice, *, run: str | None, output: Path | None, open_values: bool, job: Path | None,
    json: bool,
) -> None:  # fmt: skip
    """One HTML file about a run, written here."""
    from ludb.cli.evidence import keep_report
    from ludb.service.report import Check

    del choice
    name = latest(client, run, job)
    told = client.get(f"/runs/{name}/report", open_values="true" if open_values else None)
    checks = [Check(**one) for one in told["checks"]]
    keep_report(name, told["html"].encode(), checks, output, json=json)


def list_units(
    client: Client, choice: Choice, *, run: str | None, reason: str | None, job: Path | None, json: bool
) -> None:
    """Units set aside, by reason."""
    from ludb.cli.quarantine import facts, show_list
    from ludb.cli.remote.shapes import exception_of

    name = latest(client, run, job)
    found = [exception_of(one) for one in client.pages(f"/runs/{name}/quarantine", reason=reason)]
    if json:
        answer([facts(one) for one in found])
    else:
        show_list(found, choice.program, "", reason)


def show(client: Client, choice: Choice, *, key: str, run: str | None, job: Path | None, json: bool) -> None:
    """One unit set aside."""
    from ludb.cli.quarantine import show_one
    from ludb.cli.remote.shapes import exception_of

    name = latest(client, run, job)
    told: dict[str, Any] | None = client.get(f"/runs/{name}/units/{quote(key, safe='')}")["exception"]
    if told is None:
        raise ConfigError(
            f"unit {key} is not set aside",
            remedy=f"See `{choice.program} quarantine list`, or `{choice.program} unit {key}`",
        )
    one = exception_of(told)
    if json:
        answer(one)
        return
    hidden = (
        "detail, answer, stack and source rows are masked: they need the right `personal`" if told["masked"] else ""
    )
    show_one(one, hidden)
