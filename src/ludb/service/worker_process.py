"""One worker process, from its command line to its end."""

from __future__ import annotations

import os
import random
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import cast

from ludb.engine.call_waves import meter
from ludb.engine.heartbeat import Heartbeat
from ludb.engine.liveness import Liveness, OwnerLock
from ludb.engine.worker import Worker, measure_process
from ludb.engine.workplace import Fence, Workplace
from ludb.errors import ConfigError
from ludb.journals.files import FileJournal
from ludb.model.run import Owner, Run, RunState
from ludb.model.steering import Live, Orders
from ludb.observers.doing import DoingObserver
from ludb.observers.log import LogObserver
from ludb.ports.repository import Repository
from ludb.ports.target import CanGuard, CanSteer
from ludb.service.dry_adapters import DryRepository
from ludb.service.noting import Noting
from ludb.service.pinning import Pinned, load_pinned
from ludb.service.site import Site, open_repository
from ludb.service.steering import STOP
from ludb.testing.faults import FaultObserver

BEATS_PER_LEASE = 6.0
"""How often a worker says that it is alive, per lease."""


def run_worker(site: Site, run_id: str) -> Run:
    """Work on the run until it has ended, paused or stopped; returns it as it then is.

    A job that cannot be loaded fails the run with the reason: it would fail in every worker.
    """
    if site.keys_of:
        known = open_repository(site.keys_of).keymap
        site = replace(site, repository=cast("Repository", DryRepository(site.repository, known)))
    run = site.repository.runs.get(run_id)
    try:
        pinned = load_pinned(site, run)
    except ConfigError as error:
        site.repository.runs.change(run_id, RunState.FAILED, str(error))
        return site.repository.runs.get(run_id)
    with at_work(site, run, pinned) as (at, liveness):
        at.announce("worker.started", lasting=True, worker=at.owner, pid=os.getpid())
        ended = Worker(at, liveness).work()
        for name, target in at.migration.calls.items():
            meter(name, target, at, lasting=True)
        at.announce("worker.ended", lasting=True, worker=at.owner, run_state=str(ended.state))
        return ended


@contextmanager
def at_work(site: Site, run: Run, pinned: Pinned) -> Iterator[tuple[Workplace, Liveness]]:
    """A worker's place in this process: enrolled, with a lock and a heartbeat, until the end of the block."""
    owner_id = f"w-{uuid.uuid4().hex[:8]}"
    lease = pinned.migration.job.settings.lease
    lock = OwnerLock(site.locks / f"{owner_id}.lock")
    log = LogObserver(site.logs(run.id) / f"{owner_id}.log", bound={"worker": owner_id, "pid": os.getpid()})
    fence = Fence(lease)

    def tell(words: str) -> None:
        heart.doing = words

    at = Workplace(
        run=run,
        migration=pinned.migration,
        repository=site.repository,
        journal=FileJournal(site.journal),
        observers=[log, DoingObserver(tell), *FaultObserver.from_environment(site.environment)],
        stage=pinned.stage,
        planned_faults=pinned.faults,
        shared=pinned.shared,
        owner=owner_id,
        fence=fence,
        random=random.Random(),  # noqa: S311  (jitter)
    )
    for target in at.migration.calls.values():
        if isinstance(target, CanGuard):
            target.guard(lambda: not fence.expired())
    owner = Owner(owner_id, run.id, "worker", site.host, os.getpid(), str(lock.path))
    interval = min(1.0, lease / BEATS_PER_LEASE)
    obey = Obedience(at)
    obey(Orders(run.state, Live.of(run.settings)))
    noting = Noting(at)

    def hear(orders: Orders) -> None:
        obey(orders)
        noting.tick()

    heart = Heartbeat(site.repository.owners, owner, fence, interval, measure_process(), hear)
    left = "dead"  # whoever is thrown out has not taken leave
    try:
        yield at, Liveness(site.repository.owners, run.id, lease, host=site.host)
        left = "ended"
    finally:
        noting.tick(last=True)
        heart.close(left)
        pinned.migration.close()
        lock.release()
        log.close()


class Obedience:
    """Does what a worker is told by its heartbeat: keeps the orders, takes this worker's share of each system's pace, and
    lets nothing go out any more where the run is to stop now.
    """

    def __init__(self, at: Workplace) -> None:
        """Nothing was told yet."""
        self._at = at
        self._limits: dict[str, tuple[float | None, int | None]] = {}

    def __call__(self, orders: Orders) -> None:
        """Take note of the newest orders; called in the heart's thread."""
        self._at.told.orders = orders
        sharing = max(orders.live.workers, orders.at_work, 1)
        targets = self._at.migration.calls.items()
        for name, target in targets:
            own = orders.live.calls.get(name)
            if own is None or not isinstance(target, CanSteer):
                continue
            pace = None if own.pace is None else own.pace / sharing
            limits = (pace, None if own.in_flight is None else max(1, own.in_flight // sharing))
            if self._limits.get(name) != limits:
                target.steer(*limits)
                self._limits[name] = limits
        if orders.state is RunState.STOPPING and stop_now(self._at.repository, self._at.run.id):
            self._at.fence.halted = True
            for _, target in targets:
                if isinstance(target, CanSteer):
                    target.halt()


def stop_now(repository: Repository, run_id: str) -> bool:
    """Whether somebody asked the run to stop at once; the supervisor keeps the command open until it has stopped."""
    return any(asked.name == STOP and asked.arguments.get("now") for asked in repository.commands.take(run_id))
