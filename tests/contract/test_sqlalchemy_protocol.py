"""Attacks on the commit protocol and bad moments, on real servers by way of SQLAlchemy."""

from __future__ import annotations

import re
import uuid

import pyarrow as pa
import pytest
import sqlalchemy as sa

from ludb.dialects.settings import Surroundings
from ludb.dialects.sqlalchemy import SqlalchemySystem
from ludb.errors import ConfigError, TransientError, UnitError
from ludb.model.data import WriteSet
from ludb.model.unit import POSITION
from ludb.sources.sqlalchemy import SqlalchemySource
from ludb.targets.sqlalchemy import SqlalchemyTarget
from ludb.testing.services import running
from ludb.testing.source import unit_table
from ludb.testing.target import TXN, accounts, rows_for, stored
from tests.contract.by_sqlalchemy import OnMariadb, OnPostgres
from tests.contract.server_protocol import Conflicts, LostConnections, Restarts, Silence, Waits, writes

TABLES = """CREATE TABLE account (id BIGINT PRIMARY KEY, name VARCHAR(60){exact} NOT NULL UNIQUE);
CREATE TABLE charge (id BIGINT PRIMARY KEY, account BIGINT, FOREIGN KEY (account) REFERENCES account (id));
CREATE TABLE price (id BIGINT PRIMARY KEY, amount DECIMAL(5,2), small SMALLINT, code VARCHAR(3), day DATE)"""


