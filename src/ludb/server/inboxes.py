"""Folders in which files arrive, looked into by the side: a network drive that hangs keeps nothing else waiting."""

from __future__ import annotations

from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Thread

from ludb.service.scheduling import Arrived, arrived

PATIENCE = 3.0
"""Seconds that a folder is given when it is looked into."""
Found = SimpleQueue[list[Arrived]]


@dataclass(frozen=True, slots=True)
class Inboxes:
    """Looks of one server that are not over, by what is waited for. Used by one thread."""

    patience: float = PATIENCE
    _looks: dict[str, Found] = field(default_factory=dict)

    def look(self, spec: str, since: float, now: float) -> list[Arrived] | None:
        """Files that came since a moment, as `arrived` tells them; None while the folder does not answer. One that hangs is
        not looked into again before it has answered.
        """
        hanging = spec in self._looks
        if not hanging:
            found: Found = SimpleQueue()
            self._looks[spec] = found
            Thread(target=lambda: found.put(arrived(spec, since, now)), name="inbox", daemon=True).start()
        try:
            files = self._looks[spec].get(timeout=0.0 if hanging else self.patience)
        except Empty:
            return None
        del self._looks[spec]
        return files
