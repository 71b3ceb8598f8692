"""Crashes on purpose: a process that kills, stops or holds itself at a named point, once."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, cast

from ludb.model.events import Event

VARIABLE = "LUDB_FAULT"
"""Environment variable: faults joined by `;`, each `<event>[:<phase>][#<occurrence>][!<action>]@<marker file>`, for
example `phase.begin:decide#2@/tmp/once` or `call.sent!stop@/tmp/mute`."""

Action = Literal["kill", "stop", "hold"]
"""`kill`: SIGKILL. `stop`: SIGSTOP, until somebody sends SIGCONT. `hold`: the thread waits until `<marker file>.go` exists,
while the process goes on beating.
"""

_FAULT = re.compile(
    r"(?P<event>[^:#!@]+)(:(?P<phase>[^#!@]+))?(#(?P<nth>\d+))?(!(?P<action>kill|stop|hold))?@(?P<marker>.+)"
)


class FaultObserver:
    """Does one thing to its process at the nth occurrence of an event, unless the marker file says that it was done.

    The marker makes it happen once per test, whichever process meets the point first.
    """

    def __init__(self, event: str, phase: str, occurrence: int, marker: Path, action: Action = "kill") -> None:
        """Wait for the event; `phase` narrows it (a phase's name, else an output or a target), empty means any."""
        self._event, self._phase, self._left, self._marker = event, phase, occurrence, marker
        self._action = action

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> list[FaultObserver]:
        """The observers that `LUDB_FAULT` asks for; none if it is not set. ValueError for a text that is no fault."""
        found = []
        for text in filter(None, environment.get(VARIABLE, "").split(";")):
            parts = _FAULT.fullmatch(text)
            if parts is None:
                raise ValueError(f"{VARIABLE}: {text!r} is no fault")
            action = cast("Action", parts["action"] or "kill")
            found.append(
                cls(parts["event"], parts["phase"] or "", int(parts["nth"] or 1), Path(parts["marker"]), action)
            )
        return found

    def on(self, event: Event) -> None:
        """Act here, if this is the place and the time."""
        where = {event.data.get(name) for name in ("phase", "output", "target")}
        if event.name != self._event or (self._phase and self._phase not in where):
            return
        self._left -= 1
        if self._left != 0:
            return
        try:
            os.close(os.open(self._marker, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except FileExistsError:
            return
        if self._action == "hold":
            go = self._marker.with_name(f"{self._marker.name}.go")
            while not go.exists():
                time.sleep(0.01)
            return
        if self._action == "stop":
            while _beating():
                time.sleep(0.001)
        os.kill(os.getpid(), signal.SIGKILL if self._action == "kill" else signal.SIGSTOP)


def _beating() -> bool:
    """Whether this process's heartbeat is just writing, or hearing what it is to do. Who is stopped in the middle of that
    keeps the repository locked for as long as it sleeps: another fault than the one that was asked for.
    """
    frames = sys._current_frames()  # noqa: SLF001  (the interpreter's documented way to look at other threads)
    for thread in threading.enumerate():
        frame = frames.get(thread.ident or 0) if thread.name == "heartbeat" else None
        while frame is not None:
            if frame.f_code.co_name in {"beat", "hear"}:
                return True
            frame = frame.f_back
    return False
