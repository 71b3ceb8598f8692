"""Where the command line finds a run again: options for the next command, so that a hint can be copied as it stands."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from ludb.cli.options import texts
from ludb.errors import ConfigError
from ludb.model.run import Run
from ludb.service.site import Site, state_directory


def options_for(site: Site) -> str:
    """What must stand behind a command to find this site from the current folder: nothing, `--job` or `--state`."""
    if site.state == state_directory(None, None, site.environment):
        return ""
    if (
        site.state.name == ".ludb"
        and (site.state.parent / "job.yaml").exists()
        and not site.environment.get("LUDB_STATE")
    ):
        return f" --job {shown(site.state.parent)}"
    return f" --state {shown(site.state)}"


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


def shown(path: Path) -> str:
    """A path as it is typed here: relative where it lies below the current folder."""
    found = os.path.relpath(path)
    return shlex.quote(str(path) if found.startswith("..") else found)
