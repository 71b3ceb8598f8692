"""Where the time of a run goes: `python -m bench.profiled [--scale S]` samples one with py-spy and sums it up.

Each sample counts for the innermost function of ours that stands in the engine's phases table below; what no line names is
`other`. Sampling slows a run down, so shares are told, not seconds.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import telco
from bench.engine import CHUNK_UNITS, CUSTOMERS, WORKERS

Parts = Sequence[tuple[str, str]]
PARTS: Parts = (
    ("interpreter and imports", r"<module>|_find_and_load|adapter \(ludb/project|open_site|load_pinned|read_job"),
    ("plan", r"plan_run|pin \(ludb/service|_create \(ludb/service"),
    ("extract: SQLite", r"SqliteSource\._batches|SqliteSource\._keep_keys"),
    ("extract: values to Arrow, owners", r"extract \(ludb/engine"),
    ("assemble: DuckDB, key maps", r"open_batch"),
    ("rules, rejected units leave", r"_run_rule"),
    ("steps", r"_run_folder|transform \(ludb/engine"),
    ("prepare: SQLite insert", r"SqliteWriter\._insert_all|SqliteWriter\._scan|SqliteParticipant\.open"),
    ("prepare: values from Arrow", r"SqliteWriter\.bind"),
    ("prepare: links, ledger", r"SqliteWriter\.check_links|SqliteWriter\._note_links|SqliteParticipant"),
    ("prepare, commit: files", r"FilesParticipant"),
    ("journal", r"journal \(ludb/engine"),
    ("repository", r"\(ludb/repositories"),
    ("verdicts, counts", r"Verdicts|rows_moved|Produced\.writes"),
)
"""Part -> how its functions are named in a stack. The first part that any frame of ours fits takes the sample."""


def parts(lines: Iterable[str], named: Parts = PARTS) -> dict[str, Counter[str]]:
    """Samples by kind of process (`ludb run`, `ludb worker`) and part; `lines` are py-spy's raw stacks. Threads that only
    wait are not sampled unless py-spy was asked for them; the heartbeat's are left out, and what is none of ours.
    """
    found: dict[str, Counter[str]] = {}
    for line in lines:
        stack, _, count = line.rstrip().rpartition(" ")
        if not count.isdigit() or "heartbeat" in stack.lower() or "ludb" not in stack.partition(";")[2]:
            continue
        kind = "ludb worker" if "ludb worker" in stack else "ludb run"
        frames = [frame for frame in stack.split(";") if not frame.startswith("process ")]
        found.setdefault(kind, Counter())[_part(frames, named)] += int(count)
    return found


def _part(frames: Sequence[str], named: Parts) -> str:
    text = ";".join(frame for frame in frames[1:] if "<module> (ludb/__main__" not in frame)
    return next((name for name, pattern in named if re.search(pattern, text)), "other")


def sampled(arguments: Sequence[str], known: Mapping[str, str], raw: Path, *options: str) -> list[str]:
    """py-spy's raw stacks of `ludb <arguments>` and all its processes, 100 times a second; `options` are py-spy's."""
    sampler = ["py-spy", "record", "--subprocesses", "--rate", "100", "--format", "raw", *options, "--output", str(raw)]
    command = [str(Path(sys.executable).with_name(sampler[0])), *sampler[1:], "--", sys.executable, "-m", "ludb"]
    subprocess.run(  # noqa: S603  (our own interpreter)
        [*command, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False, env=known
    )
    return raw.read_text(encoding="utf-8").splitlines()


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the estate, sample one run of it, print the shares."""
    parser = argparse.ArgumentParser(prog="bench.profiled", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="ludb-profile-") as scratch:
        folder = Path(scratch)
        estate = telco.make_estate(folder / "estate", round(CUSTOMERS * options.scale))
        chunk = max(20, round(CHUNK_UNITS * options.scale))
        job = telco.make_job(folder, chunk_units=chunk, workers=WORKERS)
        billing, archive = estate.targets(folder / "targets")
        known = telco.environment(estate.legacy, billing, archive, folder / "state")
        found = parts(sampled(["run", str(job), "--json"], known, folder / "raw"))
    total = sum(sum(counted.values()) for counted in found.values())
    table = Table("process", "part", "share of all samples")
    for kind, counted in sorted(found.items()):
        for part, count in counted.most_common():
            table.add_row(kind, part, f"{100 * count / total:.1f}%")
    Console().print(table)


if __name__ == "__main__":
    main()
