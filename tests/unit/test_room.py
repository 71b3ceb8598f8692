"""What a full disk means, wherever something is written: a pause with the place, never a failure and never a loss."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

import pyarrow as pa
import pytest

from ludb.dialects.settings import Surroundings
from ludb.errors import RoomError, TransientError
from ludb.journals.files import FileJournal
from ludb.model.data import WriteSet
from ludb.model.events import Event
from ludb.model.run import Txn
from ludb.observers.log import LogObserver
from ludb.repositories.sqlite import SqliteRepository
from ludb.targets.files import FilesTarget
from ludb.targets.sqlite import SqliteTarget
from ludb.testing.repository_world import RUN, claimed, started

ROWS = pa.table({"ludb_position": pa.array([1], pa.int64()), "id": [1], "name": ["x" * 100_000]})
TXN = Txn("t1", "repository", RUN, "c1", 1, (1,))


@pytest.fixture
def full(monkeypatch):
    """From the moment it is called, nothing can be synced to the disk any more."""

    def fill(code: int = errno.ENOSPC) -> None:
        def fsync(_):
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(os, "fsync", fsync)

    return fill


@pytest.mark.parametrize(
    ("code", "expected"), [(errno.ENOSPC, RoomError), (errno.EDQUOT, RoomError), (errno.EIO, None)]
)
def test_a_journal_names_its_place(tmp_path: Path, full, code, expected):
    repository = SqliteRepository(str(tmp_path / "r.sqlite"))
    started(repository)
    chunk = claimed(repository)
    journal = FileJournal(tmp_path / "journal")
    journal.append(chunk, WriteSet("billing", {"account": ROWS}))
    full(code)
    with pytest.raises(TransientError, match=str(tmp_path)) as met:
        journal.sync(chunk)
    assert isinstance(met.value, RoomError) is (expected is RoomError)
    assert getattr(met.value, "path", str(tmp_path)).startswith(str(tmp_path))
    assert met.value.system == "journal"
    repository.close()


def test_files_name_their_folder_and_leave_nothing(tmp_path: Path, full):
    settings = FilesTarget.Settings.model_validate({"type": "files", "path": str(tmp_path / "out"), "format": "jsonl"})
    target = FilesTarget("export", settings, Surroundings(tmp_path, tmp_path))
    target.prepare_schema()
    participant = target.begin(TXN)
    participant.write("person", ROWS)
    full()
    with pytest.raises(RoomError, match="system export") as met:
        participant.prepare()
    assert met.value.path.startswith(str(tmp_path / "out"))
    participant.rollback()
    assert [path.name for path in (tmp_path / "out" / ".ludb").iterdir()] == ["ledger"]


def test_a_database_that_cannot_grow_names_its_file_and_takes_the_rows_later(tmp_path: Path):
    path = tmp_path / "billing.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("create table account (id integer primary key, name text)")
    settings = SqliteTarget.Settings.model_validate({"type": "sqlite", "url": str(path)})
    target = SqliteTarget("billing", settings, Surroundings(tmp_path, tmp_path))
    target.prepare_schema()
    writes = WriteSet("billing", {"account": ROWS})
    connect, tight = target._connect, [True]

    def small() -> sqlite3.Connection:
        connection = connect()
        if tight:
            connection.execute("PRAGMA max_page_count=1")  # SQLite takes the pages that are there
        return connection

    target._connect = small
    participant = target.begin(TXN)
    participant.write("account", ROWS)
    with pytest.raises(RoomError, match=r"system billing: could not ") as met:
        participant.prepare()
    participant.rollback()
    assert met.value.path == str(path)
    with pytest.raises(RoomError):
        target.apply(TXN, writes)
    tight.clear()
    assert not target.apply(TXN, writes).already
    assert target.apply(TXN, writes).already


def test_a_repository_that_cannot_grow_says_so_and_goes_on_later(tmp_path: Path):
    repository = SqliteRepository(str(tmp_path / "r.sqlite"))
    started(repository)

    def pages(most: int) -> None:
        with repository._database.engine.connect() as connection:
            connection.exec_driver_sql(f"PRAGMA max_page_count={most}")

    pages(1)
    with pytest.raises(RoomError, match="full") as met:
        repository.events.append(Event("x", RUN, data={"much": "x" * 200_000}))
    assert (met.value.system, met.value.path) == ("repository", str(tmp_path / "r.sqlite"))
    assert repository.events.since(RUN) == []
    pages(100_000)
    repository.events.append(Event("x", RUN, data={"much": "x" * 200_000}))
    assert len(repository.events.since(RUN)) == 1
    repository.close()


def test_a_log_without_room_loses_lines_and_not_its_worker():
    log = LogObserver(Path("/dev/full"))
    log.on(Event("chunk.finished", RUN))
    log.on(Event("chunk.finished", RUN))
    log.close()
