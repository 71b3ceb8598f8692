"""What a run does to the source and to the server: the longest open transaction, blocks and rows read, processor seconds."""

from __future__ import annotations

import contextlib
import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg

from bench.databases.estate import Estate, processor_seconds

EVERY = 0.05
"""Seconds between two looks at open transactions."""

_OPEN = """
SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0) FROM pg_stat_activity
WHERE datname = %s AND pid <> pg_backend_pid() AND xact_start IS NOT NULL AND backend_type = 'client backend'
"""
_READ = """
SELECT coalesce(sum(shared_blks_hit + shared_blks_read), 0)::bigint, coalesce(sum(rows), 0)::bigint,
       coalesce(sum(calls), 0)::bigint
FROM pg_stat_statements AS s JOIN pg_database AS d ON d.oid = s.dbid
WHERE d.datname = %s AND query !~ 'pg_stat'
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """`longest`: seconds of the longest transaction open on the source. `blocks` (8 KiB) and `rows` that its statements
    touched and returned, in `calls` statements. `server`: processor seconds of the whole server, targets too; `own`: of the
    programs that ran.
    """

    longest: float
    blocks: int
    rows: int
    calls: int
    server: float
    own: float


@dataclass(slots=True)
class Watching:
    """The cost, once the run is over."""

    cost: Cost | None = None
    longest: float = 0.0
    over: threading.Event = field(default_factory=threading.Event)


@contextmanager
def watched(estate: Estate) -> Iterator[Watching]:
    """Watch a run over the estate; the figures are there when the block has ended."""
    watching = Watching()
    url = estate.server.url("postgres")
    with psycopg.connect(estate.source, autocommit=True) as session:
        session.execute("SELECT pg_stat_statements_reset()")
        looker = threading.Thread(target=_look, args=(url, estate.name, watching), daemon=True)
        before, own = processor_seconds(estate.server), _ended()
        looker.start()
        try:
            yield watching
        finally:
            watching.over.set()
            looker.join()
        server, own = processor_seconds(estate.server) - before, _ended() - own
        row = session.execute(_READ, (estate.name,)).fetchone()
    blocks, rows, calls = row or (0, 0, 0)
    watching.cost = Cost(watching.longest, int(blocks), int(rows), int(calls), server, own)


def _look(url: str, name: str, watching: Watching) -> None:
    with contextlib.suppress(psycopg.Error), psycopg.connect(url, autocommit=True) as session:
        while not watching.over.wait(EVERY):
            row = session.execute(_OPEN, (name,)).fetchone()
            watching.longest = max(watching.longest, float(row[0]) if row else 0.0)


def _ended() -> float:
    """Processor seconds of all processes that this one has started, with theirs, and that have ended; the server has not."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
