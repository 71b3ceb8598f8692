"""A real run that 20 listeners watch and a person steers: what the server costs beside it, and how soon things happen."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from bench import telco
from bench.harness import Bar, Plan, Result, result
from bench.server.fill import SECRET, admit
from bench.server.served import ROOT, Served, cpu_of, serving
from ludb.model.run import Run, RunState
from ludb.repositories.store.repository import StoreRepository

CUSTOMERS, CHUNK, WORKERS, LISTENERS = 16_000, 100, 2, 20
STEERED = 0.2
"""The share of units that is settled before a person steers."""
LOOK, PATIENCE = 0.02, 120.0
"""Seconds between two looks, and for how many something is waited for."""
GOING = (RunState.PLANNED, RunState.RUNNING, RunState.PAUSED, RunState.STOPPING)


@dataclass(slots=True)
class Watch:
    """One run, as its repository tells it; `spent` is the processor time of each of its workers, as seen last."""

    repository: StoreRepository
    served: Served
    run: str
    spent: dict[int, float] = field(default_factory=dict)

    def look(self) -> Run:
        """The run, after a look at what its workers have spent."""
        for owner in self.repository.owners.all(self.run):
            if owner.role == "worker" and (used := cpu_of(owner.pid)) is not None:
                self.spent[owner.pid] = max(used, self.spent.get(owner.pid, 0.0))
        return self.repository.runs.get(self.run)

    def workers(self, state: str = "alive") -> set[str]:
        """Workers in a state."""
        return {one.id for one in self.repository.owners.all(self.run) if (one.role, one.state) == ("worker", state)}

    def until(self, found: Callable[[Run], bool]) -> float:
        """Seconds until something is so."""
        began = time.monotonic()
        while not found(self.look()):
            if time.monotonic() - began > PATIENCE:
                raise RuntimeError("the run did not do what was asked of it")
            time.sleep(LOOK)
        return time.monotonic() - began

    def settled(self) -> float:
        """The share of units that is not pending."""
        counters = self.repository.views.counters(self.run)
        return 1 - counters.pending / max(1, counters.total)

    def ask(self, method: str, path: str, body: Mapping[str, object] | None, found: Callable[[Run], bool]) -> float:
        """Seconds from sending a command until it is in force, whenever its answer comes."""
        began = time.monotonic()
        call(self.served.url, method, f"/runs/{self.run}{path}", body)
        sent = time.monotonic() - began
        return sent + self.until(found)


def measure(name: str, repository: StoreRepository, url: str, asked: Plan) -> Iterator[Result]:
    """The numbers of one repository, which is empty."""
    asked.tell(f"server: a run that {LISTENERS} listeners watch, on {name}")
    folder = asked.folder / f"watched {name}"
    estate = telco.make_estate(folder / "estate", asked.scaled(CUSTOMERS, 1_000))
    job = telco.make_job(folder, chunk_units=CHUNK, workers=WORKERS)
    environment = telco.environment(estate.legacy, *estate.targets(folder / "targets"), folder / "state")
    admit(repository)
    with serving(job, folder / "state", url, environment) as served:
        watch = Watch(repository, served, started(served, repository))
        with listening(served, watch.run) as ended:
            before, took = served.cpu(), steered(watch)
            watch.until(lambda run: run.state not in GOING)
            used, reached = served.cpu() - before, sorted(ended())
    share = 100 * used / sum(watch.spent.values())
    told = "server", f"{name}: a real run, {LISTENERS} listeners: "
    yield result(told[0], f"{told[1]}processor time of the server, of the workers'", share, "%", bar=Bar("at most", 5))
    late = reached[min(len(reached) - 1, int(0.99 * len(reached)))]
    yield result(told[0], f"{told[1]}99 of 100 events reach a listener within", late, "s", bar=Bar("at most", 1))
    for what, seconds in took.items():
        yield result(told[0], f"{told[1]}{what}", seconds, "s", bar=Bar("at most", 2))


def steered(watch: Watch) -> dict[str, float]:
    """Seconds until each command was in force."""
    watch.until(lambda _: watch.settled() >= STEERED)
    at_first = len(watch.workers())
    more, fewer = {"settings": {"workers": at_first + 1}}, {"settings": {"workers": at_first}}
    took = {
        "one worker more is at work": watch.ask("PATCH", "/settings", more, lambda _: len(watch.workers()) > at_first)
    }
    took["one worker less"] = watch.ask("PATCH", "/settings", fewer, lambda _: len(watch.workers()) <= at_first)
    took["paused"] = watch.ask("POST", "/pause", None, lambda run: run.state is RunState.PAUSED)
    watch.until(lambda _: not watch.workers())
    took["resumed"] = watch.ask("POST", "/resume", None, lambda run: run.state is RunState.RUNNING)
    return took


def started(served: Served, repository: StoreRepository) -> str:
    """The run that was started over the API, once its workers are at work."""
    call(served.url, "POST", "/runs", {"job": telco.JOB})
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE:
        found = repository.views.runs()
        if found and any(one.role == "worker" for one in repository.owners.all(found[0].id)):
            return found[0].id
        time.sleep(LOOK)
    raise RuntimeError("the run did not start")


@contextmanager
def listening(served: Served, run: str) -> Iterator[Callable[[], list[float]]]:
    """Listeners in a process of their own; what is given ends them and returns the seconds that each event took."""
    words = [sys.executable, "-m", "bench.server.listen", served.url, run, f"--listeners={LISTENERS}"]
    process = subprocess.Popen(  # noqa: S603  (our own module)
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )

    def ended() -> list[float]:
        time.sleep(1.0)  # the last events are on their way
        told, _ = process.communicate("")
        found: list[float] = json.loads(told)
        return found

    try:
        yield ended
    finally:
        process.kill()
        process.wait()


def call(url: str, method: str, path: str, body: Mapping[str, object] | None = None) -> Any:
    """The answer of the API; anything but success ends the bench."""
    place = urlsplit(url)
    headers = {"Authorization": f"Bearer {SECRET}", "Content-Type": "application/json"}
    with closing(http.client.HTTPConnection(place.hostname or "", place.port)) as connection:
        connection.request(method, f"/api/v1{path}", body=None if body is None else json.dumps(body), headers=headers)
        answer = connection.getresponse()
        told = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {told[:300]!r}")
        return json.loads(told) if told else None
