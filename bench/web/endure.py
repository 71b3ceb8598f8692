"""What a page does while much happens: its longest tasks, and the memory that its scripts keep."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean

from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parents[2]
WARM = 5.0
"""Seconds of the replay before the page is judged: what it has seen once is compiled, and its lists are full."""
LOOKS, LEAST = 30, 1.0
"""Looks at the memory, and the seconds that lie between two of them at least."""
OBSERVE = """() => { window.tasks = []; new PerformanceObserver(list => list.getEntries().forEach(
    one => window.tasks.push(one.duration))).observe({ type: 'longtask' }) }"""


@dataclass(frozen=True, slots=True)
class Endured:
    """Milliseconds of tasks of 50 ms and more, as a reader feels them; of processor that the dearest task took, and bytes of the
    heap after a forced collection, at each look, oldest first.
    """

    tasks: list[float] = field(default_factory=list)
    spent: list[float] = field(default_factory=list)
    heap: list[float] = field(default_factory=list)

    @property
    def longest(self) -> float:
        """The longest task; what lasts less than 50 ms is not told by the browser."""
        return max(self.tasks, default=50.0)

    @property
    def dearest(self) -> float:
        """What the dearest task took of the processor: the same on a machine that is busy with other work, too."""
        return max(self.spent)

    @property
    def heap_at_first(self) -> float:
        """Megabytes: the mean of the first third of all looks."""
        return mean(self.heap[: max(1, len(self.heap) // 3)]) / 1e6

    @property
    def heap_at_end(self) -> float:
        """Megabytes: the mean of the last third."""
        return mean(self.heap[-max(1, len(self.heap) // 3) :]) / 1e6

    @property
    def growth(self) -> float:
        """The last third against the first one."""
        return self.heap_at_end / self.heap_at_first


def endure(page: Page, file: Path, seconds: float) -> Endured:
    """Watch a run's page, which is ready, for so long, while a recorded run is replayed in this repository."""
    with _replaying(file, seconds + WARM + 5.0) as replay:
        page.wait_for_timeout(1000 * WARM)
        found = _watch(page, seconds)
        if replay.poll() is not None:
            raise RuntimeError("the replay ended before its time")
    return found


@contextmanager
def _replaying(file: Path, seconds: float) -> Iterator[subprocess.Popen[bytes]]:
    """A process that replays the recorded run in this repository."""
    words = [sys.executable, "-m", "bench.web.replay", str(file), f"--seconds={seconds}"]
    process = subprocess.Popen(words, cwd=ROOT)  # noqa: S603  (our own module)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _watch(page: Page, seconds: float) -> Endured:
    """Look by look, so that what the forced collections take is none of the page's tasks."""
    line = page.context.new_cdp_session(page)
    page.evaluate(OBSERVE)
    found = Endured()
    began, pause = time.monotonic(), max(LEAST, seconds / LOOKS)
    while (left := began + seconds - time.monotonic()) > 0:
        found.spent.append(_busiest(page, min(left, pause)))
        found.tasks.extend(page.evaluate("window.tasks.splice(0)"))
        line.send("HeapProfiler.collectGarbage")
        found.heap.append(float(line.send("Runtime.getHeapUsage")["usedSize"]))
        page.evaluate("new Promise(go => setTimeout(() => { window.tasks.length = 0; go() }, 50))")
    return found


def _busiest(page: Page, seconds: float) -> float:
    """Milliseconds of processor that the dearest task of the page's own thread took within so many seconds."""
    browser = page.context.browser
    assert browser is not None
    browser.start_tracing(page=page, categories=["toplevel"])
    page.wait_for_timeout(1000 * seconds)
    events = json.loads(browser.stop_tracing())["traceEvents"]
    own = {(one["pid"], one["tid"]) for one in events
           if one["name"] == "thread_name" and one["args"]["name"] == "CrRendererMain"}  # fmt: skip
    spent = [one["tdur"] for one in events
             if one["name"].endswith("RunTask") and (one["pid"], one["tid"]) in own and "tdur" in one]  # fmt: skip
    return max(spent, default=0.0) / 1000
