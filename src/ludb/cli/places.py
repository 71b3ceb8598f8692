"""Hints: what stands before and behind a command, so that it can be copied as it stands."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from ludb.cli.options import texts
from ludb.errors import ConfigError
from ludb.model.run import Run
from ludb.service.hints import options_for, shown
from ludb.service.site import Site, state_directory


@dataclass(frozen=True, slots=True)
class Hints:
    """How commands about a run are typed: `program` and what names a server, `options` that find the place again, and
    `again`, the whole command that goes on with the run.
    """

    program: str
    options: str
    again: str


def hints_for(site: Site, run: Run) -> Hints:
    """Hints for a run that is kept in this site."""
    return Hints("ludb", options_for(site), start_again(site, run))


def start_again(site: Site, run: Run) -> str:
    """The command that goes on with a run."""
    from ludb.service.pinning import origin

    try:
        folder = origin(site, run)
    except ConfigError:
        return "ludb run JOB"
    state = "" if site.state in {folder / ".ludb", state_directory(None, folder, site.environment)} else (
        f" --state {shown(site.state)}"
    )  # fmt: skip
    return f"ludb run {shown(folder)}{asked_of(run)}{state}"


def asked_of(run: Run) -> str:
    """The options that make a start of the run's job this very instance: its parameters and its selection."""
    values = "".join(f" -p {shlex.quote(f'{name}={text}')}" for name, text in texts(run.parameters).items())
    return values + _selected(run)


def _selected(run: Run) -> str:
    """The options that selected the run's units."""
    asked = run.notes.get("selection")
    names = ("where", "units", "only_quarantined", "sample", "seed", "limit")
    told = [(name, asked[name]) for name in names if name in asked] if isinstance(asked, dict) else []
    return "".join(
        f" --{name.replace('_', '-')}" + (f" {shlex.quote(str(value))}" if value != "" else "") for name, value in told
    )
