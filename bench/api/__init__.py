"""Area `api`: documents into an HTTP API, against loops that only send; a limit that is shared, and one that is halved."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.api import drt
from bench.api.estate import Served, make_customers, make_job, served
from bench.environments import Missing, environment_of
from bench.harness import Bar, Plan, Result, interleaved, median, result
from bench.processes import Ran, run

DOCUMENTS = 20_000
ONE_BY_ONE = 2_000
"""Documents that the loop with requests sends: its pace does not depend on how many there are."""
WORKERS, CHUNK = 2, 1_000
LIMIT, SHARING = 200.0, 4
"""Requests a second that the limited API takes, and workers that share them."""
STEADY, WARM = 20, 5
"""Seconds that are judged under a limit, and those before them that are not."""
BACK = 15
"""Seconds after which a halved limit must be used again."""


class Wrong(Exception):  # noqa: N818  (a verdict)
    """A run did not send every document exactly once: no number of it counts."""


def measure(asked: Plan) -> Iterator[Result]:
    """All numbers of the area, in the order of `bench/README.md`."""
    count = asked.scaled(DOCUMENTS, 200)
    database = make_customers(asked.folder / "legacy.sqlite", count)
    with served() as api:
        yield from throughput(api, database, count, asked)
        yield from limited(api, asked)


def throughput(api: Served, database: Path, count: int, asked: Plan) -> Iterator[Result]:
    """Documents a second of the whole process, interleaved with the loops."""
    some = min(count, ONE_BY_ONE)
    asked.tell(f"api: {asked.runs} x {count:,} documents: ludb with {WORKERS} workers, aiohttp, requests, drt-core")
    sides = {
        "ludb": lambda: sent(api, count, lambda: move(api, database, asked.folder / "ludb")),
        "aiohttp": lambda: sent(api, count, lambda: loop("aiohttp", api, database, count)),
        "requests": lambda: sent(api, some, lambda: loop("requests", api, database, some)),
    }
    try:
        environment_of("drt")
        sides["drt"] = lambda: sent(api, count, lambda: drt.send(api.url, database, count, asked.folder / "drt"))
    except Missing as missing:
        asked.tell(f"api: drt-core is MISSING: {missing}")
    found = {name: median(runs) for name, runs in interleaved(sides, asked.runs).items()}
    ours = count / found["ludb"]
    bare, plain = count / found["aiohttp"], some / found["requests"]
    least = Bar("at least", 0.6, of="ratio")
    yield result("api", "documents, against a bare aiohttp loop", ours, "calls/s", against=bare, bar=least)
    first = Bar("at least", 1, of="ratio")
    yield result("api", "documents, against a plain loop with requests", ours, "calls/s", against=plain, bar=first)
    if "drt" in found:
        yield result("api", "documents, against drt-core", ours, "calls/s", against=count / found["drt"], bar=first)


def limited(api: Served, asked: Plan) -> Iterator[Result]:
    """A limit that four workers share by `pace:`; then it is halved, and nobody tells them."""
    seconds = WARM + STEADY + 2 * BACK
    asked.tell(f"api: {LIMIT:g} requests a second shared by {SHARING} workers for {seconds} s; halved in mid-run")
    database = make_customers(asked.folder / "limited.sqlite", int(LIMIT * (seconds + 60)))
    job = make_job(asked.folder / "limited", workers=SHARING, chunk=CHUNK, more=f", pace: {LIMIT:g}/s")
    api.set(LIMIT)
    command = [sys.executable, "-m", "ludb", "run", str(job), "--json"]
    with (asked.folder / "limited.log").open("w") as log:
        process = subprocess.Popen(command, env=environment(api, database), stdout=log, stderr=log)  # noqa: S603
    try:
        began = wait_until(api, lambda told: sum(told["taken"].values()) > 0)
        halved_at = began + WARM + STEADY
        wait_until(api, lambda told: told["second"] >= halved_at)
        api.set(LIMIT / 2, keep=True)
        halved_at = int(api.told()["second"])
        told = wait_until_told(api, lambda told: told["second"] >= halved_at + 2 * BACK)
    finally:
        process.terminate()
        process.wait()
    steady = range(int(began) + WARM, int(began) + WARM + STEADY)
    taken, refused = total(told["taken"], steady), total(told["refused"], steady)
    shared = Bar("at least", 190)
    yield result("api", "a limit of 200/s, shared by 4 workers", taken / STEADY, "calls/s", against=LIMIT, bar=shared)
    yield result("api", "429s of them", 100 * refused / max(1, taken), "%", bar=Bar("at most", 0.5))
    after = range(halved_at + BACK, halved_at + 2 * BACK)
    back = total(told["taken"], after) / BACK
    yield result(
        "api", f"{BACK} s after the limit was halved", back, "calls/s", against=LIMIT / 2,
        bar=Bar("at least", 0.9, of="ratio"),
    )  # fmt: skip
    burst = max(int(told["refused"].get(str(second), 0)) for second in range(halved_at, halved_at + 2 * BACK))
    yield result("api", "429s in the worst second after it", burst, "calls", bar=Bar("at most", LIMIT / 2))


def sent(api: Served, count: int, work: Callable[[], float]) -> float:
    """The seconds of a run that sent each document once."""
    api.set(None)
    seconds = work()
    told = api.told()
    if (told["names"], told["twice"]) != (count, 0):
        raise Wrong(f"{told['names']} of {count} documents arrived, {told['twice']} more than once")
    return seconds


def move(api: Served, database: Path, folder: Path) -> float:
    """One run of ours, from its start to its end."""
    shutil.rmtree(folder, ignore_errors=True)
    job = make_job(folder, workers=WORKERS, chunk=CHUNK)
    ran: Ran = run(["ludb", "run", str(job), "--json"], environment(api, database), folder)
    if ran.code != 0:
        raise Wrong(f"ludb ended with {ran.code}: {ran.answer[-500:]}")
    return ran.seconds


def loop(way: str, api: Served, database: Path, count: int) -> float:
    """One run of a loop, from its start to its end."""
    command = [sys.executable, "-m", "bench.api.loops", way, api.url, str(database), str(count)]
    began = time.monotonic()
    subprocess.run(command, check=True, env=os.environ)  # noqa: S603
    return time.monotonic() - began


def environment(api: Served, database: Path) -> Mapping[str, str]:
    """What the job's variables are."""
    return {**os.environ, "LEGACY_URL": str(database), "CRM_URL": api.url}


def total(by_second: Mapping[str, int], seconds: range) -> int:
    """What came in these seconds."""
    return sum(int(by_second.get(str(second), 0)) for second in seconds)


def wait_until(api: Served, there: Callable[[Mapping[str, Any]], bool]) -> float:
    """The second, on the API's clock, in which something came true."""
    return float(wait_until_told(api, there)["second"])


def wait_until_told(
    api: Served, there: Callable[[Mapping[str, Any]], bool], patience: float = 180.0
) -> Mapping[str, Any]:
    """What the API tells once something is true of it."""
    until = time.monotonic() + patience
    while not there(told := api.told()):
        if time.monotonic() > until:
            raise Wrong("the API did not see what it should have seen")
        time.sleep(0.2)
    return told
