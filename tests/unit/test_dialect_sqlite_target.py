"""Values written to SQLite read back unchanged, or their unit is refused; links are looked up before the decision."""

from __future__ import annotations

import datetime as dt
import sqlite3
from dataclasses import replace
from decimal import Decimal

import pyarrow as pa
import pytest

from ludb.dialects.settings import Surroundings
from ludb.dialects.sqlite import SqliteSystem
from ludb.errors import ConfigError, TransientError, UnitError
from ludb.model.data import WriteSet
from ludb.model.unit import POSITION
from ludb.targets.sqlite import SqliteTarget
from ludb.testing.target import TXN


@pytest.fixture
def billing(tmp_path):
    """(connection of a reader, target) of one database with a ledger."""
    connection = sqlite3.connect(tmp_path / "billing.db", isolation_level=None)
    settings = SqliteSystem(type="sqlite", url="billing.db", busy_timeout=0.05)
    target = SqliteTarget(
        "billing", settings, Surroundings(tmp_path, tmp_path), clock=lambda: 1.5, sleep=lambda _: None
    )
    target.prepare_schema()
    yield connection, target
    connection.close()


def write(target, table="t", positions=None, **columns):
    """One committed chunk of these columns."""
    held = {name: column if isinstance(column, pa.Array) else pa.array(column) for name, column in columns.items()}
    count = len(next(iter(held.values())))
    participant = target.begin(replace(TXN, id=f"txn-{table}-{count}"))
    try:
        participant.write(table, pa.table({POSITION: pa.array(positions or range(count), pa.int64()), **held}))
        participant.prepare()
        participant.commit()
    finally:
        participant.rollback()


def test_exact_values_of_every_kind_are_stored(billing):
    connection, target = billing
    connection.execute(
        "CREATE TABLE t (i INTEGER, b BOOLEAN, r REAL, n NUMERIC, d DECIMAL(12,2), x TEXT, day DATE, at DATETIME, raw BLOB, j)"
    )
    offset = pa.array([dt.datetime(2024, 1, 1, 11, tzinfo=dt.UTC)], pa.timestamp("us", "+02:00"))
    write(
        target,
        i=[2**63 - 1],
        b=[True],
        r=[0.1 + 0.2],
        n=[Decimal("-7.25")],
        d=[Decimal("1234567890.10")],
        x=pa.array([Decimal("31943874831932418390.01")]),
        day=[dt.date(2024, 2, 29)],
        at=offset,
        raw=[b"\0\xff"],
        j=["1.10"],
    )
    (row,) = connection.execute("SELECT * FROM t").fetchall()
    assert row == (
        2**63 - 1, 1, 0.1 + 0.2, -7.25, 1234567890.1, "31943874831932418390.01", "2024-02-29", "2024-01-01 13:00:00+02:00",
        b"\0\xff", "1.10",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("native", "bad", "reason"),
    [
        ("REAL", pa.array([float("nan")]), "NaN"),
        ("REAL", pa.array([-0.0]), "-0.0"),
        ("REAL", pa.array([2**53 + 1]), "beyond 2**53"),
        ("INTEGER", pa.array([2**63], pa.uint64()), "beyond the 64 bits"),
        ("INTEGER", pa.array(["007"]), "not an integer"),
        ("INTEGER", pa.array(["lots"]), "not an integer"),
        ("INTEGER", pa.array([1.5]), "not an integer"),
        ("INTEGER", pa.array([Decimal("1.5")]), "not an integer"),
        ("REAL", pa.array(["12,50"]), "not a number"),
        ("NUMERIC", pa.array([Decimal("31943874831932418390.01")]), "more digits"),
        ("NUMERIC", pa.array([Decimal("1234567890.123456789")]), "more digits"),
        ("DECIMAL(10,2)", pa.array([Decimal("1.005")]), "more than 2 decimals"),
        ("DECIMAL(5,2)", pa.array([Decimal("1000.0")]), "more than 3 digits"),
        ("DECIMAL(10,2)", pa.array([0.1 + 0.2]), "more than 2 decimals"),
        ("BOOLEAN", pa.array([2]), "other than 0 and 1"),
        ("VARCHAR(3)", pa.array(["abcd"]), "longer than 3"),
        ("CHAR(1)", pa.array(["ab"]), "longer than 1 character "),
        ("DATE", pa.array(["20240115"]), "turn into a number"),
        ("TEXT", pa.array([b"a"]), "is a blob"),
        ("BLOB", pa.array(["a"]), "holds blobs"),
        ("TEXT", pa.array([2**62], pa.timestamp("s")), "beyond microseconds"),
    ],
)
def test_cases_10_11_14_31_51_54_a_value_that_would_change_refuses_its_unit(billing, native, bad, reason):
    """The units beside it are not refused; without it they are written."""
    connection, target = billing
    connection.execute(f"CREATE TABLE t (v {native})")
    with pytest.raises(UnitError) as caught:
        write(target, v=pa.concat_arrays([pa.nulls(2, bad.type), bad]), positions=[4, 5, 6])
    assert list(caught.value.faults) == [6]
    assert reason in caught.value.faults[6].reason
    assert "column v" in caught.value.faults[6].reason
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)


