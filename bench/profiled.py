"""Where the time of a run goes: `python -m bench.profiled [engine|databases] [--scale S]` samples it with py-spy and sums it up.

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
from bench.processes import as_installed

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
WORKER = re.compile(r"ludb worker|\bworker \(ludb/cli")


def parts(lines: Iterable[str], named: Parts = PARTS) -> dict[str, Counter[str]]:
    """Samples by kind of process (`ludb run`, `ludb worker`) and part; `lines` are py-spy's raw stacks. Threads that only
    wait are not sampled unless py-spy was asked for them; the heartbeat's are left out, and what is none of ours.
    """
    found: dict[str, Counter[str]] = {}
    stacks = list(lines)
    workers = {_process(stack) for stack in stacks if WORKER.search(stack)}
    for line in stacks:
        stack, _, count = line.rstrip().rpartition(" ")
        if not count.isdigit() or "heartbeat" in stack.lower() or "ludb" not in stack.partition(";")[2]:
            continue
        kind = "ludb worker" if _process(stack) in workers else "ludb run"
        frames = [frame for frame in stack.split(";") if not frame.startswith("process ")]
        found.setdefault(kind, Counter())[_part(frames, named)] += int(count)
    return found


def _process(stack: str) -> str:
    """The id of the process that a stack is of, the innermost that it names. Its name may still be that of its parent."""
    named: list[str] = re.findall(r"process (\d+)", stack)
    return named[-1] if named else ""


def _part(frames: Sequence[str], named: Parts) -> str:
    text = ";".join(frame for frame in frames[1:] if "<module> (ludb/__main__" not in frame)
    return next((name for name, pattern in named if re.search(pattern, text)), "other")


def sampled(arguments: Sequence[str], known: Mapping[str, str], raw: Path, *options: str) -> list[str]:
    """py-spy's raw stacks of `ludb <arguments>` and all its processes, 100 times a second; `options` are py-spy's."""
    sampler = ["py-spy", "record", "--subprocesses", "--rate", "100", "--format", "raw", *options, "--output", str(raw)]
    command = [str(Path(sys.executable).with_name(sampler[0])), *sampler[1:], "--", sys.executable, "-m", "ludb"]
    subprocess.run(  # noqa: S603  (our own interpreter)
        [*command, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
        env=as_installed(known),
    )
    return raw.read_text(encoding="utf-8").splitlines()


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the estate of an area, sample one run of it, print the shares."""
    parser = argparse.ArgumentParser(prog="bench.profiled", description=__doc__)
    parser.add_argument("area", nargs="?", default="engine", choices=("engine", "databases"))
    parser.add_argument("--scale", type=float, default=1.0)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="ludb-profile-") as scratch:
        shown = (of_engine if options.area == "engine" else of_databases)(Path(scratch), options.scale)
    Console().print(shown)


def of_engine(folder: Path, scale: float) -> Table:
    """One run of the area `engine`."""
    estate = telco.make_estate(folder / "estate", round(CUSTOMERS * scale))
    chunk = max(20, round(CHUNK_UNITS * scale))
    job = telco.make_job(folder, chunk_units=chunk, workers=WORKERS)
    billing, archive = estate.targets(folder / "targets")
    known = telco.environment(estate.legacy, billing, archive, folder / "state")
    found = parts(sampled(["run", str(job), "--json"], known, folder / "raw"))
    total = sum(sum(counted.values()) for counted in found.values())
    table = Table("process", "part", "share of all samples")
    for kind, counted in sorted(found.items()):
        for part, count in counted.most_common():
            table.add_row(kind, part, f"{100 * count / total:.1f}%")
    return table


def of_databases(folder: Path, scale: float) -> Table:
    """The profile of the area `databases`, as the area itself takes it."""
    from bench.databases import profile
    from bench.databases.estate import POSTGRES, generate, load, serving
    from bench.harness import Plan, table

    with serving("postgres", folder.parent, POSTGRES) as server:
        estate = load(server, "legacy", generate(scale, folder))
        return table(list(profile.measure(estate, Plan(scale, 1, folder, print))))


if __name__ == "__main__":
    main()
