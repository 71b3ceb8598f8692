"""What only the SQLite file has: its place, its settings, its neighbours."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading

import pytest

from ludb.errors import ConfigError, FatalError, TransientError
from ludb.model.run import RunState
from ludb.repositories import sqlite as adapter
from ludb.repositories.memory import MemoryRepository
from ludb.repositories.sqlite import SqliteRepository, network_mount, path_of
from ludb.repositories.store import sqlite_session
from ludb.testing.repository_world import RUN, claimed, decision, fault, started


@pytest.fixture
def file(tmp_path):
    return tmp_path / "state" / "repository.sqlite"


def test_the_file_is_made_for_its_owner_alone_and_keeps_its_identity(file):
    repository = SqliteRepository(f"sqlite:///{file}")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(each.stat().st_mode) for each in file.parent.iterdir()} == {0o600}
    repository.close()
    again = SqliteRepository(str(file))
    assert again.id == repository.id != MemoryRepository().id
    again.close()


def test_a_commit_survives_a_loss_of_power(file):
    repository = SqliteRepository(str(file))
    with repository._database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 30_000
    repository.close()


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "postgresql://host/db", "sqlite:////x?mode=ro", "://"]
)
def test_a_url_that_names_no_file_is_refused(url):
    with pytest.raises(ConfigError):
        path_of(url)


def test_a_secret_in_a_wrong_url_is_not_shown():
    with pytest.raises(ConfigError) as caught:
        path_of("postgresql://me:hunter2@host/db")
    assert "hunter2" not in str(caught.value)


def test_a_store_of_a_newer_version_is_left_alone(file):
    SqliteRepository(str(file)).close()
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE meta SET schema_version = 99")
    connection.close()
    with pytest.raises(ConfigError, match="schema version 99") as caught:
        SqliteRepository(str(file))
    assert caught.value.remedy


def test_a_strangers_database_is_left_alone(tmp_path):
    path = tmp_path / "shop.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER)")
    connection.close()
    with pytest.raises(ConfigError, match="other tables"):
        SqliteRepository(str(path))


def test_a_file_that_is_no_database_is_named(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not a database, only a text that is long enough " * 100)
    with pytest.raises(ConfigError, match=r"notes\.txt"):
        SqliteRepository(str(path))


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="file"):
        SqliteRepository(str(tmp_path / "file" / "repository.sqlite"))
    with pytest.raises(ConfigError, match="no file"):
        SqliteRepository(str(tmp_path))


def test_a_network_file_system_is_refused(tmp_path, monkeypatch):
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/vda / ext4 rw 0 0\nserver:/export {tmp_path}/share nfs4 rw 0 0\n")
    monkeypatch.setattr(adapter, "_MOUNTS", mounts)
    with pytest.raises(ConfigError, match="nfs4"):
        SqliteRepository(str(tmp_path / "share" / "repository.sqlite"))
    SqliteRepository(str(tmp_path / "shared.sqlite")).close()


def test_mounts_are_matched_by_whole_folders(tmp_path):
    mounts = "/dev/vda / ext4 rw 0 0\nserver:/x /mnt/a\\040b nfs rw 0 0\ntmpfs /mnt/a\\040b/local tmpfs rw 0 0\n"
    assert network_mount(type(tmp_path)("/mnt/a b/file"), mounts) == "nfs"
    assert network_mount(type(tmp_path)("/mnt/a bc/file"), mounts) == ""
    assert network_mount(type(tmp_path)("/mnt/a b/local/file"), mounts) == ""


def test_a_lock_that_does_not_go_away_is_a_transient_error_without_values(file, monkeypatch):
    monkeypatch.setattr(adapter, "BUSY_SECONDS", 0.05)
    repository = SqliteRepository(str(file))
    started(repository)
    blocker = sqlite3.connect(file, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(TransientError, match="locked") as caught:
        repository.runs.change(RUN, RunState.FAILED, "do not show this")
    assert "do not show this" not in str(caught.value)
    assert caught.value.system == "repository"
    assert repository.runs.get(RUN).state is RunState.RUNNING
    blocker.execute("ROLLBACK")
    blocker.close()
    assert repository.runs.change(RUN, RunState.FAILED).state is RunState.FAILED
    repository.close()


def test_a_commit_that_answers_busy_is_repeated(file, monkeypatch):
    answers = ["busy", "busy", "done"]

    class Reluctant(sqlite3.Connection):
        def commit(self):
            if self.in_transaction and answers and answers.pop(0) == "busy":
                error = sqlite3.OperationalError("database is locked")
                error.sqlite_errorcode = sqlite3.SQLITE_BUSY
                raise error
            super().commit()

    patient = type("Patient", (sqlite_session.PatientConnection, Reluctant), {})
    monkeypatch.setattr(adapter, "PatientConnection", patient)
    repository = SqliteRepository(str(file))
    assert answers == []
    assert repository.keymap.allocate("telco", "account_id", [b"1"], 5) == [5]
    repository.close()


def test_a_lost_answer_of_decide_can_be_asked_for(monkeypatch):
    repository = MemoryRepository()
    started(repository, 4)
    chunk = claimed(repository)
    begin = repository._database._transaction

    def forgetful(*, write):
        from contextlib import contextmanager

        @contextmanager
        def transaction():
            with begin(write=write) as connection:
                yield connection
            raise TransientError("the answer was lost", system="repository")

        return transaction()

    with monkeypatch.context() as patch:
        patch.setattr(repository._database, "_transaction", forgetful)
        with pytest.raises(TransientError):
            repository.chunks.decide(chunk, decision(chunk, [fault(1)]))
    assert repository.chunks.decision(chunk.txn) == decision(chunk, [fault(1)])
    repository.close()


def test_a_damaged_unit_list_stops_the_run(file):
    repository = SqliteRepository(str(file))
    started(repository)
    with repository._database.write() as connection:
        connection.exec_driver_sql("UPDATE segment SET keys = x'00'")
    with pytest.raises(FatalError, match="damaged"):
        repository.chunks.claim(RUN, "a", 2)
    repository.close()


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_threads_of_one_process_never_claim_a_key_twice(kind, file):
    repository = MemoryRepository() if kind == "memory" else SqliteRepository(str(file))
    started(repository, 200, size=64)
    claims, gate = [], threading.Barrier(4)

    def work(owner):
        gate.wait()
        while chunk := repository.chunks.claim(RUN, owner, 7):
            claims.append(chunk)
            repository.chunks.finish(repository.chunks.decide(chunk, decision(chunk)))

    threads = [threading.Thread(target=work, args=(f"t{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(position for chunk in claims for position in chunk.positions) == list(range(200))
    assert len({chunk.seq for chunk in claims}) == len(claims)
    assert repository.runs.settle(RUN).state is RunState.COMPLETED
    repository.close()


WORKER = """
import sys
from ludb.repositories.sqlite import SqliteRepository
from ludb.testing.repository_world import RUN, decision
repository = SqliteRepository(sys.argv[1])
sys.stdin.readline()
while chunk := repository.chunks.claim(RUN, sys.argv[2], 5):
    repository.chunks.finish(repository.chunks.decide(chunk, decision(chunk)))
    print(*chunk.positions)
repository.close()
"""


def test_four_processes_never_claim_a_key_twice_and_meet_no_busy_error(file):
    repository = SqliteRepository(str(file))
    started(repository, 300, size=64)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(file), f"p{number}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            text=True,
        )
        for number in range(4)
    ]
    answers = [process.communicate("go\n", timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0, 0], answers
    claimed_keys = [int(word) for out, _ in answers for word in out.split()]
    assert sorted(claimed_keys) == list(range(300))
    assert repository.runs.settle(RUN).state is RunState.COMPLETED
    assert repository.views.counters(RUN).done == 300
    repository.close()
