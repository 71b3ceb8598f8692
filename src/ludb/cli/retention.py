"""The command that forgets: purge."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from ludb.cli import options
from ludb.cli.console import answer, out
from ludb.errors import ConfigError
from ludb.wording import plural

if TYPE_CHECKING:
    from ludb.service.purge import Leftovers, PurgePlan
    from ludb.service.site import Site

EVERYTHING = "journal,quarantine,runs,staged"
_SECONDS = {"m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def purge(
    job: Annotated[
        Path | None,
        typer.Argument(
            metavar="[JOB]", help="Only runs of this job [default: all runs of the repository].",
            callback=options.job_folder, show_default=False,
        ),
    ] = None,
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="AGE", help="Runs that ended so long ago: 90d, 12h, 4w.")
    ] = "",
    what: Annotated[
        str, typer.Option("--what", metavar="LIST", help="What goes: journal, quarantine, runs, staged, with commas.")
    ] = EVERYTHING,
    with_exceptions: Annotated[
        bool, typer.Option("--with-exceptions", help="Also runs whose quarantined units could still be tried again.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would go; remove nothing.")] = False,
    yes: options.Yes = False,
    state: options.State = None,
    repository: options.Repository = None,
    json: options.Json = False,
) -> None:  # fmt: skip
    """Remove what old runs have left behind: journals, values of quarantined units, copies, logs. Who was moved stays."""
    import os

    from ludb.project.folder import read_job
    from ludb.service import purge as service
    from ludb.service.site import open_site

    age, wanted = seconds_of(older_than), _wanted(what)
    site = open_site(state=state, repository=repository, folder=job, create=False)
    name = read_job(job, os.environ).job.name if job else None
    planned = service.plan_purge(site, name, age, wanted, with_exceptions=with_exceptions)
    if not json:
        _show(planned, dry=dry_run)
    removed: list[Leftovers] = []
    if (planned.runs or planned.takes) and not dry_run:
        options.confirm(yes, "Remove this for good?", what="anything is removed")
        for left in service.purge(site, planned, older_than=age, with_exceptions=with_exceptions):
            removed.append(left)
            if not json:
                out.print(f"purged {left.run.id}: {plural(left.rows, 'row')}, {told(left.disk)} of files", markup=False)
        _remove_takes(site, planned, json=json)
    if json:
        takes = [{"system": one.system, "path": str(one.path), "bytes": one.size} for one in planned.takes]
        answer({
            "dry_run": dry_run, "what": wanted, "kept": planned.kept, "staged": takes,
            "found": [_facts(left) for left in planned.runs], "removed": [_facts(left) for left in removed],
        })  # fmt: skip


def _remove_takes(site: Site, planned: PurgePlan, *, json: bool) -> None:
    from ludb.service.stale_takes import remove_take

    for take in planned.takes:
        if remove_take(site, take) and not json:
            out.print(f"removed what was staged of {take.system}: {told(take.size)} of files", markup=False)


def seconds_of(age: str) -> float:
    """`90d` as seconds; `ConfigError` for anything else."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([mhdw])", age.strip())
    if found is None:
        raise ConfigError(
            f"--older-than {age or 'is missing'}: not an age", remedy="Write a number and m, h, d or w, such as 90d"
        )
    return float(found[1]) * _SECONDS[found[2]]


def told(size: float) -> str:
    """Bytes as a person reads them."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:,.0f} {unit}" if unit == "bytes" or size >= 10 else f"{size:,.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"


def _wanted(text: str) -> list[str]:
    from ludb.service import purge as service

    known = (*service.EVERYTHING, service.STAGED_TABLES)
    named = [one.strip() for one in text.split(",") if one.strip()]
    unknown = [one for one in named if one not in known]
    if unknown or not named:
        raise ConfigError(
            f"--what {text}: unknown {', '.join(unknown) or 'nothing'}", remedy=f"It may name {', '.join(known)}"
        )
    return named


def _show(planned: PurgePlan, *, dry: bool) -> None:
    from ludb.cli.report import moment, table_of

    if planned.runs:
        table = table_of("run", "ended", "rows", "in repository", "files")
        for left in planned.runs:
            table.add_row(
                escape(left.run.id), moment(left.run.ended_at or 0.0), f"{left.rows:,}", told(left.size - left.disk),
                told(left.disk),
            )  # fmt: skip
        out.print(table)
        total = (
            f"{plural(sum(left.rows for left in planned.runs), 'row')}, {told(sum(left.size for left in planned.runs))}"
        )
        out.print(f"{'would remove' if dry else 'to remove'} ({', '.join(planned.what)}): {total}", markup=False)
        if not dry:
            out.print("the repository's file keeps its size; the room in it is used again", markup=False)
    for take in planned.takes:
        out.print(f"staged of {take.system}, as of {moment(take.taken_at)}: {told(take.size)} of files", markup=False)
    if not (planned.runs or planned.takes):
        out.print("there is nothing to purge")
    for run, why in planned.kept.items():
        out.print(f"kept {run}: {why}", soft_wrap=True, markup=False)


def _facts(left: Leftovers) -> dict[str, object]:
    return {
        "run": left.run.id, "state": left.run.state, "ended_at": left.run.ended_at, "rows": left.rows,
        "bytes_in_repository": left.size - left.disk, "bytes_of_files": left.disk,
        "rooms": left.rooms, "paths": {what: {str(p): n for p, n in sizes.items()} for what, sizes in left.paths.items()},
    }  # fmt: skip
