"""Commands for people who were not there: report, orphans, ledger."""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Sequence
from csv import writer as csv_writer
from dataclasses import asdict
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from ludb.cli import options
from ludb.cli.console import answer, err, out
from ludb.errors import ConfigError
from ludb.wording import plural

if TYPE_CHECKING:
    from ludb.service.ledgers import LedgerLine
    from ludb.service.orphans import OrphanList
    from ludb.service.report import Check


def report(
    run: options.RunId = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to write it [default: RUN.html].")
    ] = None,
    open_values: Annotated[
        bool, typer.Option("--open-values", help="Show row values of units that were set aside, not only their keys.")
    ] = False,
    job: options.JobFolder = None,
    state: options.State = None,
    repository: options.Repository = None,
    json: options.Json = False,
) -> None:
    """Write one HTML file about a run, for the steering committee: totals, balances, reasons, pace, who did what."""
    from ludb.cli.inspect import latest_run
    from ludb.service.report import make_report
    from ludb.service.report_page import render_report
    from ludb.service.site import open_site

    site = open_site(state=state, repository=repository, folder=job, create=False)
    made = make_report(site, latest_run(site, run, job), open_values=open_values)
    keep_report(made.summary.run.id, render_report(made), made.checks, output, json=json)


def keep_report(run: str, page: bytes, checks: Sequence[Check], output: Path | None, *, json: bool) -> None:
    """Write the page where it was asked for, and say what adds up."""
    path = output or Path(f"{run}.html")
    write_whole(path, page)
    if json:
        holds = all(one.holds for one in checks)
        answer({"run": run, "file": str(path.resolve()), "holds": holds, "checks": checks})
        return
    for check in checks:
        mark = "[green]yes[/]" if check.holds else "[red]no[/] "
        out.print(f"{mark} {check.text}", soft_wrap=True)
    out.print(f"report of {run}: {path}", soft_wrap=True, markup=False)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; one that is there is replaced. `ConfigError` if it cannot be written."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)  # noqa: PTH105  (atomic)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ConfigError(
            f"{path} cannot be written: {error.strerror}", remedy="Name another file with --output"
        ) from error


def orphans(
    run: options.RunId = None,
    table: Annotated[str | None, typer.Option("--table", metavar="NAME", help="Only orphans of this table.")] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Answer as CSV.")] = False,
    job: options.JobFolder = None,
    state: options.State = None,
    repository: options.Repository = None,
    json: options.Json = False,
) -> None:
    """List the rows that belong to no unit, as planning found them: table, row, the parent that is missing."""
    from ludb.cli.inspect import latest_run
    from ludb.service.orphans import list_orphans
    from ludb.service.site import open_site

    if csv and json:
        raise ConfigError("--csv and --json exclude each other", remedy="Say one of them")
    site = open_site(state=state, repository=repository, folder=job, create=False)
    found = list_orphans(site, latest_run(site, run, job), table)
    total = sum(found.counts.values())
    if json:
        _as_json(found)
    elif csv:
        _as_csv(found)
    elif not total:
        out.print("no row belongs to nobody" if table is None else f"no row of {table} belongs to nobody", markup=False)
    else:
        _as_text(found)
    if not found.whole:
        err.print(
            f"[yellow]not all of them:[/] of {plural(total, 'orphan')} of {found.run} only samples are kept: it was planned by "
            "an earlier version, or purged, or its state directory is another one"
        )


def _as_json(found: OrphanList) -> None:
    """One document, written row by row: there may be millions."""
    head = {"run": found.run, "counts": found.counts, "whole": found.whole}
    sys.stdout.write(dumps(head, ensure_ascii=False)[:-1] + ', "orphans": [')
    for number, one in enumerate(found.rows):
        sys.stdout.write((",\n" if number else "\n") + dumps(asdict(one), ensure_ascii=False))
    sys.stdout.write("]}\n")


def _as_csv(found: OrphanList) -> None:
    writer = csv_writer(sys.stdout, lineterminator="\n")
    writer.writerow(["table", "row", "missing", "direct"])
    writer.writerows([one.table, one.row, one.missing, "" if one.direct is None else one.direct] for one in found.rows)


def _as_text(found: OrphanList) -> None:
    for name, count in found.counts.items():
        if count:
            out.print(f"[bold]{count:,}[/] orphan{'' if count == 1 else 's'} in {escape(name)}")
    for one in found.rows:
        how = {True: "", False: ", itself an orphan", None: ""}[one.direct]
        missing = "no parent named" if one.missing is None else f"parent {one.missing}{how}"
        out.print(f"  {one.table} row {one.row}: {missing}", soft_wrap=True, markup=False)


def ledger(
    job: options.Job,
    ddl: Annotated[bool, typer.Option("--ddl", help="Print the DDL of the ledger tables, for a DBA.")] = False,
    drop: Annotated[
        bool, typer.Option("--drop", help="Drop the ledgers, when the migration is over for good.")
    ] = False,
    yes: options.Yes = False,
    state: options.State = None,
    repository: options.Repository = None,
    json: options.Json = False,
) -> None:
    """Compare what each target says was committed with what the repository has decided; or print, or drop, the ledgers."""
    from ludb.service import ledgers
    from ludb.service.site import open_site, state_directory

    if ddl and drop:
        raise ConfigError("--ddl and --drop exclude each other", remedy="Say one of them")
    if ddl:
        texts = ledgers.ledger_ddl(job, state_directory(state, job, os.environ), os.environ)
        answer(texts) if json else sys.stdout.write("\n".join(texts.values()))
        return
    site = open_site(state=state, repository=repository, folder=job, create=False)
    if drop:
        doubts = ledgers.drop_doubts(site, job)
        for doubt in doubts:
            err.print(f"[yellow]think twice:[/] {escape(doubt)}")
        options.confirm(yes, "Drop the ledgers of this job's targets?", what="ledgers are dropped")
        dropped = ledgers.drop_ledgers(site, job)
        answer({"dropped": dropped, "doubts": doubts}) if json else out.print(
            f"dropped the ledgers of {', '.join(dropped) or 'no target'}", markup=False
        )
        return
    lines = ledgers.compare(site, job)
    if json:
        answer(lines)
    else:
        _ledger_lines(lines)
    sys.exit(0 if all(line.agrees for line in lines) else 1)


def _ledger_lines(lines: Sequence[LedgerLine]) -> None:
    from ludb.cli.report import table_of

    table = table_of("target", "entries", "runs", "first seq", "last seq", "of others", "unknown", "missing", "waiting")
    for line in lines:
        numbers = [line.entries, len(line.runs), line.first_seq, line.last_seq, line.others]
        numbers += [len(line.unknown), len(line.missing), len(line.waiting)]
        table.add_row(escape(line.target), *("-" if number is None else f"{number:,}" for number in numbers))
    out.print(table)
    for line in lines:
        for told in line.told:
            out.print(f"[yellow]{escape(line.target)}[/]: {escape(told)}", soft_wrap=True)
    if all(line.agrees for line in lines):
        out.print("targets and repository agree")
