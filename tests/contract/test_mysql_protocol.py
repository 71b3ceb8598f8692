"""Attacks on the commit protocol and bad moments, on a real MariaDB server. Numbers are those of the protocol's list."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest

from ludb.dialects.mysql import MysqlSystem
from ludb.dialects.settings import Surroundings
from ludb.errors import ConfigError, TransientError, UnitError
from ludb.model.data import WriteSet
from ludb.model.unit import POSITION
from ludb.sources.mysql import MysqlSource
from ludb.targets.mysql import MysqlTarget
from ludb.testing.services import running
from ludb.testing.source import keyset, unit_table
from ludb.testing.target import ACCOUNT, TXN, accounts, rows_for, stored
from tests.contract.server_protocol import LostConnections, Silence, Waits, writes

TABLES = """CREATE TABLE account (id BIGINT PRIMARY KEY, name VARCHAR(60) COLLATE utf8mb4_bin NOT NULL UNIQUE);
CREATE TABLE charge (id BIGINT PRIMARY KEY, account BIGINT, FOREIGN KEY (account) REFERENCES account (id))"""


@pytest.fixture
def url(mariadb_database):
    return mariadb_database(TABLES)


@pytest.fixture
def make(url, tmp_path):
    def make(**settings):
        system = MysqlSystem(type="mysql", **({"url": url, "lock_timeout": 1} | settings))
        target = MysqlTarget("billing", system, Surroundings(tmp_path, tmp_path))
        target.prepare_schema()
        return target

    return make


@pytest.fixture
def end(url, execute):
    return lambda participant: execute(url, f"KILL CONNECTION {participant._session.raw.thread_id()}")


class TestShared(LostConnections, Waits, Silence):
    pass


def test_attack_9_tables_that_cannot_roll_back_are_refused(make, url, execute):
    execute(url, "CREATE TABLE old (id INT) ENGINE=MyISAM")
    with pytest.raises(ConfigError, match="MyISAM"):
        make().columns("old")
    execute(url, "DROP TABLE ludb_ledger")
    execute(url, "CREATE TABLE ludb_ledger (txn INT) ENGINE=Aria")
    with pytest.raises(ConfigError, match="Aria"):
        make()


def test_attack_15_one_number_of_two_customers_in_two_chunks_keeps_the_first(make):
    target = make()
    target.apply(TXN, WriteSet("billing", {"account": rows_for(ACCOUNT, [(0, 1, "n")])}))
    second = target.begin(replace(TXN, id="second"))
    with pytest.raises(UnitError) as caught:
        second.write("account", rows_for(ACCOUNT, [(1, 2, "n"), (2, 3, "m")]))
    second.rollback()
    assert list(caught.value.faults) == [1]
    assert "key name" in caught.value.faults[1].reason


def test_case_49_a_row_larger_than_a_packet_sets_its_unit_aside(make, url, execute):
    execute(url, "CREATE TABLE note (id INT PRIMARY KEY, text LONGTEXT)")
    packet = execute(url, "SELECT @@max_allowed_packet")[0][0]
    target = make()
    participant = target.begin(TXN)
    rows = pa.table({POSITION: [0, 1], "id": [0, 1], "text": ["x" * packet, "y" * (packet // 2)]})
    with pytest.raises(UnitError) as caught:
        participant.write("note", rows)
    participant.rollback()
    assert list(caught.value.faults) == [0]
    assert "max_allowed_packet" in caught.value.faults[0].reason


def test_case_58_circles_of_foreign_keys_are_written_in_any_order_and_checked(make, url, execute):
    execute(
        url, "CREATE TABLE staff (id INT PRIMARY KEY, store INT, boss INT, FOREIGN KEY (boss) REFERENCES staff (id))"
    )
    execute(url, "CREATE TABLE store (id INT PRIMARY KEY, head INT, FOREIGN KEY (head) REFERENCES staff (id))")
    execute(url, "ALTER TABLE staff ADD FOREIGN KEY (store) REFERENCES store (id)")
    target = make()
    staff = pa.table({POSITION: [0, 0, 1], "id": [1, 2, 3], "store": [7, 7, None], "boss": [2, None, 99]})
    store = pa.table({POSITION: [0], "id": [7], "head": [1]})
    participant = target.begin(TXN)
    participant.write("staff", staff)
    participant.write("store", store)
    with pytest.raises(UnitError) as caught:
        participant.prepare()
    participant.rollback()
    assert list(caught.value.faults) == [1]
    assert target.apply(TXN, WriteSet("billing", {"staff": staff.slice(0, 2), "store": store})).failed == {}
    assert stored(target, "staff") == [1, 2]


def test_cases_27_and_48_generated_columns_are_left_out_and_an_id_0_stays_0(make, url, execute):
    execute(url, "CREATE TABLE g (id INT AUTO_INCREMENT PRIMARY KEY, n INT, twice INT AS (n * 2) STORED)")
    target = make()
    assert [column.name for column in target.columns("g") if column.generated] == ["twice"]
    target.apply(TXN, WriteSet("billing", {"g": pa.table({POSITION: [0], "id": [0], "n": [4]})}))
    assert execute(url, "SELECT * FROM g") == [(0, 4, 8)]
    participant = target.begin(replace(TXN, id="other"))
    with pytest.raises(ConfigError, match="generates"):
        participant.write("g", pa.table({POSITION: [0], "twice": [1]}))
    participant.rollback()


def test_case_39_keys_that_a_collation_holds_equal_are_not_mixed_up(mariadb_database, tmp_path):
    url = mariadb_database(
        "SET NAMES utf8mb4;\nCREATE TABLE p (k VARCHAR(9) COLLATE utf8mb4_bin PRIMARY KEY);\n"
        "CREATE TABLE c (k VARCHAR(9) COLLATE utf8mb4_general_ci, n INT);\n"
        "INSERT INTO p VALUES ('a'),('A'),('ä'),('😀'),('😎');\n"
        "INSERT INTO c VALUES ('a',1),('A',2),('ä',3),('😀',4),('😎',5)"
    )
    source = MysqlSource("legacy", MysqlSystem(type="mysql", url=url), Surroundings(tmp_path, tmp_path))
    lone = source.fetch([unit_table("c")], keyset(["a"], "k")).rows
    assert lone.column("n").to_pylist() == [1]
    path = [unit_table("p"), unit_table("c", "p", on=(("k", "k"),))]
    rows = source.fetch(path, keyset(["a", "😎"], "k")).rows
    assert sorted(rows.column("n").to_pylist()) == [1, 5]
    assert source.orphans(path).num_rows == 0
    source.close()


def test_readers_take_turns_where_connections_are_counted(url, tmp_path):
    system = MysqlSystem(type="mysql", url=url, connections=1, connect_timeout=1)
    one, two = (MysqlSource("legacy", system, Surroundings(tmp_path, tmp_path)) for _ in range(2))
    with one.snapshot(), pytest.raises(TransientError, match="in use"):
        two.count(unit_table("account"))
    assert two.count(unit_table("account")) == 0
    two.close()
    one.close()


def test_a_source_sees_one_moment_and_cannot_be_written(url, tmp_path, execute):
    source = MysqlSource("legacy", MysqlSystem(type="mysql", url=url), Surroundings(tmp_path, tmp_path))
    with source.snapshot():
        execute(url, "INSERT INTO account VALUES (1, 'a')")
        assert source.count(unit_table("account")) == 0
        with pytest.raises(ConfigError, match="1792"):
            source._session().run("DELETE FROM account", "write")
    assert source.count(unit_table("account")) == 1
    source.close()


def test_missing_rights_and_refused_logins_are_mistakes_that_name_the_system_and_no_secret(make, url, execute):
    name = url.rsplit("/", 1)[1]
    execute(url, f"CREATE USER {name}@'127.0.0.1' IDENTIFIED BY 'hush'")
    try:
        execute(url, f"GRANT SELECT ON {name}.* TO {name}@'127.0.0.1'")
        mine = url.replace("root@", f"{name}:hush@")
        with pytest.raises(ConfigError, match=r"billing.*denied") as caught:
            make(url=mine)
        assert "hush" not in str(caught.value)
        make()  # a DBA has made the ledger
        participant = None
        with pytest.raises(ConfigError, match="INSERT command denied"):
            participant = make(url=mine).begin(TXN)
        assert participant is None
        with pytest.raises(ConfigError, match="Access denied") as caught:
            make(url=mine.replace("hush", "wrong"))
        assert "wrong" not in str(caught.value)
    finally:
        execute(url, f"DROP USER {name}@'127.0.0.1'")


def test_a_server_that_restarts_in_the_middle_is_tried_again_and_nothing_comes_twice(tmp_path, mariadb_server, execute):
    """The transaction is gone with the server; recovery waits for it, then writes once."""
    with running("mariadb") as server:
        execute(server.url("mysql"), "CREATE DATABASE shop")
        url = server.url("shop")
        for statement in TABLES.split(";\n"):
            execute(url, statement)
        target = MysqlTarget("billing", MysqlSystem(type="mysql", url=url), Surroundings(tmp_path, tmp_path))
        target.prepare_schema()
        participant = target.begin(TXN)
        participant.write("account", accounts(0))
        participant.prepare()
        server.kill()
        with pytest.raises(TransientError):
            participant.commit()
        participant.rollback()
        with pytest.raises(TransientError):
            target.apply(TXN, writes(0))
        server.start()
        assert not target.apply(TXN, writes(0)).already
        assert target.apply(TXN, writes(0)).already
        assert stored(target) == [0]


def test_every_session_is_strict_in_utf8_and_utc_with_limits_to_its_waits(make):
    """Whatever the server's own settings are."""
    participant = make().begin(TXN)
    try:
        session = participant._session
        wanted = {
            "character_set_client": "utf8mb4", "time_zone": "+00:00", "innodb_lock_wait_timeout": "1",
            "idle_transaction_timeout": "120", "tx_isolation": "READ-COMMITTED", "autocommit": "0",
        }  # fmt: skip
        told = session.texts(f"SELECT {', '.join(f'@@session.{name}' for name in wanted)}", "look")[0]
        assert dict(zip(wanted, told, strict=True)) == wanted
        ((mode,),) = session.texts("SELECT @@session.sql_mode", "look")
        assert "STRICT_ALL_TABLES" in mode
        assert "NO_AUTO_VALUE_ON_ZERO" in mode
    finally:
        participant.rollback()
