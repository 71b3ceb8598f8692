"""kill -9 before and after every phase of a chunk, then the same start again: nothing is lost, nothing is there twice."""

from __future__ import annotations

import signal

import pytest
from kill_world import check_whole

from ludb.engine.pipeline import PHASES, SIDE_PHASES
from ludb.model.run import ChunkState, RunState
from ludb.testing.dump import unfinished_files
from ludb.testing.faults import FaultObserver

KILLS = [(phase, edge) for phase in PHASES for edge in ("begin", "end")]
"""The list comes from the pipeline: a new phase is killed without anybody thinking of it."""


@pytest.mark.parametrize(("phase", "edge"), KILLS)
def test_a_kill_at_the_edge_of_a_phase_changes_nothing_in_the_end(world, same, phase, edge):
    world.die(f"phase.{edge}:{phase}#{2 if edge == 'begin' else 1}")
    same(world.finish())


def test_what_two_dead_workers_prepared_is_gone_when_their_chunk_is_halved(world, same):
    """The halves have names of their own: nobody would look for what the whole chunk left in the folder of files."""
    run = world.die("phase.end:journal#1")
    assert unfinished_files(world.folder / "export")
    (dead,) = [chunk for chunk, _, _ in world.site.repository.views.chunks(run.id, unresolved=True)]
    process = world.worker(run, f"phase.end:journal@{world.folder / 'again'}")
    assert process.wait() == -signal.SIGKILL
    summary = world.finish()
    states = {chunk.id: chunk.state for chunk, _, _ in world.site.repository.views.chunks(run.id)}
    assert states[dead.id] is ChunkState.SPLIT
    same(summary)


@pytest.mark.parametrize("edge", ["begin", "end"])
def test_a_kill_during_recovery_leaves_the_chunk_to_the_next(world, same, edge):
    run = world.die("phase.begin:commit#2")
    process = world.worker(run, f"phase.{edge}:recover@{world.folder / 'again'}")
    assert process.wait() == -signal.SIGKILL
    same(world.finish())


@pytest.mark.parametrize("edge", ["begin", "end"])
def test_a_kill_while_calls_are_taken_back_leaves_them_to_the_next(world, same, edge):
    world.die(f"phase.{edge}:undo")
    same(world.finish())


def test_a_run_that_nobody_lived_to_close_is_closed_by_the_next_start(world, same):
    run = world.start()
    for lives in range(50):
        if not world.pending(run):
            break
        # One chunk each, then death while looking for another one: the last of them leaves nothing but the closing.
        worker = world.worker(run, f"phase.begin:claim#2@{world.folder / f'died-{lives}'}")
        assert worker.wait() == -signal.SIGKILL
    assert world.runs()[0].state is RunState.RUNNING
    same(world.finish())


def test_every_announced_phase_is_killed_somewhere(world, monkeypatch):
    class Recorder:
        def on(self, event):
            if event.name == "phase.begin":
                seen.append(event.data["phase"])

    seen: list[str] = []
    monkeypatch.setattr(FaultObserver, "from_environment", lambda _: [Recorder()])
    world.die("phase.begin:commit")
    check_whole(world, world.finish())
    assert set(seen) == {*PHASES, *SIDE_PHASES}
