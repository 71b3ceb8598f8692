"""The nasty values that PostgreSQL can hold: out of a source and into a target unchanged, or refused by name."""

from __future__ import annotations

import itertools
import os

import psycopg
import pyarrow as pa
import pytest

from ludb.dialects.postgres import PostgresSystem
from ludb.dialects.settings import Surroundings
from ludb.errors import ConfigError, UnitError
from ludb.model.run import Txn
from ludb.model.unit import POSITION, TableRef, UnitTable
from ludb.sources.postgres import PostgresSource
from ludb.targets.postgres import PostgresTarget

NUMBERS = itertools.count()
LONG = "é" * 31 + "x"  # 63 bytes


@pytest.fixture(scope="module")
def database(postgres_server):
    """One database for all cases, with the extensions that they need."""
    name = f"fidelity_{os.getpid()}"
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        with psycopg.connect(postgres_server.url(name), autocommit=True) as connection:
            for extension in ("citext", "hstore", "ltree"):
                connection.execute(f"CREATE EXTENSION {extension}")
            connection.execute("CREATE TYPE mood AS ENUM ('sad', 'it''s, ok')")
            connection.execute("CREATE TYPE pair AS (a int, b text)")
            connection.execute("CREATE DOMAIN price AS numeric(8,2) CHECK (value > 0)")
            yield connection
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


class Case:
    """A schema of its own with tables made by the test, and both adapters over it."""

    def __init__(self, connection, server):
        self.db, self.schema = connection, f"case{next(NUMBERS)}"
        connection.execute(f"CREATE SCHEMA {self.schema}")
        system = PostgresSystem(type="postgres", url=server.url(connection.info.dbname), schema=self.schema)
        around = Surroundings(None, None)
        self.source = PostgresSource("old", system, around)
        self.target = PostgresTarget("new", system, around)

    def run(self, statement):
        self.db.execute(f"SET search_path = {self.schema}, public")
        return self.db.execute(statement)

    def extract(self, table="src", types=()):
        unit = UnitTable(table, TableRef("old", table), types=types)
        pieces = list(self.source.scan(unit))
        return pa.concat_tables(piece.rows for piece in pieces), [
            refusal for piece in pieces for refusal in piece.refused
        ]

    def load(self, rows, table="dst"):
        self.target.prepare_schema()
        txn = Txn(f"{self.schema}-{next(NUMBERS)}", "repo", "run", "chunk", 1, tuple(range(rows.num_rows)))
        participant = self.target.begin(txn)
        try:
            position = pa.array(range(rows.num_rows), pa.int64())
            participant.write(table, rows.add_column(0, POSITION, position))
            participant.prepare()
            participant.commit()
        finally:
            participant.rollback()

    def texts(self, table, column="v::text"):
        return [row[0] for row in self.run(f"SELECT {column} FROM {table} ORDER BY id").fetchall()]


@pytest.fixture
def case(database, postgres_server):
    made = Case(database, postgres_server)
    yield made
    made.source.close()


def moved(case, kind, values, types=()):
    """Values of a type go from `src` to `dst` of the same type."""
    for table in ("src", "dst"):
        case.run(f"CREATE TABLE {table} (id int PRIMARY KEY, v {kind})")
    listed = ", ".join(f"({number}, {value})" for number, value in enumerate(values))
    case.run(f"INSERT INTO src VALUES {listed}")
    rows, refused = case.extract(types=types)
    if not refused:
        case.load(rows)
    return refused


