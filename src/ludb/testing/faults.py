"""Crashes on purpose: a process that kills itself at a named point, once."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path

from ludb.model.events import Event

VARIABLE = "LUDB_FAULT"
"""Environment variable: `<event>[:<phase>][#<occurrence>]@<marker file>`, for example `phase.begin:decide#2@/tmp/once`."""


class FaultObserver:
    """Kills the process (SIGKILL) at the nth occurrence of an event, unless the marker file says that it has done so.

    The marker makes the crash happen once per test, whichever process meets the point first.
    """

    def __init__(self, event: str, phase: str, occurrence: int, marker: Path) -> None:
        """Wait for the event; `phase` narrows it, empty means any."""
        self._event, self._phase, self._left, self._marker = event, phase, occurrence, marker

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> list[FaultObserver]:
        """The observer that `LUDB_FAULT` asks for, in a list; nothing if it is not set."""
        text = environment.get(VARIABLE)
        if not text:
            return []
        point, marker = text.split("@", 1)
        point, _, occurrence = point.partition("#")
        event, _, phase = point.partition(":")
        return [cls(event, phase, int(occurrence or 1), Path(marker))]

    def on(self, event: Event) -> None:
        """Die here, if this is the place and the time."""
        if event.name != self._event or (self._phase and event.data.get("phase") != self._phase):
            return
        self._left -= 1
        if self._left > 0:
            return
        try:
            os.close(os.open(self._marker, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except FileExistsError:
            return
        os.kill(os.getpid(), signal.SIGKILL)
