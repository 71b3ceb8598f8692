"""The worker's pulse: a thread that tells the repository that its process is alive, and hears what the run is to do."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import replace

from ludb.engine.workplace import Fence
from ludb.errors import LeaseLost, LudbError, TransientError
from ludb.model.run import Owner
from ludb.model.steering import Orders
from ludb.ports.repository import Owners


class Heartbeat:
    """Beats every `interval` seconds until closed."""

    def __init__(
        self,
        owners: Owners,
        owner: Owner,
        fence: Fence,
        interval: float,
        measure: Callable[[], tuple[float, int]],
        hear: Callable[[Orders], None] = lambda _: None,
    ) -> None:
        """Enrol the owner and start beating; `measure` gives (share of a core, bytes of memory). `hear` is told after
        every beat what this owner is to do, in the heart's own thread.
        """
        self._hear = hear
        self._owners, self._owner, self._fence = owners, owner, fence
        self._interval, self._measure = interval, measure
        self._stop = threading.Event()
        owners.enrol(owner)
        self.doing = ""
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            cpu, memory = self._measure()
            try:
                orders = self._owners.beat(replace(self._owner, doing=self.doing, cpu=cpu, memory=memory))
                self._fence.beat()
                self._hear(orders)
            except LeaseLost:
                self._fence.declared_dead()
                return
            except LudbError:
                # A repository that is away ends the lease by itself: the fence says so when the time has come.
                continue

    def close(self, state: str = "ended") -> None:
        """Stop beating and say that the owner has ended; where that cannot be said, its lock will tell."""
        self._stop.set()
        self._thread.join()
        with contextlib.suppress(TransientError):
            self._owners.leave(self._owner.id, state)
