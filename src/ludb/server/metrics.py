"""Figures for Prometheus: of runs that go on, and of the server itself. No label ever names a unit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from ludb.model.calls import LATENCIES
from ludb.model.figures import CALL, FLYING, PHASE, REQUEST, SYSTEM, Figure, landed, together
from ludb.model.run import Run, RunState
from ludb.model.tasks import TaskState
from ludb.server.shaping import NOTHING, counters_shape
from ludb.server.world import World
from ludb.service.activity import living

SHOWN = 50
"""Runs that are shown: those that go on, and the newest others."""
GOING = (RunState.RUNNING, RunState.PAUSED, RunState.STOPPING)
COSTS = {
    "requests": "Requests and statements", "rows": "Rows read, written or sent", "seconds": "Time spent with a system",
    "failed": "Answers 5xx, or none", "throttled": "Answers 429", "waited_seconds": "Time waited for the pace",
    "sent_bytes": "Bytes of documents sent", "received_bytes": "Bytes of documents received",
}  # fmt: skip
"""What passed between workers and a system, in the order of its figures."""
_STATES = ("done", "quarantined", "in_doubt", "gone", "rolled_back", "pending")


class Metrics:
    """One registry per server. Runs are read when somebody asks; answers are counted as they leave."""

    def __init__(self, world: World) -> None:
        """Count nothing yet."""
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(Runs(world))
        self.answers = Histogram(
            "ludb_http_seconds", "Time to the first byte of an answer", ["method", "path", "status"],
            registry=self._registry, buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
        )  # fmt: skip

    def text(self) -> bytes:
        """All figures in Prometheus' text form."""
        return generate_latest(self._registry)


class Called:
    """Families of what came of requests and calls, how long requests took, and how many are on their way."""

    def __init__(self) -> None:
        """Nothing came yet."""
        by_outcome = ["job", "run", "system", "outcome"]
        self._answers = CounterMetricFamily("ludb_run_system_answers", "Requests by what came back", labels=by_outcome)
        self._calls = CounterMetricFamily("ludb_run_system_calls", "Calls by what they came to", labels=by_outcome)
        self._times = HistogramMetricFamily(
            "ludb_run_system_latency_seconds", "Times of requests and statements", labels=["job", "run", "system"]
        )
        self._flying = GaugeMetricFamily(
            "ludb_run_system_in_flight", "Requests on their way, of workers that live", labels=["job", "run", "system"]
        )
        self.families = (self._answers, self._calls, self._times, self._flying)

    def add(self, run: Run, kind: str, name: str, figure: Figure) -> None:
        """One figure of a run, whatever its kind."""
        if kind in {REQUEST, CALL}:
            system, _, outcome = name.rpartition(" ")
            family = self._answers if kind == REQUEST else self._calls
            family.add_metric([run.job, run.id, system, outcome], figure.count)
        elif kind == FLYING:
            self._flying.add_metric([run.job, run.id, name], figure.count)
        elif kind == SYSTEM and figure.latencies:
            bounds = [*(str(one) for one in LATENCIES), "+Inf"]
            buckets = list(zip(bounds, accumulate(figure.latencies), strict=True))
            self._times.add_metric([run.job, run.id, name], buckets, figure.seconds)


class Runs(Collector):
    """Figures of runs, from the repository."""

    def __init__(self, world: World) -> None:
        """Read from this world."""
        self._world = world

    def describe(self) -> list[Metric]:
        """Nothing is read for a description."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The figures of this moment: one look."""
        pages = self._world.repository.pages
        runs = {run.id: run for _, run in [*pages.runs(states=GOING, limit=SHOWN), *pages.runs(limit=SHOWN)]}
        shown = list(runs.values())[:SHOWN]
        counters = pages.counters([run.id for run in shown])
        units = GaugeMetricFamily("ludb_run_units", "Units by state", labels=["job", "run", "state"])
        going = GaugeMetricFamily("ludb_run_going", "1 while the run goes on", labels=["job", "run", "state"])
        workers = GaugeMetricFamily("ludb_run_workers", "Workers that live", labels=["job", "run"])
        cpu = GaugeMetricFamily("ludb_run_worker_cpu_cores", "Cores that workers use", labels=["job", "run"])
        memory = GaugeMetricFamily("ludb_run_worker_memory_bytes", "Memory of workers", labels=["job", "run"])
        for run in shown:
            shape = counters_shape(counters.get(run.id, NOTHING))
            for state in _STATES:
                units.add_metric([run.job, run.id, state], getattr(shape, state))
            going.add_metric([run.job, run.id, str(run.state)], float(run.state in GOING))
            if run.state in GOING:
                mine = living(self._world.site, run.id, "worker")
                workers.add_metric([run.job, run.id], len(mine))
                cpu.add_metric([run.job, run.id], sum(one.cpu for one in mine))
                memory.add_metric([run.job, run.id], sum(one.memory for one in mine))
        yield from (units, going, workers, cpu, memory, self._tasks(), self._alerts())
        yield from self._costs([run for run in shown if run.state in GOING])
        yield CounterMetricFamily("ludb_repository_seq", "Claims made so far", value=self._world.repository.runs.seq())

    def _costs(self, runs: Sequence[Run]) -> Iterator[Metric]:
        """What the work of runs that go on has cost so far, by system and by phase."""
        systems = {
            name: CounterMetricFamily(f"ludb_run_system_{name}", text, labels=["job", "run", "system"])
            for name, text in COSTS.items()
        }
        phases = CounterMetricFamily("ludb_run_phase_seconds", "Workers' time by phase", labels=["job", "run", "phase"])
        called = Called()
        noted = self._world.repository.figures.of([run.id for run in runs])
        for run in runs:
            alive = {one.id for one in living(self._world.site, run.id, "worker")}
            mine = noted.get(run.id, {}).items()
            sums = together([figures if owner in alive else landed(figures) for owner, figures in mine])
            for (kind, name), figure in sorted(sums.items()):
                if kind == PHASE:
                    phases.add_metric([run.job, run.id, name], figure.seconds)
                elif kind == SYSTEM:
                    costs = (
                        figure.count, figure.rows, figure.seconds, figure.failed, figure.throttled, figure.waited,
                        figure.sent, figure.received,
                    )  # fmt: skip
                    for family, value in zip(systems.values(), costs, strict=True):
                        family.add_metric([run.job, run.id, name], value)
                called.add(run, kind, name, figure)
        yield from (*systems.values(), phases, *called.families)

    def _alerts(self) -> Metric:
        found = GaugeMetricFamily("ludb_alerts_standing", "Alerts that are not over", labels=["rule", "severity"])
        standing = self._world.repository.alerts.page(standing=True, limit=500)
        for (rule, severity), number in sorted(Counter((one.rule, str(one.severity)) for one in standing).items()):
            found.add_metric([rule, severity], number)
        return found

    def _tasks(self) -> Metric:
        found = GaugeMetricFamily("ludb_tasks", "Tasks that wait or are carried out", labels=["state"])
        counted = Counter(
            {
                state: len(self._world.repository.tasks.page(state=state, limit=500))
                for state in (TaskState.WAITING, TaskState.RUNNING)
            }
        )
        for state, number in counted.items():
            found.add_metric([str(state)], number)
        return found