class Protocol(LostConnections, Waits, Silence, Conflicts, Restarts):
    """What both servers must do."""

    @pytest.fixture
    def url(self, place):
        return place(TABLES.format(exact=self.exact))

    @pytest.fixture
    def make(self, url, tmp_path):
        def make(**settings):
            system = SqlalchemySystem(type="sqlalchemy", **({"url": url, "lock_timeout": 1} | settings))
            target = SqlalchemyTarget("billing", system, Surroundings(tmp_path, tmp_path))
            target.prepare_schema()
            return target

        return make

    @pytest.fixture
    def source(self, url, tmp_path):
        opened = SqlalchemySource("old", SqlalchemySystem(type="sqlalchemy", url=url), Surroundings(tmp_path, tmp_path))
        yield opened
        opened.close()

    @pytest.fixture
    def asked(self, url):
        """Runs statements as the administrator."""
        engine = sa.create_engine(url, poolclass=sa.pool.NullPool, isolation_level="AUTOCOMMIT")

        def asked(*statements):
            with engine.connect() as connection:
                found = [connection.exec_driver_sql(statement) for statement in statements]
                return [tuple(row) for row in found[-1]] if found[-1].returns_rows else []

        return asked

    @pytest.fixture
    def end(self, asked):
        return lambda participant: asked(self.kill.format(self.session_of(participant._connection)))

    @pytest.fixture
    def own_server(self, tmp_path):
        with running(self.server) as server:
            url = server.url({"postgres": "postgres", "mariadb": "mysql"}[self.server])
            url = url.replace("://", f"+{self.driver}://") + self.quick
            with sa.create_engine(
                url, poolclass=sa.pool.NullPool, isolation_level="AUTOCOMMIT"
            ).connect() as connection:
                for statement in TABLES.format(exact=self.exact).split(";\n"):
                    connection.exec_driver_sql(statement)
            system = SqlalchemySystem(type="sqlalchemy", url=url)
            yield server, SqlalchemyTarget("billing", system, Surroundings(tmp_path, tmp_path))

    def test_attack_6_a_zombie_that_wakes_after_recovery_finds_its_transaction_done_and_writes_nothing(self, make, end):
        """Recovery waits behind the ledger row for as long as its session lives."""
        zombie = make().begin(TXN)
        zombie.write("account", accounts(0))
        zombie.prepare()
        with pytest.raises(TransientError):
            make().apply(TXN, writes(0))
        end(zombie)
        assert not make(lock_timeout=20).apply(TXN, writes(0)).already
        zombie.commit()  # it looks into the ledger: the transaction is there
        zombie.rollback()
        assert stored(make()) == [0]

    def test_a_value_that_does_not_fit_sets_its_unit_aside_with_its_column(self, make):
        """Too long, out of range, too many digits, no day of the calendar: each alone, and not in the message."""
        target = make()
        columns = ("id", "amount", "small", "code", "day")
        good = (1, "1.25", 1, "abc", "2024-02-29")
        bad = [
            ("code", "abcd"), ("small", 40_000), ("amount", "1000.00"), ("amount", "1.005"), ("day", "2023-02-29"),
        ]  # fmt: skip
        rows = [(0, *good), *((at, at + 1, *good[1:]) for at in range(1, len(bad) + 1))]
        for at, (name, value) in enumerate(bad, 1):
            row = list(rows[at])
            row[1 + columns.index(name)] = value
            rows[at] = tuple(row)
        kinds = {"id": pa.int64(), "small": pa.int64()}
        table = pa.table(
            [pa.array([row[0] for row in rows], pa.int64()),
             *(pa.array([row[1 + at] for row in rows], kinds.get(name, pa.string())) for at, name in enumerate(columns))],
            names=[POSITION, *columns],
        )  # fmt: skip
        found = {}
        while len(found) < len(bad):  # those that the adapter sees are told first, then those of the server
            participant = target.begin(TXN)
            kept = table.filter(pa.array([row[0] not in found for row in rows]))
            with pytest.raises(UnitError) as caught:
                participant.write("price", kept)
            participant.rollback()
            found |= caught.value.faults
        assert sorted(found) == [1, 2, 3, 4, 5]
        for at, (name, value) in enumerate(bad, 1):
            assert "billing.price" in found[at].reason
            assert name in found[at].reason, found[at]
            assert str(value) not in found[at].reason
        assert not target.apply(TXN, WriteSet("billing", {"price": table})).failed.keys() - found.keys()
        assert stored(target, "price") == [1]

    def test_a_constraint_of_the_server_names_the_unit_and_itself(self, make, asked):
        asked("ALTER TABLE price ADD CONSTRAINT price_is_fair CHECK (amount < 100)")
        participant = make().begin(TXN)
        rows = rows_for(("id", "small"), [(0, 1, 1), (1, 2, 2)]).append_column("amount", pa.array(["1", "100"]))
        with pytest.raises(UnitError) as caught:
            participant.write("price", rows)
        participant.rollback()
        assert list(caught.value.faults) == [1]
        assert "price_is_fair" in caught.value.faults[1].reason
        assert "100" not in caught.value.faults[1].reason

    def test_a_source_sees_one_moment_and_cannot_be_written(self, source, asked):
        unit = unit_table("account")
        with source.snapshot():
            assert source.count(unit) == 0
            asked("INSERT INTO account VALUES (1, 'late')")
            assert source.count(unit) == 0
            with pytest.raises(sa.exc.DBAPIError, match=r"(?i)read.only"):
                source._reader._connection().exec_driver_sql("DELETE FROM account")
        source.close()
        assert source.count(unit) == 1

    def test_a_reader_that_is_cut_off_reads_again(self, source, asked):
        unit = unit_table("account")
        assert source.count(unit) == 0
        asked(self.kill.format(self.session_of(source._reader._connection())))
        with pytest.raises(TransientError):
            source.count(unit)
        assert source.count(unit) == 0

    def test_missing_rights_and_refused_logins_are_mistakes_that_name_the_system_and_no_secret(self, make, asked, url):
        user = f"poor{uuid.uuid4().hex[:10]}"
        asked(*(one.format(user=user, database=sa.make_url(url).database) for one in self.poor))
        mine = re.sub(r"//[^@]*@", f"//{user}:h-u-s-h@", url)
        try:
            make()  # a DBA has made the ledger
            with pytest.raises(ConfigError, match=r"billing.*denied") as caught:
                make(url=mine).begin(TXN)
            assert "h-u-s-h" not in str(caught.value)
            with pytest.raises(ConfigError, match=r"billing.*nobody_here") as refused:
                make(url=mine.replace(user, "nobody_here"))
            assert "h-u-s-h" not in str(refused.value)
        finally:
            asked(*(one.format(user=user) for one in self.rich))


