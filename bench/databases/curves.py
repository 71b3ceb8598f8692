"""How pace and memory follow the workers, the chunk, the size of the source, and one customer that is far too large."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from bench.databases import ours, peers
from bench.databases.estate import Estate, generate, load
from bench.databases.plot import curves
from bench.databases.sides import LIMIT, SPRING, Taken
from bench.harness import Bar, Plan, Result, median, result

AREA = "databases"
SCALES = (0.1, 0.5, 1.0)
WORKERS = (1, 2, 4)
CHUNKS = (100, 500, 2_000, 5_000, 20_000)
SKEW = 200_000
"""Lines of the one customer."""
PLOTS = Path(__file__).resolve().parents[1] / "plots"
DASHED = (LIMIT, "ConnectorX + ADBC", "ingestr")
"""Sides that know no workers and no chunks: lines across."""


def measure(estate: Estate, asked: Plan, found: Taken) -> Iterator[Result]:
    """The curves, with their SVG files. Spring Batch's points are those of its sweep."""
    paces = found.paces(estate.rows)
    flat = {name: paces[name] for name in DASHED if name in paces}
    yield from by_workers(estate, asked, found, flat)
    yield from by_chunk(estate, asked, found, flat)
    yield from by_skew(estate, asked)
    yield from by_scale(estate, asked, found)


def by_workers(estate: Estate, asked: Plan, found: Taken, flat: Mapping[str, float]) -> Iterator[Result]:
    """Rows per second with 1, 2 and 4 workers, by both ways to extract."""
    lines: dict[str, list[tuple[float, float]]] = {"direct": [], "staged": []}
    for workers in WORKERS:
        for way, points in lines.items():
            moved = ours.move(estate, asked.folder / "workers", workers=workers, extract=way)
            points.append((workers, estate.rows / (moved.seconds - moved.staging)))
            asked.tell(f"databases: {way}, {workers} workers: {points[-1][1]:,.0f} rows/s")
            yield result(AREA, f"{way}, workers: {workers}", points[-1][1], "rows/s")
    drawn = {"ludb, direct": lines["direct"], "ludb, once staged": lines["staged"]}
    theirs = _best(found.sweep, lambda tuning: tuning.threads)
    drawn |= {f"{SPRING}, threads": theirs} if theirs else {}
    curves(PLOTS / "databases-workers.svg", "Rows per second by workers", "workers", "source rows/s", drawn, flat)


def by_chunk(estate: Estate, asked: Plan, found: Taken, flat: Mapping[str, float]) -> Iterator[Result]:
    """Rows per second and memory from small chunks to large ones."""
    paces, peaks = [], []
    for units in (chunk for chunk in CHUNKS if chunk <= estate.units):
        moved = ours.move(estate, asked.folder / "chunks", chunk_units=units)
        paces.append((float(units), estate.rows / moved.seconds))
        peaks.append((float(units), moved.memory))
        asked.tell(f"databases: chunks of {units:,}: {paces[-1][1]:,.0f} rows/s, {moved.memory:.0f} MiB")
        yield result(AREA, f"direct, units a chunk: {units:,}", paces[-1][1], "rows/s")
        yield result(AREA, f"memory of a worker, units a chunk: {units:,}", moved.memory, "MiB")
    drawn, theirs = {"ludb, direct": paces}, _best(found.sweep, lambda tuning: tuning.chunk)
    drawn |= {SPRING: theirs} if theirs else {}
    name, across = "Rows per second by chunk", "customers a chunk"
    curves(PLOTS / "databases-chunk.svg", name, across, "source rows/s", drawn, flat)
    curves(
        PLOTS / "databases-memory.svg", "Memory of a worker by chunk", across, "MiB", {"ludb, direct": peaks},
        {"the bar": 400.0},
    )  # fmt: skip


