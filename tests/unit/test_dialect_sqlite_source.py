"""SQLite read value by value: what is carried, what is refused by row, and how links are followed."""

from __future__ import annotations

import math
import sqlite3
from decimal import Decimal

import pyarrow as pa
import pytest

from ludb.dialects.settings import Surroundings
from ludb.dialects.sqlite import SqliteSystem
from ludb.errors import ConfigError, TransientError
from ludb.model.unit import KeySet
from ludb.sources.sqlite import SqliteSource
from ludb.testing.source import keyset, unit_table


@pytest.fixture
def legacy(tmp_path):
    """(connection that writes, source that reads) of one database."""
    connection = sqlite3.connect(tmp_path / "legacy.db", isolation_level=None)
    source = SqliteSource(
        "legacy", SqliteSystem(type="sqlite", url="legacy.db", busy_timeout=0.05), Surroundings(tmp_path, tmp_path)
    )
    yield connection, source
    source.close()
    connection.close()


def only(source, name="t", **links):
    (piece,) = source.scan(unit_table(name, **links))
    return piece


def values(piece, column):
    return piece.rows.column(column).to_pylist()


def test_case_51_text_in_an_integer_column_is_refused_by_row(legacy):
    connection, source = legacy
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)")
    connection.execute("INSERT INTO t VALUES (1, 5), (7, 'lots')")
    piece = only(source)
    assert values(piece, "n") == [5, None]
    (refusal,) = piece.refused
    assert (refusal.table, refusal.column, refusal.row_id, refusal.match) == ("t", "n", "7", ())
    assert "lots" not in refusal.reason
    assert refusal.detail == "'lots'"


@pytest.mark.parametrize(
    ("native", "value", "reason"),
    [
        ("BOOLEAN", "'yes'", "text in a boolean"),
        ("BOOLEAN", "2", "other than 0 and 1"),
        ("VARCHAR(3)", "'abcd'", "longer than 3"),
        ("INTEGER", "9223372036854775808", "a number in an integer column"),
        ("INTEGER", "x'00'", "a blob in an integer"),
        ("REAL", "'12,50'", "text in a number"),
        ("NUMERIC", "9007199254740993", "beyond 2**53"),
        ("DECIMAL(10,2)", "1.005", "more than 2 decimals"),
        ("DECIMAL(5,2)", "1000", "more than 3 digits"),
        ("DECIMAL(5,2)", "9e999", "not a finite number"),
        ("BLOB", "'text'", "text in a blob"),
        ("TEXT", "x'ff'", "a blob in a text"),
        ("DATETIME", "2460310.5", "a number in a text column (DATETIME)"),
        ("DATETIME", "1704067200", "an integer in a text column (DATETIME)"),
        ("", "5", "an integer in a text column (no declared type)"),
    ],
)
def test_cases_10_51_54_55_a_value_of_another_kind_is_refused(legacy, native, value, reason):
    """And only that row: its neighbours with NULL and with a good value travel."""
    connection, source = legacy
    good = {"BLOB": "x'00'", "": "'a'", "TEXT": "'a'", "VARCHAR(3)": "'abc'", "DATETIME": "'2024-13-45'"}.get(
        native, "1"
    )
    connection.execute(f"CREATE TABLE t (v {native})")
    connection.execute(f"INSERT INTO t VALUES ({good}), ({value}), (NULL)")
    piece = only(source)
    (refusal,) = piece.refused
    assert reason in refusal.reason
    assert refusal.row_id == "2"
    assert [value is None for value in values(piece, "v")] == [False, True, True]


def test_case_52_bytes_that_are_no_utf8_are_refused_and_shown(legacy):
    connection, source = legacy
    connection.execute("CREATE TABLE t (name TEXT)")
    connection.execute("INSERT INTO t VALUES ('good'), (CAST(x'4dfc6c6c6572' AS TEXT))")
    piece = only(source)
    assert values(piece, "name") == ["good", None]
    (refusal,) = piece.refused
    assert "UTF-8" in refusal.reason
    assert refusal.detail == repr(b"M\xfcller")