@pytest.mark.parametrize("text", ["\\", "'); DROP TABLE t", "a\0b", "\U0001f468\u200d\U0001f469", " 1 ", "1e5", "inf"])
def test_cases_18_50_53_text_is_stored_byte_exact(billing, text):
    connection, target = billing
    connection.execute("CREATE TABLE t (v TEXT)")
    write(target, v=[text])
    assert connection.execute("SELECT CAST(v AS BLOB) FROM t").fetchone() == (text.encode(),)


def test_a_nested_value_is_a_mistake_of_the_step(billing):
    connection, target = billing
    connection.execute("CREATE TABLE t (v TEXT)")
    with pytest.raises(ConfigError, match=r"column v.*list"):
        write(target, v=[[1, 2]])


def test_a_generated_column_cannot_be_an_output(billing):
    connection, target = billing
    connection.execute("CREATE TABLE t (a INTEGER, b INTEGER AS (a + 1))")
    with pytest.raises(ConfigError, match="generates"):
        write(target, b=[1])


@pytest.mark.parametrize("deferred", ["", "DEFERRABLE INITIALLY DEFERRED"])
def test_attack_10_a_foreign_key_to_nowhere_speaks_before_the_decision(billing, deferred):
    """Not at COMMIT, when it is too late; and only for the unit whose row it is."""
    connection, target = billing
    connection.execute("CREATE TABLE p (id INTEGER PRIMARY KEY)")
    connection.execute(f"CREATE TABLE t (id INTEGER, p INTEGER REFERENCES p (id) {deferred})")
    connection.execute("INSERT INTO p VALUES (1)")
    with pytest.raises(UnitError) as caught:
        write(target, id=[1, 2, 3], p=pa.array([1, 99, None]), positions=[10, 11, 12])
    assert list(caught.value.faults) == [11]
    assert "FOREIGN KEY" in caught.value.faults[11].reason
    assert "99" not in caught.value.faults[11].reason
    assert "99" in caught.value.faults[11].detail


def test_case_58_a_self_reference_and_a_cycle_are_written_in_any_order(billing):
    """Staff belong to a store whose manager is staff: both rows arrive in one chunk."""
    connection, target = billing
    connection.execute("CREATE TABLE staff (id INTEGER PRIMARY KEY, boss REFERENCES staff, store REFERENCES store)")
    connection.execute("CREATE TABLE store (id INTEGER PRIMARY KEY, manager NOT NULL REFERENCES staff)")
    participant = target.begin(TXN)
    rows = {POSITION: [0, 0], "id": [2, 1], "boss": pa.array([1, None]), "store": [5, 5]}
    participant.write("staff", pa.table(rows))
    participant.write("store", pa.table({POSITION: [0], "id": [5], "manager": [1]}))
    participant.prepare()
    participant.commit()
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    assert connection.execute("SELECT count(*) FROM staff, store").fetchone() == (2,)