def by_skew(estate: Estate, asked: Plan) -> Iterator[Result]:
    """One customer with very many lines among the others."""
    lines = SKEW if asked.scale >= 0.1 else SKEW // 10
    skewed = load(estate.server, "skewed", generate(asked.scale, asked.folder), skew=lines)
    moved = ours.move(skewed, asked.folder / "skewed")
    plain = ours.move(estate, asked.folder / "skewed")
    yield result(
        AREA, f"direct, one customer with {lines:,} lines, against none", skewed.rows / moved.seconds, "rows/s",
        against=estate.rows / plain.seconds,
    )  # fmt: skip
    yield result(AREA, f"memory of a worker, one customer with {lines:,} lines", moved.memory, "MiB")


def by_scale(estate: Estate, asked: Plan, found: Taken) -> Iterator[Result]:
    """Rows per second and memory from TPC-H 0.1 to 1, as far as this run's scale allows. Others run once at each size."""
    best = max(found.sweep, key=lambda tuning: found.sweep[tuning], default=None)
    lines: dict[str, list[tuple[float, float]]] = {"ludb, direct": [], "COPY": [], SPRING: []}
    peaks: dict[float, float] = {}
    for scale in sizes(asked.scale):
        sized = estate
        if scale != asked.scale:
            sized = load(estate.server, "sized", generate(scale, asked.folder))
        runs = [ours.move(sized, asked.folder / "sized") for _ in range(asked.runs)]
        lines["ludb, direct"].append((scale, sized.rows / median(one.seconds for one in runs)))
        peaks[scale] = median(one.memory for one in runs)
        lines["COPY"].append((scale, sized.rows / peers.limit(sized, asked.folder / "copy").seconds))
        if best is not None:
            lines[SPRING].append((scale, sized.rows / peers.spring(sized, asked.folder / "spring", best).seconds))
        told = ", ".join(f"{name} {points[-1][1]:,.0f} rows/s" for name, points in lines.items() if points)
        asked.tell(f"databases: scale {scale:g}: {told}; {peaks[scale]:.0f} MiB")
        for name, points in lines.items():
            if points:
                yield result(AREA, f"{name}, scale {scale:g}", points[-1][1], "rows/s")
        yield result(AREA, f"memory of a worker, scale {scale:g}", peaks[scale], "MiB")
    drawn = {name: points for name, points in lines.items() if points}
    curves(PLOTS / "databases-scale.svg", "Rows per second by size", "TPC-H scale", "source rows/s", drawn)
    memory = {"ludb, direct": [*peaks.items()]}
    curves(
        PLOTS / "databases-memory-scale.svg", "Memory of a worker by size", "TPC-H scale", "MiB", memory,
        {"the bar": 400.0},
    )  # fmt: skip
    yield from _flat(dict(lines["ludb, direct"]), peaks)


def sizes(asked: float) -> list[float]:
    """The scales of the curve; below the smallest, a half and the whole of what was asked, so that there is a curve."""
    smaller = [scale for scale in SCALES if scale < asked]
    return [*(smaller or [asked / 2]), asked]


def _flat(paces: Mapping[float, float], peaks: Mapping[float, float]) -> Iterator[Result]:
    low, high = min(paces), max(paces)
    yield result(
        AREA, f"memory of a worker at scale {high:g}, against {low:g}", peaks[high], "MiB",
        against=peaks[low], bar=Bar("at most", 1.1, of="ratio"),
    )  # fmt: skip
    yield result(
        AREA, f"pace at scale {high:g}, against {low:g}", paces[high], "rows/s",
        against=paces[low], bar=Bar("at least", 0.9, of="ratio"),
    )  # fmt: skip


def _best(sweep: Mapping[peers.Tuning, float], of: Callable[[peers.Tuning], int]) -> list[tuple[float, float]]:
    """By the value that `of` gives, the best of the sweep."""
    found: dict[float, float] = {}
    for tuning, pace in sweep.items():
        found[float(of(tuning))] = max(pace, found.get(float(of(tuning)), 0.0))
    return sorted(found.items())
