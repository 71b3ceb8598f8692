"""Whole runs over real servers that have a bad day: what passes is tried again and nothing comes twice; what does not is one
customer's, by name.
"""

from __future__ import annotations

import re
from contextlib import closing

import psycopg
import pymysql
import pytest
from psycopg import sql as psql

from ludb.engine.pipeline import PHASES
from ludb.model.run import RunState
from ludb.service.runs import start
from ludb.service.site import open_site
from ludb.service.summary import summarize
from ludb.service.worker_process import run_worker
from ludb.testing.faults import FaultObserver
from ludb.testing.services import running

UNITS = 24
LEGACY = (
    "create table customers (id int primary key, name varchar(60), age varchar(20));\n"
    "create table orders (oid int primary key, cid int references customers (id));\n"
    + "".join(f"insert into customers values ({key}, 'n{key}', '{key}');\n" for key in range(1, UNITS + 1))
    + "".join(f"insert into orders values ({key * 10}, {key});\n" for key in range(1, UNITS + 1))
)
TARGET = (
    "create table person (id int primary key, name varchar(20) not null, age smallint, unique (name));\n"
    "create table item (oid int primary key, person int not null references person (id));\n"
)
JOB = {
    "job.yaml": """
        name: shop
        systems:
          legacy: {type: KIND, url: "${LEGACY}"}
          new: {type: KIND, url: "${NEW}", lock_timeout: 2}
        unit: {root: legacy.customers, key: id, tables: {orders: {parent: customers, on: {cid: id}}}}
        settings: {chunk_units: 3, retry: {base: 0.02, cap: 0.1}}
    """,
    "steps/10/new.person.sql": "select unit_key, id, name, age from legacy.customers",
    "steps/20/new.item.sql": "select unit_key, oid, cid as person from legacy.orders",
}


class Shop:
    """A job whose source, target and repository are databases of one server."""

    def __init__(self, desk, kind: str, make, server) -> None:
        self.desk, self.kind, self.server = desk, kind, server
        self.legacy, self.new, self.repository = make(LEGACY), make(TARGET), make("")
        self.others: set[int] = set()
        if kind == "mysql":
            there = self.ask(server.url("mysql"), "select id from information_schema.processlist")
            self.others = {number for (number,) in there}
        desk.environment |= {"LEGACY": self.legacy, "NEW": self.new}
        desk.write({**JOB, "job.yaml": JOB["job.yaml"].replace("KIND", kind)})

    def connected(self, url: str):
        if self.kind == "postgres":
            return psycopg.connect(url, autocommit=True)
        port, name = re.search(r":(\d+)/(\w+)", url).groups()
        return pymysql.connect(host="127.0.0.1", port=int(port), user="root", database=name, autocommit=True)

    def ask(self, url: str, *statements: str) -> list[tuple]:
        with closing(self.connected(url)) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return [tuple(row) for row in cursor.fetchall()] if cursor.description else []

    def cut(self) -> None:
        """End every connection to the three databases, as a failing network does."""
        names = [url.rsplit("/", 1)[1] for url in (self.legacy, self.new, self.repository)]
        if self.kind == "postgres":
            names_sql = ", ".join(f"'{name}'" for name in names)
            self.ask(
                self.server.url("postgres"),
                f"select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname in ({names_sql})",
            )
            return
        admin = self.server.url("mysql")
        for number, database in self.ask(admin, "select id, db from information_schema.processlist"):
            if database in names and number not in self.others:
                self.ask(admin, f"kill connection {number}")

    def move(self):
        site = open_site(state=self.desk.state, repository=self.repository, environment=self.desk.environment)
        with closing(site.repository):
            started = start(site, self.desk.job, {})
            try:
                run_worker(site, started.run.id)
            finally:
                started.lock.release()
            summary = summarize(site, started.run.id)
            aside = {one.unit_key: one for one in site.repository.views.exceptions(started.run.id)}
        assert all(line.balances for line in summary.source)
        return summary, aside

    def check_everybody_moved_once(self) -> None:
        summary, _ = self.move()
        assert (summary.run.state, summary.counters.done) == (RunState.COMPLETED, UNITS)
        assert self.ask(self.new, "select count(*), count(distinct name) from person") == [(UNITS, UNITS)]
        assert self.ask(self.new, "select oid, person from item order by oid") == [
            (key * 10, key) for key in range(1, UNITS + 1)
        ]


