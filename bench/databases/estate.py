"""The databases that everybody reads and writes: TPC-H in one PostgreSQL database, three empty ones, and the truth about them."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from bench.databases.shape import shape
from bench.environments import environment_of
from ludb.testing.services import Server

HERE = Path(__file__).resolve().parent
PLACES = {"customer": "crm", "orders": "billing", "lineitem": "logistics"}
"""Table -> the target database that it goes to. All peers write there."""
KEYS = {"customer": "c_custkey", "orders": "o_orderkey", "lineitem": "l_orderkey, l_linenumber"}
PREFIXES = {"customer": "c_", "orders": "o_", "lineitem": "l_"}
"""Table -> how the names of its own columns begin; others are what a peer adds."""
POSTGRES = (
    "fsync=on", "synchronous_commit=on", "full_page_writes=on", "wal_level=replica", "shared_buffers=1GB",
    "max_wal_size=8GB", "checkpoint_timeout=1h", "autovacuum=off", "shared_preload_libraries=pg_stat_statements",
    "pg_stat_statements.track=top",
)  # fmt: skip
"""The server's settings, the same for everybody. It lies on a disk, and syncs."""
MARIADB = ("--innodb-buffer-pool-size=1G", "--innodb-flush-log-at-trx-commit=1", "--sync-binlog=1")


class Wrong(Exception):  # noqa: N818  (a verdict)
    """Targets do not hold what they should: no number of that run counts."""


@dataclass(frozen=True, slots=True)
class Truth:
    """Digests by table of all rows in key order: as they stand in the source, and as the five steps leave them."""

    plain: Mapping[str, str]
    moved: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Estate:
    """A source database `name` with `units` customers and `rows` rows in three tables."""

    server: Server
    name: str
    units: int
    rows: int
    counts: Mapping[str, int]
    truth: Truth

    @property
    def source(self) -> str:
        """The address of the source."""
        return self.server.url(self.name)

    def target(self, table: str) -> str:
        """The address of the database that a table goes to."""
        return self.server.url(PLACES[table])


@contextmanager
def serving(kind: str, near: Path, options: tuple[str, ...]) -> Iterator[Server]:
    """A server with its data on the disk that `near` lies on, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix=f"ludb-bench-{kind}-", dir=near))
    folder.chmod(0o755)  # the server is another user; its data folder is 0700
    extra = [part for setting in options for part in ("-c", setting)] if kind == "postgres" else list(options)
    server = Server("postgres" if kind == "postgres" else "mariadb", folder, _free_port(), extra)
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def generate(scale: float, folder: Path) -> Path:
    """The three tables as CSV files with a head, by tpchgen-cli."""
    files = folder / f"tpch-{scale:g}"
    if not files.is_dir():
        program = environment_of("data") / "bin" / "tpchgen-cli"
        command = [str(program), "csv", "-s", f"{scale:g}", "-T", ",".join(PLACES), "-o", str(files)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603  (the bench's own environment)
    return files


def load(server: Server, name: str, files: Path, *, skew: int = 0) -> Estate:
    """A source database with these files' rows, indexes and statistics. With `skew`, one customer gets `skew` lines."""
    with _session(server.url("postgres")) as session:
        session.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        session.execute(f"CREATE DATABASE {name}")
        for place in PLACES.values():
            session.execute(f"DROP DATABASE IF EXISTS empty_{place} WITH (FORCE)")
            session.execute(f"CREATE DATABASE empty_{place}")
    tables = dict(zip(PLACES, statements("tables.sql"), strict=True))
    with _session(server.url(name)) as session:
        for table, ddl in tables.items():
            session.execute(ddl)
            with (
                (files / f"{table}.csv").open("rb") as rows,
                session.cursor().copy(f"COPY {table} FROM STDIN (FORMAT csv, HEADER)") as copy,
            ):
                shutil.copyfileobj(rows, copy, 1 << 20)
        if skew:
            _make_skewed(session, skew)
        session.execute("CREATE INDEX orders_custkey ON orders (o_custkey)")
        session.execute("CREATE EXTENSION pg_stat_statements")
        session.execute("VACUUM ANALYZE")
        counts = {table: _number(session, f"SELECT count(*) FROM {table}") for table in PLACES}
    for table, ddl in tables.items():
        with _session(server.url(f"empty_{PLACES[table]}")) as session:
            session.execute(ddl)
    plain = {table: digest(server.url(name), f"SELECT * FROM {table} ORDER BY {KEYS[table]}") for table in PLACES}
    asked = zip(PLACES, statements("moved.sql"), strict=True)
    moved = {table: digest(server.url(name), sql) for table, sql in asked}
    return Estate(server, name, counts["customer"], sum(counts.values()), counts, Truth(plain, moved))


