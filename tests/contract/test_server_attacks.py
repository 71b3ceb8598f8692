"""Attacks 8, 9, 13, 14 and 18 with repository and target on real servers: whole runs, by number."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg
import pymysql
import pytest

from ludb.engine.worker import Worker
from ludb.errors import ConfigError, FatalError, TransientError
from ludb.model.run import RunState
from ludb.service.pinning import load_pinned
from ludb.service.restored import close_gap, find_gap
from ludb.service.runs import start
from ludb.service.site import Site, open_site
from ludb.service.summary import summarize
from ludb.service.worker_process import at_work, run_worker
from ludb.testing.services import running

UNITS = 12
LEGACY = "create table customers (id integer primary key, name text);" + "".join(
    f"insert into customers values ({key}, 'n{key}');" for key in range(1, UNITS + 1)
)
TARGET = "create table account (id int primary key, legacy int not null, name varchar(40) not null)"
JOB = {
    "job.yaml": """
        name: shop
        systems:
          legacy: {type: sqlite, url: "${LEGACY}"}
          new: {type: KIND, url: "${NEW}", lock_timeout: 2}
        unit: {root: legacy.customers, key: id}
        keys: {account: {for: customers.id, kind: sequence, start: 100}}
        settings: {chunk_units: 3, retry: {base: 0.05, cap: 0.2}}
    """,
    "steps/10/new.account.sql": """
        select unit_key, k.new as id, id as legacy, name from legacy.customers join keys.account k using (unit_key)
    """,
}


class Estate:
    """A job with repository and target on one server."""

    def __init__(self, desk, kind: str, server, repository: str, target: str) -> None:
        self.desk, self.kind, self.server = desk, kind, server
        self.repository, self.target = repository, target
        desk.database("legacy", LEGACY)
        desk.environment["NEW"] = target
        desk.write({**JOB, "job.yaml": JOB["job.yaml"].replace("KIND", kind)})
        self.opened: list[Site] = []

    def site(self) -> Site:
        """As another process would open it."""
        self.close()
        self.opened.append(
            open_site(state=self.desk.state, repository=self.repository, environment=self.desk.environment)
        )
        return self.opened[-1]

    def close(self) -> None:
        while self.opened:
            self.opened.pop().repository.close()

    def chunks(self, number: int) -> str:
        """A worker moves so many chunks and is gone; returns the run."""
        site = self.site()
        started = start(site, self.desk.job, {})
        started.lock.release()
        with at_work(site, started.run, load_pinned(site, started.run)) as (at, liveness):
            worker = Worker(at, liveness)
            for _ in range(number):
                worker.turn()
        return started.run.id

    def finish(self):
        site = self.site()
        started = start(site, self.desk.job, {})
        try:
            run_worker(site, started.run.id)
        finally:
            started.lock.release()
        return summarize(site, started.run.id)

    @contextmanager
    def connected(self, url: str) -> Iterator:
        if self.kind == "postgres":
            connection = psycopg.connect(url, autocommit=True)
        else:
            port, name = re.search(r":(\d+)/(\w+)", url).groups()
            connection = pymysql.connect(host="127.0.0.1", port=int(port), user="root", database=name, autocommit=True)
        with closing(connection), connection.cursor() as cursor:
            yield cursor

    def rows(
        self, query: str = "select legacy, count(*), count(distinct id) from account group by legacy order by legacy"
    ):
        with self.connected(self.target) as cursor:
            cursor.execute(query)
            return [tuple(row) for row in cursor.fetchall()]

    def copy(self, url: str, to: str) -> None:
        """All tables of one database into another, whatever is there: what a backup and its restore do."""
        self.close()
        name = url.rsplit("/", 1)[1]
        if self.kind == "postgres":
            with self.connected(self.server.url("postgres")) as cursor:
                cursor.execute(f"drop database if exists {to} with (force)")
                cursor.execute(f"create database {to} template {name}")
            return
        with self.connected(url) as cursor:
            cursor.execute(f"drop database if exists {to}")
            cursor.execute(f"create database {to}")
            cursor.execute("show tables")
            for (table,) in list(cursor.fetchall()):
                cursor.execute(f"create table {to}.`{table}` like {name}.`{table}`")
                cursor.execute(f"insert into {to}.`{table}` select * from {name}.`{table}`")

    def backup(self, url: str) -> None:
        self.copy(url, f"kept_{url.rsplit('/', 1)[1]}")

    def restore(self, url: str) -> None:
        name = url.rsplit("/", 1)[1]
        kept = url.rsplit("/", 1)[0] + f"/kept_{name}"
        self.copy(kept, name)
        with self.connected(self.server.url("postgres" if self.kind == "postgres" else "mysql")) as cursor:
            cursor.execute(f"drop database kept_{name}")


@pytest.fixture(params=["postgres", "mysql"])
def estate(request, desk):
    name = "postgres" if request.param == "postgres" else "mariadb"
    make = request.getfixturevalue(f"{name}_database")
    made = Estate(desk, request.param, request.getfixturevalue(f"{name}_server"), make(""), make(TARGET))
    yield made
    made.close()


EVERYBODY = [(key, 1, 1) for key in range(1, UNITS + 1)]


def test_attack_08_a_restored_repository_on_a_server_moves_nobody_twice(estate):
    run = estate.chunks(1)
    estate.backup(estate.repository)
    estate.chunks(2)
    moved = estate.rows()
    estate.restore(estate.repository)
    with pytest.raises(FatalError, match="unknown to it"):
        estate.chunks(1)
    site = estate.site()
    assert close_gap(site, estate.desk.job, find_gap(site, estate.desk.job)) == [run]
    summary = estate.finish()
    assert summary.run.state is RunState.COMPLETED
    assert all(line.balances for line in summary.source)
    assert estate.rows() == EVERYBODY
    assert set(moved) <= set(estate.rows())


def test_attack_09_a_restored_target_on_a_server_gets_its_rows_again(estate):
    estate.chunks(1)
    estate.backup(estate.target)
    estate.chunks(2)
    estate.restore(estate.target)
    assert len(estate.rows()) == 3
    assert estate.finish().run.state is RunState.COMPLETED
    assert estate.rows() == EVERYBODY


def test_attack_13_the_connection_is_lost_while_the_server_decides(estate, monkeypatch):
    """The decision was made, and its answer never came: it is read, not made again."""
    site = estate.site()
    started = start(site, estate.desk.job, {})
    started.lock.release()
    decide, lost = site.repository.chunks.decide, []

    def deaf(chunk, decision):
        found = decide(chunk, decision)
        if len(lost) < 2:
            lost.append(chunk.id)
            raise TransientError("the connection was lost", system="repository")
        return found

    monkeypatch.setattr(site.repository.chunks, "decide", deaf)
    assert run_worker(site, started.run.id).state is RunState.COMPLETED
    assert len(lost) == 2
    assert estate.rows() == EVERYBODY


def test_attack_18_no_second_run_while_a_decided_chunk_waits(estate, monkeypatch):
    """Another instance of the job may not move what the first one has decided and not yet written."""
    site = estate.site()
    started = start(site, estate.desk.job, {})
    started.lock.release()
    with at_work(site, started.run, load_pinned(site, started.run)) as (at, liveness):
        target = at.migration.targets["new"]
        begin = target.begin

        def unwell(txn):
            participant = begin(txn)
            participant.commit = lambda: (_ for _ in ()).throw(RuntimeError("killed"))
            return participant

        monkeypatch.setattr(target, "begin", unwell)
        Worker(at, liveness).turn()
    monkeypatch.undo()
    text = (estate.desk.job / "job.yaml").read_text()
    estate.desk.write({"job.yaml": text + "parameters: {round: {default: one}}\n"})
    with pytest.raises(ConfigError, match="decided"):
        start(estate.site(), estate.desk.job, {"round": "two"})


@pytest.mark.parametrize("kind", ["postgres", "mysql"])
def test_attack_14_a_target_that_is_down_after_the_decision_is_waited_for(desk, kind):
    """The server stops between decide and COMMIT, stays away, and comes back: what was decided is written, once."""
    with running("postgres" if kind == "postgres" else "mariadb") as server:
        database = server.url("postgres" if kind == "postgres" else "mysql")
        if kind == "mysql":
            with closing(pymysql.connect(host="127.0.0.1", port=server.port, user="root")) as connection:
                connection.cursor().execute("create database shop")
            database = server.url("shop")
        made = Estate(desk, kind, server, "", database)
        made.repository = None
        with made.connected(database) as cursor:
            cursor.execute(TARGET)
        site = made.site()
        started = start(site, desk.job, {})
        started.lock.release()
        looks = []
        with at_work(site, started.run, load_pinned(site, started.run)) as (at, liveness):
            decide = site.repository.chunks.decide

            def decide_and_stop(chunk, decision):
                found = decide(chunk, decision)
                if not looks:
                    server.kill()
                    looks.append("down")
                return found

            site.repository.chunks.decide = decide_and_stop
            target = at.migration.targets["new"]
            apply = target.apply

            def look(txn, writes):
                looks.append("applied")
                if len(looks) == 4:  # it has been away for some tries
                    server.start()
                return apply(txn, writes)

            target.apply = look
            assert Worker(at, liveness).work().state is RunState.COMPLETED
        assert looks[:4] == ["down", "applied", "applied", "applied"]
        assert made.rows() == EVERYBODY
        made.close()