def test_case_53_a_nul_inside_a_text_does_not_end_it(legacy):
    connection, source = legacy
    connection.execute("CREATE TABLE t (v TEXT)")
    connection.execute("INSERT INTO t VALUES ('a' || char(0) || 'b')")
    assert values(only(source), "v") == ["a\0b"]


def test_cases_11_and_54_infinity_and_the_last_bit_of_a_double_arrive(legacy):
    connection, source = legacy
    connection.execute("CREATE TABLE t (v REAL)")
    connection.execute("INSERT INTO t VALUES (9e999), (-9e999), (?), (0.0/0.0)", (1 / 109489,))
    assert values(only(source), "v") == [math.inf, -math.inf, 1 / 109489, None]


def test_case_9_decimals_stored_as_doubles_or_integers_are_what_a_person_reads(legacy):
    connection, source = legacy
    connection.execute("CREATE TABLE t (v DECIMAL(12,2))")
    amounts = ["0.07", "1.1", "29.99", "8", "-12345678.9", "4503599627.37", "0"]
    connection.executemany("INSERT INTO t VALUES (?)", [(float(text),) for text in amounts])
    piece = only(source)
    assert not piece.refused
    assert values(piece, "v") == [Decimal(text) for text in amounts]
    assert piece.rows.schema.field("v").type == pa.decimal128(12, 2)


def test_the_quick_way_and_the_slow_way_give_the_same_decimals():
    """One odd neighbour must not change what the others become."""
    from ludb.dialects.sqlite_values import Carriage, carry
    from ludb.model.unit import Column

    how = Carriage(Column("v", pa.decimal128(18, 4), "DECIMAL(18,4)"))
    numbers = [n * 0.0001 * sign for n in range(0, 200_000, 37) for sign in (1, -1)] + [10**9 + 0.1, 10**13, 5]
    quick, faults = carry([value for value in numbers if round(value, 4) == value], how)
    slow, slow_faults = carry([*(value for value in numbers if round(value, 4) == value), bytearray(b"x")], how)
    assert len(quick) > 5000
    assert not faults
    assert list(slow_faults) == [len(quick)]
    assert quick.equals(slow[:-1])
    odd = [value for value in numbers if round(value, 4) != value]
    assert odd
    assert len(carry(odd, how)[1]) == len(odd)


def test_dates_and_json_are_carried_as_the_text_they_are(legacy):
    connection, source = legacy
    connection.execute("CREATE TABLE t (d DATE, j JSON)")
    document = '{"a": 1.10, "a": 12345678901234567890}'
    connection.execute("INSERT INTO t VALUES ('0000-00-00', ?)", (document,))
    assert only(source).rows.to_pylist() == [{"d": "0000-00-00", "j": document}]


def test_case_55_a_declared_format_turns_good_dates_and_refuses_the_others(legacy):
    connection, source = legacy
    connection.execute("CREATE TABLE t (d DATETIME)")
    connection.execute("INSERT INTO t VALUES ('2024-02-29 12:00:00'), ('2024-13-45'), (1704067200)")
    piece = only(source, types=(("d", "timestamp"),))
    assert [str(value) for value in values(piece, "d")] == ["2024-02-29 12:00:00", "None", "None"]
    assert [refusal.row_id for refusal in piece.refused] == ["2", "3"]


def test_types_may_carry_numbers_as_text_and_text_as_numbers(legacy):
    connection, source = legacy
    connection.execute("CREATE TABLE t (a INTEGER, b, c VARCHAR(2))")
    connection.execute("INSERT INTO t VALUES (7, 9, 'long')")
    piece = only(source, types=(("a", "text"), ("b", "integer"), ("c", "text")))
    assert (piece.rows.to_pylist(), piece.refused) == ([{"a": "7", "b": 9, "c": "long"}], [])