def test_recovery_leaves_out_a_unit_whose_parent_unit_fell_out(billing):
    """Unit 1 no longer fits; unit 2 points to a row of unit 1; unit 3 is fine."""
    connection, target = billing
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE, up INTEGER REFERENCES t)")
    connection.execute("INSERT INTO t VALUES (100, 'taken', NULL)")
    names = pa.array(["taken", "b", "c"])
    rows = pa.table({POSITION: [1, 2, 3], "id": [1, 2, 3], "name": names, "up": pa.array([None, 1, None], pa.int64())})
    applied = target.apply(TXN, WriteSet("billing", {"t": rows}))
    assert sorted(applied.failed) == [1, 2]
    assert connection.execute("SELECT id FROM t ORDER BY id").fetchall() == [(3,), (100,)]
    assert connection.execute("SELECT txn, at FROM ludb_ledger").fetchall() == [(TXN.id, 1.5)]


def test_tables_are_ordered_parents_first_and_cycles_by_name(billing):
    connection, target = billing
    connection.executescript(
        "CREATE TABLE a (z REFERENCES z); CREATE TABLE z (id PRIMARY KEY, m REFERENCES m); CREATE TABLE m (id PRIMARY KEY);"
        "CREATE TABLE y (id PRIMARY KEY, x REFERENCES x); CREATE TABLE x (id PRIMARY KEY, y REFERENCES y, own REFERENCES x);"
    )
    assert list(target.order(["a", "z", "m"])) == ["m", "z", "a"]
    assert list(target.order(["y", "x"])) == ["x", "y"]


def test_the_ledger_row_stands_in_the_transaction_of_the_rows(billing):
    connection, target = billing
    participant = target.begin(replace(TXN, positions=(1, 2, 3, 7)))
    assert connection.execute("SELECT count(*) FROM ludb_ledger").fetchone() == (0,)
    participant.prepare()
    participant.commit()
    row = connection.execute(
        "SELECT kind, repository_id, seq, run, chunk, positions, length(digest) FROM ludb_ledger"
    ).fetchone()
    assert row == ("commit", "repo", 7, "run-1", "chunk-1", "[[1, 3], [7, 7]]", 64)


def test_a_commit_held_up_by_a_reader_is_repeated_until_it_is_through(billing):
    """COMMIT may say busy with the transaction alive: giving up would lose a decided chunk."""
    connection, target = billing
    connection.execute("CREATE TABLE t (v INTEGER)")
    connection.execute("INSERT INTO t VALUES (0), (0), (0)")
    waits = []
    cursor = connection.execute("SELECT * FROM t")
    cursor.fetchone()
    target._sleep = lambda seconds: waits.append(seconds) or (len(waits) == 2 and cursor.close())
    write(target, v=[1])
    assert len(waits) == 2
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (4,)


def test_a_commit_that_stays_busy_can_be_repeated_later(billing):
    connection, target = billing
    connection.execute("CREATE TABLE t (v INTEGER)")
    connection.execute("INSERT INTO t VALUES (0), (0), (0)")
    cursor = connection.execute("SELECT * FROM t")
    cursor.fetchone()
    participant = target.begin(TXN)
    participant.write("t", pa.table({POSITION: [0], "v": [1]}))
    participant.prepare()
    with pytest.raises(TransientError, match="COMMIT"):
        participant.commit()
    cursor.close()
    participant.commit()
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (4,)


def test_another_writer_makes_prepare_wait_and_then_ask_for_a_retry(billing):
    connection, target = billing
    connection.execute("CREATE TABLE t (v INTEGER)")
    connection.execute("BEGIN IMMEDIATE")
    participant = target.begin(TXN)
    participant.write("t", pa.table({POSITION: [0], "v": [1]}))
    with pytest.raises(TransientError, match="locked") as caught:
        participant.prepare()
    assert caught.value.system == "billing"
    participant.rollback()
    connection.execute("ROLLBACK")
    write(target, v=[1])


