"""`python -m bench [AREA] [--scale S]`: measure the areas that exist; exit 1 where a bar does not hold."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import platform
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from rich.console import Console

from bench.harness import RUNS, Plan, Result, failed, keep, table

AREAS = ("engine", "databases", "api", "server", "survival", "web")
"""All areas there will be: each is a module of this package with a function `measure`."""
WIDTH = 150
"""Of the table where it goes into a file."""
RESULTS = Path(__file__).resolve().parent / "results.json"

Measure = Callable[[Plan], Iterable[Result]]


def existing() -> dict[str, Measure | None]:
    """The areas; None for one that is not there yet."""
    return {
        area: importlib.import_module(f"bench.{area}").measure if importlib.util.find_spec(f"bench.{area}") else None
        for area in AREAS
    }


def main(
    arguments: Sequence[str] | None = None,
    *,
    areas: Mapping[str, Measure | None] | None = None,
    results: Path = RESULTS,
) -> int:
    """Measure, write `results.json`, print the table. 0: all bars hold; 1: one does not; 2: no such area."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("area", nargs="?", default="", help=f"one of {', '.join(AREAS)}; default: all that exist")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full size; bars are meant for 1")
    parser.add_argument("--runs", type=int, default=RUNS, help="runs of everything that is timed")
    parser.add_argument("--folder", type=Path, default=None, help="where to work [default: a temporary folder]")
    parser.add_argument("--quick", action="store_true", help="leave the curves out (workers, chunk, size, skew)")
    options = parser.parse_args(arguments)
    out, err = Console(width=None if sys.stdout.isatty() else WIDTH), Console(stderr=True, soft_wrap=True)
    known = existing() if areas is None else areas
    if options.area and options.area not in known:
        err.print(f"no area is called {options.area}; there are {', '.join(known)}")
        return 2
    found: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="ludb-bench-", dir=options.folder) as scratch:
        for name in [options.area] if options.area else list(known):
            measure = known[name]
            if measure is None:
                err.print(f"{name}: this area does not exist yet")
                continue
            folder = Path(scratch) / name
            folder.mkdir()
            asked = Plan(
                options.scale, options.runs, folder, lambda text: err.print(text, highlight=False), quick=options.quick
            )
            found += measure(asked)
    if found:
        keep(found, results)
        out.print(table(found))
        out.print(machine(), highlight=False)
    for one in failed(found):
        err.print(f"{one.area}: {one.name} is {one.value:g} {one.unit}, the bar is {one.bar}")
    return 1 if failed(found) else 0


def machine() -> str:
    """The machine as `bench/README.md` names it: processor, memory, kernel, versions, load."""
    import os
    import sqlite3
    from importlib.metadata import version

    info = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = next((line.split(":", 1)[1].strip() for line in info.splitlines() if line.startswith("model name")), "?")
    memory = int(Path("/proc/meminfo").read_text(encoding="utf-8").split()[1]) / 2**20
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    libraries = ", ".join(f"{name} {version(name)}" for name in ("duckdb", "pyarrow", "sqlalchemy"))
    return (
        f"{len(os.sched_getaffinity(0))} cores, {model}, {memory:.0f} GiB; {platform.system()} {platform.release()}; "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {libraries}; load {load}"
    )


if __name__ == "__main__":
    # ended from outside, it still ends its servers and removes their data
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
