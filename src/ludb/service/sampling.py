"""How a run goes, noted every few seconds by whoever holds it: for charts that begin at its beginning."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections import Counter
from collections.abc import Callable, Mapping

from ludb.errors import TransientError
from ludb.model.tasks import Sample
from ludb.service.activity import living
from ludb.service.site import Site

Figures = Callable[[], Mapping[str, float]]
"""Measures something, by name."""
EVERY = 5.0
"""Seconds between two samples, before they are merged."""


class Sampler:
    """Notes units settled, workers, what they do, and how busy they and their host are. Looking costs a few queries."""

    def __init__(
        self, site: Site, run_id: str, *, clock: Callable[[], float] = time.time, host: Figures | None = None
    ) -> None:  # fmt: skip
        """Note nothing yet. `host` measures the host; by default by psutil, if it is installed."""
        self._site, self._run, self._clock = site, run_id, clock
        self._host = host or host_figures(site)
        self._last = clock()

    def tick(self) -> None:
        """Note how the run stands, if it is time for it; a repository that is away is asked again next time."""
        now = self._clock()
        if now - self._last < EVERY:
            return
        span, self._last = now - self._last, now
        with contextlib.suppress(TransientError):
            counters = self._site.repository.views.counters(self._run)
            settled = counters.total - counters.pending
            self._site.repository.samples.add(self._run, Sample(now, span, settled, self._figures()))

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


def host_figures(site: Site) -> Figures:
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
