"""What a server does beside answering: it carries tasks out by processes of their own, holds runs whose supervisor died,
starts what is due, and raises alerts.

Everything stands in the repository and in lock files. A server that ends leaves its processes at work; the next one hears
what came of them.
"""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ludb.dialects.durable import has_room
from ludb.engine.liveness import OwnerLock, lock_is_free
from ludb.errors import ConfigError, LudbError, TransientError
from ludb.model.events import Event
from ludb.model.run import Run, RunState
from ludb.model.tasks import Task, TaskState
from ludb.server.children import answered, command_of, environment_of
from ludb.server.errands import folder_of, words_of
from ludb.server.logbook import log, log_bug
from ludb.server.timekeeper import Timekeeper
from ludb.server.watchman import Watchman
from ludb.server.world import World
from ludb.service.detached import supervise_apart
from ludb.service.holding import hold, is_held
from ludb.service.room import paused_by
from ludb.service.steering import at_work
from ludb.service.windows import BY as WINDOW

LOOK_EVERY, ADOPT_EVERY, WATCH_EVERY = 0.2, 2.0, 10.0
"""Seconds between two looks at tasks, at schedules and runs that nobody holds, and at what may need a person."""
TELL_EVERY = 60.0
"""Seconds between two lines that say that the server waits: a night of it must not fill the disk."""
PATIENCE, LONGEST = 10.0, 600.0
"""Seconds in which an adopted run must have a supervisor; the longest wait before it is tried again."""


@dataclass(slots=True)
class Waiting:
    """Says that the server waits for its repository, or a disk: at once, then once a minute, and when it is over."""

    since: float | None = None
    told: float = 0.0

    def tell(self, reason: str) -> None:
        """It waits."""
        now = time.monotonic()
        if self.since is None or now - self.told >= TELL_EVERY:
            self.since = now if self.since is None else self.since
            self.told = now
            log("server.waits", reason=reason, seconds=round(now - self.since, 1))

    def over(self) -> None:
        """It goes on."""
        if self.since is not None:
            log("server.goes_on", level="info", seconds=round(time.monotonic() - self.since, 1))
        self.since = None


