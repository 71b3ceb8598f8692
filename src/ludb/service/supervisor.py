"""The supervisor: reconciles the workers that are wanted with those that live, and takes the run's commands."""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ludb.engine.heartbeat import Heartbeat
from ludb.engine.liveness import Liveness, OwnerLock
from ludb.engine.worker import measure_process
from ludb.engine.workplace import Fence
from ludb.errors import ConfigError, TransientError
from ludb.model.events import Event
from ludb.model.run import Owner, Run, RunState
from ludb.ports.launcher import Launcher
from ludb.service.site import Site

CRASHES = 5
"""Workers that may die without any unit settled in between before the run fails."""

ENDED = frozenset(
    {RunState.COMPLETED, RunState.EXCEPTIONS, RunState.FAILED, RunState.STOPPED, RunState.PAUSED, RunState.ABANDONED}
)


@dataclass(slots=True)
class Supervisor:
    """Holds one run until it has ended. Workers of an earlier supervisor are adopted: they count as living."""

    site: Site
    run: Run
    launcher: Launcher
    workers: int
    lease: float
    arguments: Sequence[str] = ()
    tick: Callable[[], None] = lambda: None
    interval: float = 0.2
    _launched: dict[str, bool] = field(default_factory=dict)
    _crashes: int = 0
    _settled: int = -1

    def supervise(self) -> Run:
        """Keep workers alive until the run has ended and they are gone; returns the run as it then is."""
        owner_id = f"s-{uuid.uuid4().hex[:8]}"
        lock = OwnerLock(self.site.locks / f"{owner_id}.lock")
        owner = Owner(owner_id, self.run.id, "supervisor", self.site.host, os.getpid(), str(lock.path))
        heart = Heartbeat(self.site.repository.owners, owner, Fence(self.lease), 1.0, measure_process())
        liveness = Liveness(self.site.repository.owners, self.run.id, self.lease, host=self.site.host)
        try:
            return self._loop(liveness)
        finally:
            heart.close()
            lock.release()

    def _loop(self, liveness: Liveness) -> Run:
        while True:
            try:
                ended = self._turn(liveness)
                self.tick()
            except TransientError:
                ended = None  # the repository is away: workers go on as long as their lease lasts
            if ended is not None:
                return ended
            time.sleep(self.interval)

    def _turn(self, liveness: Liveness) -> Run | None:
        """One look at the run: obey, fence, start what is missing; the run, if it has ended and nobody is at work."""
        self._take_commands()
        run = self.site.repository.runs.get(self.run.id)
        living = self._fence(liveness)
        at_work = bool(living or self._running())
        if run.state in ENDED and not at_work:
            self._take_commands()
            return run
        if run.state is RunState.RUNNING:
            self._reconcile(living)
        elif run.state is RunState.STOPPING and not at_work:
            self._finish_stop()
        return None

    def _running(self) -> list[str]:
        return [launch for launch in self._launched if self.launcher.alive(launch)]

    def _fence(self, liveness: Liveness) -> list[Owner]:
        """The workers that live. One that has gone silent is killed, so that its chunks can be given on (PROTOCOL R7):
        ours by the launcher, one of an earlier supervisor by the lock that it holds.
        """
        silent, _ = liveness.look()
        living = []
        for owner in liveness.living("worker"):
            if owner.id in silent and (self.launcher.stop(str(owner.pid)) or liveness.end(owner)):
                self.site.repository.owners.leave(owner.id, "dead")
                self._tell("worker.fenced", worker=owner.id, pid=owner.pid)
            else:
                living.append(owner)
        return living

    def _reconcile(self, living: Sequence[Owner]) -> None:
        """Start what is missing."""
        running = self._running()
        for launch in [launch for launch in self._launched if launch not in running]:
            del self._launched[launch]
            self._count_crash()
        if self._crashes >= CRASHES:
            with contextlib.suppress(ConfigError):  # the run has ended meanwhile
                self.site.repository.runs.change(
                    self.run.id, RunState.FAILED, f"{CRASHES} workers died without settling a unit; see their log"
                )
            return
        adopted = [owner for owner in living if str(owner.pid) not in self._launched]
        for _ in range(self.workers - len(self._launched) - len(adopted)):
            self._launched[self.launcher.start(self.run.id, self.arguments)] = True

    def _count_crash(self) -> None:
        """A worker has ended while the run goes on: harmless if units were settled since the last one did."""
        counters = self.site.repository.views.counters(self.run.id)
        settled = counters.total - counters.pending
        self._crashes = self._crashes + 1 if settled == self._settled else 1
        self._settled = settled

    def _take_commands(self) -> None:
        for number, name, arguments in self.site.repository.commands.take(self.run.id):
            if name == "stop" and arguments.get("now") and self._obey(name, arguments) == RunState.STOPPING:
                continue  # stays open, for the workers to see, until the run has stopped
            outcome = self._obey(name, arguments)
            self.site.repository.commands.acknowledge(number, outcome)
            self._tell("command.done", command=name, outcome=outcome)

    def _obey(self, name: str, arguments: Mapping[str, object]) -> str:
        if name != "stop":
            return f"unknown command {name} {sorted(arguments)}"
        try:
            state = self.site.repository.runs.change(self.run.id, RunState.STOPPING, "asked to stop").state
        except ConfigError as error:
            return str(error)
        return str(state)

    def _finish_stop(self) -> None:
        """All workers are gone: what they left claimed is taken over when the run goes on."""
        if self.site.repository.runs.settle(self.run.id).state is RunState.STOPPING:
            self.site.repository.runs.change(self.run.id, RunState.STOPPED, "asked to stop")

    def stop(self, actor: str, *, now: bool = False) -> None:
        """Ask the run to stop: after the chunks in flight, or `now`, giving back those that are not decided."""
        self.site.repository.commands.put(self.run.id, "stop", {"now": True} if now else {}, actor)

    def kill(self) -> None:
        """End this supervisor's workers at once; what they held is taken over when the run goes on."""
        for launch in list(self._launched):
            self.launcher.stop(launch)

    def _tell(self, name: str, **data: object) -> None:
        self.site.repository.events.append(Event(name, self.run.id, "", "info", lasting=True, data=data))
