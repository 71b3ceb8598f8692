"""What needs a person, judged from the repository alone: conditions of a run at one moment."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from statistics import median

from ludb.engine.liveness import AT_WORK
from ludb.model.alerts import Condition, Severity
from ludb.model.run import ChunkState, Counters, Run, RunState
from ludb.model.tasks import Sample
from ludb.ports.repository import Repository
from ludb.service.alerts_rules import Thresholds
from ludb.service.forecast import Forecast, forecast
from ludb.service.room import paused_by
from ludb.service.windows import BY, fits, gate_for
from ludb.wording import plural

OVER = frozenset({RunState.COMPLETED, RunState.EXCEPTIONS, RunState.ABANDONED, RunState.STOPPED})
"""States in which nothing is wrong any more."""


Foretell = Callable[[Run, int, float], Forecast]
"""When a run with so many pending units will end, seen from a moment."""


def conditions(
    repository: Repository, run: Run, now: float, limits: Thresholds | None = None, foretell: Foretell | None = None
) -> list[Condition]:
    """What is so of the run now; nothing for a run that is over. The same answer for the same repository and moment."""
    limits = limits or Thresholds()
    if run.state is RunState.FAILED:
        return [Condition("run_failed", Severity.CRITICAL, f"the run failed: {run.reason}")]
    if run.state in OVER or run.state is RunState.PLANNED:
        return []
    counters = repository.views.counters(run.id)
    found = list(_units(counters, limits))
    if run.state is RunState.PAUSED:
        if paused_by(run) not in {"person", BY}:
            found.append(Condition("run_paused", Severity.CRITICAL, f"the run paused by itself: {run.reason}"))
        return found
    samples = repository.samples.of(run.id)
    left = list(_left(repository, run, now, limits))
    found += [*(left or _pace(run, counters, samples, now, limits)), *_host(samples, limits)]
    found += _window(repository, run, counters, now, foretell or _foretold(repository))
    found += _apis(repository, run, now, limits)
    return [*found, *_workers(repository, run, now, limits), *_waiting(repository, run, limits)]


def _units(counters: Counters, limits: Thresholds) -> Iterator[Condition]:
    settled = counters.total - counters.pending
    if counters.in_doubt:
        text = f"of {plural(counters.in_doubt, 'unit')} nobody can tell what an API did: look at each"
        yield Condition("in_doubt", Severity.CRITICAL, text)
    many = counters.quarantined >= limits.quarantined_least
    if many and counters.quarantined > limits.quarantined * max(1, settled):
        share = 100 * counters.quarantined / max(1, settled)
        yield Condition("quarantine_rate", Severity.WARNING, f"{share:.1f}% of the settled units are in quarantine")


def _left(repository: Repository, run: Run, now: float, limits: Thresholds) -> Iterator[Condition]:
    """Whether nobody is left who could note how it goes: the run's host is lost, or cannot reach the repository."""
    heard = repository.alerts.heard(run.id)
    if heard is not None and now - heard > limits.stalled:
        minutes = (now - heard) / 60
        text = f"no worker and no supervisor gave a sign of life for {minutes:.0f} minutes: look at host {run.host}"
        yield Condition("stalled", Severity.CRITICAL, f"{text}; once it is lost, declare it dead and resume")


def _pace(
    run: Run, counters: Counters, samples: Sequence[Sample], now: float, limits: Thresholds
) -> Iterator[Condition]:
    """Whether units are still settled, and as fast as in the run so far. Gaps, in which nobody looked, do not count."""
    if not counters.pending or not samples:
        return
    last = samples[-1]
    moved = [one.at for before, one in itertools.pairwise(samples) if one.settled > before.settled]
    since = moved[-1] if moved else (run.started_at or samples[0].at)
    if last.at - since > limits.stalled and now - last.at < limits.stalled:
        minutes = (last.at - since) / 60
        yield Condition("stalled", Severity.CRITICAL, f"no unit was settled for {minutes:.0f} minutes: see what waits")
        return
    rates = [
        ((one.settled - before.settled) / one.span, one.at, one.span)
        for before, one in itertools.pairwise(samples)
        if one.span > 0 and one.at - before.at < 2 * one.span + 1
    ]
    lately = [(rate, span) for rate, at, span in rates if at > now - limits.slow_for]
    before = [rate for rate, at, _ in rates if at <= now - limits.slow_for]
    watched = sum(span for _, span in lately)
    if len(before) < 10 or watched < limits.slow_for * 0.8:
        return
    usual, current = median(before), sum(rate * span for rate, span in lately) / watched
    if current < limits.slow * usual:
        text = f"{current:,.0f} units/s for {limits.slow_for / 60:.0f} minutes, where {usual:,.0f} were usual"
        yield Condition("slow", Severity.WARNING, text)