def test_case_27_generated_columns_are_known_as_such(legacy):
    connection, source = legacy
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, twice INTEGER AS (id * 2), name TEXT NOT NULL)")
    columns = {column.name: column for column in source.columns(unit_table("t"))}
    assert [column.generated for column in columns.values()] == [False, True, False]
    assert (columns["id"].key, columns["id"].required, columns["name"].required) == (True, False, True)


@pytest.mark.parametrize("name", ['"Quoted_"" . Schema"', "two\nlines", "dbz5743中文", "select", "it's", "a b"])
def test_case_57_any_name_is_a_name(legacy, name):
    connection, source = legacy
    quoted = '"' + name.replace('"', '""') + '"'
    long = ["x" * 63 + "a", "x" * 63 + "b"]
    connection.execute(f"CREATE TABLE {quoted} ({quoted} INTEGER, {long[0]} TEXT, {long[1]} TEXT)")
    connection.execute(f"INSERT INTO {quoted} VALUES (1, 'a', 'b')")
    table, child = unit_table(name), unit_table("child", name, table=name, on=((name, name),))
    assert only(source, name).rows.to_pylist() == [{name: 1, long[0]: "a", long[1]: "b"}]
    assert pa.concat_tables(source.keys(table, [name])).to_pylist() == [{name: 1}]
    assert source.fetch([table, child], keyset([1], name)).rows.num_rows == 1
    assert source.orphans([table, child]).num_rows == 0


def test_a_view_is_read_like_a_table(legacy):
    connection, source = legacy
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)")
    connection.execute("INSERT INTO t VALUES (1, 'a'), (2, 'b')")
    connection.execute("CREATE VIEW v AS SELECT id, name FROM t WHERE id > 1")
    assert only(source, "v").rows.to_pylist() == [{"id": 2, "name": "b"}]
    assert source.fetch([unit_table("v")], keyset([1, 2])).rows.column("id").to_pylist() == [2]


def test_a_table_without_rowid_names_its_rows_by_key(legacy):
    connection, source = legacy
    connection.execute("CREATE TABLE t (a TEXT, b INTEGER, n INTEGER, PRIMARY KEY (a, b)) WITHOUT ROWID")
    connection.execute("INSERT INTO t VALUES ('k', 2, 'lots'), ('k', 1, 1)")
    assert [refusal.row_id for refusal in only(source).refused] == ["k|2"]


def test_keys_keep_the_columns_own_collation_and_a_total_order(legacy):
    """R11: the order is the source's, never Python's; equal keys keep the order of their rows."""
    connection, source = legacy
    connection.execute("CREATE TABLE t (k TEXT COLLATE NOCASE)")
    connection.executemany("INSERT INTO t VALUES (?)", [("b",), ("C",), ("a",), ("B",), ("A",)])
    assert pa.concat_tables(source.keys(unit_table("t"), ["k"])).column("k").to_pylist() == ["a", "A", "b", "B", "C"]


def test_keys_are_streamed_in_pieces(legacy):
    connection, source = legacy
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO t VALUES (?)", ((number,) for number in range(50_001)))
    connection.execute("COMMIT")
    pieces = list(source.keys(unit_table("t"), ["id"]))
    assert [piece.num_rows for piece in pieces] == [50_000, 1]


def test_a_key_that_cannot_be_carried_says_how_to_carry_it(legacy):
    connection, source = legacy
    connection.execute("CREATE TABLE t (id INTEGER)")
    connection.execute("INSERT INTO t VALUES (1), ('A-17')")
    with pytest.raises(ConfigError, match="column id, row 2") as caught:
        list(source.keys(unit_table("t"), ["id"]))
    assert "A-17" not in str(caught.value)
    assert "types:" in str(caught.value)
    text = unit_table("t", types=(("id", "text"),))
    assert pa.concat_tables(source.keys(text, ["id"])).column("id").to_pylist() == ["1", "A-17"]
    assert source.fetch([text], keyset(["1", "A-17"])).rows.num_rows == 2


