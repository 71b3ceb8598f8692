"""Area `server`: how `ludb serve` answers over a large repository, on SQLite and PostgreSQL, and how soon it tells news."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing

from bench.harness import Bar, Plan, Result, result
from bench.server import watched
from bench.server.fill import BIG, SECRET, Size, fill
from bench.server.served import ROOT, Served, serving
from ludb.model.events import Event
from ludb.repositories.postgres import PostgresRepository
from ludb.repositories.sqlite import SqliteRepository
from ludb.repositories.store.repository import StoreRepository
from ludb.testing.services import running

RATE, SECONDS, WARM = 100.0, 30.0, 5.0
"""Requests a second, for how many seconds they are judged, and for how many before that they are not."""
LISTENERS, TOLD = 20, 10
"""Listeners of one run, and events that they are told."""


def measure(asked: Plan) -> Iterator[Result]:
    """All numbers of the area, in the order of `bench/README.md`."""
    size = Size().scaled(asked.scale)
    file, small = (asked.folder / name / "repository.sqlite" for name in ("sqlite", "small"))
    yield from _on("SQLite", SqliteRepository(str(file)), f"sqlite:///{file}", size, asked)
    yield from _watched("SQLite", SqliteRepository(str(small)), f"sqlite:///{small}", asked)
    with running("postgres") as server:
        url = server.url("postgres")
        yield from _on("PostgreSQL", PostgresRepository(url), url, size, asked)
    with running("postgres") as server:
        url = server.url("postgres")
        yield from _watched("PostgreSQL", PostgresRepository(url), url, asked)


def _watched(name: str, repository: StoreRepository, url: str, asked: Plan) -> Iterator[Result]:
    with closing(repository):
        yield from watched.measure(name, repository, url, asked)


def _on(name: str, repository: StoreRepository, url: str, size: Size, asked: Plan) -> Iterator[Result]:
    with closing(repository):
        asked.tell(f"server: filling {name}")
        fill(repository, size)
        with serving(ROOT / "bench" / "job", asked.folder / name, url) as served:
            asked.tell(f"server: {RATE:.0f} requests a second on {name}")
            _load(served, WARM, size)
            used, took = served.cpu(), _load(served, SECONDS, size)
            used = served.cpu() - used
            whole = sorted(ms for kind in took.values() for ms in kind)
            slowest, worst = max(((kind, _at(ms, 0.95)) for kind, ms in took.items()), key=lambda one: one[1])
            yield result(
                "server", f"{name}: 95 of 100 requests within", _at(whole, 0.95), "ms", bar=Bar("at most", 100)
            )
            yield result("server", f"{name}: 99 of 100", _at(whole, 0.99), "ms", bar=Bar("at most", 250))
            yield result("server", f"{name}: the slowest kind, 95 of 100 ({slowest})", worst, "ms")
            yield result(
                "server", f"{name}: processor time of a request", 1000 * used / len(whole), "ms", bar=Bar("at most", 7)
            )
            told = _told(served, repository)
            yield result(
                "server",
                f"{name}: an event reaches all of {LISTENERS} listeners within",
                told,
                "s",
                bar=Bar("at most", 1),
            )
            yield result("server", f"{name}: memory", served.peak(), "MiB", bar=Bar("at most", 250))


def _at(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def _load(served: Served, seconds: float, size: Size) -> dict[str, list[float]]:
    """Milliseconds by kind of request, made by a process of its own."""
    words = [served.url, f"--rate={RATE}", f"--seconds={seconds}", f"--units={size.units}", f"--runs={size.runs}"]
    ended = subprocess.run(  # noqa: S603  (our own module)
        [sys.executable, "-m", "bench.server.load", *words], stdout=subprocess.PIPE, check=True, cwd=ROOT
    )
    found: dict[str, list[float]] = json.loads(ended.stdout)
    return found


def _told(served: Served, repository: StoreRepository) -> float:
    """The median of the seconds from an event to the last listener that was told it."""
    known = repository.pages.events(BIG, limit=1)[0][0]
    words = [
        "curl",
        "-sNm60",
        "-H",
        f"Authorization: Bearer {SECRET}",
        f"{served.url}/api/v1/runs/{BIG}/stream?after={known}",
    ]
    listeners = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(LISTENERS)]  # noqa: S603
    try:
        for one in listeners:
            _until(one, "event: progress")
        took = []
        for number in range(TOLD):
            name = f"bench.{number}"
            began = time.monotonic()
            repository.events.append(Event(name, BIG, lasting=True))
            for one in listeners:
                _until(one, name)
            took.append(time.monotonic() - began)
        return statistics.median(took)
    finally:
        for one in listeners:
            one.kill()
            one.wait()
            assert one.stdout is not None
            one.stdout.close()


def _until(listener: subprocess.Popen[str], words: str) -> None:
    assert listener.stdout is not None
    for line in listener.stdout:
        if words in line:
            return
    raise RuntimeError("a listener was cut off")
