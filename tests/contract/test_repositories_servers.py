"""Repositories on database servers keep the promises of the port, between several processes' connections too."""

from __future__ import annotations

import itertools
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import psycopg
import pymysql
import pytest
from sqlalchemy import delete, text

from ludb.errors import ConfigError, LeaseLost, TransientError, UnitError
from ludb.model.events import Event
from ludb.model.run import UnitState
from ludb.repositories.mysql import MysqlRepository
from ludb.repositories.postgres import PostgresRepository
from ludb.repositories.store.tables import SCHEMA_VERSION, meta
from ludb.repositories.store.types import metadata
from ludb.testing.repository import RepositoryContract
from ludb.testing.repository_world import RUN, claimed, decision, fault, moved, started
from ludb.testing.services import running


def emptied(make, url, clock):
    """A repository without a row, in a database whose tables stay: making them takes longer than most tests."""
    repository = make(url, clock=clock)
    with repository._database.write() as connection:
        for table in metadata.sorted_tables:
            connection.execute(delete(table))
    repository.close()
    return make(url, clock=clock)


class OnAServer:
    @pytest.fixture
    def repository(self, clock, url):
        repository = emptied(self.make, url, clock)
        yield repository
        repository.close()

    @pytest.fixture
    def another(self, repository, clock, url):
        """The same store as another process sees it."""
        another = self.make(url, clock=clock)
        yield another
        another.close()

    def test_the_identity_is_the_same_for_all(self, repository, another):
        assert repository.id == another.id

    def test_workers_that_claim_at_once_get_distinct_keys_and_all_of_them(self, repository, another):
        """Nobody is told that there is nothing left while there is, and no key is given twice."""
        started(repository, 40, size=20)
        barrier = threading.Barrier(4)

        def work(number):
            store = (repository, another)[number % 2]
            barrier.wait()
            claims = iter(lambda: store.chunks.claim(RUN, f"w{number}", 2), None)
            return [position for chunk in claims for position in chunk.positions]

        with ThreadPoolExecutor(4) as pool:
            taken = list(pool.map(work, range(4)))
        assert sorted(itertools.chain(*taken)) == list(range(40))

    def test_numbers_are_given_once_though_all_ask_for_the_same_first(self, repository, another):
        barrier = threading.Barrier(4)

        def ask(number):
            barrier.wait()
            return (repository, another)[number % 2].keymap.allocate(
                "telco", "account", [b"1", b"2", b"%d" % number], 7
            )

        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(ask, range(3, 7)))
        assert len({tuple(answer[:2]) for answer in answers}) == 1
        assert sorted({number for answer in answers for number in answer}) == list(range(7, 13))

    def test_a_reader_of_events_skips_none_that_others_write_at_once(self, repository, another):
        """A number that is given first is seen first, so that whoever goes on after the last one has missed nothing."""
        barrier, over = threading.Barrier(4), threading.Event()

        def write(number):
            barrier.wait()
            for _ in range(25):
                (repository, another)[number % 2].events.append(Event(f"e{number}", RUN, lasting=True))

        def read():
            seen, last = [], 0
            while True:
                ended = over.is_set()
                found = repository.events.since(RUN, last)
                seen += [number for number, _, _ in found]
                last = seen[-1] if seen else 0
                if ended and not found:
                    return seen

        with ThreadPoolExecutor(5) as pool:
            reading = pool.submit(read)
            list(pool.map(write, range(4)))
            over.set()
        assert reading.result() == [number for number, _, _ in repository.events.since(RUN)]

    def test_one_of_two_that_decide_at_once_wins(self, repository, another):
        started(repository, 4)
        chunk = claimed(repository)
        barrier = threading.Barrier(2)

        def decide(store):
            barrier.wait()
            try:
                return str(store.chunks.decide(chunk, decision(chunk)).state)
            except LeaseLost:
                return "lost"

        with ThreadPoolExecutor(2) as pool:
            outcomes = list(pool.map(decide, (repository, another)))
        assert sorted(outcomes) == ["decided", "lost"]

    def test_stores_opened_at_once_in_an_empty_database_are_one(self, fresh_url):
        barrier = threading.Barrier(3)

        def identity(_):
            barrier.wait()
            with closing(self.make(fresh_url)) as repository:
                return repository.id

        with ThreadPoolExecutor(3) as pool:
            assert len(set(pool.map(identity, range(3)))) == 1

    def test_one_key_of_a_merged_output_decided_by_two_at_once_is_held_by_one(self, repository, another):
        """Both have looked and found nobody: the server tells."""
        started(repository, 8)
        stores = [repository, another]
        chunks = [claimed(store, 2, owner=f"w{number}") for number, store in enumerate(stores)]
        barrier = threading.Barrier(2)
        keys = [bytes([number]) * 16 for number in range(50)]

        def decide(number):
            barrier.wait()
            for _ in range(5):
                try:
                    held = dict.fromkeys(keys, chunks[number].positions[0])
                    stores[number].chunks.decide(chunks[number], replace(decision(chunks[number]), merged=held))
                except TransientError:
                    continue
                except UnitError as error:
                    return list(error.faults)
                return "decided"
            return "never"

        with ThreadPoolExecutor(2) as pool:
            told = list(pool.map(decide, range(2)))
        assert sorted(map(str, told)) == sorted(["decided", str([chunks[1 - told.index("decided")].positions[0]])])
        assert set(repository.chunks.holders(RUN, keys).values()) == {chunks[told.index("decided")].positions[0]}

    def test_an_older_store_is_brought_up_to_date_with_its_rows(self, repository, another, url):
        started(repository, 4)
        with repository._database.write() as connection:
            connection.execute(text(self.drop_index))
            connection.execute(text("drop table merged"))
            connection.execute(meta.update().values(schema_version=1))
        with closing(self.make(url)) as upgraded:
            assert upgraded.runs.get(RUN).units == 4
            moved(upgraded, claimed(upgraded), merged={bytes(16): 0})
            assert upgraded.chunks.holders(RUN, [bytes(16)]) == {bytes(16): 0}
            with upgraded._database.read() as connection:
                assert connection.execute(text("select schema_version from meta")).scalar_one() == SCHEMA_VERSION

    def test_a_store_of_a_newer_program_is_refused_naming_both_versions(self, repository, url):
        """An old worker on a host that was forgotten would write what the new one cannot read."""
        with repository._database.write() as connection:
            connection.execute(meta.update().values(schema_version=SCHEMA_VERSION + 1))
        try:
            with pytest.raises(ConfigError) as refused:
                self.make(url)
        finally:  # the next test has the same database
            with repository._database.write() as connection:
                connection.execute(meta.update().values(schema_version=SCHEMA_VERSION))
        assert f"version {SCHEMA_VERSION + 1}, this program knows up to {SCHEMA_VERSION}" in refused.value.message

    def test_what_was_set_aside_before_it_was_counted_is_counted_now(self, repository, another, url):
        started(repository, 8)
        moved(repository, claimed(repository), [fault(1), fault(2, UnitState.IN_DOUBT)])
        counters = repository.views.counters(RUN)
        with repository._database.write() as connection:
            connection.execute(text("drop table tally"))
            connection.execute(meta.update().values(schema_version=6))
        with closing(self.make(url)) as upgraded:
            assert upgraded.views.counters(RUN) == counters
            moved(upgraded, claimed(upgraded), [fault(5)])
            assert [one.units for one in upgraded.evidence.reasons(RUN)] == [2, 1]

    def test_units_that_several_set_aside_for_one_reason_are_all_counted(self, repository, another):
        """All of them add to one counter: none is lost, and nobody waits for another who waits for them."""
        started(repository, 48, size=48)
        chunks = [claimed(repository, 4) for _ in range(12)]

        def move(number):
            store, chunk = (repository, another)[number % 2], chunks[number]
            first, *_, last = chunk.positions
            aside = [replace(fault(at), reason=reason) for at, reason in ((first, "a"), (last, "b"))]
            moved(store, chunk, aside if number % 3 else aside[::-1])

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(move, range(12)))
        assert repository.views.counters(RUN).quarantined == 24
        assert [(one.reason, one.units) for one in repository.evidence.reasons(RUN)] == [("a", 12), ("b", 12)]

    def test_a_server_that_goes_away_is_transient(self, repository, server, url):
        started(repository, 4)
        self.end_sessions(server, url.rsplit("/", 1)[1])
        with pytest.raises(TransientError):
            repository.runs.get(RUN)
        assert repository.runs.get(RUN).units == 4

    def test_a_body_with_a_nul_character_is_kept(self, repository):
        started(repository, 4)
        repository.runs.change(RUN, "failed", "read\0this")
        assert repository.runs.get(RUN).reason in {"read\0this", "read\u2400this"}

    def test_a_wrong_password_or_database_names_no_secret(self, server):
        for url in (server.url("nowhere"), server.url("nowhere").replace("@", ":geheim@")):
            with pytest.raises((ConfigError, TransientError)) as told:
                self.make(url)
            assert "geheim" not in str(told.value)

    def test_an_address_without_a_database_is_a_mistake(self, server):
        with pytest.raises(ConfigError, match="names no database"):
            self.make(server.url("").rstrip("/"))


