"""The command that forgets: purge."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer
from rich.markup import escape

from ludb.cli import options
from ludb.cli.console import answer, out
from ludb.errors import ConfigError
from ludb.wording import plural

if TYPE_CHECKING:
    from ludb.ports.retention import What
    from ludb.service.purge import Leftovers, PurgePlan

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
        str, typer.Option("--what", metavar="LIST", help="What goes: journal, quarantine, runs, with commas.")
    ] = "journal,quarantine,runs",
    with_exceptions: Annotated[
        bool, typer.Option("--with-exceptions", help="Also runs whose quarantined units could still be tried again.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would go; remove nothing.")] = False,
    yes: options.Yes = False,
    state: options.State = None,
    repository: options.Repository = None,
    json: options.Json = False,
) -> None:  # fmt: skip
    """Remove what old runs have left behind: journals, values of quarantined units, pinned copies, logs. Who was moved,
    and every count, stays.
    """
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
    if planned.runs and not dry_run:
        options.confirm(yes, f"Remove this of {plural(len(planned.runs), 'run')} for good?", what="anything is removed")
        for left in service.purge(site, planned, older_than=age, with_exceptions=with_exceptions):
            removed.append(left)
            if not json:
                out.print(f"purged {left.run.id}: {plural(left.rows, 'row')}, {told(left.disk)} of files", markup=False)
    if json:
        answer({
            "dry_run": dry_run, "what": planned.what, "kept": planned.kept,
            "found": [_facts(left) for left in planned.runs], "removed": [_facts(left) for left in removed],
        })  # fmt: skip


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


def _wanted(text: str) -> list[What]:
    from ludb.service.purge import EVERYTHING

    named = [one.strip() for one in text.split(",") if one.strip()]
    unknown = [one for one in named if one not in EVERYTHING]
    if unknown or not named:
        raise ConfigError(
            f"--what {text}: unknown {', '.join(unknown) or 'nothing'}", remedy=f"It may name {', '.join(EVERYTHING)}"
        )
    return cast("list[What]", named)


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
    else:
        out.print("there is nothing to purge")
    for run, why in planned.kept.items():
        out.print(f"kept {run}: {why}", soft_wrap=True, markup=False)


def _facts(left: Leftovers) -> dict[str, object]:
    return {
        "run": left.run.id, "state": left.run.state, "ended_at": left.run.ended_at, "rows": left.rows,
        "bytes_in_repository": left.size - left.disk, "bytes_of_files": left.disk,
        "rooms": left.rooms, "paths": {what: {str(p): n for p, n in sizes.items()} for what, sizes in left.paths.items()},
    }  # fmt: skip
