"""Where the demo's legacy and billing databases are: files of SQLite, or two databases of a PostgreSQL server."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from legacy.estate import TABLES
from psycopg.rows import dict_row

from ludb.testing.services import missing, running

HERE = Path(__file__).resolve().parent
NAMES = {"LEGACY_URL": "ludb_demo_legacy", "BILLING_URL": "ludb_demo_billing"}
OURS = "made by the demo of ludb, which drops it when it is run again"
"""The comment that tells a database of the demo from one that somebody needs."""


class Sqlite:
    """Both as the generator writes them."""

    def __init__(self, out: Path) -> None:
        self.job = HERE / "job"
        self.urls = {"LEGACY_URL": str(out / "legacy.sqlite"), "BILLING_URL": str(out / "billing.sqlite")}

    def rows(self, variable: str, query: str, value: object) -> list[dict]:
        """The rows of a query with one value in it."""
        with contextlib.closing(sqlite3.connect(self.urls[variable])) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(query, (value,))]


class Postgres:
    """The same rows in databases of a server, and the same job but for its systems.

    What SQLite lets into an INTEGER column PostgreSQL refuses, so a legacy system that kept it had a text column: the job
    says that it should be a number.
    """

    def __init__(self, out: Path, server: str) -> None:
        self.job = _job(out)
        self.urls = {variable: urlsplit(server)._replace(path=f"/{name}").geturl() for variable, name in NAMES.items()}
        with psycopg.connect(server, autocommit=True) as admin:
            _make_anew(admin)
        schema = (HERE / "legacy" / "schema.sql").read_text(encoding="utf-8")
        schema = schema.replace("term_months INTEGER", "term_months VARCHAR(20)")
        tables, _, indexes = schema.partition("CREATE INDEX")
        with (
            contextlib.closing(sqlite3.connect(out / "legacy.sqlite")) as written,
            psycopg.connect(self.urls["LEGACY_URL"]) as legacy,
        ):
            legacy.execute(tables)
            for table in TABLES:
                with legacy.cursor().copy(f"COPY {table} FROM STDIN") as copy:
                    for row in written.execute(f"SELECT * FROM {table} ORDER BY rowid"):
                        copy.write_row(row)
            legacy.execute(f"CREATE INDEX{indexes}")
            legacy.execute("ANALYZE")
        with psycopg.connect(self.urls["BILLING_URL"]) as billing:
            billing.execute((HERE / "billing_schema.sql").read_text(encoding="utf-8"))

    def rows(self, variable: str, query: str, value: object) -> list[dict]:
        """The rows of a query with one value in it."""
        with psycopg.connect(self.urls[variable], row_factory=dict_row) as connection:
            return connection.execute(query.replace("?", "%s"), (value,)).fetchall()


def _make_anew(admin: psycopg.Connection) -> None:
    """The demo's two databases, empty. One of that name which the demo did not make is left alone, and ends it."""
    for name in NAMES.values():
        asked = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s"
        there = admin.execute(asked, (name,)).fetchone()
        if there and there[0] != OURS:
            sys.exit(
                f"the server has a database {name} that the demo did not make: rename it, or unset LUDB_POSTGRES_URL"
            )
        if there:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
        admin.execute(f"COMMENT ON DATABASE {name} IS '{OURS}'")


@contextlib.contextmanager
def databases(kind: str, out: Path) -> Iterator[Sqlite | Postgres]:
    """The databases of the demo, from what the generator wrote into `out`. A server that nobody named in
    `$LUDB_POSTGRES_URL` is started for the demo, and gone with it.
    """
    if kind == "sqlite":
        yield Sqlite(out)
        return
    given = os.environ.get("LUDB_POSTGRES_URL")
    if given:
        yield Postgres(out, given)
        return
    lacking = missing("postgres")
    if lacking:
        sys.exit(lacking)
    with running("postgres") as server:
        yield Postgres(out, server.url("postgres"))


def _job(out: Path) -> Path:
    copy = out / "job"
    shutil.copytree(HERE / "job", copy, ignore=shutil.ignore_patterns("__pycache__"))
    text = (copy / "job.yaml").read_text(encoding="utf-8")
    text = re.sub(r"(legacy|billing):( +)\{type: sqlite", r"\1:\2{type: postgres", text)
    link = "contracts:     {parent: customers, on: customer_id"
    assert link in text
    (copy / "job.yaml").write_text(text.replace(link, f"{link}, types: {{term_months: integer}}"), encoding="utf-8")
    return copy
