"""A supervisor in a process of its own: nobody has to stay for the run to go on."""

from __future__ import annotations

import os
import subprocess
import sys

from ludb.engine.liveness import OwnerLock
from ludb.model.run import Run
from ludb.service.site import Site


def told(site: Site) -> dict[str, str]:
    """Variables by which another process finds this site's repositories: their URLs may hold a password."""
    return {"LUDB_REPOSITORY": site.repository_url, "LUDB_KEYS_OF": site.keys_of}


def supervise_apart(site: Site, run: Run, lock: OwnerLock, workers: int | None) -> subprocess.Popen[bytes]:
    """Start `ludb supervise` for the run, in a session of its own. The lock on the instance goes with it, so that nobody
    can come in between; the caller lets go of its own part once the supervisor is seen.
    """
    log = site.logs(run.id) / "supervisor.out"
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    command = [sys.executable, "-m", "ludb", "supervise", "--run", run.id, "--state", str(site.state)]
    command += ["--lock", str(lock.path), "--lock-file", str(lock.file)]
    command += ["--workers", str(workers)] if workers else []
    with log.open("ab") as file:
        return subprocess.Popen(  # noqa: S603  (our own interpreter and module)
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
            pass_fds=[lock.file],
            env=os.environ | told(site),
        )