def _window(
    repository: Repository, run: Run, counters: Counters, now: float, foretell: Foretell
) -> Iterator[Condition]:  # fmt: skip
    """Whether the run will not be done when its window closes; only where that is as good as certain."""
    gate = gate_for(repository, run, now)
    if gate.closes_at is None or not counters.pending:
        return
    told = foretell(run, counters.pending, now)
    if fits(gate, told, now) == "no" and told.low is not None:
        late = (now + told.low - gate.closes_at) / 60
        text = f"it will need at least {late:.0f} minutes more than its window ({', '.join(gate.names)}) leaves"
        yield Condition("window", Severity.WARNING, text)


def _foretold(repository: Repository) -> Foretell:
    return lambda run, pending, now: forecast(repository.evidence.pace(run.id), pending, run.started_at or now, now)


def _host(samples: Sequence[Sample], limits: Thresholds) -> Iterator[Condition]:
    """Whether the host of the run is at its end; the processor only if it is so for minutes."""
    if not samples:
        return
    newest = samples[-1].data
    for name, most, what in (("host_memory", limits.memory, "memory"), ("host_disk", limits.disk, "disk")):
        if newest.get(name, 0.0) > most:
            yield Condition(what, Severity.CRITICAL, f"{100 * newest[name]:.0f}% of the host's {what} is used")
    busy = [one for one in samples if samples[-1].at - one.at < limits.cpu_for]
    long_enough = busy[-1].at - busy[0].at + busy[0].span > limits.cpu_for * 0.8
    if long_enough and all(one.data.get("host_cpu", 0.0) > limits.cpu for one in busy):
        yield Condition("cpu", Severity.WARNING, "the host's processors are fully used: more workers bring nothing")


def _apis(repository: Repository, run: Run, now: float, limits: Thresholds) -> Iterator[Condition]:
    """Whether a system fails more calls than it may, of those that are recent."""
    for system, (failed, calls) in sorted(repository.alerts.calls(run.id, now - limits.api_errors_for).items()):
        if failed >= limits.api_errors_least and failed > limits.api_errors * calls:
            text = f"{system}: {100 * failed / calls:.0f}% of the last {calls:,} calls failed: see the calls"
            yield Condition("api_errors", Severity.WARNING, text)
            return


def _workers(repository: Repository, run: Run, now: float, limits: Thresholds) -> Iterator[Condition]:
    owners = [one for one in repository.owners.all(run.id) if one.role == "worker"]
    dead = [one for one in owners if one.state == "dead"]
    if dead and not any(one.state in AT_WORK for one in owners):
        yield Condition("no_worker", Severity.CRITICAL, f"the last of {len(dead)} worker(s) died: see the logs")
        return
    lost = repository.alerts.lost(run.id, now - limits.lost_for)
    if lost and lost >= limits.lost:
        text = f"{plural(lost, 'worker')} died within {limits.lost_for / 60:.0f} minutes: see the logs"
        yield Condition("workers_lost", Severity.WARNING, text)


def _waiting(repository: Repository, run: Run, limits: Thresholds) -> Iterator[Condition]:
    most = int(limits.waiting)
    chunks = repository.pages.chunks(run.id, states=[ChunkState.RELEASED], limit=most)
    waiting = [one for one in chunks if one.error and one.attempt > 1]
    if len(waiting) >= most:
        yield Condition("away", Severity.WARNING, f"chunks wait again and again: {waiting[0].error}")
