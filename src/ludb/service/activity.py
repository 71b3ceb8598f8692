"""What goes on in a run at this moment, from the repository: what `ludb run` shows while it waits."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ludb.engine.liveness import Liveness
from ludb.model.run import Chunk, ChunkState, Counters, Owner, RunState
from ludb.ports.repository import Repository
from ludb.ports.views import RowCounts
from ludb.service.site import Site

PAUSE = 20.0
"""A look at rows and exceptions that takes long is not repeated before this many times its own time: looking must not
slow the run down.
"""


@dataclass(frozen=True, slots=True)
class Activity:
    """One look at a run. `written` counts rows by output, of units that have moved; `aside` counts units by state and step;
    `workers` are those that live; `waiting` counts chunks by the error they wait for; `reason` is why it is in its state.
    """

    counters: Counters
    written: Mapping[str, int]
    aside: Mapping[tuple[str, str], int]
    workers: tuple[Owner, ...]
    waiting: Mapping[str, int]
    state: RunState = RunState.RUNNING
    reason: str = ""


class Watch:
    """Looks at one run again and again; what has not changed since the last look is not read again."""

    def __init__(self, site: Site, run_id: str) -> None:
        """Nothing is read yet."""
        self._site, self._run = site, run_id
        self._settled: Counters | None = None
        self._not_before = 0.0
        self._rows = RowCounts()
        self._aside: Mapping[tuple[str, str], int] = {}

    def look(self) -> Activity:
        """The run as it is now; `TransientError` if the repository is away."""
        views = self._site.repository.views
        counters = views.counters(self._run)
        began = time.monotonic()
        if counters != self._settled and began >= self._not_before:
            self._rows = views.rows(self._run)
            found = views.exceptions(self._run) if counters.total - counters.pending - counters.done else []
            self._aside = Counter((str(one.state), one.step or one.phase) for one in found)
            self._settled = counters
            self._not_before = began + PAUSE * (time.monotonic() - began)
        written = {name: states["done"] for name, states in self._rows.output.items() if states.get("done")}
        workers = tuple(living(self._site, self._run, "worker"))
        waiting = waiting_for(views.chunks(self._run, unresolved=True))
        run = self._site.repository.runs.get(self._run)
        return Activity(counters, written, self._aside, workers, waiting, run.state, run.reason)


def living(site: Site, run_id: str, role: str) -> list[Owner]:
    """Workers or supervisors of a run that are not known to be dead."""
    return list(liveness_of(site.repository, run_id, site.host).living(role))


def liveness_of(repository: Repository, run_id: str, host: str) -> Liveness:
    """For one look: silence, which needs two, is not judged."""
    return Liveness(repository.owners, run_id, 0.0, host=host)


def waiting_for(chunks: Collection[tuple[Chunk, str, float | None]]) -> Mapping[str, int]:
    """Released chunks by the error that they wait for, the most frequent first."""
    counted = Counter(error for chunk, error, _ in chunks if error and chunk.state is ChunkState.RELEASED)
    return dict(counted.most_common())
