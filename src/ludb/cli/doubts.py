"""Commands for calls to APIs: see them, and say what became of one that nobody else can tell."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ludb.cli import options
from ludb.cli.console import answer, out
from ludb.errors import ConfigError

if TYPE_CHECKING:
    from ludb.model.calls import Call
    from ludb.model.run import CallState
    from ludb.ports.doubts import Word

SHOWN = 100
"""Calls that are shown; --json names all."""


def calls(
    run: options.RunId = None,
    state: Annotated[
        list[str] | None,
        typer.Option(
            "--state",
            metavar="STATE|FOLDER",
            help="Only calls in this state (in_doubt, sent, done, ...); anything else is the state directory, as everywhere.",
        ),
    ] = None,
    job: options.JobFolder = None,
    repository: options.Repository = None,
    json: options.Json = False,
) -> None:
    """List a run's calls to APIs: state, output, unit, what the server calls the object, since when, and why."""
    from ludb.cli.inspect import latest_run
    from ludb.service.site import open_site

    states, folder = told_apart(state or [])
    site = open_site(state=folder, repository=repository, folder=job, create=False)
    run_id = latest_run(site, run)
    show_calls(run_id, site.repository.doubts.calls(run_id, states), states, json=json)


def show_calls(run_id: str, found: Sequence[Call], states: set[CallState], *, json: bool) -> None:
    """Calls as they are told."""
    if json:
        answer([
            {
                "call": one.id, "state": one.state, "output": one.output, "unit": one.unit_key, "row": one.row_key,
                "generation": one.generation, "server_id": one.server_id, "status": one.status, "since": one.changed_at,
                "reason": one.reason,
            }
            for one in found
        ])  # fmt: skip
        return
    for one in found[:SHOWN]:
        since = datetime.fromtimestamp(one.changed_at).astimezone().isoformat(" ", "seconds")
        what = f"{one.id}  {one.state} since {since}  {one.output} of unit {one.unit_key}"
        what += f", row {one.row_key}" if one.row_key != one.unit_key else ""
        what += f", object {one.server_id}" if one.server_id else ""
        out.print(what, soft_wrap=True, markup=False)
        if one.reason:
            out.print(f"    {one.reason}", soft_wrap=True, markup=False)
    if len(found) > SHOWN:
        out.print(f"and {len(found) - SHOWN:,} more (--json names all)", soft_wrap=True)
    if not found:
        out.print(
            f"run {run_id} has no calls" + (f" that are {' or '.join(sorted(states))}" if states else ""),
            soft_wrap=True,
        )


def told_apart(given: list[str]) -> tuple[set[CallState], Path | None]:
    """States of calls, and the state directory."""
    from ludb.model.run import CallState

    known = {str(one): one for one in CallState}
    folders = [Path(text) for text in given if text not in known]
    if len(folders) > 1:
        raise ConfigError(
            f"there are two state directories: {folders[0]} and {folders[1]}",
            remedy=f"If one is meant as a state of calls: they are {', '.join(known)}",
        )
    return {known[text] for text in given if text in known}, folders[0] if folders else None


def resolve(
    call: Annotated[
        str, typer.Argument(metavar="CALL", help="The call, as `ludb calls` names it.", show_default=False)
    ],
    word: Annotated[
        str, typer.Argument(metavar="done|absent", help="What was seen at the system.", show_default=False)
    ],
    reason: Annotated[str, typer.Option("--reason", help="How it was looked up; kept with your name.")] = "",
    returns: Annotated[
        list[str] | None,
        typer.Option("--returns", metavar="NAME=VALUE", help="What the API returned; id is its own name."),
    ] = None,
    run: options.RunOption = None,
    job: options.JobFolder = None,
    state: options.State = None,
    repository: options.Repository = None,
    json: options.Json = False,
) -> None:
    """Say what became of a call in doubt: the object is there (done), or it is not (absent)."""
    from ludb.cli.inspect import latest_run
    from ludb.service.doubts import resolve as take_word
    from ludb.service.hints import options_for
    from ludb.service.site import open_site

    seen = word_of(word)
    site = open_site(state=state, repository=repository, folder=job, create=False)
    run_id = latest_run(site, run)
    found = take_word(site, run_id, call, seen, reason, options.parameters(returns, "--returns"))
    told = {"run": run_id, "call": found.call.id, "state": str(found.state), "unit": found.call.unit_key}
    tell_resolved(told | {"pending": found.pending}, "ludb", options_for(site), json=json)


def word_of(text: str) -> Word:
    """What a person says about a call; `ConfigError` for anything else."""
    seen: Word | None = "done" if text == "done" else "absent" if text == "absent" else None
    if seen is not None:
        return seen
    raise ConfigError(f"{text!r} says nothing about a call", remedy="Say done or absent")


def tell_resolved(told: dict[str, object], program: str, where: str, *, json: bool) -> None:
    """What came of a person's word, and what to do next."""
    if json:
        answer(told)
        return
    left = f"its unit {told['unit']} is pending again: {program} resume {told['run']}{where}"
    if not told["pending"]:
        left = f"other calls of its unit {told['unit']} are in doubt still: {program} unit {told['unit']}"
    out.print(f"call {told['call']} is {told['state']}; {left}", soft_wrap=True, markup=False)
