"""The command that makes a job: init."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from ludb.cli import options
from ludb.cli.console import answer, err, out
from ludb.wording import plural

if TYPE_CHECKING:
    from ludb.model.shape import TableShape
    from ludb.project.proposal import Candidate, Member, Proposal
    from ludb.service.scaffold import Made

SHOWN = 5
"""Candidates for the root that are shown."""


def init(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The new job's folder.", show_default=False)],
    source: Annotated[str | None, typer.Option("--from", metavar="URL", help="Draft it from this database.")] = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="URL", help="Write to its tables; without it to files in out/.")
    ] = None,
    root: Annotated[
        str | None, typer.Option("--root", metavar="TABLE", help="The table with one row per unit.")
    ] = None,
    tables: Annotated[
        str | None, typer.Option("--tables", metavar="A,B", help="Only these tables, and the root.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="The job's name; without it the folder's.")
    ] = None,
    openapi: Annotated[
        Path | None,
        typer.Option("--openapi", metavar="FILE", help="Draft outputs and steps for the API that this describes."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Add to a folder that is not empty; nothing is overwritten.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Make a job: a small example that runs, or, from a database, a draft that moves its rows unit by unit."""
    from ludb.errors import ConfigError
    from ludb.project.proposal import rank
    from ludb.service.scaffold import look, make_first, make_for_api, make_from

    if source is None:
        if to or root or tables:
            raise ConfigError("--to, --root and --tables belong to --from", remedy="Add --from URL")
        made = make_for_api(folder, openapi, name, force=force) if openapi else make_first(folder, name, force=force)
        answer(_facts(made, [])) if json else _show(made)
        return
    if openapi is not None:
        raise ConfigError(
            "--openapi drafts a job of its own", remedy="Leave out --from, and name its source in job.yaml"
        )
    database = look(source, "legacy")
    target = look(to, "new") if to else None
    candidates = rank(database.shapes)
    chosen = root or _choose(candidates, ask=sys.stdin.isatty() and out.is_terminal and not json, quiet=json)
    only = [one.strip() for one in tables.split(",") if one.strip()] if tables else []
    made = make_from(folder, database, chosen, to=target, only=only, name=name, force=force)
    answer(_facts(made, candidates)) if json else _show(made)


def _choose(candidates: list[Candidate], *, ask: bool, quiet: bool) -> str:
    """The proposed root, or the one that a person at a terminal names instead."""
    first = candidates[0].table
    if not quiet:
        err.print("what could be the root, the best first:")
        for candidate in candidates[:SHOWN]:
            err.print(f"  {candidate.score:>4}  {escape(candidate.table)}: {escape(', '.join(candidate.reasons))}")
    if ask:
        return str(typer.prompt("root table", default=first))
    if not quiet:
        err.print(f"taking {escape(first)}; --root TABLE names another")
    return first


def _show(made: Made) -> None:
    """What was made, what was left out, and what to do next."""
    proposal = made.proposal
    if proposal is not None:
        out.print(f"[bold]{escape(proposal.root.name)}[/] is the root: one unit has")
        for member in proposal.members:
            out.print("  " * member.level + escape(_told(member, proposal)), soft_wrap=True)
        if proposal.reference:
            names = ", ".join(shape.name for shape in proposal.reference)
            out.print(f"shared, read as ref.<table>, not moved: {escape(names)}", soft_wrap=True)
        for table, why in {**proposal.left_out, **(made.missing or {})}.items():
            out.print(f"[yellow]not moved[/] {escape(table)}: {escape(why)}", soft_wrap=True)
        for note in made.notes:
            out.print(f"[yellow]look at[/] {escape(note)}", soft_wrap=True)
    elif made.notes:
        out.print(f"[yellow]look at[/] {escape('; '.join(made.notes))}", soft_wrap=True)
    out.print(f"wrote {plural(len(made.files), 'file')} to {escape(str(made.folder))}", soft_wrap=True)
    if made.variables:
        out.print(
            f"set {', '.join(made.variables)} first: see .env.example; a password stands in no file", soft_wrap=True
        )
    place = shlex.quote(str(made.folder))
    out.print(f"next: ludb check {place} && ludb plan {place} && ludb run {place}", soft_wrap=True, markup=False)


def _told(member: Member, proposal: Proposal) -> str:
    """A table of the unit on one line."""
    link = member.link
    text = f"{member.shape.name} ({_rows(member.shape)})"
    if link is None:
        key = f"{text}, key {', '.join(proposal.key)}"
        return f"{key}: a guess by its name" if proposal.key_guessed else key
    text += f" by {', '.join(child for child, _ in link.pairs)} to {link.parent}"
    return f"{text}: a guess by names" if link.guessed else text


def _rows(shape: TableShape) -> str:
    return "rows unknown" if shape.rows is None else plural(shape.rows, "row")


def _facts(made: Made, candidates: list[Candidate]) -> dict[str, object]:
    """What was made as plain values, for `--json`."""
    proposal = made.proposal
    facts: dict[str, object] = {"folder": str(made.folder), "files": made.files, "variables": made.variables}
    if proposal is None:
        return facts
    return facts | {
        "root": proposal.root.name, "key": proposal.key, "candidates": candidates,
        "tables": [
            {"table": m.shape.name, "parent": m.link.parent if m.link else None, "guessed": bool(m.link and m.link.guessed)}
            for m in proposal.members
        ],
        "reference": [shape.name for shape in proposal.reference], "left_out": proposal.left_out,
        "missing": made.missing, "notes": made.notes,
    }  # fmt: skip
