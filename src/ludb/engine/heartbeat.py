"""The worker's pulse: a thread that tells the repository that its process is alive, and hears what the run is to do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from ludb.engine.workplace import Fence
from ludb.errors import LeaseLost, LudbError
from ludb.model.run import Owner, RunState
from ludb.ports.repository import Owners


class Heartbeat:
    """Beats every `interval` seconds until closed. `state` is the run's state as last seen."""

    def __init__(
        self,
        owners: Owners,
        owner: Owner,
        fence: Fence,
        interval: float,
        measure: Callable[[], tuple[float, int]],
        stop_now: Callable[[], bool] = lambda: False,
    ) -> None:
        """Enrol the owner and start beating; `measure` gives (share of a core, bytes of memory). `stop_now` is asked
        while the run is stopping: whether chunks in flight are to be given back.
        """
        self._stop_now = stop_now
        self._owners, self._owner, self._fence = owners, owner, fence
        self._interval, self._measure = interval, measure
        self._stop = threading.Event()
        owners.enrol(owner)
        self.state: RunState | None = None
        self.doing = ""
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            cpu, memory = self._measure()
            try:
                self.state = self._owners.beat(replace(self._owner, doing=self.doing, cpu=cpu, memory=memory))
                self._fence.beat()
                if self.state is RunState.STOPPING and self._stop_now():
                    self._fence.halted = True
            except LeaseLost:
                self._fence.declared_dead()
                return
            except LudbError:
                # A repository that is away ends the lease by itself: the fence says so when the time has come.
                continue

    def close(self, state: str = "ended") -> None:
        """Stop beating and say that the owner has ended."""
        self._stop.set()
        self._thread.join()
        self._owners.leave(self._owner.id, state)