@pytest.fixture(params=["postgres", "mysql"])
def shop(request, desk):
    name = "postgres" if request.param == "postgres" else "mariadb"
    make = request.getfixturevalue(f"{name}_database")
    return Shop(desk, request.param, make, request.getfixturevalue(f"{name}_server"))


class Saboteur:
    """Does something at the first beginning and the first end of every phase of the run."""

    def __init__(self, deed, phases=PHASES) -> None:
        self.deed, self.phases, self.done = deed, phases, []

    def on(self, event) -> None:
        place = (event.name, event.data.get("phase"))
        if event.name in {"phase.begin", "phase.end"} and place[1] in self.phases and place not in self.done:
            self.done.append(place)
            self.deed()


def test_connections_lost_around_every_phase_are_made_again_and_nothing_comes_twice(shop, monkeypatch):
    """Source, target and repository: all of them lose all their connections, twenty times in one run."""
    saboteur = Saboteur(shop.cut)
    monkeypatch.setattr(FaultObserver, "from_environment", lambda _: [saboteur])
    shop.check_everybody_moved_once()
    assert len(saboteur.done) == 2 * len(set(PHASES) - {"rehearse", "call"})


@pytest.mark.long
def test_a_time_out_of_idle_transactions_that_is_set_low_costs_time_and_no_customer(shop, monkeypatch):
    """The server ends the open transaction just before the decision, once: what was decided is written from the journal."""
    text = (shop.desk.job / "job.yaml").read_text()
    (shop.desk.job / "job.yaml").write_text(text.replace("lock_timeout: 2", "lock_timeout: 2, idle_timeout: 1"))
    name = shop.new.rsplit("/", 1)[1]
    sessions = {
        "postgres": f"select pid from pg_stat_activity where datname = '{name}' and application_name like 'ludb:%'",
        "mysql": f"select id from information_schema.processlist where db = '{name}'",
    }
    admin = shop.server.url("postgres" if shop.kind == "postgres" else "mysql")
    ended = []

    def wait() -> None:
        if not ended:
            there = set(shop.ask(admin, sessions[shop.kind]))
            mine = {(number,) for (number,) in there if number not in shop.others}
            while mine & set(shop.ask(admin, sessions[shop.kind])):
                pass
            ended.extend(mine)

    monkeypatch.setattr(FaultObserver, "from_environment", lambda _: [Saboteur(wait, ("decide",))])
    shop.check_everybody_moved_once()
    assert ended


PASSING = {
    "postgres": [("40001", "serialization failure"), ("40P01", "deadlock"), ("55P03", "lock time-out")],
    "mysql": [("1213", "deadlock"), ("1205", "lock time-out"), ("1020", "record changed")],
}


@pytest.mark.parametrize("number", [0, *(pytest.param(one, marks=pytest.mark.long) for one in (1, 2))])
def test_what_passes_at_the_server_is_tried_again_and_nothing_comes_twice(shop, number):
    """Deadlocks, serialization failures, lock time-outs: as the server tells them, twice each."""
    code, _ = PASSING[shop.kind][number]
    if shop.kind == "postgres":
        shop.ask(
            shop.new,
            "create sequence tries",
            "create function fail() returns trigger language plpgsql as $$ begin"
            f" if nextval('tries') <= 2 then raise exception using errcode = '{code}', message = 'try again'; end if;"
            " return new; end $$",
            "create trigger fail before insert on item for each row when (new.oid = 70) execute function fail()",
        )
    else:
        shop.ask(
            shop.new,
            "create sequence tries nocache",
            "create trigger fail before insert on item for each row if new.oid = 70 then if nextval(tries) <= 2 then"
            f" signal sqlstate '40001' set mysql_errno = {code}, message_text = 'try again'; end if; end if",
        )
    shop.check_everybody_moved_once()


