"""A repository written by the first version is read by this one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ludb.model.calls import CallRequest
from ludb.model.exceptions import decode_exceptions
from ludb.model.run import CallState, ChunkState, RunState, UnitState
from ludb.repositories.sqlite import SqliteRepository
from ludb.testing.repository_world import RUN, claimed, decision, moved

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
    assert [name for _, name, _ in repository.commands.take(RUN)] == ["pause"]
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


def test_its_decisions_are_read_back_whole(repository):
    (chunk,) = [chunk for chunk, _, _ in repository.views.chunks(RUN) if chunk.state is ChunkState.DECIDED]
    assert repository.chunks.decision(chunk.txn) == decision(chunk)
    assert claimed(repository, owner="new", dead=["a"]).txn == chunk.txn
