"""Who is told what happens."""

from __future__ import annotations

from typing import Protocol

from ludb.model.events import Event


class Observer(Protocol):
    """Receives events in the order they happen, in the thread where they happen. Must be quick and must not raise."""

    def on(self, event: Event) -> None:
        """Take note of the event."""
