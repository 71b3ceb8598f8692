"""Where the time of ours goes over TPC-H: shares by phase of what its processes do, and of the time that workers wait."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from bench.databases import ours
from bench.databases.estate import Estate, fresh
from bench.harness import Plan, Result, result
from bench.profiled import parts, sampled

AREA = "databases"
PARTS = (
    ("interpreter and imports", r"_find_and_load|adapter \(ludb/project|open_site|load_pinned|read_job"),
    ("plan", r"plan_run|pin \(ludb/service|_create \(ludb/service"),
    ("extract", r"\bextract \(ludb/engine"),
    ("assemble", r"open_batch"),
    ("rules", r"_run_rule"),
    ("steps", r"_run_folder|transform \(ludb/engine"),
    ("commit", r"\bcommit \(ludb/engine"),
    ("decide", r"\bdecide \(ludb/engine"),
    ("journal", r"\bjournal \(ludb/engine"),
    ("prepare", r"prepared \(ludb/engine|Participant\.|Writer\."),
    ("claim, record, repository", r"\(ludb/repositories"),
    ("verdicts, counts", r"Verdicts|rows_moved|Conversions"),
)
"""Phase -> how its functions are named in a stack; the first that fits takes the sample."""
LEAST = 0.005
"""Shares below it are not listed one by one."""


def measure(estate: Estate, asked: Plan) -> Iterator[Result]:
    """One sampled run of `direct` for what runs, one for what workers do and wait for; and the server's share of a third."""
    busy = _shares(parts(_stacks(estate, asked.folder / "profiled"), PARTS))
    waits = parts(_stacks(estate, asked.folder / "profiled", "--idle"), PARTS)
    for what, found in (
        ("processors", busy),
        ("time of the workers", _shares({"": waits.get("ludb worker", Counter())})),
    ):
        for part, share in found.items():
            if share >= LEAST:
                yield result(AREA, f"profile of direct, {what}: {part}", 100 * share, "%")
    moved = ours.move(estate, asked.folder / "profiled")
    if moved.cost is not None:
        used = moved.cost.server + moved.cost.own
        share = 100 * moved.cost.server / used
        yield result(AREA, "profile of direct: PostgreSQL's share of the processor time", share, "%")
        yield result(
            AREA, "profile of direct: processor time, against what two cores had", used, "s", against=2 * moved.seconds
        )


def _shares(found: dict[str, Counter[str]]) -> dict[str, float]:
    """Phase -> its share of all samples, the largest first."""
    every: Counter[str] = Counter()
    for counted in found.values():
        every += counted
    total = sum(every.values()) or 1
    return {name: count / total for name, count in every.most_common()}


def _stacks(estate: Estate, folder: Path, *options: str) -> list[str]:
    """py-spy's stacks of one run into empty targets."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder / "state", ignore_errors=True)
    job = ours.make_job(folder / "job", workers=ours.WORKERS, chunk_units=ours.CHUNK_UNITS)
    fresh(estate.server)
    return sampled(["run", str(job), "--json"], ours.environment(estate, folder), folder / "raw", *options)
