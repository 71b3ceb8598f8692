"""What the bench compares is comparable: both sides end with the same rows, and none of ours is lost."""

from __future__ import annotations

import shutil

import pytest

from bench import plain, telco
from bench.engine import Wrong, copy, move
from bench.profiled import parts
from bench.repository import statements


@pytest.fixture(scope="module")
def estate(tmp_path_factory):
    return telco.make_estate(tmp_path_factory.mktemp("estate"), 200)


def test_ludb_and_the_plain_program_end_with_the_same_rows(estate, tmp_path):
    """Also: the job that the bench makes of the example is still one that runs."""
    expected = plain.wanted(estate.clean)
    job = telco.make_job(tmp_path, chunk_units=50, workers=1)
    moved = move(estate, job, tmp_path / "ludb", expected)
    assert 20 < moved.memory < 2_000
    copy(estate, tmp_path / "plain", expected)


def test_a_run_that_did_not_move_everything_gives_no_number(estate, tmp_path):
    expected = plain.wanted(estate.clean) | {"charge": 1}
    with pytest.raises(Wrong, match="charge"):
        copy(estate, tmp_path / "plain", expected)


def test_a_tenth_of_an_estate_has_its_largest_customer(estate, tmp_path):
    small = telco.tenth(estate, tmp_path)
    assert small.units == estate.moved // 10
    assert small.rows < estate.rows / 2
    shutil.rmtree(tmp_path)


def test_samples_count_for_the_innermost_room_that_has_a_name():
    worker = 'process 1:"python -m ludb worker";main (ludb/cli/app.py:5);move (ludb/engine/pipeline.py:54);'
    lines = [
        worker + "transform (ludb/engine/transform.py:65);open_batch (ludb/engine/assemble.py:31) 3",
        worker + "transform (ludb/engine/transform.py:65);_run_folder (ludb/engine/transform.py:81) 2",
        'process 2:"python -m ludb run";main (ludb/cli/app.py:5);plan_run (ludb/service/runs.py:55) 4',
        worker.replace("main (ludb/cli/app.py:5)", "Heartbeat._run (ludb/engine/heartbeat.py:9)") + "x 9",
    ]
    assert parts(lines) == {
        "ludb worker": {"assemble: DuckDB, key maps": 3, "steps": 2},
        "ludb run": {"plan": 4},
    }


def test_samples_of_a_worker_count_for_it_even_while_it_still_bears_the_name_of_who_started_it():
    named = 'process 1:"python -m ludb run";process 7:"python -m ludb run";'
    lines = [
        named + "worker (ludb/cli/moving.py:195);transform (ludb/engine/transform.py:65) 2",
        named + "<module> (ludb/__main__.py:6);_find_and_load (importlib:1) 3",
        'process 1:"python -m ludb run";main (ludb/cli/app.py:5);plan_run (ludb/service/runs.py:55) 4',
    ]
    assert parts(lines) == {"ludb worker": {"steps": 2, "interpreter and imports": 3}, "ludb run": {"plan": 4}}


def test_the_repository_is_asked_little_for_a_chunk_without_calls(tmp_path):
    """A count, not a time: BEGIN, COMMIT and heartbeats apart."""
    told = statements(tmp_path / "repository")
    assert sum(told.values()) <= 8, told
