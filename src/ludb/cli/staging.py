"""The command for staged jobs: stage."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from ludb.cli import options
from ludb.cli.console import answer, out
from ludb.errors import ConfigError

if TYPE_CHECKING:
    from ludb.service.staging import Staged


def stage(
    job: options.Job,
    refresh: Annotated[bool, typer.Option("--refresh", help="Read the sources anew, whatever is there.")] = False,
    status: Annotated[bool, typer.Option("--status", help="Show what is staged; read nothing.")] = False,
    drop: Annotated[bool, typer.Option("--drop", help="Remove what is staged.")] = False,
    yes: options.Yes = False,
    state: options.State = None,
    repository: options.Repository = None,
    json: options.Json = False,
) -> None:
    """Read the sources of a job with `extract: staged`, and APIs, once, in one snapshot each, and keep that here for its runs."""
    from ludb.project.folder import read_job
    from ludb.project.load import load_migration
    from ludb.service import staging
    from ludb.service.site import open_site

    if sum((refresh, status, drop)) > 1:
        raise ConfigError("--refresh, --status and --drop exclude one another", remedy="Say one of them")
    site = open_site(state=state, repository=repository, folder=job)
    read = read_job(job, os.environ)
    migration = load_migration(
        read.folder, environment=os.environ, state=site.state, reference={},
        parameters={spec.name: spec.default for spec in read.job.parameters},
    )  # fmt: skip
    dropped: list[str] = []
    try:
        if drop:
            left = staging.unfinished(site, staging.what_is_staged(site, read, migration))
            if left:
                out.print(f"not over: {', '.join(left)}; tried again they would read the sources as they are then")
                options.confirm(yes, "Remove it all the same?", what="anything is removed")
            dropped = staging.drop_takes(site, read, migration)
        elif not status:
            _refuse_direct(read.job.settings.extract, must=staging.must_be_staged(migration))
            for one in staging.what_is_staged(site, read, migration):
                staging.take_of(site, read, migration, one.system, refresh=refresh)
        found = staging.what_is_staged(site, read, migration)
    finally:
        migration.close()
    if json:
        answer({"job": read.job.name, "dropped": dropped, "staged": [_facts(one) for one in found]})
        return
    for system in dropped:
        out.print(f"removed what was staged of {system}", markup=False)
    for one in found:
        _show(one)


def _refuse_direct(extract: str, *, must: bool) -> None:
    if extract == "direct" and not must:
        raise ConfigError(
            "the job asks its sources directly: nothing of it is staged", file="job.yaml", field="settings.extract",
            remedy="Write settings: {extract: staged}",
        )  # fmt: skip


def _show(one: Staged) -> None:
    from ludb.cli.report import ago, moment, table_of
    from ludb.cli.retention import told

    if one.take is None:
        out.print(f"{one.system}: not staged", markup=False)
        return
    out.print(f"{one.system}: as of {moment(one.take.taken_at)}, {ago(one.take.taken_at)} ago", markup=False)
    table = table_of("table", "rows", "cannot be carried", "size")
    for held in one.take.tables:
        table.add_row(escape(held.table), f"{held.rows:,}", f"{held.refused:,}", told(held.size))
    out.print(table)
    for note in one.take.notes:
        out.print(note, soft_wrap=True, markup=False)
    if one.runs:
        out.print(f"planned from it: {', '.join(one.runs)}", soft_wrap=True, markup=False)


def _facts(one: Staged) -> dict[str, object]:
    if one.take is None:
        return {"system": one.system, "take": None}
    return {
        "system": one.system, "take": one.take.id, "taken_at": one.take.taken_at, "seconds": one.take.told["seconds"],
        "runs": one.runs, "tables": one.take.tables, "notes": one.take.notes,
    }  # fmt: skip
