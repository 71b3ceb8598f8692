"""How our pace and memory follow the size of the source, the workers, the chunk, and one customer that is far too large."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bench.databases import ours
from bench.databases.estate import Estate, generate, load
from bench.databases.plot import curves
from bench.harness import Bar, Plan, Result, median, result

AREA = "databases"
SCALES = (0.1, 0.5, 1.0)
WORKERS = (1, 2, 4)
CHUNKS = (100, 500, 2_000, 5_000, 20_000)
SKEW = 200_000
"""Lines of the one customer."""
PLOTS = Path(__file__).resolve().parents[1] / "plots"


def measure(estate: Estate, asked: Plan) -> Iterator[Result]:
    """The curves, with their SVG files."""
    yield from by_workers(estate, asked)
    yield from by_chunk(estate, asked)
    yield from by_skew(estate, asked)
    yield from by_scale(estate, asked)


def by_workers(estate: Estate, asked: Plan) -> Iterator[Result]:
    """Rows per second with 1, 2 and 4 workers, by both ways to extract."""
    lines: dict[str, list[tuple[float, float]]] = {"direct": [], "staged": []}
    for workers in WORKERS:
        for way, points in lines.items():
            moved = ours.move(estate, asked.folder / "workers", workers=workers, extract=way)
            points.append((workers, estate.rows / (moved.seconds - moved.staging)))
            asked.tell(f"databases: {way}, {workers} workers: {points[-1][1]:,.0f} rows/s")
            yield result(AREA, f"{way}, workers: {workers}", points[-1][1], "rows/s")
    curves(PLOTS / "databases-workers.svg", "Rows per second by workers", "workers", "rows/s", lines)


def by_chunk(estate: Estate, asked: Plan) -> Iterator[Result]:
    """Rows per second and memory from small chunks to large ones."""
    paces, peaks = [], []
    for units in (chunk for chunk in CHUNKS if chunk <= estate.units):
        moved = ours.move(estate, asked.folder / "chunks", chunk_units=units)
        paces.append((float(units), estate.rows / moved.seconds))
        peaks.append((float(units), moved.memory))
        asked.tell(f"databases: chunks of {units:,}: {paces[-1][1]:,.0f} rows/s, {moved.memory:.0f} MiB")
        yield result(AREA, f"direct, units a chunk: {units:,}", paces[-1][1], "rows/s")
        yield result(AREA, f"memory of a worker, units a chunk: {units:,}", moved.memory, "MiB")
    curves(PLOTS / "databases-chunk.svg", "Rows per second by chunk", "units a chunk", "rows/s", {"direct": paces})
    curves(PLOTS / "databases-memory.svg", "Memory of a worker by chunk", "units a chunk", "MiB", {"direct": peaks})


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


def by_scale(estate: Estate, asked: Plan) -> Iterator[Result]:
    """Rows per second and memory from TPC-H 0.1 to 1, as far as this run's scale allows."""
    paces, peaks = {}, {}
    for scale in sorted({*(scale for scale in SCALES if scale < asked.scale), asked.scale}):
        sized = estate
        if scale != asked.scale:
            sized = load(estate.server, "sized", generate(scale, asked.folder))
        runs = [ours.move(sized, asked.folder / "sized") for _ in range(asked.runs)]
        paces[scale] = sized.rows / median(one.seconds for one in runs)
        peaks[scale] = median(one.memory for one in runs)
        asked.tell(f"databases: scale {scale:g}: {paces[scale]:,.0f} rows/s, {peaks[scale]:.0f} MiB")
        yield result(AREA, f"direct, scale {scale:g}", paces[scale], "rows/s")
    curves(
        PLOTS / "databases-scale.svg", "Rows per second by size", "TPC-H scale", "rows/s", {"direct": [*paces.items()]}
    )
    low, high = min(paces), max(paces)
    if low < high:
        yield result(
            AREA, f"memory of a worker at scale {high:g}, against {low:g}", peaks[high], "MiB",
            against=peaks[low], bar=Bar("at most", 1.1, of="ratio"),
        )  # fmt: skip
        yield result(
            AREA, f"pace at scale {high:g}, against {low:g}", paces[high], "rows/s",
            against=paces[low], bar=Bar("at least", 0.9, of="ratio"),
        )  # fmt: skip
