"""A repository written by the first version is read by this one."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from ludb.model.calls import CallRequest
from ludb.model.exceptions import decode_exceptions
from ludb.model.run import CallState, ChunkState, RunState, UnitState
from ludb.repositories.sqlite import SqliteRepository
from ludb.repositories.store import migrations
from ludb.repositories.store.tables import SCHEMA_VERSION
from ludb.testing.repository_world import RUN, claimed, decision, moved

MIGRATIONS = Path(migrations.__file__).parent
FIXTURE = Path(__file__).parents[1] / "fixtures" / "repository_v1.sqlite"


@pytest.fixture
def repository(tmp_path):
    shutil.copy(FIXTURE, tmp_path / "old.sqlite")
    repository = SqliteRepository(str(tmp_path / "old.sqlite"))
    yield repository
    repository.close()


def test_a_run_of_the_first_version_is_shown_as_it_was(repository):
    assert repository.id == f"{1:032x}"
    assert repository.runs.get(RUN).state is RunState.RUNNING
    counters = repository.views.counters(RUN)
    assert (counters.total, counters.done, counters.quarantined, counters.committing) == (20, 6, 1, 4)
    assert repository.views.done(RUN).to_pylist() == [2, 3, 4, 5, 6, 7]
    assert repository.views.rows(RUN).source["customers"] == {"done": 6, "quarantined": 1}
    state, history, calls = repository.views.unit(RUN, 1)
    assert (state, [what for _, what, _ in history]) == (UnitState.PENDING, ["undo"])
    assert [(call.state, call.request) for call in calls] == [
        (CallState.DONE, CallRequest("POST", "/customer", "{}", "{}"))
    ]
    assert repository.keymap.allocate("telco", "account_id", [b"2", b"3"], 1) == [101, 102]
    assert [command.name for command in repository.commands.take(RUN)] == ["pause"]
    assert [event.name for _, _, event in repository.events.since(RUN)] == ["run.started"]


def test_a_run_of_the_first_version_goes_on_to_its_end(repository):
    for _ in range(20):
        chunk = repository.chunks.claim(RUN, "new", 4, dead=["a", "b"])
        if chunk is None:
            break
        if chunk.kind == "undo":
            repository.chunks.finish(chunk, decode_exceptions(chunk.payload))
        elif chunk.state is ChunkState.DECIDED:
            assert repository.chunks.decision(chunk.txn) is not None
            repository.chunks.finish(chunk)
        else:
            moved(repository, chunk)
    assert repository.runs.settle(RUN).state is RunState.EXCEPTIONS
    counters = repository.views.counters(RUN)
    assert (counters.done, counters.quarantined, counters.pending) == (18, 2, 0)


def test_units_that_an_older_process_sets_aside_are_counted_once_the_run_goes_on(repository):
    """It may still be at work when a newer one has upgraded the store."""
    before = repository.views.counters(RUN)
    with closing(sqlite3.connect(repository.path)) as connection, connection:
        connection.execute("delete from tally")
    assert repository.views.counters(RUN) != before
    for state in (RunState.PAUSED, RunState.RUNNING):
        repository.runs.change(RUN, state)
    assert repository.views.counters(RUN) == before


def test_its_decisions_are_read_back_whole(repository):
    (chunk,) = [chunk for chunk, _, _ in repository.views.chunks(RUN) if chunk.state is ChunkState.DECIDED]
    assert repository.chunks.decision(chunk.txn) == replace(decision(chunk), seconds={}), "older ones kept no times"
    assert claimed(repository, owner="new", dead=["a"]).txn == chunk.txn


def schema_of(path):
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute(
            "select type, name, tbl_name from sqlite_master where name not like 'sqlite_%'"
        ).fetchall()
        columns = {name: connection.execute(f"pragma table_info({name})").fetchall() for _, name, _ in found}
        return sorted(found), columns


def test_an_upgraded_store_has_the_tables_columns_and_indexes_of_a_new_one(repository, tmp_path):
    SqliteRepository(str(tmp_path / "new.sqlite")).close()
    assert schema_of(repository.path) == schema_of(tmp_path / "new.sqlite")


def test_an_upgrade_is_done_once_and_can_be_done_again(repository):
    """A database that commits at every change of its tables may be left half upgraded."""
    with closing(sqlite3.connect(repository.path)) as connection, connection:
        assert connection.execute("select schema_version from meta").fetchone() == (SCHEMA_VERSION,)
        connection.execute("update meta set schema_version = 1")
    SqliteRepository(str(repository.path)).close()
    assert repository.runs.get(RUN).state is RunState.RUNNING


def test_every_schema_version_has_its_migration():
    scripts = ScriptDirectory(MIGRATIONS, version_locations=[MIGRATIONS / "versions"])
    assert [int(each.revision) for each in scripts.walk_revisions()] == list(range(SCHEMA_VERSION, 0, -1))
