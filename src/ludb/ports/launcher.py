"""Who starts workers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Launcher(Protocol):
    """Starts `ludb worker` somewhere; it imports no engine. Every method may be repeated."""

    def start(self, run_id: str, arguments: Sequence[str]) -> str:
        """Start one worker with these command line arguments; returns the launcher's own id for it."""

    def alive(self, launch_id: str) -> bool:
        """Whether that worker still runs; False is certain, True may be late."""

    def stop(self, launch_id: str) -> bool:
        """End a worker at once; True once it is known to be dead."""
