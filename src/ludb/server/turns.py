"""Turns: what takes seconds is done by so many at a time, and whoever waits for it keeps no thread from the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter, sleep
from anyio.to_thread import run_sync

from ludb.server.problems import Problem

T = TypeVar("T")
LOOK_EVERY = 0.05
"""Seconds between two looks whether it is one's turn."""


class Turns:
    """So many at a time do what takes seconds, each in a thread beside those that answer requests."""

    def __init__(self, most: int, wait: float) -> None:
        """At `most` so many at a time; whoever has waited so many seconds is sent away."""
        self._free, self._wait = threading.BoundedSemaphore(most), wait

    async def take(self, do: Callable[[], T], what: str) -> T:
        """What is done when it is one's turn; `Problem` 429, which says `what` others are busy with, if it does not come."""
        until = time.monotonic() + self._wait
        while not self._free.acquire(blocking=False):
            if time.monotonic() >= until:
                raise Problem(
                    429, "throttled", f"others have {what}", remedy="Try again", headers={"Retry-After": "5"}
                )  # fmt: skip
            await sleep(LOOK_EVERY)
        try:
            return await run_sync(do, limiter=CapacityLimiter(1))
        finally:
            self._free.release()
