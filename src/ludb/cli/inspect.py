"""Commands that look: status, runs, unit, schema."""

from __future__ import annotations

from typing import Annotated

import typer

from ludb.cli import options
from ludb.cli.console import out, to_json
from ludb.errors import ConfigError

RunId = Annotated[str | None, typer.Argument(help="The run [default: the newest].", show_default=False)]


def latest_run(site: object, run_id: str | None) -> str:
    """The run asked for, or the newest one."""
    from ludb.service.site import Site

    assert isinstance(site, Site)
    if run_id:
        return site.repository.runs.get(run_id).id
    found = site.repository.views.runs(limit=1)
    if not found:
        raise ConfigError(f"there are no runs in {site.state}", remedy="Start one: ludb run JOB")
    return found[0].id


def status(
    run: RunId = None,
    job: options.JobFolder = None,
    state: options.State = None,
    repository: options.Repository = None,
    json: options.Json = False,
) -> None:
    """Show where a run stands: counters, balances, quarantine by reason, what waits and who works."""
    from ludb.cli.render import render_summary
    from ludb.service.site import open_site
    from ludb.service.summary import summarize

    site = open_site(state=state, repository=repository, folder=job, create=False)
    summary = summarize(site, latest_run(site, run))
    if json:
        out.print_json(to_json(summary))
    else:
        render_summary(out, summary)


def runs(
    job: options.JobFolder = None,
    state: options.State = None,
    repository: options.Repository = None,
    json: options.Json = False,
) -> None:
    """List the runs, the newest first."""
    from ludb.cli.render import render_runs
    from ludb.service.site import open_site
    from ludb.service.summary import summarize

    site = open_site(state=state, repository=repository, folder=job, create=False)
    found = [summarize(site, one.id) for one in site.repository.views.runs()]
    if json:
        out.print_json(to_json([{"run": one.run, "counters": one.counters} for one in found]))
    else:
        render_runs(out, found)


def unit(
    key: Annotated[str, typer.Argument(help="The unit key; parts of a composite key are joined by |.")],
    run: Annotated[str | None, typer.Option("--run", help="The run [default: the newest].")] = None,
    trial: Annotated[
        bool,
        typer.Option("--try", help="Run the steps, as they are in the job folder now, on this unit; write nothing."),
    ] = False,
    job: options.JobFolder = None,
    state: options.State = None,
    repository: options.Repository = None,
    param: options.Parameter = None,
    json: options.Json = False,
) -> None:
    """Show one unit: its state, history and calls, and what the steps make of it."""
    from ludb.cli.render import render_trial, render_unit
    from ludb.service.pinning import origin
    from ludb.service.site import open_site
    from ludb.service.units import try_unit, view_unit

    site = open_site(state=state, repository=repository, folder=job, create=trial)
    if trial:
        folder = job or origin(site, site.repository.runs.get(latest_run(site, run)))
        made = try_unit(site, folder, options.parameters(param), key)
        out.print_json(to_json(made)) if json else render_trial(out, made)
        return
    view = view_unit(site, latest_run(site, run), key)
    out.print_json(to_json(view)) if json else render_unit(out, view)


def schema() -> None:
    """Print the JSON Schema of job.yaml, for editors."""
    from ludb.project.schema import job_schema

    typer.echo(to_json(job_schema()))