def test_a_refused_child_tells_its_unit(legacy):
    """The engine rejects the unit by the match; the row is counted, its bad value is not carried."""
    connection, source = legacy
    connection.executescript(
        "CREATE TABLE p (id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1), (2);"
        "CREATE TABLE c (p INTEGER, n INTEGER); INSERT INTO c VALUES (1, 3), (2, 'lots');"
    )
    found = source.fetch([unit_table("p"), unit_table("c", "p", on=(("p", "id"),))], keyset([1, 2]))
    assert [(refusal.match, refusal.row_id) for refusal in found.refused] == [((2,), "2")]
    assert found.rows.num_rows == 2


def test_case_39_keys_equal_by_collation_do_not_repeat_rows(legacy):
    """Both keys match both rows under NOCASE: each row comes once, with its own key as it is stored."""
    connection, source = legacy
    connection.executescript(
        "CREATE TABLE p (k TEXT COLLATE NOCASE, l TEXT); INSERT INTO p VALUES ('a', 'x'), ('A', 'X');"
        "CREATE TABLE c (l TEXT COLLATE NOCASE, n INTEGER); INSERT INTO c VALUES ('x', 1), ('X', 2);"
    )
    roots = source.fetch([unit_table("p")], keyset(["a", "A"], "k")).rows
    assert sorted(roots.column("ludb_match_0").to_pylist()) == ["A", "a"]
    children = source.fetch([unit_table("p"), unit_table("c", "p", on=(("l", "l"),))], keyset(["a", "A"], "k")).rows
    assert sorted(zip(children.column("ludb_match_0").to_pylist(), children.column("n").to_pylist(), strict=True)) == [
        ("A", 1),
        ("A", 2),
        ("a", 1),
        ("a", 2),
    ]


def test_links_compare_across_types_without_repeating_rows(legacy):
    """'1' and 1 in an untyped parent both lead to child 1: it comes once."""
    connection, source = legacy
    connection.executescript(
        "CREATE TABLE p (k INTEGER, l); INSERT INTO p VALUES (1, '7'), (1, 7);"
        "CREATE TABLE c (l INTEGER, n INTEGER); INSERT INTO c VALUES (7, 1);"
    )
    path = [unit_table("p"), unit_table("c", "p", on=(("l", "l"),))]
    assert source.fetch(path, keyset([1], "k")).rows.num_rows == 1


def test_a_tree_between_root_and_leaf_is_walked(legacy):
    """Sites of a customer hold sub-sites (`recursive`), which hold lines: all lines are the customer's."""
    connection, source = legacy
    connection.executescript(
        "CREATE TABLE p (id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1), (2);"
        "CREATE TABLE site (id INTEGER PRIMARY KEY, p INTEGER, up INTEGER);"
        "INSERT INTO site VALUES (10, 1, NULL), (11, NULL, 10), (12, NULL, 11), (20, 2, NULL), (30, NULL, 31), (31, NULL, 30);"
        "CREATE TABLE line (site INTEGER, n INTEGER); INSERT INTO line VALUES (10, 1), (12, 2), (20, 3), (30, 4);"
    )
    site = unit_table("site", "p", on=(("p", "id"),), recursive=(("up", "id"),))
    path = [unit_table("p"), site, unit_table("line", "site", on=(("site", "id"),))]
    found = source.fetch(path, keyset([1])).rows
    assert sorted(found.column("n").to_pylist()) == [1, 2]
    assert sorted(source.orphans(path[:2]).column("row_id").to_pylist()) == ["30", "31"]
    assert source.orphans(path).to_pylist() == [{"row_id": "4", "missing": "30", "direct": False}]


