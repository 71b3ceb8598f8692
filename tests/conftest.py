"""What every test may use: a desk with databases, a job folder, and runs in this very process."""

from __future__ import annotations

import itertools
import os
import shutil
import sqlite3
import textwrap
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import psycopg
import pymysql
import pytest
from psycopg import sql

pytest.register_assert_rewrite(
    "ludb.testing.calls",
    "ludb.testing.repository",
    "ludb.testing.source",
    "ludb.testing.reflect",
    "ludb.testing.target",
    "ludb.testing.target_modes",
    "ludb.testing.fidelity.source",
    "ludb.testing.fidelity.target",
    "ludb.testing.execute",
    "ludb.testing.journal",
    "ludb.testing.rehearsal",
)

from ludb.model.run import UnitException  # noqa: E402  (after the rewrite is registered)
from ludb.service.runs import resume, start  # noqa: E402
from ludb.service.site import Site, open_site  # noqa: E402
from ludb.service.summary import Summary, summarize  # noqa: E402
from ludb.service.worker_process import run_worker  # noqa: E402
from ludb.testing.services import Kind, Server, missing  # noqa: E402
from ludb.testing.shared_services import shared  # noqa: E402

NUMBERS = itertools.count(1)


class Desk:
    """A migration engineer's desk: make databases and job files, run, look."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.job = folder / "job"
        self.environment: dict[str, str] = {"LUDB_ACTOR": "tester"}
        self.state = folder / "state"
        self._site: Site | None = None

    def database(self, name: str, script: str) -> Path:
        """A SQLite database; its path is `${NAME}` in the job."""
        path = self.folder / f"{name}.sqlite"
        with sqlite3.connect(path) as connection:
            connection.executescript(script)
        connection.close()
        self.environment[name.upper()] = str(path)
        return path

    def write(self, files: Mapping[str, str]) -> None:
        """Files of the job folder, dedented."""
        for name, text in files.items():
            path = self.job / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text), encoding="utf-8")

    @property
    def site(self) -> Site:
        if self._site is None:
            self._site = open_site(state=self.state, environment=self.environment)
        return self._site

    def run(self, **parameters: str) -> Summary:
        """Start the job, or go on with it, and work in this process until there is nothing left to do."""
        started = start(self.site, self.job, parameters)
        try:
            run_worker(self.site, started.run.id)
        finally:
            started.lock.release()
        return summarize(self.site, started.run.id)

    def go_on(self, run_id: str) -> Summary:
        started = resume(self.site, run_id, self.job)
        try:
            run_worker(self.site, started.run.id)
        finally:
            started.lock.release()
        return summarize(self.site, run_id)

    def forget(self) -> None:
        """Give up the state directory: the next run is the first."""
        self.close()
        self._site = None
        shutil.rmtree(self.state, ignore_errors=True)
        shutil.rmtree(self.job, ignore_errors=True)

    def rows(self, name: str, query: str) -> list[tuple[object, ...]]:
        connection = sqlite3.connect(self.environment[name.upper()])
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()

    def set_aside(self, run_id: str) -> dict[str, UnitException]:
        """Units that are neither done nor pending, by key."""
        return {found.unit_key: found for found in self.site.repository.views.exceptions(run_id)}

    def close(self) -> None:
        if self._site is not None:
            self._site.repository.close()


def shared_server(kind: Kind, folders: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all xdist workers. Without it tests are skipped at a desk; continuous integration has no excuse."""
    lacking = missing(kind)
    if lacking and os.environ.get("CI") == "true":
        pytest.fail(lacking)
    if lacking:
        pytest.skip(f"NOT TESTED: {lacking}")
    base = folders.getbasetemp()
    with shared(kind, base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory) -> Iterator[Server]:
    yield from shared_server("postgres", tmp_path_factory)


@pytest.fixture(scope="session")
def mariadb_server(tmp_path_factory) -> Iterator[Server]:
    yield from shared_server("mariadb", tmp_path_factory)


@pytest.fixture
def postgres_database(postgres_server: Server) -> Iterator[Callable[[str], str]]:
    """Makes an empty database from a script and gives its URL; dropped after the test."""
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as admin:
        made: list[str] = []

        def make(script: str = "") -> str:
            made.append(f"t{os.getpid()}_{next(NUMBERS)}")
            admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(made[-1])))
            url = postgres_server.url(made[-1])
            with psycopg.connect(url) as connection:
                connection.execute(script)
            return url

        yield make
        for name in made:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def mariadb_database(mariadb_server: Server) -> Iterator[Callable[[str], str]]:
    """Makes an empty database from a script of statements ended by `;` and a line break, and gives its URL."""
    with closing(pymysql.connect(host="127.0.0.1", port=mariadb_server.port, user="root")) as admin:
        made: list[str] = []

        def make(script: str = "") -> str:
            made.append(f"t{os.getpid()}_{next(NUMBERS)}")
            with admin.cursor() as cursor:
                cursor.execute(f"CREATE DATABASE {made[-1]} CHARACTER SET utf8mb4")
                cursor.execute(f"USE {made[-1]}")
                for statement in filter(str.strip, script.split(";\n")):
                    cursor.execute(statement)
            admin.commit()
            return mariadb_server.url(made[-1])

        yield make
        with admin.cursor() as cursor:
            for name in made:
                cursor.execute(f"DROP DATABASE {name}")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    made.environment |= {"PATH": os.environ.get("PATH", "")}
    yield made
    made.close()


SHOP = """
create table customers (id integer primary key, name text);
create table orders (oid integer primary key, cid int references customers(id), amount decimal(10,2));
insert into customers values (1,'Ann'),(2,'Bo'),(3,'Cy');
insert into orders values (1,1,10.50),(2,1,3),(3,3,1.25);
"""
BILLING = """
create table account (id integer primary key, name text not null);
create table charge (oid integer primary key, account int not null references account(id), amount decimal(10,2));
"""
JOB = """
    name: shop
    systems:
      legacy:  {type: sqlite, url: "${LEGACY}"}
      billing: {type: sqlite, url: "${BILLING}"}
    unit:
      root: legacy.customers
      key: id
      tables:
        orders: {parent: customers, on: {cid: id}}
    keys:
      account: {for: customers.id, kind: sequence, start: 100}
    settings: {chunk_units: 2}
"""
STEPS = {
    "steps/10_customer/billing.account.sql": """
        select unit_key, k.new as id, name from legacy.customers join keys.account k using (unit_key)
    """,
    "steps/20_order/billing.charge.sql": """
        select o.unit_key, oid, a.id as account, amount from legacy.orders o join billing.account a using (unit_key)
    """,
}


@pytest.fixture
def shop(desk: Desk) -> Desk:
    """Three customers with orders, and a job that moves them into a billing database."""
    desk.database("legacy", SHOP)
    desk.database("billing", BILLING)
    desk.write({"job.yaml": JOB, **STEPS})
    return desk