def postgres_made(server):
    """An empty database that the test itself did not make before; it goes with the server."""
    name = f"r{uuid.uuid4().hex}"
    with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
        admin.execute(f"create database {name} template template0")
    return server.url(name)


def mariadb_told(server, statement):
    """What the server answers its administrator."""
    with closing(pymysql.connect(host="127.0.0.1", port=server.port, user="root")) as admin, admin.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def mariadb_made(server):
    name = f"r{uuid.uuid4().hex}"
    mariadb_told(server, f"create database {name}")
    return server.url(name)


@pytest.fixture(scope="session")
def postgres_store(postgres_server):
    return postgres_made(postgres_server)


@pytest.fixture(scope="session")
def mariadb_store(mariadb_server):
    return mariadb_made(mariadb_server)


class TestPostgres(OnAServer, RepositoryContract):
    make = PostgresRepository
    drop_index = "drop index call_by_run"

    @pytest.fixture
    def server(self, postgres_server):
        return postgres_server

    @pytest.fixture
    def url(self, postgres_store):
        return postgres_store

    @pytest.fixture
    def fresh_url(self, server):
        return postgres_made(server)

    def end_sessions(self, server, database):
        with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
            admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [database])

    def test_whoever_looks_sees_one_moment_and_whoever_writes_what_others_have_left(self, repository):
        """On one connection in turns: otherwise counters would not add up, or a row that was waited for be an old one."""
        asked = "select current_setting('transaction_isolation'), current_setting('transaction_read_only')"
        for _ in range(2):
            with repository._database.read() as connection:
                assert tuple(connection.exec_driver_sql(asked).one()) == ("repeatable read", "on")
            with repository._database.write() as connection:
                assert tuple(connection.exec_driver_sql(asked).one()) == ("read committed", "off")

    def test_a_server_that_may_forget_decisions_is_refused(self, server, fresh_url):
        with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
            admin.execute(f"alter database {fresh_url.rsplit('/', 1)[1]} set synchronous_commit = off")
        with pytest.raises(ConfigError, match="synchronous_commit is off"):
            PostgresRepository(fresh_url)
        PostgresRepository(f"{fresh_url}?durability=off").close()


class TestMariadb(OnAServer, RepositoryContract):
    make = MysqlRepository
    drop_index = "drop index call_by_run on `call`"

    @pytest.fixture
    def server(self, mariadb_server):
        return mariadb_server

    @pytest.fixture
    def url(self, mariadb_store):
        return mariadb_store

    @pytest.fixture
    def fresh_url(self, server):
        return mariadb_made(server)

    def end_sessions(self, server, database):
        for (session,) in mariadb_told(
            server, f"select id from information_schema.processlist where db = '{database}'"
        ):
            mariadb_told(server, f"kill {session}")

    def test_a_server_that_may_forget_decisions_is_refused(self, server):
        # A server of its own: the setting is the whole server's, and other tests use the shared one meanwhile.
        with running("mariadb", ["--innodb-flush-log-at-trx-commit=2"]) as lax:
            url = mariadb_made(lax)
            with pytest.raises(ConfigError, match="innodb_flush_log_at_trx_commit is 2"):
                MysqlRepository(url)
            MysqlRepository(f"{url}?durability=off").close()
