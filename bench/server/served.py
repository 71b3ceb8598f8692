"""A `ludb serve` of the bench: started, measured, ended."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Served:
    """A server that listens."""

    url: str
    pid: int

    def cpu(self) -> float:
        """Processor seconds so far, without those of its children."""
        return cpu_of(self.pid) or 0.0

    def peak(self) -> float:
        """The most memory that was ever resident, in MiB."""
        told = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return int(re.findall(r"VmHWM:\s+(\d+)", told)[0]) / 1024


def cpu_of(pid: int) -> float | None:
    """Processor seconds of a process so far; None if it has ended."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    except OSError:
        return None
    return (int(told[11]) + int(told[12])) / TICKS


@contextmanager
def serving(job: Path, state: Path, url: str, environment: Mapping[str, str] | None = None) -> Iterator[Served]:
    """A server of a job over a repository."""
    words = ["serve", str(job), "--port", "0", "--no-adopt", "--state", str(state)]
    process = subprocess.Popen(  # noqa: S603  (our own module)
        [sys.executable, "-m", "ludb", *words, "--repository", url], stderr=subprocess.PIPE, text=True, cwd=ROOT,
        env=environment,
    )  # fmt: skip
    assert process.stderr is not None
    try:
        found, said = None, ""
        while found is None:
            line = process.stderr.readline()
            said += line
            if not line:
                raise RuntimeError(f"the server ended before it listened: {said}")
            found = re.search(r"serving (\S+)", line)
        yield Served(found[1], process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate()
