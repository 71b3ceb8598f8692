"""One process at a time starts, ends or mends an instance."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ludb.engine.liveness import AT_WORK, OwnerLock, lock_is_free
from ludb.errors import ConfigError
from ludb.service.hints import options_for
from ludb.service.site import Site


def hold(site: Site, instance: str) -> OwnerLock:
    """Keep everybody else from starting or ending the instance; `ConfigError` naming who holds it already."""
    try:
        return OwnerLock(_path(site, instance))
    except BlockingIOError:
        raise _live(site, instance) from None


def is_held(site: Site, instance: str) -> bool:
    """Whether a process of this host starts, holds or ends the instance at this moment."""
    return not lock_is_free(str(_path(site, instance)))


def _path(site: Site, instance: str) -> Path:
    digest = hashlib.sha256(instance.encode()).hexdigest()[:16]
    return site.locks / f"start-{digest}.lock"


def _live(site: Site, instance: str) -> ConfigError:
    for run in site.repository.views.runs():
        if run.instance == instance:
            for owner in site.repository.owners.all(run.id):
                if owner.role == "supervisor" and owner.state in AT_WORK and not lock_is_free(owner.lock):
                    where = options_for(site)
                    return ConfigError(
                        f"{instance} is running: run {run.id} on {owner.host}, process {owner.pid}",
                        remedy=f"Look at it with `ludb status {run.id}{where}`, end it with `ludb stop {run.id}{where}`",
                    )
    return ConfigError(f"{instance} is being started by another process", remedy="Ask again in a moment")
