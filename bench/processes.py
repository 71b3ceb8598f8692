"""Commands as processes of their own: how long they took, and how much memory each of their workers ever held."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LOOK_EVERY = 0.02
"""Seconds between two looks at the workers' memory."""


@dataclass(frozen=True, slots=True)
class Ran:
    """One command: seconds from its start to its end, its exit code and answer, and by worker process the most memory
    that was ever resident (VmHWM), in MiB.
    """

    seconds: float
    code: int
    answer: str
    memory: Mapping[int, float]


def run(arguments: Sequence[str], environment: Mapping[str, str], cwd: Path) -> Ran:
    """Run `python -m <arguments>` and watch its workers."""
    command = [sys.executable, "-m", *arguments]
    memory: dict[int, float] = {}
    with (cwd / "answer").open("w+", encoding="utf-8") as answer, (cwd / "messages").open("w") as messages:
        began = time.monotonic()
        process = subprocess.Popen(  # noqa: S603  (ours)
            command, env=as_installed(environment), stdout=answer, stderr=messages
        )
        while process.poll() is None:
            for pid in children(process.pid):
                peak = high_water(pid)
                if peak is not None:
                    memory[pid] = peak
            time.sleep(LOOK_EVERY)
        seconds = time.monotonic() - began
        answer.seek(0)
        return Ran(seconds, process.returncode, answer.read(), memory)


def as_installed(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of an installed program, which is not compiled anew at every start: whoever forbids Python to keep what
    it compiled means the tests.
    """
    return {name: value for name, value in environment.items() if name != "PYTHONDONTWRITEBYTECODE"}


def children(pid: int) -> list[int]:
    """The processes that a process has started and that have not ended, and theirs: workers are forks of one that is ready."""
    try:
        lists = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:  # it has ended while we looked
        return []
    found = [int(word) for text in lists for word in text.split()]
    return [*found, *(grandchild for child in found for grandchild in children(child))]


def high_water(pid: int) -> float | None:
    """The most memory that was ever resident, in MiB; None if the process has ended."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    found = [line for line in text.splitlines() if line.startswith("VmHWM:")]
    return int(found[0].split()[1]) / 1024 if found else None
