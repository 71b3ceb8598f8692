"""The supervisor: reconciles the workers that are wanted with those that live, and takes the run's commands."""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ludb.dialects.durable import has_room
from ludb.engine.heartbeat import Heartbeat
from ludb.engine.liveness import AT_WORK, Liveness, OwnerLock, sweep_locks
from ludb.engine.worker import measure_process
from ludb.engine.workplace import Fence
from ludb.errors import ConfigError, RoomError, TransientError
from ludb.model.events import Event
from ludb.model.run import Owner, Run, RunState
from ludb.model.steering import Live
from ludb.observers.log import LogObserver
from ludb.ports.launcher import Launcher
from ludb.service.hooks import Hooks
from ludb.service.room import RoomWatch, paused_by
from ludb.service.site import Site
from ludb.service.steering import STOP, acknowledge, carry_out, finish_stop
from ludb.service.windows import BY, WindowWatch

CRASHES = 5
"""Workers that may die without any unit settled in between before the run fails."""

ENDED = frozenset(
    {RunState.COMPLETED, RunState.EXCEPTIONS, RunState.FAILED, RunState.STOPPED, RunState.PAUSED, RunState.ABANDONED}
)


@dataclass(slots=True)
class Supervisor:
    """Holds one run until it has ended, and does its hooks. Workers of an earlier supervisor are adopted: they count as living.

    `workers` is how many this start was asked for, None for what the run's settings say. `away` is told why the run waits,
    when the repository cannot be reached or a disk is full, and "" once it goes on; `lost` is told of every worker that has died.
    """

    site: Site
    run: Run
    launcher: Launcher
    workers: int | None
    lease: float
    arguments: Sequence[str] = ()
    tick: Callable[[], None] = lambda: None
    interval: float = 0.2
    away: Callable[[str], None] = lambda _: None
    lost: Callable[[Owner], None] = lambda _: None
    _launched: set[str] = field(default_factory=set)
    _crashes: int = 0
    _settled: int = -1
    _away: str = ""
    _room: RoomWatch = field(default_factory=RoomWatch)
    _windows: WindowWatch | None = None
    _log: LogObserver | None = None

    def supervise(self) -> Run:
        """Keep workers alive until the run has ended and they are gone; returns the run as it then is."""
        owner_id = f"s-{uuid.uuid4().hex[:8]}"
        sweep_locks(self.site.locks, time.time())
        lock = OwnerLock(self.site.locks / f"{owner_id}.lock")
        bound = {"supervisor": owner_id, "pid": os.getpid()}
        log = self._log = LogObserver(self.site.logs(self.run.id) / "supervisor.log", bound=bound)
        owner = Owner(owner_id, self.run.id, "supervisor", self.site.host, os.getpid(), str(lock.path))
        heart = Heartbeat(self.site.repository.owners, owner, Fence(self.lease), 1.0, measure_process())
        liveness = Liveness(self.site.repository.owners, self.run.id, self.lease, host=self.site.host)
        try:
            if self.workers is not None:
                self.site.repository.runs.adjust(self.run.id, {"workers": self.workers, "set.workers": None})
            hooks = Hooks(self.site, self.run.id, self._tell)
            hooks.before()
            self._loop(liveness)
            hooks.after()
            return self.site.repository.runs.get(self.run.id)
        finally:
            heart.close()
            lock.release()
            log.close()

    def _loop(self, liveness: Liveness) -> Run:
        while True:
            ended = None
            try:
                ended = self._turn(liveness)
                self._found("")
            except (TransientError, OSError) as error:
                # Workers go on as long as their lease lasts; whoever ended meanwhile did so for want of the repository.
                self._found(str(error))
                self._launched, self._crashes = set(self._running()), 0
            with contextlib.suppress(TransientError):
                self.tick()
            if ended is not None:
                return ended
            time.sleep(self.interval)

    def _found(self, reason: str) -> None:
        """Tell when the repository goes away, and when it is there again."""
        if reason == self._away:
            return
        if not reason:
            with contextlib.suppress(TransientError):
                self._tell("repository.back", reason=self._away)
        self._away = reason
        self.away(reason)

    def _turn(self, liveness: Liveness) -> Run | None:
        """One look at the run: obey, fence, start what is missing; the run, if it has ended and nobody is at work."""
        self._take_commands()
        if self._windows is None:
            self._windows = WindowWatch(self.site.repository, self._tell)
        run = self._windows.obey(self.site.repository.runs.get(self.run.id))
        living = self._fence(liveness)
        running = self._running()
        if paused_by(run) in {"person", "room", BY}:
            self._launched = set(running)
            self._wait_for_room(run)
            return None
        at_work = bool(living or running)
        if run.state in ENDED and not at_work:
            self._take_commands()
            run = self.site.repository.runs.get(run.id)
            return run if run.state in ENDED else None
        if run.state is RunState.RUNNING:
            self._room.left()
            self._reconcile(run, living)
        elif run.state is RunState.STOPPING and not at_work:
            finish_stop(self.site, run.id)
        return None

    def _wait_for_room(self, run: Run) -> None:
        """Let a run go on that paused because a disk was full, once there may be room again."""
        views = self.site.repository.views
        if paused_by(run) == "room" and self._room.ready(run, lambda: views.counters(run.id)):
            self.site.repository.runs.change(run.id, RunState.RUNNING)
            self._tell("run.running", reason="there may be room again", after=run.reason)

    def _running(self) -> list[str]:
        return [launch for launch in self._launched if self.launcher.alive(launch)]

    def _fence(self, liveness: Liveness) -> list[Owner]:
        """The workers that live. One that has gone silent is killed, so that its chunks can be given on (PROTOCOL R7):
        ours by the launcher, one of an earlier supervisor by the lock that it holds. Who is found dead is marked so.
        """
        silent, dead = liveness.look()
        living = []
        for owner in self.site.repository.owners.all(self.run.id):
            if owner.state not in AT_WORK:
                continue
            if owner.id in dead:
                self.site.repository.owners.leave(owner.id, "dead")
                if owner.role == "worker":
                    self._tell("worker.died", worker=owner.id, pid=owner.pid)
                    self.lost(owner)
            elif owner.role == "worker" and owner.id in silent and self._end(owner, liveness):
                self.site.repository.owners.leave(owner.id, "dead")
                self._tell("worker.fenced", worker=owner.id, pid=owner.pid)
            elif owner.role == "worker":
                living.append(owner)
        return living

    def _end(self, owner: Owner, liveness: Liveness) -> bool:
        return (self._is_here(owner) and self.launcher.stop(str(owner.pid))) or liveness.end(owner)

    def _is_here(self, owner: Owner) -> bool:
        """Whether the owner is a process of this host: elsewhere its number is another process's."""
        return owner.host == self.site.host

    def _reconcile(self, run: Run, living: Sequence[Owner]) -> None:
        """Start what is missing, dismiss what is too much. A dismissed worker counts no more, and leaves by itself."""
        running = self._running()
        wanted = Live.of(run.settings).workers
        if len(running) < wanted and not has_room(self.site.state):
            raise RoomError(f"the state directory {self.site.state} has no room", path=str(self.site.state))
        for launch in self._launched - set(running):
            self._launched.discard(launch)
            self._count_crash(launch)
        if self._crashes >= CRASHES:
            with contextlib.suppress(ConfigError):  # the run has ended meanwhile
                self.site.repository.runs.change(
                    run.id, RunState.FAILED, f"{CRASHES} workers died without settling a unit; see their log"
                )
            return
        known = {str(owner.pid) for owner in living if self._is_here(owner)}
        staying = [owner for owner in living if owner.state == "alive"]
        have = len(staying) + sum(launch not in known for launch in running)
        for _ in range(wanted - have):
            self._launched.add(self.launcher.start(run.id, self.arguments))
        for owner in staying[: max(0, have - wanted)]:
            self.site.repository.owners.dismiss(owner.id)
            self._tell("worker.dismissed", worker=owner.id, pid=owner.pid)

    def _count_crash(self, launch: str) -> None:
        """A worker has ended while the run goes on: harmless if it took its leave, or if units were settled since the last
        one died.
        """
        owners = self.site.repository.owners.all(self.run.id)
        newest = next((owner for owner in owners if str(owner.pid) == launch and self._is_here(owner)), None)
        if newest is not None and newest.state == "ended":
            return
        counters = self.site.repository.views.counters(self.run.id)
        settled = counters.total - counters.pending
        self._crashes = self._crashes + 1 if settled == self._settled else 1
        self._settled = settled

    def _take_commands(self) -> None:
        for command in self.site.repository.commands.take(self.run.id):
            outcome = carry_out(self.site, self.run.id, command)
            if command.name == STOP and command.arguments.get("now") and outcome == RunState.STOPPING:
                continue  # stays open, for the workers to see, until the run has stopped
            acknowledge(self.site, self.run.id, command, outcome)

    def stop(self, actor: str, *, now: bool = False) -> None:
        """Ask the run to stop: after the chunks in flight, or `now`, giving back those that are not decided."""
        self.site.repository.commands.put(self.run.id, STOP, {"now": True} if now else {}, actor)

    def kill(self) -> None:
        """End this supervisor's workers at once; what they held is taken over when the run goes on."""
        self.lost = lambda _: None
        for launch in list(self._launched):
            self.launcher.stop(launch)

    def without_nursery(self, happened: str) -> None:
        """Say that the process which forks workers is no more, and how they come now."""
        goes_on = "workers are started as processes of their own, which takes a second or more each"
        with contextlib.suppress(
            TransientError
        ):  # the repository is away, which is told elsewhere; the log has the line
            self._tell("nursery.gone", "warning", reason=f"the process that forks workers {happened}", goes_on=goes_on)

    def _tell(self, name: str, level: Literal["info", "warning"] = "info", **data: object) -> None:
        event = Event(name, self.run.id, "", level, lasting=True, data=data)
        if self._log is not None:
            self._log.on(event)
        self.site.repository.events.append(event)
