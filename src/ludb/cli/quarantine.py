"""Commands for units that were set aside: list, show, retry."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from ludb.cli import options
from ludb.cli.console import out, to_json
from ludb.cli.inspect import RunId, latest_run
from ludb.errors import ConfigError

app = typer.Typer(help="Units that could not move: see them, mend them, try them again.", no_args_is_help=True)


@app.command("list")
def list_units(
    run: RunId = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Only units with this very reason.")] = None,
    job: options.JobFolder = None,
    state: options.State = None,
    repository: options.Repository = None,
    json: options.Json = False,
) -> None:
    """List units that are quarantined, in doubt or gone, grouped by reason."""
    from ludb.service.site import open_site
    from ludb.service.summary import by_reason

    site = open_site(state=state, repository=repository, folder=job, create=False)
    found = site.repository.views.exceptions(latest_run(site, run), reason=reason)
    if json:
        out.print_json(
            to_json(
                [
                    {"unit": e.unit_key, "state": e.state, "phase": e.phase, "step": e.step, "reason": e.reason}
                    for e in found
                ]
            )
        )
        return
    for text, group in by_reason(found).items():
        shown = ", ".join(e.unit_key for e in group[:20]) + (f" and {len(group) - 20} more" if len(group) > 20 else "")
        out.print(f"[bold]{len(group)}[/]  {escape(text)}  ({group[0].state}, {group[0].phase})\n    {escape(shown)}")
    if not found:
        out.print("no unit is set aside")


@app.command("show")
def show(
    key: Annotated[str, typer.Argument(help="The unit key.")],
    run: Annotated[str | None, typer.Option("--run", help="The run [default: the newest].")] = None,
    job: options.JobFolder = None,
    state: options.State = None,
    repository: options.Repository = None,
    json: options.Json = False,
) -> None:
    """Show one unit that was set aside: step, reason, detail, stack and source rows."""
    from ludb.service.site import open_site

    site = open_site(state=state, repository=repository, folder=job, create=False)
    found = [e for e in site.repository.views.exceptions(latest_run(site, run)) if e.unit_key == key]
    if not found:
        raise ConfigError(f"unit {key} is not set aside", remedy="See `ludb quarantine list`")
    one = found[0]
    if json:
        out.print_json(to_json(one))
        return
    for name in ("unit_key", "state", "phase", "step", "reason", "message", "detail", "body", "trace", "job_version"):
        value = str(getattr(one, name))
        if value:
            out.print(f"[bold]{name}[/]  {escape(value)}")
    out.print("[bold]source rows[/]")
    out.print_json(one.source_rows or "{}")


@app.command("retry")
def retry_units(
    run: RunId = None,
    unit: Annotated[list[str] | None, typer.Option("--unit", help="A unit key; may be repeated.")] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="All units with this very reason.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All quarantined units.")] = False,
    job: options.JobFolder = None,
    state: options.State = None,
    repository: options.Repository = None,
    json: options.Json = False,
) -> None:
    """Make quarantined units pending again, with the job as it is in its folder now, and move them."""
    from ludb.cli import moving
    from ludb.model.run import UnitState
    from ludb.service.pinning import origin
    from ludb.service.runs import retry
    from ludb.service.site import open_site

    if not (unit or reason or everything):
        raise ConfigError("nothing says which units to try again", remedy="Say --unit KEY, --reason TEXT or --all")
    site = open_site(state=state, repository=repository, folder=job, create=False)
    run_id = latest_run(site, run)
    found = site.repository.views.exceptions(run_id, state=UnitState.QUARANTINED, reason=reason)
    wanted = [e for e in found if everything or reason or e.unit_key in set(unit or [])]
    missing = set(unit or []) - {e.unit_key for e in found}
    if missing or not wanted:
        raise ConfigError(
            f"not quarantined: {', '.join(sorted(missing)) or 'no unit'}", remedy="See `ludb quarantine list`"
        )
    folder = job or origin(site, site.repository.runs.get(run_id))
    retry(site, run_id, [e.position for e in wanted])
    moving.go_on(site, run_id, folder, json=json)
