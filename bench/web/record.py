"""Writes `recorded_run.jsonl`: what a run of the telco demo with faults leaves in its repository, moment by moment.

    python -m bench.web.record FILE.sqlite RUN

600 customers, chunks of 10, APIs that take 60 ms and later 300, two workers; a third is added, one is killed, the CRM is
paced, the run is paused and resumed, the inventory is away for 8 s: steered over the API, at a `ludb serve` beside
the simulators of `examples/telco`. This takes what came of it. The recording was made once and then stays:
what was measured is not tuned.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from contextlib import closing

from sqlalchemy import Connection, select

from bench.web.recorded import RECORDED
from ludb.model.run import ChunkState
from ludb.repositories.sqlite import SqliteRepository
from ludb.repositories.store import tables as t
from ludb.repositories.store import tables_server as s

Told = tuple[float, Mapping[str, object]]


def told_by(connection: Connection, run: str) -> Iterator[Told]:
    """Events, finished chunks and samples of a run, each with its Unix second."""
    for row in connection.execute(select(t.event).where(t.event.c.run == run)):
        yield row.at, {"event": {"name": row.name, "level": row.level, "data": row.data}}
    c = t.chunk.c
    for row in connection.execute(select(t.chunk).where(c.run == run, c.state == str(ChunkState.FINISHED))):
        took = round(row.finished_at - row.claimed_at, 3)
        yield row.finished_at, {"chunk": {"units": row.units, "done": row.done, "seconds": took}}
    for row in connection.execute(select(s.sample).where(s.sample.c.run == run)):
        rates = {name: round(value, 4) for name, value in row.rates.items()}
        yield row.at, {"sample": {"span": round(row.span, 3), "data": row.data, "rates": rates}}


def main() -> None:
    """Write the file anew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file")
    parser.add_argument("run")
    said = parser.parse_args()
    with closing(SqliteRepository(said.file)) as repository, repository._database.read() as connection:  # noqa: SLF001
        began = repository.runs.get(said.run).started_at or 0.0
        found = sorted(told_by(connection, said.run), key=lambda one: one[0])
    with RECORDED.open("w", encoding="utf-8") as file:
        for at, what in found:
            file.write(json.dumps({"after": round(max(0.0, at - began), 3), **what}, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