class TestPostgres(OnPostgres, Protocol):
    server, driver, quick, idle = "postgres", "psycopg", "", 1.0
    kill = "SELECT pg_terminate_backend({}, 5000)"
    poor = ("CREATE ROLE {user} LOGIN PASSWORD 'h-u-s-h'", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {user}")
    rich = ("DROP OWNED BY {user}", "DROP ROLE {user}")

    @staticmethod
    def session_of(connection):
        return connection.connection.dbapi_connection.info.backend_pid

    def test_attack_9_a_server_that_may_lose_what_it_confirmed_is_refused(self, make, asked, url):
        asked(f"ALTER DATABASE {sa.make_url(url).database} SET synchronous_commit = off")
        with pytest.raises(ConfigError, match="synchronous_commit = off"):
            make()
        make(allow_not_durable=True)

    def test_attack_10_a_constraint_that_speaks_only_at_commit_speaks_before_the_decision(self, make, asked):
        asked("ALTER TABLE charge ADD UNIQUE (account) DEFERRABLE INITIALLY DEFERRED")
        participant = make().begin(TXN)
        participant.write("account", accounts(0, 1))
        participant.write("charge", rows_for(("id", "account"), [(0, 5, 0), (1, 6, 1), (1, 7, 1)]))
        with pytest.raises(UnitError) as caught:
            participant.prepare()
        participant.rollback()
        assert list(caught.value.faults) == [1]

    def test_attack_10_a_database_that_is_serializable_by_default_cannot_fail_at_commit(self, make, asked, url):
        asked(f"ALTER DATABASE {sa.make_url(url).database} SET default_transaction_isolation = 'serializable'")
        participant = make().begin(TXN)
        level = participant._connection.exec_driver_sql("SHOW transaction_isolation").scalar()
        participant.rollback()
        assert level == "read committed"

    def test_case_16_text_with_a_nul_sets_its_unit_aside(self, make):
        participant = make().begin(TXN)
        with pytest.raises(UnitError) as caught:
            participant.write("account", pa.table({POSITION: [0, 1], "id": [0, 1], "name": ["a\0b", "c"]}))
        participant.rollback()
        assert list(caught.value.faults) == [0]

    def test_every_session_is_in_utc_with_limits_to_its_waits(self, make):
        participant = make().begin(TXN)
        wanted = {"idle_in_transaction_session_timeout": "1min", "timezone": "UTC", "lock_timeout": "1s"}
        found = {name: participant._connection.exec_driver_sql(f"show {name}").scalar() for name in wanted}
        participant.rollback()
        assert found == wanted


class TestMariadb(OnMariadb, Protocol):
    server, driver, quick = "mariadb", "pymysql", "?ssl_disabled=true"
    kill = "KILL CONNECTION {}"
    poor = (
        "CREATE USER {user}@'127.0.0.1' IDENTIFIED BY 'h-u-s-h'",
        "GRANT SELECT ON {database}.* TO {user}@'127.0.0.1'",
    )
    rich = ("DROP USER {user}@'127.0.0.1'",)

    @staticmethod
    def session_of(connection):
        return connection.connection.dbapi_connection.thread_id()

    def test_attack_9_tables_that_cannot_roll_back_are_refused(self, make, asked):
        asked("CREATE TABLE old (id INT) ENGINE=MyISAM")
        with pytest.raises(ConfigError, match="MyISAM"):
            make().columns("old")
        asked("DROP TABLE ludb_ledger", "CREATE TABLE ludb_ledger (txn INT) ENGINE=Aria")
        with pytest.raises(ConfigError, match="Aria"):
            make()

    def test_case_49_a_row_larger_than_a_packet_sets_its_unit_aside(self, make, asked):
        asked("CREATE TABLE note (id INT PRIMARY KEY, text LONGTEXT)")
        packet = asked("SELECT @@max_allowed_packet")[0][0]
        participant = make().begin(TXN)
        rows = pa.table({POSITION: [0, 1], "id": [0, 1], "text": ["x" * packet, "y" * (packet // 2)]})
        with pytest.raises(UnitError) as caught:
            participant.write("note", rows)
        participant.rollback()
        assert list(caught.value.faults) == [0]
        assert "max_allowed_packet" in caught.value.faults[0].reason

    def test_case_48_an_id_0_stays_0(self, make, asked):
        asked("CREATE TABLE g (id INT AUTO_INCREMENT PRIMARY KEY, n INT)")
        make().apply(TXN, WriteSet("billing", {"g": pa.table({POSITION: [0], "id": [0], "n": [4]})}))
        assert asked("SELECT * FROM g") == [(0, 4)]

    def test_every_session_is_strict_in_utf8_and_utc_with_limits_to_its_waits(self, make):
        participant = make().begin(TXN)
        wanted = {
            "character_set_client": "utf8mb4", "time_zone": "+00:00", "innodb_lock_wait_timeout": 1, "wait_timeout": 60,
            "tx_isolation": "READ-COMMITTED", "autocommit": 0,
        }  # fmt: skip
        row = participant._connection.exec_driver_sql(
            f"SELECT {', '.join(f'@@session.{name}' for name in wanted)}"
        ).one()
        mode = participant._connection.exec_driver_sql("SELECT @@session.sql_mode").scalar()
        participant.rollback()
        assert dict(zip(wanted, row, strict=True)) == wanted
        assert "STRICT_ALL_TABLES" in mode
