"""Area `databases`: TPC-H from PostgreSQL (and MariaDB) into three PostgreSQL databases, ours and others, in one run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.databases import curves, mariadb, peers, profile, sides, verdicts
from bench.databases.estate import MARIADB, POSTGRES, Estate, generate, load, serving
from bench.databases.plot import bars
from bench.harness import Plan, Result, median, result

AREA = "databases"
SAMPLE = 1_000
"""Customers of the program that takes one at a time."""


def measure(asked: Plan) -> Iterator[Result]:
    """All numbers of the area, in the order of `bench/README.md`. `asked.scale` is TPC-H's scale factor."""
    near = asked.folder.parent.parent
    with serving("postgres", near, POSTGRES) as server:
        asked.tell(f"databases: TPC-H at scale {asked.scale:g}")
        files = generate(asked.scale, asked.folder)
        estate = load(server, "legacy", files)
        with _told("throughput", asked.tell):
            found = sides.from_postgres(estate, asked)
            yield from verdicts.judged(estate, found)
            yield from verdicts.by_side(estate, found, asked)
            yield one_at_a_time(estate, asked, found.paces(estate.rows)[sides.DIRECT])
        bars(curves.PLOTS / "databases-sides.svg", "Rows per second", "source rows/s", found.paces(estate.rows))
        with _told("MariaDB", asked.tell):
            yield from from_mariadb(estate, files, near, asked)
        with _told("profile", asked.tell):
            yield from profile.measure(estate, asked)
        if not asked.quick:
            with _told("curves", asked.tell):
                yield from curves.measure(estate, asked, found)


def one_at_a_time(estate: Estate, asked: Plan, direct: float) -> Result:
    """Ours against the program that moves a sample of customers one after the other."""
    some = min(asked.scaled(SAMPLE * 5, 100), SAMPLE, estate.units)
    single = median(peers.one_by_one(estate, asked.folder / "one", some) for _ in range(asked.runs))
    name = f"direct, against one customer at a time ({some:,} of them, extrapolated)"
    return result(AREA, name, direct, "rows/s", against=single)


def from_mariadb(estate: Estate, files: Path, near: Path, asked: Plan) -> Iterator[Result]:
    """MariaDB into the same three databases."""
    with serving("mariadb", near, MARIADB) as other:
        found = sides.from_mariadb(estate, mariadb.load(other, files), asked)
    yield from verdicts.judged_mariadb(estate, found)
    yield from verdicts.by_side(estate, found, asked, source_is_watched=False)


@contextmanager
def _told(part: str, tell: Callable[[str], None]) -> Iterator[None]:
    """Say how long a part of the area took, all that is not timed included."""
    began = time.monotonic()
    yield
    tell(f"databases: {part}: {time.monotonic() - began:.0f} s in all")
