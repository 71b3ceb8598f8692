"""Runs of ours over TPC-H: the job with its settings, one `ludb run` into empty targets, checked row by row."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.databases.estate import HERE, PLACES, Estate, Wrong, check, fresh
from bench.databases.watch import Cost, watched
from bench.processes import run

WORKERS = 2
CHUNK_UNITS = 2_000


@dataclass(frozen=True, slots=True)
class Moved:
    """One run: seconds of all its processes from start to end, the most memory that a worker held (MiB), what it cost the
    source, and how many of the seconds were `ludb stage`.
    """

    seconds: float
    memory: float = 0.0
    cost: Cost | None = None
    staging: float = 0.0


def make_job(folder: Path, *, source: str = "postgres", **settings: object) -> Path:
    """The job folder with these settings, reading from a source of this type."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(HERE / "job", folder)
    text = (folder / "job.yaml").read_text(encoding="utf-8")
    text = text.replace("legacy:    {type: postgres,", f"legacy:    {{type: {source},")
    said = ", ".join(f"{name}: {value}" for name, value in settings.items())
    (folder / "job.yaml").write_text(f"{text}settings: {{{said}}}\n", encoding="utf-8")
    return folder


def move(
    estate: Estate, folder: Path, *, source: str | None = None, kind: str = "postgres", **settings: object
) -> Moved:
    """`ludb run` into empty targets. `Wrong` unless every unit is done and every row is as the five steps leave it."""
    known = {"workers": WORKERS, "chunk_units": CHUNK_UNITS} | settings
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder / "state", ignore_errors=True)
    job = make_job(folder / "job", source=kind, **known)
    fresh(estate.server)
    known_to_it, staging = environment(estate, folder, source), 0.0
    with watched(estate) as watching:
        if known.get("extract") == "staged":
            staging = _stage(job, known_to_it, folder)
        ran = run(["ludb", "run", str(job), "--json"], known_to_it, folder)
    if ran.code:
        raise Wrong(f"ludb run ended with {ran.code}: {(folder / 'messages').read_text()[-3000:]}{ran.answer}")
    counters = json.loads(ran.answer)["counters"]
    if (counters["total"], counters["done"]) != (estate.units, estate.units):
        raise Wrong(f"all {estate.units} units should have moved: {counters}")
    check(estate, estate.truth.moved, "ludb")
    shutil.rmtree(folder / "state")
    return Moved(staging + ran.seconds, max(ran.memory.values(), default=0.0), watching.cost, staging)


def _stage(job: Path, known_to_it: Mapping[str, str], folder: Path) -> float:
    ran = run(["ludb", "stage", str(job)], known_to_it, folder)
    if ran.code:
        raise Wrong(f"ludb stage ended with {ran.code}: {(folder / 'messages').read_text()[-3000:]}{ran.answer}")
    return ran.seconds


def environment(estate: Estate, folder: Path, source: str | None = None) -> Mapping[str, str]:
    """What a run is told of the addresses of its systems, and of its state directory."""
    urls = {f"{place.upper()}_URL": estate.target(table) for table, place in PLACES.items()}
    return os.environ | urls | {"LEGACY_URL": source or estate.source, "LUDB_STATE": str(folder / "state")}
