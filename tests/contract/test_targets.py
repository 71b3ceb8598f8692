"""All built-in transactional targets keep the promises of the port."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from dataclasses import replace

import pyarrow as pa
import pytest

from ludb.dialects.files import FilesSystem
from ludb.dialects.postgres import PostgresSystem
from ludb.dialects.settings import Surroundings
from ludb.dialects.sqlite import SqliteSystem
from ludb.errors import FatalError, TransientError
from ludb.model.data import WriteSet
from ludb.model.unit import Column
from ludb.ports.target import CanRead
from ludb.targets.files import FilesTarget
from ludb.targets.postgres import PostgresTarget
from ludb.targets.sqlite import SqliteTarget
from ludb.testing.dump import unfinished_files
from ludb.testing.execute import ExecuteContract
from ludb.testing.inspect import InspectContract, RoomContract
from ludb.testing.memory_target import MemoryStore, MemoryTarget
from ludb.testing.rehearsal import RehearsalContract, RehearsedConstraintContract
from ludb.testing.target import TXN, ConstraintContract, TargetContract, accounts, rows_for, stored


class Sqlite:
    @pytest.fixture
    def reopen(self, tmp_path):
        with sqlite3.connect(tmp_path / "billing.db") as connection:
            connection.execute("CREATE TABLE account (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)")
            connection.execute("CREATE TABLE charge (id INTEGER PRIMARY KEY, account INTEGER REFERENCES account)")
        connection.close()
        settings = SqliteSystem(type="sqlite", url="billing.db", busy_timeout=0.05)
        return lambda: SqliteTarget("billing", settings, Surroundings(tmp_path, tmp_path), clock=lambda: 1.5)


class TestSqlite(Sqlite, TargetContract, RehearsalContract, ExecuteContract, InspectContract, RoomContract):
    def test_rows_can_be_read_back(self, target):
        assert isinstance(target, CanRead)

    @pytest.fixture
    def crash(self):
        """A dead process leaves the database a transaction without an owner, as a closed connection does."""
        return lambda participant: participant._connection.close()

    def test_attack_1_a_worker_killed_for_real_after_prepare_is_recovered(self, target, tmp_path):
        """kill -9 of a process that holds the open transaction; recovery rolls its journal file back and writes
        once.
        """
        script = (
            "import sys, pathlib, time\n"
            "from ludb.targets.sqlite import SqliteTarget\n"
            "from ludb.dialects.sqlite import SqliteSystem\n"
            "from ludb.dialects.settings import Surroundings\n"
            "from ludb.testing.target import TXN, accounts\n"
            "here = pathlib.Path(sys.argv[1])\n"
            "target = SqliteTarget('billing', SqliteSystem(type='sqlite', url='billing.db'), Surroundings(here, here))\n"
            "participant = target.begin(TXN)\n"
            "participant.write('account', accounts(*range(20000)))\n"
            "participant.prepare()\n"
            "print('prepared', flush=True)\n"
            "time.sleep(600)\n"
        )
        with subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
        ) as worker:
            assert worker.stdout.readline() == "prepared\n"
            worker.kill()
        assert stored(target) == []
        assert not target.apply(TXN, WriteSet("billing", {"account": accounts(0, 1)})).already
        assert stored(target) == [0, 1]

    def test_attack_6_a_zombie_that_wakes_after_recovery_cannot_write(self, target, reopen):
        """While the zombie holds its transaction, recovery waits; once it is gone, recovery writes once."""
        zombie = target.begin(TXN)
        zombie.write("account", accounts(0))
        zombie.prepare()
        with pytest.raises(TransientError, match="locked"):
            reopen().apply(TXN, WriteSet("billing", {"account": accounts(0)}))
        zombie.commit()
        assert reopen().apply(TXN, WriteSet("billing", {"account": accounts(0)})).already


class TestSqliteConstraints(Sqlite, ConstraintContract, RehearsedConstraintContract):
    pass


class Postgres:
    @pytest.fixture
    def reopen(self, tmp_path, postgres_database):
        url = postgres_database(
            "CREATE TABLE account (id bigint PRIMARY KEY, name text NOT NULL UNIQUE);"
            "CREATE TABLE charge (id bigint PRIMARY KEY, account bigint REFERENCES account)"
        )
        settings = PostgresSystem(type="postgres", url=url, lock_timeout=1)
        return lambda: PostgresTarget("billing", settings, Surroundings(tmp_path, tmp_path), clock=lambda: 1.5)


class TestPostgres(Postgres, TargetContract, RehearsalContract, InspectContract):
    def test_rows_can_be_read_back(self, target):
        assert isinstance(target, CanRead)

    @pytest.fixture
    def crash(self):
        """The worst death: the worker hangs, and its connection stays open with all its locks."""
        hanging = []
        yield hanging.append
        for participant in hanging:
            participant.rollback()


class TestPostgresExecutes(Postgres, ExecuteContract):
    def test_dollar_quotes_casts_and_slices_are_no_values(self, reopen):
        reopen().execute(
            "do $$ begin insert into account values (1, 'a;:b'); end $$; "
            "update account set id = ((array[5,6,7])[2:2])[1]::int where name = :name",
            {"name": "a;:b"},
        )
        assert stored(reopen()) == [6]


class TestPostgresConstraints(Postgres, ConstraintContract, RehearsedConstraintContract):
    pass


class Memory:
    @pytest.fixture
    def store(self):
        account = (
            Column("id", pa.int64(), "integer", key=True),
            Column("name", pa.string(), "text", nullable=False, required=True),
        )
        charge = (Column("id", pa.int64(), "integer", key=True), Column("account", pa.int64(), "integer"))
        return MemoryStore(
            {"account": account, "charge": charge}, {"account": (("id",), ("name",)), "charge": (("id",),)}
        )

    @pytest.fixture
    def reopen(self, store):
        return lambda: MemoryTarget("billing", store)


class TestMemory(Memory, TargetContract):
    @pytest.fixture
    def crash(self, store):
        return lambda participant: store.crash()

    def test_a_key_held_by_an_open_transaction_makes_the_next_one_wait(self, target):
        first = target.begin(TXN)
        first.write("account", accounts(0))
        second = target.begin(TXN.__class__("other", "repo", "run-1", "chunk-2", 8, (0,)))
        with pytest.raises(TransientError, match="locked"):
            second.write("account", accounts(0))
        first.rollback()
        second.write("account", accounts(0))

    def test_a_crashed_participant_can_do_nothing_more(self, target, store):
        zombie = target.begin(TXN)
        zombie.write("account", accounts(0))
        store.crash(TXN.id)
        with pytest.raises(TransientError):
            zombie.commit()
        assert stored(target) == []


class TestMemoryConstraints(Memory, ConstraintContract):
    pass


class Files(TargetContract, RehearsalContract):
    compression = "none"

    @pytest.fixture
    def reopen(self, tmp_path):
        settings = FilesSystem(type="files", path="out", format=self.form, compression=self.compression)
        return lambda: FilesTarget("lake", settings, Surroundings(tmp_path, tmp_path), clock=lambda: 1.5)


class TestParquetFiles(Files, InspectContract, RoomContract):
    form = "parquet"

    def test_a_folder_that_cannot_be_made_or_written_is_an_error_and_nothing_is_made(self, tmp_path, monkeypatch):
        def look(path):
            around = Surroundings(tmp_path, tmp_path)
            return [
                (one.severity, one.text)
                for one in FilesTarget("lake", FilesSystem(type="files", path=path), around).inspect(["t"])
            ]

        (tmp_path / "file").write_text("")
        assert look("out") == []
        assert look("no/such/out") == [("error", f"there is no {tmp_path / 'no/such'}")]
        assert look("file/out") == [("error", f"{tmp_path / 'file'} is no folder")]
        monkeypatch.setattr("os.access", lambda place, mode: False)
        assert look("out") == [("error", f"{tmp_path} cannot be written")]
        assert [path.name for path in tmp_path.iterdir()] == ["file"]

    def test_a_commit_cut_off_between_two_tables_is_finished_by_recovery(self, target, reopen, tmp_path, monkeypatch):
        """The first table is published, the second not: nothing is written twice, nothing is missing."""
        writes = WriteSet("lake", {"account": accounts(0), "charge": rows_for(("id", "account"), [(0, 5, 0)])})
        participant = target.begin(TXN)
        for table, rows in writes.tables.items():
            participant.write(table, rows)
        participant.prepare()
        whole = participant._publish
        monkeypatch.setattr(
            participant, "_publish", lambda table, part: whole(table, part) if table == "account" else 1 / 0
        )
        with pytest.raises(ZeroDivisionError):
            participant.commit()
        assert stored(reopen(), "charge") == []
        assert not reopen().apply(TXN, writes).already
        assert (stored(target), stored(target, "charge")) == ([0], [5])
        assert reopen().apply(TXN, writes).already
        assert unfinished_files(tmp_path / "out") == []

    def test_a_commit_cut_off_before_its_ledger_entry_is_finished_by_recovery(self, target, reopen, monkeypatch):
        participant = target.begin(TXN)
        participant.write("account", accounts(0))
        participant.prepare()
        monkeypatch.setattr(participant, "_mark", lambda parts: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            participant.commit()
        assert reopen().ledger("repo").num_rows == 0
        assert not reopen().apply(TXN, WriteSet("lake", {"account": accounts(0)})).already
        assert stored(target) == [0]
        assert target.ledger("repo").num_rows == 1

    def test_a_prepared_part_that_was_lost_is_written_again(self, target, reopen, tmp_path):
        participant = target.begin(TXN)
        participant.write("account", accounts(0))
        participant.prepare()
        next((tmp_path / "out" / ".ludb").glob(f"*{TXN.id}/*.parquet")).unlink()
        assert not reopen().apply(TXN, WriteSet("lake", {"account": accounts(0)})).already
        assert stored(target) == [0]

    def test_a_stranger_in_the_place_of_a_part_stops_the_run(self, target, tmp_path):
        participant = target.begin(TXN)
        participant.write("account", accounts(0))
        participant.prepare()
        place = tmp_path / "out" / "account"
        place.mkdir()
        (place / f"part-{TXN.id}.parquet").write_bytes(b"something else")
        with pytest.raises(FatalError, match="not what was prepared"):
            participant.commit()

    def test_what_a_killed_claim_left_is_deleted_by_the_next_claim_of_its_chunk_alone(self, target, tmp_path):
        """Killed at any moment of `prepare`, even before its first file was whole."""
        for chunk, last in (("chunk-1", "a"), ("chunk-10", "b")):
            participant = target.begin(replace(TXN, id=last, chunk=chunk))
            participant.write("account", accounts(0))
            participant.prepare()
        for path in (tmp_path / "out" / ".ludb").glob("*~a/*.json"):
            path.unlink()
        target.begin(TXN)
        assert unfinished_files(tmp_path / "out") == ["chunk-10~b"]

    def test_recovery_deletes_what_a_commit_killed_while_it_cleaned_up_had_left(self, target, tmp_path, monkeypatch):
        participant = target.begin(TXN)
        participant.write("account", accounts(0))
        participant.prepare()
        with monkeypatch.context() as patch:
            patch.setattr("shutil.rmtree", lambda *args, **options: None)
            participant.commit()
        assert target.apply(TXN, WriteSet("lake", {"account": accounts(0)})).already
        assert unfinished_files(tmp_path / "out") == []


class TestCsvFiles(Files):
    form = "csv"


class TestJsonFiles(Files):
    form = "jsonl"


class TestBz2CsvFiles(TestCsvFiles):
    compression = "bz2"


class TestZstdJsonFiles(TestJsonFiles):
    compression = "zstd"
