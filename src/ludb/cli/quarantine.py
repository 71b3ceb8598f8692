"""Commands for units that were set aside: list, show, retry."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from ludb.cli import options
from ludb.cli.console import answer, out
from ludb.cli.inspect import latest_run
from ludb.cli.remote import acting, looking
from ludb.cli.remote.choice import both
from ludb.errors import ConfigError

if TYPE_CHECKING:
    from ludb.model.run import UnitException

NAMED = 20
"""Units of one reason that are named; the others are counted."""

app = typer.Typer(help="Units that could not move: see them, mend them, try them again.", no_args_is_help=True)


def list_units(
    run: options.RunId = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Only units with this very reason.")] = None,
    job: options.JobFolder = None,
    state: options.State = None,
    repository: options.Repository = None,
    json: options.Json = False,
) -> None:
    """List units that are quarantined, in doubt or gone, grouped by reason."""
    from ludb.service.hints import options_for
    from ludb.service.site import open_site

    site = open_site(state=state, repository=repository, folder=job, create=False)
    found = site.repository.views.exceptions(latest_run(site, run, job), reason=reason)
    if json:
        answer([facts(one) for one in found])
        return
    show_list(found, "ludb", options_for(site), reason)


def facts(one: UnitException) -> dict[str, object]:
    """A unit as the list tells it."""
    return {"unit": one.unit_key, "state": one.state, "phase": one.phase, "step": one.step, "reason": one.reason}


def show_list(found: list[UnitException], program: str, options_here: str, reason: str | None) -> None:
    """Units by reason, and the commands that come next."""
    from ludb.service.summary import by_reason

    for text, group in by_reason(found).items():
        named = ", ".join(e.unit_key for e in group[:NAMED])
        more = f" and {len(group) - NAMED:,} more (--json names all)" if len(group) > NAMED else ""
        where = " ".join(dict.fromkeys(f"{e.state} by {e.step or e.phase}" for e in group[:NAMED]))
        out.print(f"[bold]{len(group):,}[/]  {escape(text)}  ({escape(where)})", soft_wrap=True)
        out.print(f"    {escape(named)}{more}", soft_wrap=True)
    if found:
        out.print(f"one of them: {program} quarantine show KEY{options_here}", soft_wrap=True, markup=False)
        again = f'{program} quarantine retry{options_here} --reason "..."'
        out.print(f"once it is mended: {again}", soft_wrap=True, markup=False)
    else:
        out.print("no unit is set aside" + (f" for {reason!r}" if reason else ""), markup=False)


def show(
    key: options.Key,
    run: options.RunOption = None,
    job: options.JobFolder = None,
    state: options.State = None,
    repository: options.Repository = None,
    json: options.Json = False,
) -> None:
    """Show one unit that was set aside: step, reason, detail, stack and source rows."""
    from ludb.service.hints import options_for
    from ludb.service.pinning import purged
    from ludb.service.site import open_site

    site = open_site(state=state, repository=repository, folder=job, create=False)
    run_id = latest_run(site, run, job)
    found = [e for e in site.repository.views.exceptions(run_id) if e.unit_key == key]
    if not found:
        raise ConfigError(
            f"unit {key} is not set aside",
            remedy=f"See `ludb quarantine list{options_for(site)}`, or `ludb unit {key}`",
        )
    one = found[0]
    gone = purged(site.repository.runs.get(run_id), "quarantine") if not one.source_rows else ""
    answer(one) if json else show_one(one, f"detail, body, trace and source rows were {gone}" if gone else "")


def show_one(one: UnitException, hidden: str) -> None:
    """One unit whole; `hidden` says why values are not shown, if they are not."""
    for name in ("unit_key", "state", "phase", "step", "reason", "message", "detail", "body", "trace", "job_version"):
        value = str(getattr(one, name))
        if value:
            out.print(f"[bold]{name}[/]  {escape(value)}", soft_wrap=True)
    if hidden:
        out.print(hidden, soft_wrap=True, markup=False)
        return
    out.print("[bold]source rows[/]")
    out.print_json(one.source_rows or "{}")


def retry_units(
    run: options.RunId = None,
    unit: Annotated[list[str] | None, typer.Option("--unit", help="A unit key; may be repeated.")] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="All units with this very reason.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All quarantined units.")] = False,
    detached: options.Detach = False,
    job: options.JobFolder = None,
    state: options.State = None,
    repository: options.Repository = None,
    json: options.Json = False,
) -> None:
    """Make quarantined units pending again, with the job as it is in its folder now, and move them."""
    from ludb.cli.holding import detach, hold_run
    from ludb.launchers.nursery import Nursery
    from ludb.model.run import UnitState
    from ludb.service.hints import options_for
    from ludb.service.pinning import origin
    from ludb.service.runs import try_again
    from ludb.service.site import open_site

    check_which(unit, reason, everything=everything)
    site = open_site(state=state, repository=repository, folder=job, create=False)
    run_id = latest_run(site, run, job)
    found = site.repository.views.exceptions(run_id, state=UnitState.QUARANTINED, reason=reason)
    wanted = [e for e in found if everything or reason or e.unit_key in set(unit or [])]
    missing = set(unit or []) - {e.unit_key for e in found}
    if missing or not wanted:
        others = {e.unit_key: str(e.state).replace("_", " ") for e in site.repository.views.exceptions(run_id)}
        named = ", ".join(f"{key} (it is {others[key]})" if key in others else key for key in sorted(missing))
        raise ConfigError(
            "no unit is quarantined for this very reason" if reason else f"not quarantined: {named or 'no unit'}",
            remedy=f"See `ludb quarantine list{options_for(site)}`" + (" and write the whole reason" if reason else ""),
        )
    folder = job or origin(site, site.repository.runs.get(run_id))
    started = try_again(site, run_id, [e.position for e in wanted], folder)
    if detached:
        sys.exit(detach(site, started, None, json=json))
    sys.exit(hold_run(site, started, None, Nursery(folder), json=json))


def check_which(unit: list[str] | None, reason: str | None, *, everything: bool) -> None:
    """Exactly one way to say which units; `ConfigError` otherwise."""
    if sum(map(bool, (unit, reason, everything))) != 1:
        raise ConfigError("nothing says which units to try again", remedy="Say one of --unit KEY, --reason TEXT, --all")


app.command("list")(both(list_units, looking.list_units))
app.command("show")(both(show, looking.show))
app.command("retry")(both(retry_units, acting.retry_units))
