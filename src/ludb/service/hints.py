"""Options that find a site again from the current folder, so that a command in a message can be copied as it stands."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

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


def shown(path: Path) -> str:
    """A path as it is typed here: relative where it lies below the current folder."""
    found = os.path.relpath(path)
    return shlex.quote(str(path) if found.startswith("..") else found)