def test_rows_are_made_ready_before_the_lock_is_taken(billing):
    """The database has one writer at a time: while this worker turns values over, the others write."""
    connection, target = billing
    connection.execute("CREATE TABLE t (v INTEGER)")
    participant = target.begin(TXN)
    participant.write("t", pa.table({POSITION: [0], "v": [1]}))
    connection.execute("INSERT INTO t VALUES (2)")
    participant.prepare()
    participant.commit()
    assert connection.execute("SELECT v FROM t ORDER BY v").fetchall() == [(1,), (2,)]


def test_a_missing_database_is_not_made_in_silence(tmp_path):
    target = SqliteTarget("billing", SqliteSystem(type="sqlite", url="typo.db"), Surroundings(tmp_path, tmp_path))
    with pytest.raises(ConfigError, match="no database at"):
        target.prepare_schema()
    assert not (tmp_path / "typo.db").exists()


def test_a_target_without_a_ledger_says_so(tmp_path):
    sqlite3.connect(tmp_path / "new.db").execute("CREATE TABLE t (v)").connection.close()
    target = SqliteTarget("billing", SqliteSystem(type="sqlite", url="new.db"), Surroundings(tmp_path, tmp_path))
    with pytest.raises(ConfigError, match="ludb_ledger"):
        target.begin(TXN)


def test_a_trigger_that_rolls_back_makes_the_chunk_be_taken_apart(billing):
    """Nobody can say which unit it was, so none is named; nothing is written."""
    connection, target = billing
    connection.execute("CREATE TABLE t (v INTEGER)")
    connection.execute(
        "CREATE TRIGGER no BEFORE INSERT ON t WHEN new.v = 13 BEGIN SELECT RAISE(ROLLBACK, 'secret 13'); END"
    )
    with pytest.raises(UnitError) as caught:
        write(target, v=[1, 13])
    assert caught.value.faults == {}
    assert "secret" not in str(caught.value)
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_a_check_constraint_names_itself_and_a_trigger_keeps_its_words_in_the_detail(billing):
    connection, target = billing
    connection.execute("CREATE TABLE t (v INTEGER CONSTRAINT positive CHECK (v > 0))")
    connection.execute(
        "CREATE TRIGGER no BEFORE INSERT ON t WHEN new.v = 13 BEGIN SELECT RAISE(ABORT, 'secret 13'); END"
    )
    with pytest.raises(UnitError) as caught:
        write(target, v=[1, -5, 13])
    assert "positive" in caught.value.faults[1].reason
    assert "secret" not in caught.value.faults[2].reason
    assert "secret 13" in caught.value.faults[2].detail


def test_rows_come_back_with_their_declared_types(billing):
    connection, target = billing
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, d DECIMAL(10,2), odd INTEGER)")
    connection.execute("INSERT INTO t VALUES (2, 1.1, 'text'), (1, 5, 7)")
    assert target.read("t").to_pylist() == [
        {"id": 1, "d": Decimal("5.00"), "odd": "7"},
        {"id": 2, "d": Decimal("1.10"), "odd": "text"},
    ]


def test_units_refused_by_several_tables_are_named_at_once(billing):
    """One more try is then enough; the large table, which would cost more than that try, is not asked."""
    connection, target = billing
    connection.execute("CREATE TABLE small (id INTEGER PRIMARY KEY, name TEXT NOT NULL)")
    connection.execute("CREATE TABLE other (id INTEGER UNIQUE)")
    connection.execute("CREATE TABLE large (id INTEGER PRIMARY KEY)")
    connection.execute("INSERT INTO other VALUES (7)")
    participant = target.begin(TXN)
    participant.write("large", pa.table({POSITION: [3] * 40, "id": [1] * 40}))
    participant.write("small", pa.table({POSITION: [0, 1], "id": [1, 2], "name": pa.array([None, "b"])}))
    participant.write("other", pa.table({POSITION: [0, 1, 2], "id": [8, 8, 7]}))
    with pytest.raises(UnitError) as caught:
        participant.prepare()
    participant.rollback()
    # Unit 0 is out, so the number that it shares with unit 1 is free.
    assert sorted(caught.value.faults) == [0, 2]
    assert "NOT NULL" in caught.value.faults[0].reason
    assert "UNIQUE" in caught.value.faults[2].reason