def _make_skewed(session: psycopg.Connection[Any], lines: int) -> None:
    """Customer 1 gets one more order of `lines` lines, like those of others."""
    order = _number(session, "SELECT max(o_orderkey) + 1 FROM orders")
    session.execute(
        f"INSERT INTO orders SELECT {order}, 1, o_orderstatus, o_totalprice, o_orderdate, o_orderpriority, o_clerk,"
        " o_shippriority, o_comment FROM orders LIMIT 1"
    )
    columns = [column.name for column in session.execute("SELECT * FROM lineitem LIMIT 0").description or ()]
    rest = ", ".join(name for name in columns if name not in ("l_orderkey", "l_linenumber"))
    session.execute(
        f"INSERT INTO lineitem (l_orderkey, l_linenumber, {rest}) SELECT {order}, row_number() OVER (), {rest} FROM"
        f" (SELECT l.* FROM lineitem AS l, generate_series(1, 1 + {lines} / (SELECT count(*) FROM lineitem)) LIMIT {lines}) AS l"
    )


def fresh(server: Server) -> None:
    """Empty targets, and nothing left for the server to write from the run before."""
    with _session(server.url("postgres")) as session:
        for place in PLACES.values():
            session.execute(f"DROP DATABASE IF EXISTS {place} WITH (FORCE)")
            session.execute(f"CREATE DATABASE {place} TEMPLATE empty_{place}")
        session.execute("CHECKPOINT")


def check(estate: Estate, expected: Mapping[str, str], who: str) -> None:
    """`Wrong` unless every target is still the table that was made, with exactly the expected rows, all columns, each once."""
    for table, place in PLACES.items():
        found_shape = shape(estate.target(table), table, PREFIXES[table])
        made = shape(estate.server.url(f"empty_{place}"), table, PREFIXES[table])
        if found_shape is None or made is None or not found_shape.keeps(made):
            raise Wrong(f"{who}: {place}.{table} has not the columns and keys any more that it was made with")
        names = _columns(estate.target(table), table)
        found = digest(estate.target(table), f"SELECT {names} FROM {table} ORDER BY {KEYS[table]}")
        if found != expected[table]:
            raise Wrong(f"{who}: the rows of {place}.{table} are not those that were expected")


def _columns(url: str, table: str) -> str:
    """The columns of the DDL, without those that a peer adds."""
    with _session(url) as session:
        found = [column.name for column in session.execute(f"SELECT * FROM {table} LIMIT 0").description or ()]
    return ", ".join(name for name in found if name.startswith(PREFIXES[table]))


def first(estate: Estate, customers: int) -> Mapping[str, str]:
    """As `Truth.moved`, of the first customers alone, in the order of their keys."""
    last = f"(SELECT max(c_custkey) FROM (SELECT c_custkey FROM customer ORDER BY 1 LIMIT {customers}) AS c)"
    theirs = {
        "customer": f"c_custkey <= {last}",
        "orders": f"o_custkey <= {last}",
        "lineitem": f"l_orderkey IN (SELECT o_orderkey FROM orders WHERE o_custkey <= {last})",
    }
    return {
        table: digest(estate.source, f"SELECT * FROM ({sql}) AS every WHERE {theirs[table]} ORDER BY {KEYS[table]}")
        for table, sql in zip(PLACES, statements("moved.sql"), strict=True)
    }


def digest(url: str, sql: str) -> str:
    """A digest of a query's rows as COPY writes them, in order: equal digests are equal rows."""
    found = hashlib.sha256()
    with _session(url) as session:
        session.execute("SET work_mem = '512MB'")  # sorting on the disk took longer than many a run
        with session.cursor().copy(f"COPY ({sql}) TO STDOUT") as copy:
            for piece in copy:
                found.update(piece)
    return found.hexdigest()


def statements(name: str) -> list[str]:
    """The statements of a file of `sql/`, one for each table in the order of `PLACES`."""
    text = (HERE / "sql" / name).read_text(encoding="utf-8")
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    return [part.strip() for part in lines.split(";") if part.strip()]


def processor_seconds(server: Server) -> float:
    """Processor seconds of the server and all processes that it has started and that still run or have ended."""
    assert server.pid is not None
    fields = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
    total = sum(int(fields[number]) for number in (11, 12, 13, 14))
    for child in Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split():
        try:
            own = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += int(own[11]) + int(own[12])
    return float(total) / float(os.sysconf("SC_CLK_TCK"))


def _session(url: str) -> psycopg.Connection[Any]:
    """A connection in autocommit."""
    return psycopg.connect(url, autocommit=True)


def _number(session: psycopg.Connection[Any], sql: str) -> int:
    row = session.execute(sql).fetchone()
    assert row is not None
    return int(row[0])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
