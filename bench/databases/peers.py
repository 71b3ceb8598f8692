"""The others: each runs as a process of its own into the same empty tables, and is checked as ours is."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

from bench.databases.estate import PLACES, Estate, Wrong, check, first, fresh
from bench.databases.ours import Moved
from bench.databases.watch import watched
from bench.environments import PEERS, Missing, built, environment_of, program

QUIET = {"DLT_TELEMETRY": "0", "RUNTIME__DLTHUB_TELEMETRY": "false", "INGESTR_DISABLE_TELEMETRY": "true",
         "DISABLE_TELEMETRY": "true", "SLING_DISABLE_TELEMETRY": "TRUE"}  # fmt: skip
"""Nobody is told that this was measured."""

Commands = Sequence[Sequence[str]]
Runner = Callable[[], Moved]


@dataclass(frozen=True, slots=True)
class Tuning:
    """One setting of the Spring Batch program: threads, and items in a chunk."""

    threads: int
    chunk: int

    def __str__(self) -> str:
        return f"{self.threads} threads, {self.chunk:,} customers a chunk"


CORES = len(os.sched_getaffinity(0))
SWEEP = tuple(Tuning(threads, chunk) for threads in (CORES, 2 * CORES) for chunk in (300, 1_000, 3_000))
JVM = ("-XX:+UseParallelGC", "-Xms2g", "-Xmx4g")
"""A collector for throughput, and a heap that need not grow: a tenth to a fifth faster here than what Java begins with."""


def timed(
    estate: Estate, commands: Commands, folder: Path, expected: Mapping[str, str], who: str, **more: str
) -> Moved:
    """Run the commands one after the other into empty targets. Raises `Missing` where one fails, `Wrong` for other rows."""
    folder.mkdir(parents=True, exist_ok=True)
    fresh(estate.server)
    with watched(estate) as watching:
        began = time.monotonic()
        for command in commands:
            done = subprocess.run(  # noqa: S603  (pinned programs of others)
                command, cwd=folder, env=os.environ | QUIET | more, capture_output=True, text=True, check=False,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
            if done.returncode:
                said = (done.stderr.strip() or done.stdout.strip()).splitlines()
                raise Missing(f"{who} ended with {done.returncode}: {said[-1] if said else ''}")
        seconds = time.monotonic() - began
    try:
        check(estate, expected, who)
    except psycopg.Error as error:
        raise Wrong(f"{who}: {error}") from error
    return Moved(seconds, 0.0, watching.cost)


def limit(estate: Estate, folder: Path) -> Moved:
    """Binary COPY out of the source piped into COPY, one table after the other."""
    psql = program("psql", "postgresql-client")
    out, into = "TO STDOUT (FORMAT binary)", "FROM STDIN (FORMAT binary)"
    commands = []
    for table in PLACES:
        pipe = f'"$0" -qX "$1" -c "COPY {table} {out}" | "$0" -qX -v ON_ERROR_STOP=1 "$2" -c "COPY {table} {into}"'
        commands.append(["bash", "-c", f"set -o pipefail; {pipe}", psql, estate.source, estate.target(table)])
    return timed(estate, commands, folder, estate.truth.plain, "COPY")


def spring(estate: Estate, folder: Path, tuning: Tuning) -> Moved:
    """The Spring Batch program; its rows must be ours."""
    place = built("spring_batch", PEERS / "spring_batch")
    with psycopg.connect(estate.server.url("postgres"), autocommit=True) as session:
        session.execute("DROP DATABASE IF EXISTS spring_meta WITH (FORCE)")
        session.execute("CREATE DATABASE spring_meta")
    names = {"SOURCE": estate.name, "META": "spring_meta"} | {place.upper(): place for place in PLACES.values()}
    urls = {
        name: f"jdbc:postgresql://127.0.0.1:{estate.server.port}/{database}?user=postgres"
        for name, database in names.items()
    }
    command = [program("java", "default-jre-headless"), *JVM, "-cp", f"{place}/classes:{place}/lib/*", "bench.Main"]
    command += [str(tuning.threads), str(tuning.chunk)]
    return timed(estate, [command], folder, estate.truth.moved, "Spring Batch", **urls)


def tunings(estate: Estate, folder: Path, tell: Callable[[str], None]) -> dict[Tuning, float]:
    """Rows per second of the Spring Batch program with each of `SWEEP`, one run each; all are told."""
    found: dict[Tuning, float] = {}
    for tuning in SWEEP:
        found[tuning] = estate.rows / spring(estate, folder, tuning).seconds
        tell(f"databases: Spring Batch, {tuning}: {found[tuning]:,.0f} rows/s")
    return found


def dlt(estate: Estate, folder: Path, mode: str) -> Moved:
    """A plain copy by dlt."""
    command = [str(environment_of("dlt") / "bin" / "python"), str(PEERS / "dlt_copy.py"), mode, estate.source]
    return timed(estate, [command + _places(estate)], folder, estate.truth.plain, f"dlt, {mode}")


def ingestr(estate: Estate, folder: Path) -> Moved:
    """A plain copy by ingestr, one table after the other, in pieces of 100,000 rows (25,000 were no faster)."""
    ours = str(environment_of("ingestr") / "bin" / "ingestr")
    commands = [
        [ours, "ingest", "--yes", "--incremental-strategy", "append", "--page-size", "100000", "--loader-file-size", "100000",
         "--progress", "log", "--source-uri", f"{estate.source}?sslmode=disable",
         "--source-table", f"public.{table}", "--dest-uri", f"{estate.target(table)}?sslmode=disable",
         "--dest-table", f"public.{table}"]
        for table in PLACES
    ]  # fmt: skip
    return timed(estate, commands, folder, estate.truth.plain, "ingestr")


def sling(estate: Estate, folder: Path) -> Moved:
    """A plain copy by sling, one table after the other, straight into its table (not by a temporary one, as it would)."""
    found = sorted(environment_of("sling").glob("lib/python*/site-packages/sling_linux_amd64/bin/sling-linux-amd64"))
    if not found:
        raise Missing("sling: its package carries no program for this machine")
    found[0].chmod(0o755)
    commands = [
        [str(found[0]), "run", "--src-conn", f"{estate.source}?sslmode=disable", "--src-stream", f"public.{table}",
         "--tgt-conn", f"{estate.target(table)}?sslmode=disable", "--tgt-object", f"public.{table}", "--mode", "truncate",
         "--tgt-options", '{"direct_insert": true}']
        for table in PLACES
    ]  # fmt: skip
    return timed(estate, commands, folder, estate.truth.plain, "sling")


def arrow(estate: Estate, folder: Path, source: str | None = None) -> Moved:
    """A plain copy by ConnectorX and ADBC."""
    command = [str(environment_of("copies") / "bin" / "python"), str(PEERS / "arrow_copy.py"), source or estate.source]
    return timed(estate, [command + _places(estate)], folder, estate.truth.plain, "ConnectorX + ADBC")


def pgloader(estate: Estate, folder: Path, source: str) -> Moved:
    """A plain copy from MariaDB by pgloader, one table after the other."""
    load = program("pgloader", "pgloader")
    folder.mkdir(parents=True, exist_ok=True)
    commands = []
    for table in PLACES:
        (folder / f"{table}.load").write_text(
            f"LOAD DATABASE FROM {source} INTO {estate.target(table)}\n"
            "WITH data only, workers = 2, concurrency = 1, prefetch rows = 50000\n"
            f"INCLUDING ONLY TABLE NAMES MATCHING '{table}'\n"
            f"ALTER SCHEMA '{source.rpartition('/')[2]}' RENAME TO 'public';\n"
        )
        commands.append([load, "--quiet", f"{table}.load"])
    return timed(estate, commands, folder, estate.truth.plain, "pgloader")


def one_by_one(estate: Estate, folder: Path, customers: int) -> float:
    """Rows per second of the program that moves one customer at a time, over a sample. `Wrong` for other rows."""
    folder.mkdir(parents=True, exist_ok=True)
    fresh(estate.server)
    command = [sys.executable, str(PEERS / "one_by_one.py"), estate.source, str(customers)]
    command += [estate.target(table) for table in PLACES]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)  # noqa: S603  (ours)
    check(estate, first(estate, customers), "one customer at a time")
    rows, seconds = done.stdout.split()
    return int(rows) / float(seconds)


def _places(estate: Estate) -> list[str]:
    return [f"{table}={estate.target(table)}" for table in PLACES]