ROUND = {
    4: ("interval", ["'1 year 2 mons 3 days'", "'1 mon'", "'30 days'", "'-00:00:00.000001'"]),
    5: ("timetz", ["'13:51:30.123789+02'", "'00:00+14'", "'24:00:00-15:59'"]),
    "6, an instant": ("timestamptz", ["'2024-03-31 02:30+01'", "'2024-10-27 00:30+00'", "'2024-10-27 01:30+00'"]),
    "6, digits": ("timestamp", ["'2024-03-31 02:30'", "'2024-10-27 02:30:00.000001'"]),
    7: ("timestamp(3)", ["'2024-01-01 10:00:00.123'", "'2024-01-01 10:00:00'"]),
    8: ("numeric", ["'NaN'", "'Infinity'", "'-Infinity'"]),
    9: ("numeric", ["'1.10'", "31943874831932418390.01", "0.00000000000696", "1e-40", "1" * 50, "-0.00", "NULL"]),
    "9, with digits": ("numeric(38,14)", ["0.00000000000696", "-1.10", "0", "999999999999999999999999.99999999999999"]),
    "9, odd digits": ("numeric(3,-2)", ["12300", "-100"]),
    "9, more decimals than digits": ("numeric(2,5)", ["0.00012"]),
    10: ("numeric(10,2)", ["1.01", "99999999.99"]),
    11: (
        "float8",
        ["'NaN'", "'Infinity'", "'-Infinity'", "'-0'", "1/109489::float8", "5e-324", "1.7976931348623157e308"],
    ),
    "11, real": ("real", ["0.1", "'-0'", "'NaN'", "3.4028235e38", "1e-45"]),
    12: ("money", ["'-1234.56'", "0.01", "NULL"]),
    13: ("char(5)", ["'ab'", "''", "'éé   '"]),
    14: ("varchar(3)", ["'ab '", "'é😀x'", "''"]),
    15: ("bytea", [r"'\x00ff5c'", "''", "NULL"]),
    "15, array": ("bytea[]", [r"ARRAY['\x00'::bytea, NULL, '\x5c22']"]),
    18: ("text", ["'👨‍👩‍👦'", "'é'", "U&'e\\0301'", "'αβ 中文'", "''", "NULL", "'NULL'"]),
    19: ("json", ["""'{"a": 1, "a":  2, "b":1}'"""]),
    20: ("jsonb", ["'null'", "NULL", "'\"null\"'"]),
    21: ("jsonb", ["'[1.10, 12345678901234567890, 1e400]'"]),
    22: ("text[]", ["'{}'", "'{NULL,1}'", "'{{1,2},{3,4}}'", """ARRAY['a,b','c"d',NULL,'NULL','']""", "'[2:3]={7,8}'"]),
    23: ("uuid", ["'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'"]),
    "24, fixed": ("bit(8)", ["B'00000101'"]),
    24: ("varbit", ["B'111011010001000110000001000000001'", "B''", "B'0'"]),
    "25, inet": ("inet", ["'192.168.2.0/12'", "'::1'"]),
    "25, cidr": ("cidr", ["'10.0.0.0/8'"]),
    "25, macaddr8": ("macaddr8", ["'08:00:2b:01:02:03:04:05'"]),
    "25, xml": ("xml", ["'<a b=\"c\">&lt;</a>'"]),
    "25, point": ("point", ["'(0.1,-0)'"]),
    "25, tsvector": ("tsvector", ["'fat:2 cat:3A'"]),
    "25, ltree": ("ltree", ["'Top.Science'"]),
    "25, hstore": ("hstore", ["'a=>NULL, b=>\"NULL\"'"]),
    "25, range": ("daterange", ["'[2019-03-31, infinity)'", "'empty'"]),
    "25, enum": ("mood", ["'it''s, ok'"]),
    "25, domain": ("price", ["1.10"]),
    "25, composite": ("pair", ["ROW(1, 'a,\"b')", "ROW(NULL, '')"]),
    "25, citext": ("citext", ["'Straße'"]),
    50: ("text", [r"'\'", r"'\\'", "'''); DROP TABLE'", "'a\n\\.\nb'", "E'\\\\N'", "E'\\r\\n\\t'", "'\"'"]),
}


@pytest.mark.parametrize("number", ROUND, ids=lambda number: f"case_{number}")
def test_the_value_arrives_unchanged(case, number):
    kind, values = ROUND[number]
    assert not moved(case, kind, values)
    assert case.texts("dst") == case.texts("src")


REFUSED = {
    1: ("date", ["'infinity'", "'-infinity'"]),
    "1, timestamptz": ("timestamptz", ["'infinity'"]),
    2: ("date", ["'0044-03-15 BC'", "'4713-12-31 BC'", "'21016-11-04'"]),
    "2, timestamp": ("timestamp", ["'294247-01-01'", "'0001-01-01 BC'"]),
    3: ("time", ["'24:00:00'", "'23:59:60'"]),
    "8, with digits": ("numeric(5,2)", ["'NaN'"]),
}


@pytest.mark.parametrize("number", REFUSED, ids=lambda number: f"case_{number}")
def test_the_row_is_refused_by_name_and_carried_as_text_on_demand(case, number):
    kind, values = REFUSED[number]
    refused = moved(case, kind, values)
    assert [(refusal.table.rpartition(".")[2], refusal.column, refusal.row_id) for refusal in refused] == [
        ("src", "v", str(row)) for row in range(len(values))
    ]
    assert [refusal.detail for refusal in refused] == case.texts("src")
    rows, refused = case.extract(types=(("v", "text"),))
    assert not refused
    case.load(rows)
    assert case.texts("dst") == case.texts("src")


