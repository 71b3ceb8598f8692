"""One process at a time starts, ends or mends an instance."""

from __future__ import annotations

import hashlib

from ludb.engine.liveness import AT_WORK, OwnerLock, lock_is_free
from ludb.errors import ConfigError
from ludb.service.hints import options_for
from ludb.service.site import Site


def hold(site: Site, instance: str) -> OwnerLock:
    """Keep everybody else from starting or ending the instance; `ConfigError` naming who holds it already."""
    digest = hashlib.sha256(instance.encode()).hexdigest()[:16]
    path = site.locks / f"start-{digest}.lock"
    try:
        return OwnerLock(path)
    except BlockingIOError:
        raise _live(site, instance) from None


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
