"""The generic source keeps the promises of the port, over the dialects of three databases that run here."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pyarrow as pa
import pytest
import sqlalchemy as sa

from ludb.dialects.settings import Surroundings
from ludb.dialects.sqlalchemy import SqlalchemySystem
from ludb.ports.source import CanFetch, CanReflect, Source
from ludb.sources.sqlalchemy import SqlalchemySource
from ludb.testing.inspect import PriceContract
from ludb.testing.reflect import ReflectContract
from ludb.testing.source import FetchContract, FilterContract, SourceContract
from tests.contract.by_sqlalchemy import by_pymysql

NATIVE = {pa.int64(): sa.BigInteger, pa.string(): sa.String(200), pa.float64(): sa.Double}


class Places:
    """Makes databases of one kind; gives the addresses that SQLAlchemy knows them by."""

    @pytest.fixture
    def place(self, tmp_path):
        made = []

        def place() -> str:
            made.append(tmp_path / f"{len(made)}.db")
            sqlite3.connect(made[-1]).close()
            return f"sqlite:///{made[-1]}"

        return place

    @pytest.fixture
    def open_source(self, tmp_path: Path):
        opened = []

        def make(url: str, **settings) -> SqlalchemySource:
            system = SqlalchemySystem(type="sqlalchemy", url=url, **settings)
            opened.append(SqlalchemySource("legacy", system, Surroundings(tmp_path, tmp_path)))
            return opened[-1]

        yield make
        for source in opened:
            source.close()

    @pytest.fixture
    def load(self, place, open_source):
        def load(tables):
            url = place()
            engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
            shapes = sa.MetaData()
            for name, table in tables.items():
                made = sa.Table(name, shapes, *(sa.Column(field.name, NATIVE[field.type]) for field in table.schema))
                with engine.begin() as connection:
                    made.create(connection)
                    if table.num_rows:
                        connection.execute(made.insert(), table.to_pylist())
            source = open_source(url)
            assert isinstance(source, Source)
            assert isinstance(source, CanFetch)
            assert isinstance(source, CanReflect)
            return source

        return load

    @pytest.fixture
    def reflected(self, place, open_source):
        def reflected(statements):
            url = place()
            with sa.create_engine(url, poolclass=sa.pool.NullPool).begin() as connection:
                for statement in statements:
                    connection.exec_driver_sql(statement)
            return open_source(url)

        return reflected


class OnPostgres(Places):
    @pytest.fixture
    def place(self, postgres_database):
        return lambda: postgres_database().replace("postgresql://", "postgresql+psycopg://")


class OnMariadb(Places):
    @pytest.fixture
    def place(self, mariadb_database):
        return lambda: by_pymysql(mariadb_database())


class TestSqlite(Places, SourceContract, FetchContract, FilterContract, ReflectContract, PriceContract):
    pass


class TestPostgres(OnPostgres, SourceContract, FetchContract, FilterContract, ReflectContract, PriceContract):
    pass


class TestMariadb(OnMariadb, SourceContract, FetchContract, FilterContract, ReflectContract, PriceContract):
    pass
