"""What the runs say: our paces against everybody's, and by everybody what the source and the server paid for it."""

from __future__ import annotations

from collections.abc import Iterator

from bench.databases import ours
from bench.databases.estate import Estate
from bench.databases.sides import COPIES, DIRECT, LIMIT, SPRING, STAGED, Taken
from bench.harness import Bar, Plan, Result, median, result

AREA = "databases"


def judged(estate: Estate, found: Taken) -> Iterator[Result]:
    """Ours against the limit, Spring Batch and the fastest plain copy, with the bars."""
    paces = found.paces(estate.rows)
    physical, best = paces.get(LIMIT), max((paces[name] for name in COPIES if name in paces), default=None)
    seconds = {name: median(one.seconds for one in found.runs[name]) for name in (DIRECT, STAGED)}
    after = estate.rows / median(one.seconds - one.staging for one in found.runs[STAGED])
    yield result(
        AREA, "direct, 2 workers, against COPY into COPY", paces[DIRECT], "rows/s",
        against=physical, bar=Bar("at least", 0.45, of="ratio"),
    )  # fmt: skip
    yield result(
        AREA, "staged, once it is staged, against COPY into COPY", after, "rows/s",
        against=physical, bar=Bar("at least", 0.65, of="ratio"),
    )  # fmt: skip
    yield result(
        AREA, "staging and moving, against direct", seconds[STAGED], "s",
        against=seconds[DIRECT], bar=Bar("at most", 1.35, of="ratio"),
    )  # fmt: skip
    yield result(
        AREA, "direct, against Spring Batch at its best", paces[DIRECT], "rows/s",
        against=paces.get(SPRING), bar=Bar("at least", 1.0, of="ratio"),
    )  # fmt: skip
    yield result(
        AREA, "direct, against the fastest plain copy of others", paces[DIRECT], "rows/s",
        against=best, bar=Bar("at least", 0.7, of="ratio"),
    )  # fmt: skip
    yield result(AREA, "units moved, direct", estate.units * paces[DIRECT] / estate.rows, "units/s")
    peak = median(one.memory for one in found.runs[DIRECT])
    yield result(AREA, f"memory of a worker, {ours.CHUNK_UNITS:,} units a chunk", peak, "MiB", bar=Bar("at most", 400))


def judged_mariadb(estate: Estate, found: Taken) -> Iterator[Result]:
    """Ours from MariaDB against the plain copies that begin there."""
    paces = found.paces(estate.rows)
    first, second, third = "ludb from MariaDB", "ConnectorX + ADBC from MariaDB", "pgloader from MariaDB"
    yield result(
        AREA, "MariaDB to PostgreSQL, against ConnectorX + ADBC (plain copy)", paces[first], "rows/s",
        against=paces.get(second), bar=Bar("at least", 0.5, of="ratio"),
    )  # fmt: skip
    if third in paces:
        yield result(
            AREA, "MariaDB to PostgreSQL, against pgloader (plain copy)", paces[first], "rows/s", against=paces[third]
        )


def by_side(estate: Estate, found: Taken, asked: Plan, *, source_is_watched: bool = True) -> Iterator[Result]:
    """A line of figures for each side, called `<side>: <figure>`: what `bench.report` makes a table of."""
    paces = found.paces(estate.rows)
    for name, runs in found.runs.items():
        who = name if len(runs) == asked.runs else f"{name} ({len(runs)} run)"
        yield result(AREA, f"{who}: pace", paces[name], "rows/s", against=paces.get(LIMIT))
        seconds = [one.seconds for one in runs]
        yield result(AREA, f"{who}: slowest run, against its fastest", max(seconds), "s", against=min(seconds))
        costs = [one.cost for one in runs if one.cost is not None]
        if not costs:
            continue
        if source_is_watched:
            yield result(AREA, f"{who}: longest transaction on the source", median(one.longest for one in costs), "s")
            yield result(AREA, f"{who}: blocks of the source", median(one.blocks for one in costs), "")
        yield result(AREA, f"{who}: processor time of PostgreSQL", median(one.server for one in costs), "s")
        yield result(AREA, f"{who}: processor time of its own", median(one.own for one in costs), "s")
    for name, reason in found.missing.items():
        yield result(AREA, f"MISSING: {name}: {reason}", 0.0, "")
