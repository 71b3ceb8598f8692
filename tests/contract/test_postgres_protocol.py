"""Attacks on the commit protocol and bad moments, on a real PostgreSQL server. Numbers are those of the protocol's list."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import pyarrow as pa
import pytest

from ludb.dialects.postgres import PostgresSystem
from ludb.dialects.settings import Surroundings
from ludb.errors import ConfigError, FatalError, TransientError, UnitError
from ludb.model.data import WriteSet
from ludb.model.unit import TableRef, UnitTable
from ludb.sources.postgres import PostgresSource
from ludb.targets.postgres import PostgresTarget
from ludb.testing.services import running
from ludb.testing.source import keyset
from ludb.testing.target import TXN, accounts, rows_for, stored
from tests.contract.server_protocol import Conflicts, LostConnections, Silence

TABLES = """
CREATE TABLE account (id bigint PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE charge (id bigint PRIMARY KEY, account bigint REFERENCES account)
"""


@pytest.fixture
def url(postgres_database):
    return postgres_database(TABLES)


@pytest.fixture
def make(url):
    def make(**settings):
        told = {"url": url, "lock_timeout": 0.3} | settings
        target = PostgresTarget("billing", PostgresSystem(type="postgres", **told), Surroundings(None, None))
        target.prepare_schema()
        return target

    return make


@pytest.fixture
def end(url):
    """What a failing network or an administrator does to a connection."""
    return lambda participant: _end(participant, url)


def _end(participant, url):
    with psycopg.connect(url, autocommit=True) as admin:
        name = f"ludb:{participant._txn.id}"
        ended = admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE application_name = %s AND datname = current_database()",
            (name,),
        )
        assert ended.fetchall() == [(True,)]


class TestShared(LostConnections, Silence, Conflicts):
    """What every server has to bear."""


def test_attack_6_a_zombie_that_wakes_after_recovery_finds_its_transaction_done_and_writes_nothing(make):
    target = make()
    zombie = target.begin(TXN)
    zombie.write("account", accounts(0))
    zombie.prepare()
    assert not make().apply(TXN, WriteSet("billing", {"account": accounts(0)})).already
    with pytest.raises(TransientError):
        zombie.commit()
    zombie.commit()  # asked again, it looks into the ledger: the transaction is there
    zombie.rollback()
    assert stored(target) == [0]


def test_recovery_leaves_the_same_transaction_in_another_database_of_the_server_alone(make, postgres_database):
    """Two targets of one chunk on one server: their connections bear the same name."""
    other = make(url=postgres_database(TABLES))
    waiting = other.begin(TXN)
    waiting.write("account", accounts(0))
    waiting.prepare()
    make().apply(TXN, WriteSet("billing", {"account": accounts(0)}))
    waiting.commit()
    assert stored(other) == [0]


def test_attack_9_a_server_that_may_lose_what_it_confirmed_is_refused(make, url):
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(f'ALTER DATABASE "{admin.info.dbname}" SET synchronous_commit = off')
        admin.execute("CREATE UNLOGGED TABLE scratch (id int)")
    with pytest.raises(ConfigError, match="synchronous_commit = off"):
        make()
    target = make(allow_not_durable=True)
    assert target.columns("scratch")
    target._settings = PostgresSystem(type="postgres", url=url)
    target._tables.clear()
    with pytest.raises(ConfigError, match="UNLOGGED"):
        target.columns("scratch")


def test_attack_10_a_constraint_that_speaks_only_at_commit_speaks_before_the_decision(make, url):
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("ALTER TABLE charge ADD UNIQUE (account) DEFERRABLE INITIALLY DEFERRED")
    target = make()
    participant = target.begin(TXN)
    participant.write("account", accounts(0, 1))
    participant.write("charge", rows_for(("id", "account"), [(0, 5, 0), (1, 6, 1), (1, 7, 1)]))
    with pytest.raises(UnitError) as caught:
        participant.prepare()
    participant.rollback()
    assert list(caught.value.faults) == [1]
    assert "unique violation" in caught.value.faults[1].reason


def test_attack_10_a_database_that_is_serializable_by_default_cannot_fail_at_commit(make, url):
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE \"{admin.info.dbname}\" SET default_transaction_isolation = 'serializable'")
    participant = make().begin(TXN)
    level = participant._connection.execute("SHOW transaction_isolation").fetchone()
    participant.rollback()
    assert level == ("read committed",)


def test_a_missing_right_is_named_with_the_command_that_grants_it(make, url):
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("DROP ROLE IF EXISTS ludb_poor")
        admin.execute("CREATE ROLE ludb_poor LOGIN")
        admin.execute("GRANT CREATE, USAGE ON SCHEMA public TO ludb_poor")
    target = make(user="ludb_poor")
    with pytest.raises(ConfigError, match="GRANT INSERT ON"):
        target.columns("account")
    source = PostgresSource("old", PostgresSystem(type="postgres", url=url, user="ludb_poor"), Surroundings(None, None))
    with pytest.raises(ConfigError, match="permission denied for table account"):
        list(source.scan(UnitTable("account", TableRef("old", "account"))))
    source.close()
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("DROP OWNED BY ludb_poor")
        admin.execute("DROP ROLE ludb_poor")


def test_case_58_a_circle_of_foreign_keys_is_refused_unless_it_can_be_deferred(make, url):
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("CREATE TABLE staff (id int PRIMARY KEY, store int)")
        admin.execute("CREATE TABLE store (id int PRIMARY KEY, chief int REFERENCES staff)")
        admin.execute("ALTER TABLE staff ADD CONSTRAINT works FOREIGN KEY (store) REFERENCES store")
        with pytest.raises(ConfigError, match="circle"):
            make().order(["staff", "store"])
        admin.execute("ALTER TABLE staff ALTER CONSTRAINT works DEFERRABLE")
    target = make()
    assert target.order(["store", "staff"]) == ["staff", "store"]
    participant = target.begin(TXN)
    participant.write("staff", rows_for(("id", "store"), [(0, 1, 10), (1, 2, 99)]))
    participant.write("store", rows_for(("id", "chief"), [(0, 10, 1)]))
    with pytest.raises(UnitError) as caught:
        participant.prepare()
    participant.rollback()
    assert list(caught.value.faults) == [1]


def test_a_unit_whose_row_points_to_a_later_unit_of_the_same_table_is_not_blamed(make, url):
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("CREATE TABLE member (id bigint PRIMARY KEY, invited bigint REFERENCES member)")
    target = make()
    rows = rows_for(("id", "invited"), [(0, 1, 3), (1, 2, 77), (2, 3, None)])
    applied = target.apply(TXN, WriteSet("billing", {"member": rows}))
    assert list(applied.failed) == [1]
    assert stored(target, "member") == [1, 3]


def test_a_password_is_in_no_error():
    system = PostgresSystem(type="postgres", url="postgresql://u:s3cret@127.0.0.1:1/x", connect_timeout=2)
    source = PostgresSource("old", system, Surroundings(None, None))
    with pytest.raises(TransientError) as caught:
        list(source.keys(UnitTable("t", TableRef("old", "t")), ["id"]))
    assert "s3cret" not in f"{caught.value!r} {caught.value}"
    broken = PostgresSystem(type="postgres", url="postgresql://u:s3cret@[/x")
    with pytest.raises(ConfigError) as mistaken:
        PostgresSource("old", broken, Surroundings(None, None)).columns(UnitTable("t", TableRef("old", "t")))
    assert "s3cret" not in str(mistaken.value)


def test_a_server_that_fails_and_comes_back_is_read_and_written_again(postgres_server):
    """The machine goes down between COMMIT and the next chunk: what was confirmed is there."""
    with running("postgres") as server:
        with psycopg.connect(server.url("postgres")) as connection:
            connection.execute(TABLES)
            connection.execute("CREATE TABLE legacy (id bigint PRIMARY KEY)")
        system = PostgresSystem(type="postgres", url=server.url("postgres"))
        target, source = (make("s", system, Surroundings(None, None)) for make in (PostgresTarget, PostgresSource))
        target.prepare_schema()
        target.apply(TXN, WriteSet("billing", {"account": accounts(0)}))
        unit = UnitTable("legacy", TableRef("s", "legacy"))
        assert source.count(unit) == 0
        hanging = target.begin(replace(TXN, id="next"))
        hanging.write("account", accounts(1))
        server.kill()
        with pytest.raises(TransientError):
            hanging.prepare()
        hanging.rollback()
        with pytest.raises(TransientError):
            source.count(unit)
        server.start()
        assert source.count(unit) == 0
        assert stored(target) == [0]
        source.close()


def test_at_most_so_many_readers_as_the_source_allows(url):
    system = PostgresSystem(type="postgres", url=url, connections=1, lock_timeout=0.2)
    first, second = (PostgresSource("old", system, Surroundings(None, None), sleep=lambda _: None) for _ in range(2))
    unit = UnitTable("account", TableRef("old", "account"))
    with first.snapshot(), pytest.raises(TransientError, match="connections"):
        second.count(unit)
    assert second.count(unit) == 0


def test_a_committed_transaction_that_begins_again_is_a_restored_repository(make):
    target = make()
    target.apply(TXN, WriteSet("billing", {"account": accounts(0)}))
    with pytest.raises(FatalError):
        target.begin(TXN)


def test_a_snapshot_sees_one_state_of_the_database(url):
    source = PostgresSource("old", PostgresSystem(type="postgres", url=url), Surroundings(None, None))
    unit = UnitTable("account", TableRef("old", "account"))
    with source.snapshot():
        with psycopg.connect(url) as other:
            other.execute("INSERT INTO account VALUES (1, 'late')")
        assert source.count(unit) == 0
    assert source.count(unit) == 1
    source.close()


LATE = {
    "d": ("0001-01-01", "9999-12-31", "5874897-12-31"),
    "t": ("0001-01-01 00:00", "9999-12-31 23:59:59.999999", "294276-12-31"),
    "z": ("0001-01-01 00:00+00", "9999-12-31 23:59:59.999999+00", "294276-12-31 00:00+00"),
    "c": ("00:00", "23:59:59.999999", "24:00"),
    "n": ("-99.5", "99.5", "NaN"),
}


@pytest.mark.parametrize("column", LATE)
def test_one_value_that_arrow_cannot_hold_is_refused_by_name_and_the_others_of_its_chunk_are_whole(url, column):
    """Some of them arrive as another value of their type: it must not be taken for one that was meant."""
    kinds = {"d": "date", "t": "timestamp", "z": "timestamptz", "c": "time", "n": "numeric(5,2)"}
    with psycopg.connect(url) as admin:
        columns = ", ".join(f"{name} {kind}" for name, kind in kinds.items())
        admin.execute(f"CREATE TABLE moment (id bigint PRIMARY KEY, {columns})")
        for row, values in enumerate(zip(*(LATE[name][:2] for name in kinds), strict=True)):
            admin.execute("INSERT INTO moment VALUES (%s, %s, %s, %s, %s, %s)", (row, *values))
        admin.execute(f"INSERT INTO moment (id, {column}) VALUES (2, %s)", (LATE[column][2],))
    source = PostgresSource("legacy", PostgresSystem(type="postgres", url=url), Surroundings(None, None))
    path = (UnitTable("moment", TableRef("legacy", "moment")),)
    with source.snapshot():
        plainly = source.fetch(path, keyset([0, 1]))
        read = source.fetch(path, keyset([0, 1, 2]))
    source.close()
    assert not plainly.refused
    assert plainly.rows.num_rows == 2
    assert plainly.rows.equals(read.rows.slice(0, 2).cast(plainly.rows.schema))
    assert [(one.column, one.row_id, one.detail) for one in read.refused] == [
        (column, "2", {"c": "24:00:00"}.get(column, LATE[column][2]).replace("00:00+00", "00:00:00+00")
         if column != "t" else "294276-12-31 00:00:00")
    ]  # fmt: skip
    assert read.rows.column(column)[2].as_py() is None


def test_the_server_lends_a_chunk_no_processors_of_its_own(url):
    """Workers are the parallelism: with the server's on top a source would be worked harder than the operator asked for."""
    source = PostgresSource("legacy", PostgresSystem(type="postgres", url=url), Surroundings(None, None))
    asked = "SELECT current_setting('max_parallel_workers_per_gather')::int"
    with source.snapshot():
        assert source._number(asked) == 0
    assert source._number(asked) > 0
    source.close()


def test_keys_that_fill_their_range_are_a_range_and_strangers_in_it_stay_out(url):
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO account SELECT n, 'n' || n FROM generate_series(1, 1000) AS n")
    source = PostgresSource("old", PostgresSystem(type="postgres", url=url), Surroundings(None, None))
    asked = []
    whole = source._query
    source._query = lambda sql: asked.append(sql) or whole(sql)
    unit = UnitTable("account", TableRef("old", "account"))
    dense = source.fetch([unit], keyset([1, 2, 4, 5]))
    assert sorted(dense.rows.column("id").to_pylist()) == [1, 2, 4, 5]
    assert "BETWEEN 1 AND 5" in asked[-1]
    sparse = source.fetch([unit], keyset([1, 500, 1000]))
    assert sorted(sparse.rows.column("id").to_pylist()) == [1, 500, 1000]
    assert "ANY" in asked[-1]
    texts = UnitTable("account", TableRef("old", "account"), types=(("id", "text"),))
    assert source.fetch([texts], keyset(["7", "none"])).rows.column("id").to_pylist() == ["7"]
    assert isinstance(dense.rows, pa.Table)
    source.close()


def test_every_session_has_a_name_limits_to_its_waits_and_notices_a_peer_that_vanished(make, url):
    """What recovery ends by name, and what a frozen worker must not hold for ever."""
    participant = make().begin(TXN)
    try:
        wanted = {
            "application_name": f"ludb:{TXN.id}", "idle_in_transaction_session_timeout": "1min", "timezone": "UTC",
            "client_encoding": "UTF8", "transaction_isolation": "read committed",
        }  # fmt: skip
        connection = participant._connection
        assert {name: connection.execute(f"show {name}").fetchone()[0] for name in wanted} == wanted
        assert connection.execute("show lock_timeout").fetchone()[0] != "0"
        assert connection.info.get_parameters()["keepalives_idle"] == "15"
    finally:
        participant.rollback()
