"""MySQL as a source keeps the promises of the port, on a real MariaDB."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from ludb.dialects.mysql import MysqlSystem
from ludb.dialects.settings import Surroundings
from ludb.ports.source import CanFetch, Source
from ludb.sources.mysql import MysqlSource
from ludb.testing.inspect import PriceContract
from ludb.testing.reflect import ReflectContract
from ludb.testing.source import FetchContract, FilterContract, SourceContract

NATIVE = {pa.int64(): "BIGINT", pa.string(): "VARCHAR(200)", pa.float64(): "DOUBLE"}


@pytest.fixture
def open_source(tmp_path: Path):
    """Makes a source over a database's URL."""
    opened = []

    def make(url: str, **settings) -> MysqlSource:
        system = MysqlSystem(type="mysql", url=url, **settings)
        opened.append(MysqlSource("legacy", system, Surroundings(tmp_path, tmp_path)))
        return opened[-1]

    yield make
    for source in opened:
        source.close()


class TestMysql(SourceContract, FetchContract, FilterContract, PriceContract):
    @pytest.fixture
    def load(self, mariadb_database, open_source, execute):
        def load(tables):
            url = mariadb_database()
            for name, table in tables.items():
                columns = ", ".join(f"`{field.name}` {NATIVE[field.type]}" for field in table.schema)
                execute(url, f"CREATE TABLE `{name}` ({columns})")
                marks = ", ".join(["%s"] * table.num_columns)
                rows = [tuple(row.values()) for row in table.to_pylist()]
                execute(url, f"INSERT INTO `{name}` VALUES ({marks})", rows)
            source = open_source(url)
            assert isinstance(source, Source)
            assert isinstance(source, CanFetch)
            return source

        return load


class TestMysqlReflects(ReflectContract):
    @pytest.fixture
    def reflected(self, mariadb_database, open_source, execute):
        def reflected(statements):
            url = mariadb_database()
            for statement in statements:
                execute(url, statement)
            return open_source(url)

        return reflected
