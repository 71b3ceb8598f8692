"""Targets that write over what is there keep the promises of the port, in every mode."""

from __future__ import annotations

import re
import sqlite3
import uuid
from dataclasses import replace
from urllib.parse import urlsplit

import psycopg
import pyarrow as pa
import pytest

from ludb.dialects.mysql import MysqlSystem
from ludb.dialects.postgres import PostgresSystem
from ludb.dialects.settings import Surroundings
from ludb.dialects.sqlalchemy import SqlalchemySystem
from ludb.dialects.sqlite import SqliteSystem
from ludb.errors import ConfigError
from ludb.model.data import Removal, WriteSet
from ludb.model.unit import POSITION, Column
from ludb.targets.mysql import MysqlTarget
from ludb.targets.postgres import PostgresTarget
from ludb.targets.sqlalchemy import SqlalchemyTarget
from ludb.targets.sqlite import SqliteTarget
from ludb.testing.memory_target import MemoryStore, MemoryTarget
from ludb.testing.target import TXN
from ludb.testing.target_modes import ModesContract, written
from tests.contract.by_sqlalchemy import OnMariadb, OnPostgres, OnSqlite


class TestMemory(ModesContract):
    points = False

    @pytest.fixture
    def store(self):
        def columns(*names):
            numbers = {"id", "holder", "main_item", "code"}
            return [Column(name, pa.int64() if name in numbers else pa.string(), "") for name in names]

        return MemoryStore(
            {
                "holder": columns("id", "owner", "name", "main_item", "note"),
                "item": columns("id", "holder", "label"),
                "person": columns("email", "name"),
                "seat": columns("id", "code"),
            },
            {"holder": (("id",),), "item": (("id",),), "person": (("email",),), "seat": (("id",), ("code",))},
            folded={("holder", "owner"), ("person", "email")},
        )

    @pytest.fixture
    def reopen(self, store):
        return lambda: MemoryTarget("billing", store)

    @pytest.fixture
    def crash(self, store):
        return lambda participant: store.crash()


SQLITE = """
CREATE TABLE holder (id INTEGER PRIMARY KEY, owner TEXT NOT NULL COLLATE NOCASE, name TEXT,
  main_item INTEGER REFERENCES item, note TEXT);
CREATE TABLE item (id INTEGER PRIMARY KEY, holder INTEGER NOT NULL REFERENCES holder, label TEXT);
CREATE TABLE person (email TEXT COLLATE NOCASE PRIMARY KEY, name TEXT);
CREATE TABLE seat (id INTEGER PRIMARY KEY, code INTEGER NOT NULL UNIQUE)
"""


class TestSqlite(ModesContract):
    @pytest.fixture
    def reopen(self, tmp_path):
        with sqlite3.connect(tmp_path / "billing.db") as connection:
            connection.executescript(SQLITE)
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
CREATE TABLE person (email text COLLATE ci PRIMARY KEY, name text);
CREATE TABLE seat (id bigint PRIMARY KEY, code bigint NOT NULL UNIQUE)
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

    def test_an_upsert_of_identity_columns_moves_their_sequences_along(self, tmp_path, postgres_database):
        """Numbers of our own in GENERATED ALWAYS; the next insert of somebody else must not get one of them."""
        url = postgres_database(
            "CREATE TABLE ticket (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what text,"
            " loud text GENERATED ALWAYS AS (upper(what)) STORED)"
        )
        target = PostgresTarget("billing", PostgresSystem(type="postgres", url=url), Surroundings(tmp_path, tmp_path))
        target.prepare_schema()
        for number, what in enumerate(("a", "b")):
            rows = pa.table({POSITION: [0], "id": [70], "what": [what]})
            written(target, WriteSet("billing", {"ticket": rows}, {"ticket": ("id",)}), replace(TXN, id=f"t{number}"))
        with psycopg.connect(url) as connection:
            connection.execute("INSERT INTO ticket (what) VALUES ('next')")
            found = connection.execute("SELECT * FROM ticket ORDER BY id").fetchall()
        assert found == [(70, "b", "B"), (71, "next", "NEXT")]

    def test_a_circle_that_speaks_at_once_is_refused_with_the_command_that_mends_it(self, tmp_path, postgres_database):
        url = postgres_database(
            "CREATE TABLE one (id bigint PRIMARY KEY, other bigint); CREATE TABLE other (id bigint PRIMARY KEY,"
            " one bigint REFERENCES one); ALTER TABLE one ADD CONSTRAINT back FOREIGN KEY (other) REFERENCES other"
        )
        settings = PostgresSystem(type="postgres", url=url)
        with pytest.raises(ConfigError, match="circle") as caught:
            PostgresTarget("billing", settings, Surroundings(tmp_path, tmp_path)).order(["one", "other"])
        with psycopg.connect(url) as connection:
            connection.execute(caught.value.remedy.encode())
        target = PostgresTarget("billing", settings, Surroundings(tmp_path, tmp_path))
        assert sorted(target.order(["one", "other"])) == ["one", "other"]

    def test_what_postgres_cannot_do_is_refused_by_name(self, tmp_path, postgres_database):
        """A deferrable key is no arbiter; a cascade takes rows that nobody writes again."""
        url = postgres_database(
            "CREATE TABLE late (id bigint PRIMARY KEY DEFERRABLE); CREATE TABLE top (id bigint PRIMARY KEY);"
            "CREATE TABLE leaf (top bigint REFERENCES top ON DELETE CASCADE)"
        )
        target = PostgresTarget("billing", PostgresSystem(type="postgres", url=url), Surroundings(tmp_path, tmp_path))
        with pytest.raises(ConfigError, match="deferrable"):
            target.check_merge("late", ["id"], ["id"])
        with pytest.raises(ConfigError, match=r"leaf .ON DELETE CASCADE"):
            target.check_removal("top", ["id"], ["top"])
        target.check_removal("top", ["id"], ["top", "leaf"])

    def test_missing_rights_are_told_before_any_unit_moves(self, tmp_path, postgres_database):
        """A role that may insert, and neither update nor delete, nor make temporary tables."""
        role = f"modes_{uuid.uuid4().hex[:12]}"
        url = postgres_database(
            f"CREATE TABLE top (id bigint PRIMARY KEY); CREATE ROLE {role} LOGIN; GRANT INSERT, SELECT ON top TO {role}"
        )
        parts = urlsplit(url)
        with psycopg.connect(url, autocommit=True) as admin:
            try:
                settings = PostgresSystem(type="postgres", url=url, user=role)
                target = PostgresTarget("billing", settings, Surroundings(tmp_path, tmp_path))
                with pytest.raises(ConfigError, match="UPDATE"):
                    target.check_merge("top", ["id"], ["id"])
                with pytest.raises(ConfigError, match="DELETE"):
                    target.check_removal("top", ["id"], ["top"])
                admin.execute(f"REVOKE TEMPORARY ON DATABASE {parts.path[1:]} FROM PUBLIC")
                with pytest.raises(ConfigError, match="temporary tables"):
                    target.check_merge("top", ["id"], ["id"])
            finally:
                admin.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


