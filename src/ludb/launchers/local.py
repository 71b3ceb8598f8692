"""Workers as processes of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ludb.launchers.nursery import Forked, Nursery


class LocalLauncher:
    """Starts `ludb worker` as a process in a session of its own: what ends the supervisor does not end its workers."""

    def __init__(
        self, logs: Path, environment: Mapping[str, str] | None = None, nursery: Nursery | None = None
    ) -> None:
        """Standard output and error of workers go to files in `logs`; `environment` is added to ours. What may hold a
        password travels there: every user of a machine can read command lines. A `nursery` starts workers sooner.
        """
        self._logs, self._environment, self._nursery = logs, dict(environment or {}), nursery
        self._processes: dict[str, subprocess.Popen[bytes] | Forked] = {}

    def start(self, run_id: str, arguments: Sequence[str]) -> str:
        """Start one worker; the id is its process id."""
        self._logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        words, environment = ["worker", "--run", run_id, *arguments], os.environ | self._environment
        out = self._logs / "workers.out"
        forked = self._nursery.start(words, environment, out) if self._nursery else None
        process = forked or self._spawn(words, environment, out)
        self._processes[str(process.pid)] = process
        return str(process.pid)

    def _spawn(self, words: Sequence[str], environment: Mapping[str, str], out: Path) -> subprocess.Popen[bytes]:
        with out.open("ab") as file:
            return subprocess.Popen(  # noqa: S603  (our own interpreter and module)
                [sys.executable, "-m", "ludb", *words], stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                start_new_session=True, env=environment,
            )  # fmt: skip

    def alive(self, launch_id: str) -> bool:
        """Whether the process still runs; processes of an earlier supervisor are not known here."""
        process = self._processes.get(launch_id)
        return process is not None and process.poll() is None

    def stop(self, launch_id: str) -> bool:
        """Kill the process and wait until it is seen dead; True also if it has ended before."""
        process = self._processes.get(launch_id)
        if process is None:
            return False
        process.kill()
        process.wait()
        return True
