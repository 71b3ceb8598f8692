"""The command that goes on with a run, so that a hint can be copied as it stands."""

from __future__ import annotations

import shlex

from ludb.cli.options import texts
from ludb.errors import ConfigError
from ludb.model.run import Run
from ludb.service.hints import shown
from ludb.service.site import Site, state_directory


def start_again(site: Site, run: Run) -> str:
    """The command that goes on with a run."""
    from ludb.service.pinning import origin

    try:
        folder = origin(site, run)
    except ConfigError:
        return "ludb run JOB"
    values = "".join(f" -p {shlex.quote(f'{name}={text}')}" for name, text in texts(run.parameters).items())
    state = "" if site.state in {folder / ".ludb", state_directory(None, folder, site.environment)} else (
        f" --state {shown(site.state)}"
    )  # fmt: skip
    return f"ludb run {shown(folder)}{values}{_selected(run)}{state}"


def _selected(run: Run) -> str:
    """The options that selected the run's units."""
    asked = run.notes.get("selection")
    names = ("where", "units", "only_quarantined", "sample", "seed", "limit")
    told = [(name, asked[name]) for name in names if name in asked] if isinstance(asked, dict) else []
    return "".join(
        f" --{name.replace('_', '-')}" + (f" {shlex.quote(str(value))}" if value != "" else "") for name, value in told
    )
