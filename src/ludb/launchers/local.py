"""Workers as processes of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path


class LocalLauncher:
    """Starts `ludb worker` as a process in a session of its own: what ends the supervisor does not end its workers."""

    def __init__(self, logs: Path, environment: Mapping[str, str] | None = None) -> None:
        """Standard output and error of workers go to files in `logs`; `environment` is added to ours. What may hold a
        password travels there: every user of a machine can read command lines.
        """
        self._logs, self._environment = logs, dict(environment or {})
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, run_id: str, arguments: Sequence[str]) -> str:
        """Start one worker; the id is its process id."""
        self._logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        command = [sys.executable, "-m", "ludb", "worker", "--run", run_id, *arguments]
        with (self._logs / "workers.out").open("ab") as out:
            process = subprocess.Popen(  # noqa: S603  (our own interpreter and module)
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
                env=os.environ | self._environment,
            )  # fmt: skip
        self._processes[str(process.pid)] = process
        return str(process.pid)

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
