"""Targets that write over what is there keep the promises of the port, in every mode."""

from __future__ import annotations

import sqlite3

import pyarrow as pa
import pytest

from ludb.dialects.mysql import MysqlSystem
from ludb.dialects.postgres import PostgresSystem
from ludb.dialects.settings import Surroundings
from ludb.dialects.sqlite import SqliteSystem
from ludb.model.unit import Column
from ludb.targets.mysql import MysqlTarget
from ludb.targets.postgres import PostgresTarget
from ludb.targets.sqlite import SqliteTarget
from ludb.testing.memory_target import MemoryStore, MemoryTarget
from ludb.testing.target_modes import ModesContract


class TestMemory(ModesContract):
    points = False

    @pytest.fixture
    def store(self):
        def columns(*names):
            numbers = {"id", "holder", "main_item"}
            return [Column(name, pa.int64() if name in numbers else pa.string(), "") for name in names]

        return MemoryStore(
            {
                "holder": columns("id", "owner", "name", "main_item", "note"),
                "item": columns("id", "holder", "label"),
                "person": columns("email", "name"),
            },
            {"holder": (("id",),), "item": (("id",),), "person": (("email",),)},
            folded={("holder", "owner"), ("person", "email")},
        )

    @pytest.fixture
    def reopen(self, store):
        return lambda: MemoryTarget("billing", store)

    @pytest.fixture
    def crash(self, store):
        return lambda participant: store.crash()


class TestSqlite(ModesContract):
    @pytest.fixture
    def reopen(self, tmp_path):
        with sqlite3.connect(tmp_path / "billing.db") as connection:
            connection.executescript(
                "CREATE TABLE holder (id INTEGER PRIMARY KEY, owner TEXT NOT NULL COLLATE NOCASE, name TEXT,"
                " main_item INTEGER REFERENCES item, note TEXT);"
                "CREATE TABLE item (id INTEGER PRIMARY KEY, holder INTEGER NOT NULL REFERENCES holder, label TEXT);"
                "CREATE TABLE person (email TEXT COLLATE NOCASE PRIMARY KEY, name TEXT)"
            )
        connection.close()
        settings = SqliteSystem(type="sqlite", url="billing.db", busy_timeout=0.05)
        return lambda: SqliteTarget("billing", settings, Surroundings(tmp_path, tmp_path), clock=lambda: 1.5)

    @pytest.fixture
    def crash(self):
        return lambda participant: participant._connection.close()


POSTGRES = """
CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE holder (id bigint PRIMARY KEY, owner text COLLATE ci NOT NULL, name text, main_item bigint, note text);
CREATE TABLE item (id bigint PRIMARY KEY, holder bigint NOT NULL REFERENCES holder, label text);
ALTER TABLE holder ADD FOREIGN KEY (main_item) REFERENCES item DEFERRABLE;
CREATE TABLE person (email text COLLATE ci PRIMARY KEY, name text)
"""


class TestPostgres(ModesContract):
    @pytest.fixture
    def reopen(self, tmp_path, postgres_database):
        settings = PostgresSystem(type="postgres", url=postgres_database(POSTGRES), lock_timeout=1)
        return lambda: PostgresTarget("billing", settings, Surroundings(tmp_path, tmp_path), clock=lambda: 1.5)

    @pytest.fixture
    def crash(self):
        """The worst death: the worker hangs, and its connection stays open with all its locks."""
        hanging = []
        yield hanging.append
        for participant in hanging:
            participant.rollback()


MYSQL = """
CREATE TABLE holder (id BIGINT PRIMARY KEY, owner VARCHAR(60) COLLATE utf8mb4_general_ci NOT NULL, name VARCHAR(60),
  main_item BIGINT, note VARCHAR(60));
CREATE TABLE item (id BIGINT PRIMARY KEY, holder BIGINT NOT NULL, label VARCHAR(60),
  FOREIGN KEY (holder) REFERENCES holder (id));
ALTER TABLE holder ADD FOREIGN KEY (main_item) REFERENCES item (id);
CREATE TABLE person (email VARCHAR(60) COLLATE utf8mb4_general_ci PRIMARY KEY, name VARCHAR(60))
"""


class TestMysql(ModesContract):
    @pytest.fixture
    def reopen(self, mariadb_database, tmp_path):
        settings = MysqlSystem(type="mysql", url=mariadb_database(MYSQL), lock_timeout=1)
        return lambda: MysqlTarget("billing", settings, Surroundings(tmp_path, tmp_path), clock=lambda: 1.5)

    @pytest.fixture
    def crash(self):
        return lambda participant: participant._session.close()
