"""One server for several test processes: it starts with the first of them and ends with the last, however they end.

    with shared("postgres", folder) as server: ...      # in each process, with the same folder

A keeper process holds the server. Each user holds a shared lock of a file; the keeper waits for an exclusive one, which the
system grants when the last user is gone, killed ones too.
"""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ludb.testing.services import Kind, Server, running

_PATIENCE = 90.0


@contextmanager
def shared(kind: Kind, folder: Path) -> Iterator[Server]:
    """The server that all processes with this folder share; started by the first that asks. Do not stop it."""
    address = folder / f"{kind}.json"
    with (folder / f"{kind}.users").open("w") as users:
        with _locked(folder / f"{kind}.lock"):
            fcntl.flock(users, fcntl.LOCK_SH)
            if not address.exists():
                _start_keeper(kind, folder, address)
        told = json.loads(address.read_text())
        yield Server(kind, Path(told["folder"]), told["port"])


def _start_keeper(kind: Kind, folder: Path, address: Path) -> None:
    log = folder / f"{kind}.log"
    with log.open("wb") as out:
        command = [sys.executable, "-m", __name__, kind, str(folder)]
        keeper = subprocess.Popen(  # noqa: S603  (this module)
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
    until = time.monotonic() + _PATIENCE
    while not address.exists():
        if keeper.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"{kind} does not start: {log.read_text()[-2000:]}")
        time.sleep(0.02)
    keeper.returncode = 0  # it outlives this process if others still use it; nobody waits for it


def _keep(kind: Kind, folder: Path) -> None:
    address = folder / f"{kind}.json"
    with running(kind) as server, (folder / f"{kind}.users").open("r") as users:
        fresh = address.with_suffix(".new")
        fresh.write_text(json.dumps({"folder": str(server.folder), "port": server.port}))
        fresh.rename(address)
        while True:
            fcntl.flock(users, fcntl.LOCK_EX)  # the last user is gone
            fcntl.flock(users, fcntl.LOCK_UN)
            with _locked(folder / f"{kind}.lock"):
                try:
                    fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue  # somebody came meanwhile
                address.unlink()
                return


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    _keep(sys.argv[1], Path(sys.argv[2]))  # type: ignore[arg-type]