D = pa.decimal128(12, 3)
WRITES = {
    "7, decimals of a second": ("timestamp(0)", pa.array([86_399_900_000], pa.timestamp("us")), "second"),
    "10, rounding": ("numeric(10,2)", pa.array(["1.005"]).cast(D), "rounded"),
    "10, overflow": ("numeric(5,2)", pa.array(["1000"]).cast(D), "numeric value out of range"),
    "10, text": ("numeric(10,2)", pa.array(["1.005"]), "rounded"),
    "11, double into real": ("real", pa.array([0.1]), "real"),
    "11, decimal into double": ("float8", pa.array(["0.12345678901234567890"]), "double"),
    "14, blanks": ("varchar(3)", pa.array(["ab      "]), "longer than 3"),
    16: ("text", pa.array(["a\0b"]), "NUL"),
    "16, jsonb": ("jsonb", pa.array(['"\\u0000"']), "column v"),
    "31, unsigned": ("bigint", pa.array([2**64 - 1], pa.uint64()), "out of range"),
    "44, two digits": ("date", pa.array(["18-04-01"]), "ISO"),
    "44, a word": ("date", pa.array(["today"]), "ISO"),
    "6, an offset that would be dropped": ("timestamp", pa.array(["2024-01-01 10:00:00+02"]), "ISO"),
    "3, a leap second": ("time", pa.array(["23:59:60"]), "ISO"),
    "2, a time of day": ("date", pa.array([1_000_000], pa.timestamp("us")), "ISO"),
    "25, enum": ("mood", pa.array(["glad"]), "column v"),
}


@pytest.mark.parametrize("number", WRITES, ids=lambda number: f"case_{number}")
def test_what_the_server_would_change_or_refuse_names_its_unit_and_no_other(case, number):
    kind, values, reason = WRITES[number]
    case.run(f"CREATE TABLE dst (id int PRIMARY KEY, v {kind})")
    column = pa.chunked_array([pa.nulls(1, values.type), values])
    with pytest.raises(UnitError) as caught:
        case.load(pa.table({"id": [1, 2], "v": column}))
    assert list(caught.value.faults) == [1]
    assert reason in caught.value.faults[1].reason
    assert str(values[0].as_py()) not in caught.value.faults[1].reason
    assert case.texts("dst") == []


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("timestamptz", pa.array([0], pa.timestamp("us"))),
        ("timestamp", pa.array([0], pa.timestamp("us", "UTC"))),
        ("text", pa.array([b"x"])),
        ("bytea", pa.array(["\\x00"])),
        ("numeric(10,2)[]", pa.array(["{1.005}"])),
        ("text", pa.array([[1]])),
    ],
)
def test_cases_6_and_15_a_type_that_would_be_guessed_at_is_a_mistake_of_the_job(case, kind, values):
    case.run(f"CREATE TABLE dst (id int PRIMARY KEY, v {kind})")
    with pytest.raises(ConfigError, match="column v"):
        case.load(pa.table({"id": [1], "v": values}))


def test_case_26_a_sequence_is_moved_beyond_the_numbers_written(case):
    case.run("CREATE TABLE dst (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, s bigserial, v text)")
    case.load(pa.table({"id": [500, 7], "s": [3, 900], "v": ["a", "b"]}))
    case.run("INSERT INTO dst (v) VALUES ('new')")
    assert case.run("SELECT id, s FROM dst WHERE v = 'new'").fetchall() == [(501, 901)]
    case.load(pa.table({"id": [10], "s": [11], "v": ["low"]}))
    case.run("INSERT INTO dst (v) VALUES ('newer')")
    assert case.run("SELECT id, s FROM dst WHERE v = 'newer'").fetchall() == [(502, 902)]


def test_case_27_a_generated_column_is_told_apart_and_refused_when_written(case):
    case.run("CREATE TABLE dst (id int PRIMARY KEY, v int, w int GENERATED ALWAYS AS (v * 2) STORED)")
    assert [column.generated for column in case.target.columns("dst")] == [False, False, True]
    with pytest.raises(ConfigError, match="generates"):
        case.load(pa.table({"id": [1], "v": [2], "w": [4]}))
    case.load(pa.table({"id": [1], "v": [2]}))
    assert case.texts("dst", "w") == [4]


def test_case_28_a_large_object_is_refused_at_planning(case):
    case.run("CREATE TABLE src (id int, v oid)")
    (_, column) = case.source.columns(UnitTable("src", TableRef("old", "src")))
    assert "large object" in column.refused


def test_case_57_names_of_every_kind(case):
    table, column = 'Quoted_"" . Schema\nx', "dbz5743中文"
    for name in (table, "dst"):
        case.run(f'CREATE TABLE "{name}" (id int PRIMARY KEY, "select" text, "{column}" text, "{LONG}" text)')
    name = table.replace('""', '"')
    case.run(f"INSERT INTO \"{table}\" VALUES (1, 'a', 'b', 'c')")
    rows, _ = case.extract(name)
    assert rows.column_names == ["id", "select", column, LONG]
    case.load(rows)
    assert case.run("SELECT * FROM dst").fetchall() == [(1, "a", "b", "c")]


def test_case_58_a_table_without_columns_and_duplicate_rows(case):
    case.run("CREATE TABLE src (v int)")
    case.run("INSERT INTO src VALUES (1), (1), (NULL)")
    rows, _ = case.extract()
    assert rows.column("v").to_pylist() == [1, 1, None]
    case.run("CREATE TABLE dst (id serial, v int)")
    case.load(rows)
    assert case.texts("dst", "v") == [1, 1, None]