def test_the_server_restarts_in_the_middle_of_a_run(desk, kind_and_server, monkeypatch):
    """Once while rows are written, once between decision and commit."""
    kind, server, make = kind_and_server
    shop = Shop(desk, kind, make, server)

    def restart() -> None:
        server.kill()
        server.start()

    saboteur = Saboteur(restart, ("prepare", "commit"))
    monkeypatch.setattr(FaultObserver, "from_environment", lambda _: [saboteur])
    shop.check_everybody_moved_once()
    assert len(saboteur.done) == 4


@pytest.fixture(
    params=[pytest.param("postgres", marks=pytest.mark.long), pytest.param("mysql", marks=pytest.mark.long)]
)
def kind_and_server(request):
    kind = "postgres" if request.param == "postgres" else "mariadb"
    with running(kind) as server:
        made = []

        def make(script: str) -> str:
            made.append(f"t{len(made)}")
            if kind == "postgres":
                with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
                    admin.execute(psql.SQL("create database {}").format(psql.Identifier(made[-1])))
                with psycopg.connect(server.url(made[-1])) as connection:
                    connection.execute(script)
                return server.url(made[-1])
            with (
                closing(pymysql.connect(host="127.0.0.1", port=server.port, user="root")) as admin,
                admin.cursor() as run,
            ):
                run.execute(f"create database {made[-1]}")
                run.execute(f"use {made[-1]}")
                for statement in filter(str.strip, script.split(";\n")):
                    run.execute(statement)
                admin.commit()
            return server.url(made[-1])

        yield request.param, server, make


def test_each_value_that_does_not_fit_is_its_customers_by_column_and_all_others_move(shop):
    """Too long, out of range, no number, a name of another chunk's customer, an order of nobody's, a character that the
    column's character set has not: six customers, six reasons.
    """
    shop.ask(
        shop.legacy,
        "update customers set name = 'a name that is longer than twenty' where id = 2",
        "update customers set age = '40000' where id = 5",
        "update customers set age = 'old' where id = 8",
        "update customers set name = 'n1' where id = 20",
        "insert into orders values (111, 11)",
    )
    last = {"postgres": "alter table item add check (oid <> 111)", "mysql": "alter table item add check (oid <> 111)"}
    shop.ask(shop.new, last[shop.kind])
    summary, aside = shop.move()
    assert summary.counters.done == UNITS - 5
    places = {
        "2": "name", "5": "age", "8": "age", "20": "name", "11": "item",
    }  # fmt: skip
    assert aside.keys() == places.keys()
    for key, place in places.items():
        assert place in aside[key].reason, aside[key]
        assert not {"longer than twenty", "40000", "'old'", "n1"} & set(aside[key].reason.split()), aside[key].reason
    assert shop.ask(shop.new, "select count(*) from person") == [(UNITS - 5,)]
    assert shop.ask(shop.new, "select count(*) from item where person in (2, 5, 8, 11, 20)") == [(0,)]


def test_a_character_that_the_target_cannot_hold_sets_its_customer_aside(desk, request, shop):
    """A database or column of a narrower character set."""
    if shop.kind == "postgres":
        name = f"narrow_{shop.new.rsplit('/', 1)[1]}"
        admin = shop.server.url("postgres")
        shop.ask(admin, f"create database {name} encoding 'LATIN1' lc_collate 'C' lc_ctype 'C' template template0")
        request.addfinalizer(lambda: shop.ask(admin, f"drop database {name} with (force)"))
        shop.new = desk.environment["NEW"] = shop.server.url(name)
        shop.ask(shop.new, *filter(str.strip, TARGET.split(";\n")))
    else:
        shop.ask(shop.new, "alter table person modify name varchar(20) character set latin1 not null")
    shop.ask(
        shop.legacy, "update customers set name = 'Zoë' where id = 3", "update customers set name = '中' where id = 4"
    )
    summary, aside = shop.move()
    assert (summary.counters.done, set(aside)) == (UNITS - 1, {"4"})
    assert "person" in aside["4"].reason
    assert "中" not in aside["4"].reason
