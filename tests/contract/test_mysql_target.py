"""MySQL as a target keeps the promises of the port, on a real MariaDB."""

from __future__ import annotations

import pytest

from ludb.dialects.mysql import MysqlSystem
from ludb.dialects.settings import Surroundings
from ludb.errors import ConfigError, TransientError
from ludb.model.data import WriteSet
from ludb.ports.target import CanRead
from ludb.targets.mysql import MysqlTarget
from ludb.testing.execute import ExecuteContract
from ludb.testing.inspect import InspectContract
from ludb.testing.rehearsal import RehearsalContract, RehearsedConstraintContract
from ludb.testing.target import TXN, ConstraintContract, TargetContract, accounts, stored

BILLING = """CREATE TABLE account (id BIGINT PRIMARY KEY, name VARCHAR(60) COLLATE utf8mb4_bin NOT NULL UNIQUE);
CREATE TABLE charge (id BIGINT PRIMARY KEY, account BIGINT, FOREIGN KEY (account) REFERENCES account (id))"""


class Mysql:
    @pytest.fixture
    def url(self, mariadb_database):
        return mariadb_database(BILLING)

    @pytest.fixture
    def reopen(self, url, tmp_path):
        settings = MysqlSystem(type="mysql", url=url, lock_timeout=1)
        return lambda: MysqlTarget("billing", settings, Surroundings(tmp_path, tmp_path), clock=lambda: 1.5)

    @pytest.fixture
    def crash(self):
        """A dead process leaves the server a socket that is closed."""
        return lambda participant: participant._session.close()


class TestMysql(Mysql, TargetContract, InspectContract):
    def test_rows_can_be_read_back(self, target):
        assert isinstance(target, CanRead)

    def test_attack_6_a_sleeping_zombie_is_ended_and_recovery_writes_once(self, target, reopen):
        """It holds the ledger row and says nothing more. Recovery ends its session; waking up, it can write nothing."""
        zombie = target.begin(TXN)
        zombie.write("account", accounts(0))
        zombie.prepare()
        writes = WriteSet("billing", {"account": accounts(0)})
        with pytest.raises(TransientError, match="1205"):
            reopen().apply(TXN, writes)
        assert not reopen().apply(TXN, writes).already
        zombie.commit()  # the ledger says that it is done, whoever did it
        assert stored(target) == [0]
        assert target.ledger("repo").num_rows == 1


class TestMysqlExecutes(Mysql, ExecuteContract):
    def test_a_statement_that_the_server_commits_by_itself_stands_alone(self, able):
        able.check_script("truncate table charge")
        with pytest.raises(ConfigError, match="commits by itself around TRUNCATE") as caught:
            able.check_script("insert into account values (1, 'a');\ntruncate table charge;")
        assert caught.value.line == 2
        with pytest.raises(ConfigError, match="one transaction of their own") as caught:
            able.check_script("select 1;\nset session\n autocommit = 1;")
        assert caught.value.line == 2

    def test_backslashes_quotes_and_moments_arrive_as_they_are(self, able, url, execute):
        able.execute("insert into account (id, name) values (:n, :word)", {"n": 1, "word": "a\\'b;:x"})
        assert able.read("account").column("name").to_pylist() == ["a\\'b;:x"]


class TestMysqlRehearsal(Mysql, RehearsalContract):
    pass


class TestMysqlConstraints(Mysql, ConstraintContract, RehearsedConstraintContract):
    pass
