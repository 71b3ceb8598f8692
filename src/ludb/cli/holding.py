"""Holding a run: in a terminal, in one that has gone, or as a process of its own."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Self

import typer

from ludb.cli import options
from ludb.cli.console import answer, err, out
from ludb.errors import LudbError, TransientError

if TYPE_CHECKING:
    from ludb.launchers.nursery import Nursery
    from ludb.service.runs import Started
    from ludb.service.site import Site
    from ludb.service.supervisor import Supervisor

PATIENCE = 60.0
"""Seconds in which a detached supervisor must have taken the run over."""


def hold_run(site: Site, started: Started, workers: int | None, nursery: Nursery, *, json: bool) -> int:
    """Supervise the run until it has ended, show what it did, and return the exit code. The nursery is ended with it."""
    from ludb.cli.places import hints_for
    from ludb.cli.progress import Progress
    from ludb.cli.report import render_summary
    from ludb.launchers.local import LocalLauncher
    from ludb.service.activity import Watch
    from ludb.service.detached import told
    from ludb.service.sampling import Sampler
    from ludb.service.summary import exit_code, summarize
    from ludb.service.supervisor import Supervisor

    progress = Progress(err, Watch(site, started.run.id).look, started.run)
    lease = float(str(started.run.settings.get("lease", 60)))
    launcher = LocalLauncher(site.logs(started.run.id), told(site), nursery)
    supervisor = Supervisor(
        site, started.run, launcher, workers, lease, ["--state", str(site.state)], away=progress.away
    )
    nursery.gave_up = supervisor.without_nursery
    words = Words(site.logs(started.run.id) / "supervisor.out", progress.close)
    supervisor.lost = lambda worker: words.say(lambda: progress.lost(worker))
    keys = Interrupts(supervisor, site.actor)
    sampler = Sampler(site, started.run.id)

    def tick() -> None:
        if keys.hung_up:
            words.leave_terminal()
        words.say(keys.obey)
        words.say(progress.tick)
        sampler.tick()

    supervisor.tick = tick
    try:
        with keys, nursery:
            words.say(lambda: progress.start(started))
            ended = supervisor.supervise()
            sampler.tick(last=True)
    finally:
        words.say(progress.close)
        started.lock.release()
    summary = summarize(site, ended.id)
    words.say(lambda: answer(summary) if json else render_summary(out, summary, hints_for(site, summary.run)))
    return 130 if keys.presses > 1 else exit_code(ended, summary.counters, summary.hooks)


class Words:
    """What is said while a run is held. A terminal that has gone must not end the run: the words go to a file then."""

    def __init__(self, instead: Path, silence: Callable[[], None]) -> None:
        """`silence` ends what would be drawn in a terminal."""
        self._instead, self._silence = instead, silence
        self._terminals = [number for number in (1, 2) if os.isatty(number)]
        self._left = False

    def say(self, words: Callable[[], None]) -> None:
        """Say something; where nobody can hear it, it is said to the file, now and from now on."""
        try:
            words()
        except OSError:
            self.leave_terminal(*(() if self._terminals else (1, 2)))  # a pipe that nobody reads any more

    def leave_terminal(self, *others: int) -> None:
        """Write to the file from now on, instead of to the terminal."""
        if self._left:
            return
        self._left = True
        self._instead.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = os.open(self._instead, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for number in [*self._terminals, *others]:
            os.dup2(file, number)
        os.close(file)
        self._silence()


class Interrupts:
    """Ctrl-C and SIGTERM while a run is held: the first stops it after the chunks in flight, the second at once, a third
    leaves this process at once. SIGHUP, a terminal that has gone, ends nothing.

    The signal handler only counts, since it may run in the middle of anything; `obey` acts, between two looks at the run.
    """

    def __init__(self, supervisor: Supervisor, actor: str) -> None:
        """Nothing was pressed yet."""
        self._supervisor, self._actor = supervisor, actor
        self.presses = 0
        self.hung_up = False
        self._obeyed = 0
        self._waits = False

    def __enter__(self) -> Self:
        """Listen."""
        handlers = {signal.SIGINT: self._pressed, signal.SIGTERM: self._pressed, signal.SIGHUP: self._gone}
        self._previous = [(number, signal.signal(number, handler)) for number, handler in handlers.items()]
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the signals as they were; a terminal that has gone stays gone."""
        for number, handler in self._previous:
            if number != signal.SIGHUP:
                signal.signal(number, handler)

    def _pressed(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.presses += 1
        if self.presses > 2:
            raise KeyboardInterrupt

    def _gone(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.hung_up = True

    def obey(self) -> None:
        """Do what was asked for since the last look. KeyboardInterrupt where the repository is away and it was twice."""
        if self.presses > self._obeyed == 0:
            try:
                self._supervisor.stop(self._actor)
            except TransientError:
                self._unheard()
                return
            err.print("stopping after the chunks in flight; press Ctrl-C again to stop at once")
            self._obeyed = 1
        if self.presses > self._obeyed == 1:
            err.print("stopping at once; what was in flight is taken up again by the next `ludb run`")
            self._supervisor.kill()
            self._obeyed = 2

    def _unheard(self) -> None:
        """The repository is away and takes no wish to stop: it is told once it is back, unless somebody cannot wait."""
        if self.presses > 1:
            err.print("its workers are ended; what was in flight is taken up again by the next `ludb run`")
            self._supervisor.kill()
            raise KeyboardInterrupt
        if not self._waits:
            err.print("the repository is away: the run stops once it is back; press Ctrl-C again to leave now")
            self._waits = True


def detach(site: Site, started: Started, workers: int | None, *, json: bool) -> int:
    """Hand the run to a supervisor in a session of its own, and say who it is. The lock on the instance goes with it, so
    that nobody can come in between.
    """
    from ludb.service.detached import supervise_apart
    from ludb.service.steering import at_work

    run, lock = started.run, started.lock
    log = site.logs(run.id) / "supervisor.out"
    process = supervise_apart(site, run, lock, workers)
    until = time.monotonic() + PATIENCE
    while not any(owner.pid == process.pid for owner in at_work(site, run.id, "supervisor")):
        if process.poll() is not None or time.monotonic() > until:
            if process.returncode in {0, 3, 4, 5, 6}:
                break  # it was quick: the run has ended already
            lock.release()
            err.print(f"the supervisor of {run.id} did not start; see {log}", soft_wrap=True)
            return 1
        time.sleep(0.05)
    lock.let_go()
    if json:
        answer({"run": run.id, "pid": process.pid, "log": str(log.parent)})
    else:
        out.print(f"run {run.id} is held by process {process.pid}; logs are in {log.parent}", soft_wrap=True)
    return 0


def supervise(
    run_id: Annotated[str, typer.Option("--run", help="The run to hold.")],
    lock: Annotated[Path, typer.Option("--lock", help="The lock on its instance, taken by whoever starts this.")],
    lock_file: Annotated[int, typer.Option("--lock-file", help="The open file of that lock.")],
    workers: Annotated[int | None, typer.Option("--workers", min=1, max=1024)] = None,
    state: options.State = None,
    repository: options.Repository = None,
    json: options.Json = False,
) -> None:
    """Hold a run that was started. Started by `--detach`."""
    from ludb.launchers.nursery import Nursery

    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with Nursery() as nursery:
        from ludb.engine.liveness import OwnerLock
        from ludb.service.runs import Started
        from ludb.service.site import open_site

        site = open_site(state=state, repository=repository)
        run = site.repository.runs.get(run_id)
        started = Started(run, resumed=run.started_at is not None, changed=False, lock=OwnerLock(lock, lock_file))
        sys.exit(hold_run(site, started, workers, nursery, json=json))


def nursery(
    job: Annotated[Path | None, typer.Option("--job", help="The job folder whose adapters will be needed.")] = None,
) -> None:
    """Have everything imported that workers need, and become one for each line of standard input. Started by whoever holds
    a run.
    """
    from ludb.cli.app import main
    from ludb.launchers.nursery import serve

    import_for_workers(job)
    serve(main)


def import_for_workers(job: Path | None) -> None:
    """Import what workers need, and what whoever holds a run of the job does."""
    import contextlib

    from ludb.project.folder import read_job
    from ludb.service import site, worker_process

    del worker_process  # is imported, no more
    url = os.environ.get("LUDB_REPOSITORY") or "sqlite:"
    site.repository_type(url)
    if job is not None:
        with contextlib.suppress(LudbError, OSError):  # whoever reads it for the run says what is wrong with it
            read_job(job, os.environ)
