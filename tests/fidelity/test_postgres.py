"""Cases of PostgreSQL that are no single value: types that would be guessed at, sequences, generated columns, names, shapes."""

from __future__ import annotations

import itertools
import os

import psycopg
import pyarrow as pa
import pytest

from ludb.dialects.postgres import PostgresSystem
from ludb.dialects.settings import Surroundings
from ludb.errors import ConfigError
from ludb.model.run import Txn
from ludb.model.unit import POSITION, TableRef, UnitTable
from ludb.sources.postgres import PostgresSource
from ludb.targets.postgres import PostgresTarget

NUMBERS = itertools.count()
LONG = "é" * 31 + "x"  # 63 bytes


@pytest.fixture(scope="module")
def database(postgres_server):
    """One database for all cases."""
    name = f"fidelity_{os.getpid()}"
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        with psycopg.connect(postgres_server.url(name), autocommit=True) as connection:
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


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("timestamptz", pa.array([0], pa.timestamp("us"))),
        ("timestamp", pa.array([0], pa.timestamp("us", "UTC"))),
        ("text", pa.array([b"x"])),
        ("bytea", pa.array(["\\x00"])),
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
    case.run("CREATE TABLE bare ()")
    case.run("INSERT INTO bare DEFAULT VALUES")
    assert case.source.columns(UnitTable("bare", TableRef("old", "bare"))) == ()
    rows, _ = case.extract("bare")
    assert rows.num_columns == 0
    case.load(pa.table({POSITION: [0]}).drop_columns([POSITION]), "bare")
    case.run("CREATE TABLE src (v int)")
    case.run("INSERT INTO src VALUES (1), (1), (NULL)")
    rows, _ = case.extract()
    assert rows.column("v").to_pylist() == [1, 1, None]
    case.run("CREATE TABLE dst (id serial, v int)")
    case.load(rows)
    assert case.texts("dst", "v") == [1, 1, None]
