"""Waiting for room on a disk: when a run that paused because one was full may go on."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ludb.dialects.durable import has_room
from ludb.model.run import Counters, Run, RunState

FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
"""Seconds before a run that paused for want of room tries again; doubled while a try settles nothing."""
NEEDED = 1024 * 1024
"""Bytes without which it is not worth trying. A quota, or a limit of the database's own, shows only in a try."""


def paused_by(run: Run) -> str:
    """What a paused run waits for: `person`, `room`, `window`, `credential`; empty where it is not paused."""
    pause = run.settings.get("pause")
    return str(pause.get("by", "")) if run.state is RunState.PAUSED and isinstance(pause, dict) else ""


@dataclass(slots=True)
class RoomWatch:
    """Tells when a run may be tried again, from pause to pause of one supervisor's time."""

    monotonic: Callable[[], float] = time.monotonic
    _wait: float = FIRST_WAIT
    _until: float | None = None
    _settled: int = -1

    def ready(self, run: Run, counters: Callable[[], Counters]) -> bool:
        """Whether the paused run should go on now; asked again and again while it is paused."""
        now = self.monotonic()
        if self._until is None:
            seen = counters()
            settled = seen.total - seen.pending
            self._wait = min(LONGEST_WAIT, self._wait * 2) if settled == self._settled else FIRST_WAIT
            self._settled, self._until = settled, now + self._wait
        pause = run.settings["pause"]
        assert isinstance(pause, dict)
        if now < self._until or not (not pause.get("path") or has_room(Path(pause["path"]), NEEDED)):
            return False
        self._until = None
        return True

    def left(self) -> None:
        """The run goes on for another reason."""
        self._until = None
