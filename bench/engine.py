"""Area `engine`: SQLite to SQLite and files, against programs that only copy; memory; the repository's part."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench import plain, telco
from bench.harness import Bar, Plan, Result, interleaved, median, result
from bench.processes import Ran, run
from bench.repository import seconds_to_record, statements

CUSTOMERS = 20_000
WORKERS = 2
CHUNK_UNITS = 2_000
ONE_BY_ONE = 1_000
"""Customers that the program that takes one at a time moves: its pace does not depend on how many there are."""
RECORDED = 1_000_000
MANY, FEW = 100, 10
"""Chunks of the one worker whose memory is compared."""
MEMORY_UNITS = 50
"""Units per chunk there."""
STATEMENTS = 8


class Wrong(Exception):  # noqa: N818  (a verdict)
    """A run did not move what it should have: no number of it counts."""


@dataclass(frozen=True, slots=True)
class Moved:
    """One run of ours: seconds, and the most memory that a worker held, in MiB."""

    seconds: float
    memory: float


def measure(asked: Plan) -> Iterator[Result]:
    """All numbers of the area, in the order of `bench/README.md`."""
    asked.tell(f"engine: generating {asked.scaled(CUSTOMERS, 200):,} customers")
    estate = telco.make_estate(asked.folder / "estate", asked.scaled(CUSTOMERS, 200))
    units_a_second = 0.0
    for one in throughput(estate, asked):
        yield one
        if one.unit == "units/s":
            units_a_second = one.value
    yield from memory(asked)
    yield from repository(units_a_second, asked)


def throughput(estate: telco.Estate, asked: Plan) -> Iterator[Result]:
    """Rows per second of the whole process, from its start to its end, interleaved with the plain programs."""
    some = min(ONE_BY_ONE, estate.moved)
    chunk = asked.scaled(CHUNK_UNITS, 20)
    job = telco.make_job(asked.folder, chunk_units=chunk, workers=WORKERS)
    asked.tell(f"engine: {asked.runs} x {estate.rows:,} rows: ludb with {WORKERS} workers, a plain copy, one by one")
    expected = plain.wanted(estate.clean)
    sides = {
        "ludb": lambda: move(estate, job, asked.folder / "ludb", expected),
        "plain": lambda: copy(estate, asked.folder / "plain", expected),
        "one": lambda: copy(estate, asked.folder / "one", None, each=some),
    }
    found = interleaved(sides, asked.runs)
    seconds = {name: median(one.seconds for one in runs) for name, runs in found.items()}
    ours, other = estate.rows / seconds["ludb"], estate.rows / seconds["plain"]
    yield result(
        "engine", "SQLite to SQLite and files, against a plain copy", ours, "rows/s",
        against=other, bar=Bar("at least", 0.35, of="ratio"),
    )  # fmt: skip
    single = estate.rows * some / estate.moved / seconds["one"]
    yield result("engine", "the same, against one customer at a time", ours, "rows/s", against=single)
    yield result("engine", "units moved", estate.moved / seconds["ludb"], "units/s")
    peak = median(one.memory for one in found["ludb"])
    yield result("engine", f"memory of a worker, {chunk:,} units a chunk", peak, "MiB", bar=Bar("at most", 400))


def memory(asked: Plan) -> Iterator[Result]:
    """A worker's memory does not grow with the chunks it has moved; the largest unit is in both estates."""
    units = asked.scaled(MEMORY_UNITS, 2)
    asked.tell(f"engine: memory of one worker at {FEW} and {MANY} chunks of {units} units")
    large = telco.make_estate(asked.folder / "large", units * MANY)
    small = telco.tenth(large, asked.folder / "small")
    job = telco.make_job(asked.folder, chunk_units=units, workers=1)
    sides = {
        "many": lambda: move(large, job, asked.folder / "many", None),
        "few": lambda: move(small, job, asked.folder / "few", None),
    }
    found = interleaved(sides, asked.runs)
    peaks = {name: median(one.memory for one in runs) for name, runs in found.items()}
    yield result(
        "engine", f"memory of a worker at {MANY} chunks, against {FEW}", peaks["many"], "MiB",
        against=peaks["few"], bar=Bar("at most", 1.1, of="ratio"),
    )  # fmt: skip


def repository(units_a_second: float, asked: Plan) -> Iterator[Result]:
    """Statements for one chunk, and a million units recorded, against the time that moving them would take."""
    told = statements(asked.folder / "statements")
    yield result("engine", "repository statements for a chunk", sum(told.values()), "", bar=Bar("at most", STATEMENTS))
    count = asked.scaled(RECORDED, 10 * CHUNK_UNITS)
    asked.tell(f"engine: recording {count:,} units")
    seconds = median(
        seconds_to_record(asked.folder / f"record-{number}", count, CHUNK_UNITS) for number in range(asked.runs)
    )
    yield result(
        "engine", f"recording {count:,} units, against moving them", seconds, "s",
        against=count / units_a_second, bar=Bar("at most", 0.05, of="ratio"),
    )  # fmt: skip


def move(estate: telco.Estate, job: Path, folder: Path, expected: Mapping[str, int] | None) -> Moved:
    """One `ludb run` into empty targets. `Wrong` unless every unit is accounted for and every row is where it belongs."""
    billing, archive = estate.targets(folder)
    ran = run(
        ["ludb", "run", str(job), "--json"],
        telco.environment(estate.legacy, billing, archive, folder / "state"),
        folder,
    )
    if ran.code not in {0, 3}:
        raise Wrong(f"ludb run ended with {ran.code}: {(folder / 'messages').read_text()}{ran.answer}")
    counters = json.loads(ran.answer)["counters"]
    if (counters["total"], counters["done"]) != (estate.units, estate.moved) or counters["quarantined"] != (
        estate.units - estate.moved
    ):
        raise Wrong(f"{estate.moved} of {estate.units} units should have moved: {counters}")
    if expected is not None and plain.found(billing, archive) != expected:
        raise Wrong(f"the targets hold {plain.found(billing, archive)} instead of {expected}")
    shutil.rmtree(folder / "state")
    return Moved(ran.seconds, max(ran.memory.values(), default=0.0))


def copy(estate: telco.Estate, folder: Path, expected: Mapping[str, int] | None, *, each: int = 0) -> Moved:
    """One run of the plain program, in a process of its own too."""
    billing, archive = estate.targets(folder)
    ran: Ran = run(
        ["bench.plain", str(estate.clean), str(billing), str(archive), *(["--each", str(each)] if each else [])],
        telco.environment(estate.clean, billing, archive, folder), folder,
    )  # fmt: skip
    if ran.code:
        raise Wrong(f"the plain program ended with {ran.code}: {(folder / 'messages').read_text()}")
    if expected is not None and plain.found(billing, archive) != expected:
        raise Wrong(f"the plain program's targets hold {plain.found(billing, archive)} instead of {expected}")
    return Moved(ran.seconds, 0.0)