MYSQL = """
CREATE TABLE holder (id BIGINT PRIMARY KEY, owner VARCHAR(60) COLLATE utf8mb4_general_ci NOT NULL, name VARCHAR(60),
  main_item BIGINT, note VARCHAR(60));
CREATE TABLE item (id BIGINT PRIMARY KEY, holder BIGINT NOT NULL, label VARCHAR(60),
  FOREIGN KEY (holder) REFERENCES holder (id));
ALTER TABLE holder ADD FOREIGN KEY (main_item) REFERENCES item (id);
CREATE TABLE person (email VARCHAR(60) COLLATE utf8mb4_general_ci PRIMARY KEY, name VARCHAR(60));
CREATE TABLE seat (id BIGINT PRIMARY KEY, code BIGINT NOT NULL UNIQUE)
"""


class TestMysql(ModesContract):
    @pytest.fixture
    def reopen(self, mariadb_database, tmp_path):
        settings = MysqlSystem(type="mysql", url=mariadb_database(MYSQL), lock_timeout=1)
        return lambda: MysqlTarget("billing", settings, Surroundings(tmp_path, tmp_path), clock=lambda: 1.5)

    @pytest.fixture
    def crash(self):
        return lambda participant: participant._session.close()

    def test_what_mysql_cannot_do_is_refused_by_name(self, tmp_path, mariadb_database):
        """A key that may be NULL, a cascade, a column that others point to."""
        url = mariadb_database(
            "CREATE TABLE top (id BIGINT PRIMARY KEY, code BIGINT UNIQUE, name BIGINT NOT NULL UNIQUE);\n"
            "CREATE TABLE leaf (top BIGINT, FOREIGN KEY (top) REFERENCES top (id) ON DELETE SET NULL)"
        )
        target = MysqlTarget("billing", MysqlSystem(type="mysql", url=url), Surroundings(tmp_path, tmp_path))
        with pytest.raises(ConfigError, match="may be NULL"):
            target.check_merge("top", ["code"], ["code"])
        with pytest.raises(ConfigError, match="leaf points to id"):
            target.check_merge("top", ["name"], ["name", "id"])
        target.check_merge("top", ["name"], ["name"])
        with pytest.raises(ConfigError, match=r"leaf .ON DELETE SET NULL"):
            target.check_removal("top", ["id"], ["top"])
        target.check_removal("top", ["id"], ["top", "leaf"])


