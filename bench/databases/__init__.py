"""Area `databases`: TPC-H from PostgreSQL (and MariaDB) into three PostgreSQL databases, ours and others, in one run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from bench.databases import curves, mariadb, ours, peers
from bench.databases.estate import MARIADB, POSTGRES, Estate, Wrong, generate, load, serving
from bench.databases.ours import Moved
from bench.environments import Missing
from bench.harness import Bar, Plan, Result, interleaved, median, result

AREA = "databases"
SAMPLE = 1_000
"""Customers of the program that takes one at a time."""
Runners = dict[str, Callable[[], Moved]]

DIRECT, STAGED, STAGING = "ludb, direct", "ludb, staged", "ludb, staging"
LIMIT, SPRING = "COPY", "Spring Batch"
COPIES = ("dlt at its best", "dlt as it comes", "ConnectorX + ADBC", "ingestr", "sling")


def measure(asked: Plan) -> Iterator[Result]:
    """All numbers of the area, in the order of `bench/README.md`. `asked.scale` is TPC-H's scale factor."""
    near = asked.folder.parent.parent
    with serving("postgres", near, POSTGRES) as server:
        asked.tell(f"databases: TPC-H at scale {asked.scale:g}")
        files = generate(asked.scale, asked.folder)
        estate = load(server, "legacy", files)
        yield from throughput(estate, asked)
        with serving("mariadb", near, MARIADB) as other:
            yield from from_mariadb(estate, mariadb.load(other, files), asked)
        if not asked.quick:
            yield from curves.measure(estate, asked)


def throughput(estate: Estate, asked: Plan) -> Iterator[Result]:
    """Everybody over the same rows, in turns."""
    missing: dict[str, str] = {}
    runners = _runners(estate, asked, missing)
    asked.tell(f"databases: {asked.runs} x {estate.rows:,} rows, {estate.units:,} customers: {', '.join(runners)}")
    found = taken(runners, asked, missing)
    paces = {name: estate.rows / median(one.seconds for one in runs) for name, runs in found.items()}
    yield from _judged(estate, paces, found, asked)
    yield from _costs(found)
    for name, reason in missing.items():
        yield result(AREA, f"MISSING: {name}: {reason}", 0.0, "")


def _runners(estate: Estate, asked: Plan, missing: dict[str, str]) -> Runners:
    place = asked.folder
    runners: Runners = {
        DIRECT: lambda: ours.move(estate, place / "direct"),
        STAGED: lambda: ours.move(estate, place / "staged", extract="staged"),
        LIMIT: lambda: peers.limit(estate, place / "copy"),
        "dlt at its best": lambda: peers.dlt(estate, place / "dlt", "best"),
        "dlt as it comes": lambda: peers.dlt(estate, place / "dlt", "default"),
        "ConnectorX + ADBC": lambda: peers.arrow(estate, place / "arrow"),
        "ingestr": lambda: peers.ingestr(estate, place / "ingestr"),
        "sling": lambda: peers.sling(estate, place / "sling"),
    }
    try:
        tuning = peers.best_tuning(estate, place / "spring", asked.tell)
    except (Missing, Wrong) as error:
        _miss(SPRING, error, missing, asked)
    else:
        asked.tell(f"databases: Spring Batch is fastest with {tuning}")
        runners[SPRING] = lambda: peers.spring(estate, place / "spring", tuning)
    return runners


def taken(runners: Runners, asked: Plan, missing: dict[str, str]) -> Mapping[str, list[Moved]]:
    """The runs of everybody who can run; a peer that fails is out from then on, and told."""

    def guarded(name: str, runner: Callable[[], Moved]) -> Callable[[], Moved | None]:
        def once() -> Moved | None:
            if name in missing:
                return None
            try:
                moved = runner()
            except (Missing, Wrong) as error:
                if name.startswith("ludb"):
                    raise
                _miss(name, error, missing, asked)
                return None
            asked.tell(f"databases: {name}: {moved.seconds:.2f} s")
            return moved

        return once

    found = interleaved({name: guarded(name, runner) for name, runner in runners.items()}, asked.runs)
    return {name: [one for one in runs if one is not None] for name, runs in found.items() if name not in missing}


