"""Databases for tests of the generic adapters, by the address that SQLAlchemy knows them by."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest


class OnSqlite:
    """`place(script)` makes a database, as often as it is called, and gives its address; `type_of` an integer of 64 bits."""

    big, exact = "INTEGER", ""

    @pytest.fixture
    def place(self, tmp_path):
        made = []

        def place(script: str = "") -> str:
            made.append(tmp_path / f"{len(made)}.db")
            with closing(sqlite3.connect(made[-1])) as connection:
                connection.executescript(script)
            return f"sqlite:///{made[-1]}"

        return place


class OnPostgres:
    """The same on PostgreSQL, by psycopg."""

    big, exact = "BIGINT", ""

    @pytest.fixture
    def place(self, postgres_database):
        return lambda script="": postgres_database(script).replace("postgresql://", "postgresql+psycopg://")


def by_pymysql(url: str) -> str:
    """The address by PyMySQL, without the TLS context that it makes anew for each connection (65 ms)."""
    return url.replace("mysql://", "mysql+pymysql://") + "?ssl_disabled=true"


class OnMariadb:
    """The same on MariaDB, by PyMySQL; statements end with `;` and a line break."""

    big, exact = "BIGINT", " COLLATE utf8mb4_bin"

    @pytest.fixture
    def place(self, mariadb_database):
        return lambda script="": by_pymysql(mariadb_database(script))