class OverSqlalchemy(ModesContract):
    """The generic target, over the dialects that run here."""

    tables = ""

    @pytest.fixture
    def open_target(self, tmp_path):
        def opened(address: str) -> SqlalchemyTarget:
            settings = SqlalchemySystem(type="sqlalchemy", url=address, lock_timeout=1)
            return SqlalchemyTarget("billing", settings, Surroundings(tmp_path, tmp_path), clock=lambda: 1.5)

        return opened

    @pytest.fixture
    def reopen(self, place, open_target):
        address = place(self.tables)
        return lambda: open_target(address)

    @pytest.fixture
    def crash(self):
        return lambda participant: participant._connection.connection.dbapi_connection.close()

    def test_what_would_change_rows_of_others_is_refused_by_name(self, place, open_target):
        """A key that may be NULL, a column that others point to, a cascade, rows that have no key to delete them by."""
        target = open_target(place(
            f"CREATE TABLE top (id {self.big} PRIMARY KEY, code {self.big} UNIQUE, name {self.big} NOT NULL UNIQUE);\n"
            f"CREATE TABLE leaf (top {self.big}, FOREIGN KEY (top) REFERENCES top (id) ON DELETE SET NULL)"
        ))  # fmt: skip
        with pytest.raises(ConfigError, match="may be NULL"):
            target.check_merge("top", ["code"], ["code"])
        with pytest.raises(ConfigError, match="leaf points to id"):
            target.check_merge("top", ["name"], ["name", "id"])
        target.check_merge("top", ["name"], ["name"])
        with pytest.raises(ConfigError, match=r"leaf .ON DELETE SET NULL"):
            target.check_removal("top", ["id"], ["top"])
        target.check_removal("top", ["id"], ["top", "leaf"])
        with pytest.raises(ConfigError, match="primary key"):
            target.check_removal("leaf", ["top"], ["leaf"])

    def test_a_circle_without_an_opening_is_refused(self, place, open_target):
        """Neither of two rows that need each other can be first."""
        closed = (
            f"CREATE TABLE one (id {self.big} PRIMARY KEY, other {self.big} NOT NULL{self.ahead});\n"
            f"CREATE TABLE other (id {self.big} PRIMARY KEY, one {self.big} NOT NULL, FOREIGN KEY (one) REFERENCES one (id));\n"
        )
        with pytest.raises(ConfigError, match="circle"):
            open_target(place(closed + self.back)).order(["one", "other"])

    def test_rows_that_need_each_other_in_one_table_are_replaced_together(self, place, open_target):
        """A boss and whom they lead, in a circle; upsert and replacement alike, and nobody else's rows."""
        columns = f"id {self.big} PRIMARY KEY, team {self.big}, boss {self.big}"
        target = open_target(place(f"CREATE TABLE staff ({columns}, FOREIGN KEY (boss) REFERENCES staff (id))"))
        target.prepare_schema()
        columns = ("id", "team", "boss")
        rows = whole_rows(columns, [(0, 1, 7, 2), (0, 2, 7, 3), (0, 3, 7, None), (1, 5, 8, None)])
        written(target, WriteSet("billing", {"staff": rows}), replace(TXN, id="first"))
        merged = whole_rows(columns, [(0, 2, 7, 1), (0, 1, 7, 9), (0, 9, 7, None)])
        written(target, WriteSet("billing", {"staff": merged}, {"staff": ("id",)}), replace(TXN, id="second"))
        gone = Removal(pa.table({POSITION: [0], "team": [7]}))
        new = whole_rows(columns, [(0, 1, 7, None), (0, 4, 7, 1)])
        written(target, WriteSet("billing", {"staff": new}, {}, {"staff": gone}), replace(TXN, id="third"))
        found = sorted(tuple(row.values()) for row in target.read("staff").to_pylist())
        assert found == [(1, 7, None), (4, 7, 1), (5, 8, None)]


def whole_rows(columns, rows):
    """Rows (position, number, ...)."""
    return pa.table([pa.array(held, pa.int64()) for held in zip(*rows, strict=True)], names=[POSITION, *columns])


class TestSqliteBySqlalchemy(OnSqlite, OverSqlalchemy):
    tables = SQLITE
    ahead, back = " REFERENCES other (id)", ""


@pytest.mark.long
class TestPostgresBySqlalchemy(OnPostgres, OverSqlalchemy):
    tables = POSTGRES
    ahead, back = "", "ALTER TABLE one ADD FOREIGN KEY (other) REFERENCES other (id)"

    def test_missing_rights_are_told_before_any_unit_moves(self, place, open_target):
        """A user that may insert, and neither update nor delete."""
        role = f"modes_{uuid.uuid4().hex[:12]}"
        address = place(
            f"CREATE TABLE top (id bigint PRIMARY KEY); CREATE ROLE {role} LOGIN; GRANT INSERT, SELECT ON top TO {role}"
        )
        with psycopg.connect(address.replace("+psycopg", ""), autocommit=True) as admin:
            try:
                target = open_target(re.sub("//[^@]*@", f"//{role}@", address))
                with pytest.raises(ConfigError, match="permission denied") as caught:
                    target.check_merge("top", ["id"], ["id"])
                assert "UPDATE" in caught.value.remedy
                with pytest.raises(ConfigError, match="permission denied") as caught:
                    target.check_removal("top", ["id"], ["top"])
                assert "DELETE" in caught.value.remedy
            finally:
                admin.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


class TestMariadbBySqlalchemy(OnMariadb, OverSqlalchemy):
    tables = MYSQL
    ahead, back = "", "ALTER TABLE one ADD FOREIGN KEY (other) REFERENCES other (id)"
