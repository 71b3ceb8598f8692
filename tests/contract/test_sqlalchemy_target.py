"""The generic target keeps the promises of the port, over the dialects of three databases that run here."""

from __future__ import annotations

import sqlite3

import pytest

from ludb.dialects.settings import Surroundings
from ludb.dialects.sqlalchemy import SqlalchemySystem
from ludb.ports.target import CanRead
from ludb.targets.sqlalchemy import SqlalchemyTarget
from ludb.testing.execute import ExecuteContract
from ludb.testing.inspect import InspectContract
from ludb.testing.rehearsal import RehearsalContract, RehearsedConstraintContract
from ludb.testing.target import ConstraintContract, TargetContract
from tests.contract.by_sqlalchemy import by_pymysql

ACCOUNT = "CREATE TABLE account (id {big} PRIMARY KEY, name VARCHAR(60){exact} NOT NULL UNIQUE)"
CHARGE = "CREATE TABLE charge (id {big} PRIMARY KEY, account {big}, FOREIGN KEY (account) REFERENCES account (id))"


class Opened:
    @pytest.fixture
    def reopen(self, url, tmp_path):
        settings = SqlalchemySystem(type="sqlalchemy", url=url, lock_timeout=1)
        return lambda: SqlalchemyTarget("billing", settings, Surroundings(tmp_path, tmp_path), clock=lambda: 1.5)

    @pytest.fixture
    def crash(self):
        """A dead process leaves the database a connection that is closed."""
        return lambda participant: participant._connection.connection.dbapi_connection.close()


class OnSqlite(Opened):
    @pytest.fixture
    def url(self, tmp_path):
        with sqlite3.connect(tmp_path / "billing.db") as connection:
            for statement in (ACCOUNT, CHARGE):
                connection.execute(statement.format(big="INTEGER", exact=""))
        connection.close()
        return "sqlite:///billing.db"


class OnPostgres(Opened):
    @pytest.fixture
    def url(self, postgres_database):
        script = f"{ACCOUNT}; {CHARGE}".format(big="BIGINT", exact="")
        return postgres_database(script).replace("postgresql://", "postgresql+psycopg://")


class OnMariadb(Opened):
    @pytest.fixture
    def url(self, mariadb_database):
        script = f"{ACCOUNT};\n{CHARGE}".format(big="BIGINT", exact=" COLLATE utf8mb4_bin")
        return by_pymysql(mariadb_database(script))


class Suites(TargetContract, RehearsalContract, ExecuteContract, InspectContract):
    def test_rows_can_be_read_back(self, target):
        assert isinstance(target, CanRead)


class Constraints(ConstraintContract, RehearsedConstraintContract):
    pass


class TestSqlite(OnSqlite, Suites):
    pass


class TestSqliteConstraints(OnSqlite, Constraints):
    pass


class TestPostgres(OnPostgres, Suites):
    pass


class TestPostgresConstraints(OnPostgres, Constraints):
    pass


class TestMariadb(OnMariadb, Suites):
    pass


class TestMariadbConstraints(OnMariadb, Constraints):
    pass