def _miss(name: str, error: Exception, missing: dict[str, str], asked: Plan) -> None:
    missing[name] = str(error)
    asked.tell(f"databases: !!! {name} IS MISSING FROM THE TABLE: {error}")


def _judged(
    estate: Estate, paces: Mapping[str, float], found: Mapping[str, list[Moved]], asked: Plan
) -> Iterator[Result]:
    physical, best = paces.get(LIMIT), max((paces[name] for name in COPIES if name in paces), default=None)
    yield result(
        AREA, "direct, 2 workers, against COPY into COPY", paces[DIRECT], "rows/s",
        against=physical, bar=Bar("at least", 0.45, of="ratio"),
    )  # fmt: skip
    after = estate.rows / median(one.seconds - one.staging for one in found[STAGED])
    yield result(
        AREA, "staged, once it is staged, against COPY into COPY", after, "rows/s",
        against=physical, bar=Bar("at least", 0.65, of="ratio"),
    )  # fmt: skip
    yield result(
        AREA, "staging and moving, against direct", median(one.seconds for one in found[STAGED]), "s",
        against=median(one.seconds for one in found[DIRECT]), bar=Bar("at most", 1.35, of="ratio"),
    )  # fmt: skip
    yield result(
        AREA, "direct, against Spring Batch at its best", paces[DIRECT], "rows/s",
        against=paces.get(SPRING), bar=Bar("at least", 1.0, of="ratio"),
    )  # fmt: skip
    yield result(
        AREA, "direct, against the fastest plain copy of others", paces[DIRECT], "rows/s",
        against=best, bar=Bar("at least", 0.7, of="ratio"),
    )  # fmt: skip
    for name in COPIES:
        if name in paces:
            yield result(AREA, f"direct, against {name} (plain copy)", paces[DIRECT], "rows/s", against=paces[name])
    some = min(asked.scaled(SAMPLE * 5, 100), SAMPLE, estate.units)
    single = median(peers.one_by_one(estate, asked.folder / "one", some) for _ in range(asked.runs))
    yield result(
        AREA, f"direct, against one customer at a time ({some:,} of them, extrapolated)", paces[DIRECT], "rows/s",
        against=single,
    )  # fmt: skip
    yield result(AREA, "units moved, direct", estate.units * paces[DIRECT] / estate.rows, "units/s")
    peak = median(one.memory for one in found[DIRECT])
    yield result(AREA, f"memory of a worker, {ours.CHUNK_UNITS:,} units a chunk", peak, "MiB", bar=Bar("at most", 400))


def _costs(found: Mapping[str, list[Moved]]) -> Iterator[Result]:
    """What each did to the source, and how much processor time the server took for all."""
    for name, runs in found.items():
        costs = [one.cost for one in runs if one.cost is not None]
        if costs:
            yield result(AREA, f"source: longest transaction, {name}", median(one.longest for one in costs), "s")
            yield result(AREA, f"source: blocks read, {name}", median(one.blocks for one in costs), "")
            yield result(AREA, f"server: processor time, {name}", median(one.server for one in costs), "s")


def from_mariadb(estate: Estate, source: str, asked: Plan) -> Iterator[Result]:
    """MariaDB into the same three databases."""
    place: Path = asked.folder
    missing: dict[str, str] = {}
    runners: Runners = {
        "ludb from MariaDB": lambda: ours.move(estate, place / "mariadb", source=source, kind="mysql"),
        "ConnectorX + ADBC from MariaDB": lambda: peers.arrow(estate, place / "arrow", source),
        "pgloader from MariaDB": lambda: peers.pgloader(estate, place / "pgloader", source),
    }
    found = taken(runners, asked, missing)
    paces = {name: estate.rows / median(one.seconds for one in runs) for name, runs in found.items()}
    first, second, third = runners
    yield result(
        AREA, "MariaDB to PostgreSQL, against ConnectorX + ADBC (plain copy)", paces[first], "rows/s",
        against=paces.get(second), bar=Bar("at least", 0.5, of="ratio"),
    )  # fmt: skip
    if third in paces:
        yield result(
            AREA, "MariaDB to PostgreSQL, against pgloader (plain copy)", paces[first], "rows/s", against=paces[third]
        )
    for name, reason in missing.items():
        yield result(AREA, f"MISSING: {name}: {reason}", 0.0, "")
