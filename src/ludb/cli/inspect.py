"""Commands that look: status, runs, unit, schema."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ludb.cli import options
from ludb.cli.console import answer, out
from ludb.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from ludb.service.compared import Compared
    from ludb.service.site import Site
    from ludb.service.units import UnitView


def latest_run(site: Site, run_id: str | None, job: Path | None = None) -> str:
    """The run asked for, or the newest one; with a job folder the newest of that job, for a repository may be shared."""
    if run_id:
        return site.repository.runs.get(run_id).id
    name = _name_of(job) if job else None
    found = site.repository.views.runs(name, limit=1)
    if not found:
        whose = f" of {name}" if name else ""
        raise ConfigError(f"there are no runs{whose} in {site.state}", remedy=f"Start one: ludb run {job or 'JOB'}")
    return found[0].id


def _name_of(job: Path) -> str | None:
    """The job's name; None where its text is being mended just now and says none."""
    from ludb.project.places import JOB
    from ludb.project.yaml_text import read_yaml

    try:
        name = read_yaml(job / JOB, JOB).data.get("name")
    except ConfigError:
        return None
    return name if isinstance(name, str) else None


def status(
    run: options.RunId = None,
    job: options.JobFolder = None,
    state: options.State = None,
    repository: options.Repository = None,
    json: options.Json = False,
) -> None:
    """Show where a run stands: counters, balances, quarantine by reason, what waits, who works, what to do next."""
    from ludb.cli.places import hints_for
    from ludb.cli.report import render_summary
    from ludb.service.site import open_site
    from ludb.service.summary import summarize

    site = open_site(state=state, repository=repository, folder=job, create=False)
    summary = summarize(site, latest_run(site, run, job))
    if json:
        answer(summary)
    else:
        render_summary(out, summary, hints_for(site, summary.run))


def runs(
    job: options.JobFolder = None,
    state: options.State = None,
    repository: options.Repository = None,
    json: options.Json = False,
) -> None:
    """List the runs, the newest first."""
    from ludb.cli.report import render_runs
    from ludb.service.site import open_site

    site = open_site(state=state, repository=repository, folder=job, create=False)
    found = [(one, site.repository.views.counters(one.id)) for one in site.repository.views.runs()]
    if json:
        answer([{"run": run, "counters": counters} for run, counters in found])
    elif found:
        render_runs(out, found)
    else:
        out.print(f"there are no runs in {site.state}", soft_wrap=True)


def unit(
    key: options.Key,
    run: options.RunOption = None,
    trial: Annotated[
        bool,
        typer.Option("--try", help="Run the steps, as they are in the job folder now, on this unit; write nothing."),
    ] = False,
    found: Annotated[
        bool, typer.Option("--found", help="Also read the targets: where a cell is not as it was written.")
    ] = False,
    sql: Annotated[
        str | None,
        typer.Option(
            "--sql", metavar="QUERY", help="Answer a query on its rows instead; - reads it from standard input."
        ),
    ] = None,
    job: options.JobFolder = None,
    state: options.State = None,
    repository: options.Repository = None,
    param: options.Parameter = None,
    json: options.Json = False,
) -> None:
    """Show one unit: state, history, calls, source rows and what was written; or what the steps make of it now."""
    from ludb.cli.render import render_trial
    from ludb.service.pinning import origin
    from ludb.service.site import open_scratch, open_site
    from ludb.service.trial import try_unit
    from ludb.service.units import view_unit

    if not trial:
        site = open_site(state=state, repository=repository, folder=job, create=False)
        name = latest_run(site, run, job)
        view = view_unit(site, name, key, job)
        if sql is None:
            _show(site, name, view, found=found, json=json)
        else:
            _answer_query(view, sql, json=json)
        return
    try:
        site = open_site(state=state, repository=repository, folder=job, create=False)
        known = site.repository.runs.get(latest_run(site, run, job))
    except ConfigError:
        if job is None or run is not None:
            raise
        made = try_unit(open_scratch(), job, options.parameters(param), key)  # before the first run
    else:
        folder = job or origin(site, known)
        made = try_unit(site, folder, options.texts(known.parameters) | options.parameters(param), key)
    answer(made) if json else render_trial(out, made)
    sys.exit(3 if made.verdict is not None else 0)


def _show(site: Site, run: str, view: UnitView, *, found: bool, json: bool) -> None:
    """A unit, and what stands of it at the targets, if that was asked for."""
    from ludb.cli.render import render_unit

    if not found:
        answer(view) if json else render_unit(out, view)
        return
    from ludb.service.compared import with_found

    show_found(*with_found(site, site.repository.runs.get(run), view), json=json)


def show_found(view: UnitView, compared: Compared, *, json: bool) -> None:
    """A unit, and what stands of it at the targets."""
    from dataclasses import asdict

    from ludb.cli.render import render_differences, render_unit

    if json:
        answer(asdict(view) | {"found": compared.found, "differences": compared.differences})
        return
    render_unit(out, view)
    render_differences(out, compared)


def _answer_query(view: UnitView, sql: str, *, json: bool) -> None:
    from ludb.service.unit_sql import ask_rows

    try:
        found = ask_rows(view.source, view.outputs, query_of(sql))
    except ConfigError as error:
        if view.note:  # the table that it lacks may be one that could not be read
            error.message += f" ({view.note})"
        raise
    show_answer({"columns": found.columns, "rows": found.rows, "more": found.more, "note": view.note}, json=json)


def query_of(sql: str) -> str:
    """The query itself; `-` stands for standard input."""
    return sys.stdin.read() if sql == "-" else sql


def show_answer(told: Mapping[str, Any], *, json: bool) -> None:
    """What a query on a unit's rows answered."""
    if json:
        answer(told)
        return
    out.print("\t".join(one["name"] for one in told["columns"]), soft_wrap=True, markup=False)
    for row in told["rows"]:
        out.print("\t".join("" if value is None else str(value) for value in row), soft_wrap=True, markup=False)
    if told["more"] or told["note"]:
        out.print("there are more rows" if told["more"] else told["note"], soft_wrap=True, markup=False)


def schema(json: options.Json = False) -> None:
    """Print the JSON Schema of job.yaml, for editors."""
    from ludb.project.schema import job_schema

    del json  # it is JSON either way
    answer(job_schema())
