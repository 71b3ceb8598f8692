"""How a run goes, noted every few seconds by whoever holds it: for charts that begin at its beginning."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections import Counter
from collections.abc import Callable, Mapping

from ludb.errors import TransientError
from ludb.model.figures import Figure, Figures, rates, together
from ludb.model.tasks import Sample
from ludb.service.activity import living
from ludb.service.site import Site

Measured = Callable[[], Mapping[str, float]]
"""Measures something, by name."""
EVERY = 5.0
"""Seconds between two samples, before they are merged."""


class Sampler:
    """Notes units settled, workers, what they do, and how busy they and their host are. Looking costs a few queries."""

    def __init__(
        self, site: Site, run_id: str, *, clock: Callable[[], float] = time.time, host: Measured | None = None
    ) -> None:  # fmt: skip
        """Note nothing yet. `host` measures the host; by default by psutil, if it is installed."""
        self._site, self._run, self._clock = site, run_id, clock
        self._host = host or host_figures(site)
        self._last = clock()
        self._counted: Figures | None = None
        with contextlib.suppress(TransientError):
            self._counted = self._sums()

    def tick(self, *, last: bool = False) -> None:
        """Note how the run stands, if it is time for it, or the `last` time; a repository that is away is asked again next
        time.
        """
        now = self._clock()
        span = now - self._last
        if span < EVERY and not (last and span > 0):
            return
        self._last = now
        with contextlib.suppress(TransientError):
            counters = self._site.repository.views.counters(self._run)
            settled = counters.total - counters.pending
            sample = Sample(now, span, settled, self._figures(), self._rates(span))
            self._site.repository.samples.add(self._run, sample)

    def _sums(self) -> Figures:
        return together(list(self._site.repository.figures.of([self._run]).get(self._run, {}).values()))

    def _rates(self, span: float) -> dict[str, float]:
        """What workers have counted since the last look, by second."""
        before, self._counted = self._counted, self._sums()
        if before is None:
            return {}
        nothing = Figure()
        new = {name: figure.less(before.get(name, nothing)) for name, figure in self._counted.items()}
        return rates(new, span)

    def _figures(self) -> dict[str, float]:
        workers = living(self._site, self._run, "worker")
        doing = Counter(_plain(one.doing) for one in workers if one.doing)
        return {
            "workers": float(len(workers)),
            "cpu": sum(one.cpu for one in workers),
            "memory": float(sum(one.memory for one in workers)),
            **{f"doing.{what}": float(number) for what, number in doing.items()},
            **self._host(),
        }


def host_figures(site: Site) -> Measured:
    """A function that measures the host: shares of processor, memory, and of the disk of the state directory."""

    def disk() -> dict[str, float]:
        usage = shutil.disk_usage(site.state)
        return {"host_disk": usage.used / usage.total}

    try:
        import psutil  # noqa: PLC0415  (an extra: without it the host is not measured)
    except ModuleNotFoundError:
        return disk
    psutil.cpu_percent()

    def figures() -> dict[str, float]:
        used = psutil.cpu_percent() / 100.0
        memory = psutil.virtual_memory()
        return {
            "host_cpu": used,
            "host_cores": float(psutil.cpu_count() or 1),
            "host_memory": memory.percent / 100.0,
            **disk(),
        }

    return figures


def _plain(doing: str) -> str:
    """What a worker does, without the number that grows meanwhile."""
    return doing.partition(",")[0]
