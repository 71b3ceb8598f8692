"""Where a run stands at this moment, for polling and for the stream."""

from __future__ import annotations

from ludb.model.run import Run, RunState
from ludb.server.shapes.runs import EtaShape, ProgressShape, WaitingShape
from ludb.server.shaping import counters_shape, percent
from ludb.server.world import World
from ludb.service.activity import waiting_for
from ludb.service.forecast import Forecast
from ludb.service.steering import at_work


def progress_of(world: World, run_id: str) -> ProgressShape:
    """One look at the repository; nothing in it comes from memory."""
    repository, now = world.repository, world.now()
    run = repository.runs.get(run_id)
    counters = world.counters(run_id)
    owners = at_work(world.site, run_id)
    waiting = waiting_for(repository.views.chunks(run_id, unresolved=True))
    newest = repository.pages.events(run_id, limit=1)
    told = world.forecasts.of(repository, run, counters.pending, now)
    workers = sum(one.role == "worker" for one in owners)
    return ProgressShape(
        run=run_id, at=now, state=run.state, reason=run.reason, counters=counters_shape(counters),
        percent=percent(counters), rate=told.rate if run.state is RunState.RUNNING else None, mean_rate=told.mean_rate,
        eta=_eta(run, told, now), workers=workers, held=len(owners) > workers,
        waiting=[WaitingShape(reason=reason, chunks=chunks) for reason, chunks in waiting.items()],
        last_event=newest[0][0] if newest else 0,
    )  # fmt: skip


def _eta(run: Run, told: Forecast, now: float) -> EtaShape | None:
    """Only for a run that goes on."""
    if run.state is not RunState.RUNNING or told.low is None or told.typical is None or told.high is None:
        return None
    return EtaShape(low=now + told.low, typical=now + told.typical, high=now + told.high)
