"""What every test may use: a desk with databases, a job folder, and runs in this very process."""

from __future__ import annotations

import os
import sqlite3
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

pytest.register_assert_rewrite(
    "ludb.testing.calls",
    "ludb.testing.repository",
    "ludb.testing.source",
    "ludb.testing.target",
    "ludb.testing.journal",
)

from ludb.model.run import UnitException  # noqa: E402  (after the rewrite is registered)
from ludb.service.runs import resume, start  # noqa: E402
from ludb.service.site import Site, open_site  # noqa: E402
from ludb.service.summary import Summary, summarize  # noqa: E402
from ludb.service.worker_process import run_worker  # noqa: E402


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