@dataclass(slots=True)
class Keeper:
    """One thread of a server. `world.wake` makes it look at once."""

    world: World
    _children: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _again: dict[str, tuple[float, float]] = field(default_factory=dict)
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _looked: float = float("-inf")
    _watched: float = float("-inf")
    _waited: Waiting = field(default_factory=Waiting)
    _room: Waiting = field(default_factory=Waiting)

    def start(self) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._loop, name="keeper", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread; processes go on."""
        self._ended.set()
        self.world.wake.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _loop(self) -> None:
        while not self._ended.is_set():
            try:
                self.look()
                self._waited.over()
            except (TransientError, OSError) as error:
                self._waited.tell(str(error))
            except LudbError as error:
                log("server.failed", reason=str(error))
            except Exception as error:  # noqa: BLE001  (without this thread nothing starts, is adopted or raises an alert)
                log_bug(error, thread="keeper")
            self.world.wake.wait(LOOK_EVERY)
            self.world.wake.clear()

    def look(self) -> None:
        """One round: begin what waits, hear what has ended, adopt what nobody holds."""
        self._children = [child for child in self._children if child.poll() is None]
        tasks = self.world.repository.tasks
        for task in reversed(tasks.page(state=TaskState.RUNNING)):
            if task.host == self.world.site.host and task.lock and lock_is_free(task.lock):
                self._hear(task)
        for task in reversed(tasks.page(state=TaskState.WAITING)):
            self._begin(task)
        if time.monotonic() - self._looked >= ADOPT_EVERY:
            self._looked = time.monotonic()
            Timekeeper(self.world).look()
            if self.world.config.adopt:
                self._adopt()
        if time.monotonic() - self._watched >= WATCH_EVERY:
            self._watched = time.monotonic()
            watchman = Watchman(self.world)
            self._look_for_room(watchman)
            watchman.look()

    def _look_for_room(self, watchman: Watchman) -> None:
        """Tell at once where nothing can be noted any more: the alert of a disk that fills up could not be kept either."""
        state = self.world.site.state
        if has_room(state):
            self._room.over()
            return
        words = f"the disk of the state directory {state} is full: runs wait until there is room"
        if self._room.since is None:
            watchman.tell_unkept("disk", words)
        self._room.tell(words)

    def _begin(self, task: Task) -> None:
        """Start a task's process. It holds the task's lock for as long as it lives, whatever becomes of this server."""
        folder = folder_of(self.world)
        if task.host != self.world.site.host or Path(task.lock).parent != folder:
            return  # put to the server of another state directory, where its runs and jobs are
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            lock = OwnerLock(folder / f"{task.id}.lock")
        except BlockingIOError:
            return  # another server of this state directory is at it
        try:
            if not self.world.repository.tasks.begin(task.id, self.world.site.host, str(lock.path)):
                return
            words = words_of(task, self.world, folder)
            with (folder / f"{task.id}.json").open("wb") as out, (folder / f"{task.id}.err").open("wb") as err:
                child = subprocess.Popen(  # noqa: S603  (our own interpreter and module)
                    command_of(self.world, words), stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                    start_new_session=True, pass_fds=[lock.file], env=environment_of(self.world, task.actor),
                )  # fmt: skip
            self._children.append(child)
        except (ConfigError, OSError) as error:
            self._failed(task, error)
        finally:
            lock.let_go()

    def _hear(self, task: Task) -> None:
        """Keep what a task's process answered."""
        out, err = (folder_of(self.world) / f"{task.id}.{ending}" for ending in ("json", "err"))
        try:
            text, said = (place.read_bytes() if place.exists() else b"" for place in (out, err))
            told = answered(text, task.name, said)
        except LudbError as error:
            self._failed(task, error)
            self._tell(task, "task.failed")
        else:
            run = run_in(told)
            self.world.repository.tasks.end(task.id, TaskState.DONE, told, run)
            self._tell(task, "task.done", run)
        for ending in ("json", "err", "lock", "units"):
            (folder_of(self.world) / f"{task.id}.{ending}").unlink(missing_ok=True)

    def _failed(self, task: Task, error: Exception) -> None:
        self.world.repository.tasks.end(task.id, TaskState.FAILED, failure(error))
        Timekeeper(self.world).heard(task.id, str(error))

    def _tell(self, task: Task, name: str, run: str = "") -> None:
        where = run or task.run
        if where:
            data = {"task": task.id, "command": task.name, "by": task.actor}
            self.world.repository.events.append(Event(name, where, "", "info", lasting=True, data=data))

    def _adopt(self) -> None:
        """Hold runs of this host that go on and that nobody holds: their workers are kept alive, commands are taken again."""
        going = self.world.repository.pages.runs(states=[RunState.RUNNING, RunState.STOPPING], limit=500)
        waiting = self.world.repository.pages.runs(states=[RunState.PAUSED], limit=500)
        for _, run in [*going, *((number, one) for number, one in waiting if paused_by(one) == WINDOW)]:
            wait, not_before = self._again.get(run.id, (PATIENCE, 0.0))
            if time.monotonic() < not_before or not self._is_left(run):
                continue
            self._again[run.id] = (min(LONGEST, wait * 2), time.monotonic() + wait)
            with contextlib.suppress(ConfigError):  # somebody was first
                self._hold(run)

    def _is_left(self, run: Run) -> bool:
        site = self.world.site
        here = run.host == site.host and (site.pinned(run.id) / "current").exists()
        return here and not is_held(site, run.instance) and not at_work(site, run.id, "supervisor")

    def _hold(self, run: Run) -> None:
        lock = hold(self.world.site, run.instance)
        try:
            self._children.append(supervise_apart(self.world.site, run, lock, None))
        finally:
            lock.let_go()
        event = Event("run.adopted", run.id, "", "warning", lasting=True, data={"host": self.world.site.host})
        self.world.repository.events.append(event)
        self.world.note("server", "", "run.adopt", run.id)


def failure(error: Exception) -> dict[str, object]:
    """An error as a task's outcome."""
    if isinstance(error, ConfigError):
        place = {name: getattr(error, name) for name in ("file", "line", "field", "remedy")}
        return {"error": type(error).__name__, "message": error.message, **place}
    return {"error": type(error).__name__, "message": str(error)}


def run_in(told: Mapping[str, object]) -> str:
    """The run that an answer of `ludb` is about."""
    run = told.get("run")
    return str(run.get("id", "")) if isinstance(run, Mapping) else str(run or "")