@pytest.mark.parametrize("unique", [True, False])
def test_an_indexed_child_is_never_read_in_full(legacy, unique):
    """A chunk of 500 customers must not cost a scan of all invoices: the plan is asked, not the clock."""
    connection, source = legacy
    connection.executescript(
        f"CREATE TABLE p (id INTEGER {'PRIMARY KEY' if unique else ''}, l INTEGER); CREATE INDEX pi ON p (id);"
        "CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER); CREATE INDEX ci ON c (p);"
        "CREATE TABLE g (c INTEGER, n INTEGER); CREATE INDEX gi ON g (c);"
    )
    statements = []
    path = [unit_table("p"), unit_table("c", "p", on=(("p", "id"),)), unit_table("g", "c", on=(("c", "id"),))]
    source.fetch(path, keyset([1]))
    source._connection().set_trace_callback(statements.append)
    source.fetch(path, keyset([1]))
    source._connection().set_trace_callback(None)
    (sql,) = [text for text in statements if text.startswith("WITH")]
    source._connection().text_factory = str
    plan = [row[3] for row in source._connection().execute(f"EXPLAIN QUERY PLAN {sql}")]
    # Tables stand in the plan by their alias, `a`.
    assert not [line for line in plan if line.startswith("SCAN") and "a" in line.split()], plan
    assert any("INDEX ci" in line for line in plan), plan
    assert any("INDEX gi" in line for line in plan), plan


def test_a_snapshot_shows_one_state_of_the_database(legacy):
    connection, source = legacy
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE t (id INTEGER)")
    table = unit_table("t")
    with source.snapshot():
        connection.execute("INSERT INTO t VALUES (1)")
        assert source.fetch([table], keyset([1])).rows.num_rows == 0
    assert source.fetch([table], keyset([1])).rows.num_rows == 1


def test_the_source_is_never_written(legacy, tmp_path):
    _, source = legacy
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        source._connection().execute("CREATE TABLE mine (id)")


def test_a_locked_database_is_tried_again_later(legacy):
    connection, source = legacy
    connection.execute("CREATE TABLE t (id INTEGER)")
    source.columns(unit_table("t"))
    connection.execute("BEGIN EXCLUSIVE")
    with pytest.raises(TransientError, match="locked") as caught, source.snapshot():
        pass
    assert caught.value.system == "legacy"


def test_a_missing_file_and_a_file_of_another_kind_are_told_apart(tmp_path):
    around = Surroundings(tmp_path, tmp_path)
    with pytest.raises(ConfigError, match="no database at"):
        SqliteSource("legacy", SqliteSystem(type="sqlite", url="nope.db"), around).columns(unit_table("t"))
    assert not (tmp_path / "nope.db").exists()
    (tmp_path / "text.db").write_text("this is no database, but a text of some length" * 30)
    with pytest.raises(ConfigError, match="not a database"):
        SqliteSource("legacy", SqliteSystem(type="sqlite", url="text.db"), around).columns(unit_table("t"))
    with pytest.raises(ConfigError, match="not that of a SQLite file"):
        SqliteSource("legacy", SqliteSystem(type="sqlite", url="postgres://x"), around)


def test_the_three_ways_to_write_a_url_mean_the_same_file(tmp_path):
    from ludb.dialects.sqlite import database_path

    around = Surroundings(tmp_path, tmp_path)
    urls = [f"sqlite:///{tmp_path}/a b.db", "sqlite:///a b.db", f"{tmp_path}/a b.db", "a b.db"]
    assert {database_path(SqliteSystem(type="sqlite", url=url), around) for url in urls} == {tmp_path / "a b.db"}


def test_composite_keys_with_a_null_part_are_not_looked_up(legacy):
    connection, source = legacy
    connection.execute("CREATE TABLE t (a INTEGER, b INTEGER)")
    connection.execute("INSERT INTO t VALUES (1, NULL), (1, 2)")
    by = KeySet(("a", "b"), pa.table({"a": [1, 1], "b": pa.array([None, 2], pa.int64())}))
    assert source.fetch([unit_table("t")], by).rows.num_rows == 1
