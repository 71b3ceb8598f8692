"""One worker process, from its command line to its end."""

from __future__ import annotations

import os
import random
import uuid
from collections.abc import Sequence

from ludb.engine.heartbeat import Heartbeat
from ludb.engine.liveness import Liveness, OwnerLock
from ludb.engine.worker import Worker, measure_process
from ludb.engine.workplace import Fence, Workplace
from ludb.errors import ConfigError
from ludb.journals.files import FileJournal
from ludb.model.run import Owner, Run, RunState
from ludb.observers.log import LogObserver
from ludb.ports.observer import Observer
from ludb.service.pinning import load_pinned
from ludb.service.site import Site
from ludb.testing.faults import FaultObserver

BEATS_PER_LEASE = 6.0
"""How often a worker says that it is alive, per lease."""


def run_worker(site: Site, run_id: str) -> Run:
    """Work on the run until it has ended, paused or stopped; returns it as it then is.

    A job that cannot be loaded fails the run with the reason: it would fail in every worker.
    """
    run = site.repository.runs.get(run_id)
    owner_id = f"w-{uuid.uuid4().hex[:8]}"
    lock = OwnerLock(site.locks / f"{owner_id}.lock")
    log = LogObserver(site.logs(run_id) / f"{owner_id}.log", bound={"worker": owner_id, "pid": os.getpid()})
    observers: list[Observer] = [log, *FaultObserver.from_environment(site.environment)]
    try:
        pinned = load_pinned(site, run)
    except ConfigError as error:
        site.repository.runs.change(run_id, RunState.FAILED, str(error))
        lock.release()
        return site.repository.runs.get(run_id)
    settings = pinned.migration.job.settings
    fence = Fence(settings.lease)
    at = Workplace(
        run=run,
        migration=pinned.migration,
        repository=site.repository,
        journal=FileJournal(site.journal),
        observers=observers,
        stage=pinned.stage,
        planned_faults=pinned.faults,
        owner=owner_id,
        fence=fence,
        random=random.Random(),  # noqa: S311  (jitter)
    )
    return _work(site, at, lock, observers)


def _work(site: Site, at: Workplace, lock: OwnerLock, observers: Sequence[Observer]) -> Run:
    lease = at.migration.job.settings.lease
    owner = Owner(at.owner, at.run.id, "worker", site.host, os.getpid(), str(lock.path))
    heart = Heartbeat(site.repository.owners, owner, at.fence, min(1.0, lease / BEATS_PER_LEASE), measure_process())
    liveness = Liveness(site.repository.owners, at.run.id, lease, host=site.host)
    try:
        at.announce("worker.started", lasting=True, worker=at.owner, pid=owner.pid)
        ended = Worker(at, liveness).work()
        at.announce("worker.ended", lasting=True, worker=at.owner, run_state=str(ended.state))
        return ended
    finally:
        heart.close()
        at.migration.close()
        lock.release()
        for observer in observers:
            if isinstance(observer, LogObserver):
                observer.close()
