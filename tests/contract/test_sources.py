"""All built-in sources keep the promises of the port."""

from __future__ import annotations

import sqlite3

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ludb.dialects.files import FilesSystem
from ludb.dialects.http.settings import RestSystem
from ludb.dialects.postgres import PostgresSystem
from ludb.dialects.settings import Surroundings
from ludb.dialects.sqlite import SqliteSystem
from ludb.ports.source import CanFetch, ReadsOnce, Source
from ludb.sources.files import FilesSource
from ludb.sources.postgres import PostgresSource
from ludb.sources.rest import RestSource
from ludb.sources.sqlite import SqliteSource
from ludb.testing.inspect import PriceContract
from ludb.testing.reflect import ReflectContract
from ludb.testing.source import FetchContract, FilterContract, SourceContract
from tests.unit.paged_api import PagedApi

POSTGRES = {pa.int64(): "bigint", pa.string(): "text", pa.float64(): "double precision"}
NATIVE = {pa.int64(): "INTEGER", pa.string(): "TEXT", pa.float64(): "REAL"}


class TestSqlite(SourceContract, FetchContract, FilterContract, PriceContract):
    @pytest.fixture
    def load(self, tmp_path):
        opened = []

        def load(tables):
            path = tmp_path / "legacy.db"
            connection = sqlite3.connect(path)
            for name, table in tables.items():
                columns = ", ".join(f'"{field.name}" {NATIVE[field.type]}' for field in table.schema)
                connection.execute(f'CREATE TABLE "{name}" ({columns})')
                marks = ", ".join("?" * table.num_columns)
                connection.executemany(
                    f'INSERT INTO "{name}" VALUES ({marks})', [tuple(row.values()) for row in table.to_pylist()]
                )
            connection.commit()
            connection.close()
            source = SqliteSource(
                "legacy", SqliteSystem(type="sqlite", url="sqlite:///legacy.db"), Surroundings(tmp_path, tmp_path)
            )
            opened.append(source)
            assert isinstance(source, Source)
            return source

        yield load
        for source in opened:
            source.close()


class TestSqliteReflects(ReflectContract):
    @pytest.fixture
    def reflected(self, tmp_path):
        opened = []

        def reflected(statements):
            path = tmp_path / f"{len(opened)}.db"
            with sqlite3.connect(path) as connection:
                for statement in statements:
                    connection.execute(statement)
            connection.close()
            around = Surroundings(tmp_path, tmp_path)
            opened.append(SqliteSource("legacy", SqliteSystem(type="sqlite", url=str(path)), around))
            return opened[-1]

        yield reflected
        for source in opened:
            source.close()


class TestPostgres(SourceContract, FetchContract, FilterContract, PriceContract):
    @pytest.fixture
    def load(self, tmp_path, postgres_database):
        opened = []

        def load(tables):
            url = postgres_database()
            with psycopg.connect(url) as connection:
                for name, table in tables.items():
                    columns = ", ".join(f'"{field.name}" {POSTGRES[field.type]}' for field in table.schema)
                    connection.execute(f'CREATE TABLE "{name}" ({columns})')
                    marks = ", ".join(["%s"] * table.num_columns)
                    rows = [tuple(row.values()) for row in table.to_pylist()]
                    connection.cursor().executemany(f'INSERT INTO "{name}" VALUES ({marks})', rows)
            source = PostgresSource(
                "legacy", PostgresSystem(type="postgres", url=url), Surroundings(tmp_path, tmp_path)
            )
            opened.append(source)
            assert isinstance(source, Source)
            return source

        yield load
        for source in opened:
            source.close()


class TestPostgresReflects(ReflectContract):
    @pytest.fixture
    def reflected(self, tmp_path, postgres_database):
        def reflected(statements):
            settings = PostgresSystem(type="postgres", url=postgres_database("; ".join(statements)))
            return PostgresSource("legacy", settings, Surroundings(tmp_path, tmp_path))

        return reflected


class TestParquetFiles(SourceContract, PriceContract):
    @pytest.fixture
    def load(self, tmp_path):
        def load(tables):
            for name, table in tables.items():
                pq.write_table(table, tmp_path / f"{name}.parquet")
            source = FilesSource("legacy", FilesSystem(type="files", path="."), Surroundings(tmp_path, tmp_path))
            assert isinstance(source, Source)
            assert not isinstance(source, CanFetch)
            return source

        return load


NAMES = {pa.int64(): "integer", pa.string(): "text", pa.float64(): "number"}


class TestRest(SourceContract):
    @pytest.fixture
    def load(self, tmp_path):
        api, opened = PagedApi(), []

        def load(tables):
            told = {}
            for name, table in tables.items():
                api.shelves[name] = table.to_pylist()
                types = {field.name: NAMES[field.type] for field in table.schema}
                declared = types if not table.num_rows else {n: kind for n, kind in types.items() if kind == "number"}
                told[name] = {"get": f"/{name}", "rows": "data.items", "page": {"by": "link"}, "types": declared}
            settings = RestSystem(type="rest", url=api.url, tables=told)
            opened.append(RestSource("legacy", settings, Surroundings(tmp_path, tmp_path)))
            assert isinstance(opened[-1], Source)
            assert isinstance(opened[-1], ReadsOnce)
            assert not isinstance(opened[-1], CanFetch)
            return opened[-1]

        yield load
        for source in opened:
            source.close()
        api.end()
