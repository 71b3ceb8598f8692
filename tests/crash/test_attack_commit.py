"""Attacks on the commit itself (PROTOCOL section 4): what is decided is done once, what is not decided is nowhere."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import pytest
from kill_processes import NurseryLauncher, await_that
from kill_world import UNITS, World, rows_in_targets

from ludb.engine.liveness import OwnerLock, end_owner, lock_is_free
from ludb.errors import ConfigError, TransientError
from ludb.model.run import ChunkState, Owner, RunState
from ludb.repositories.store.chunks import StoreChunks


def decided(world: World, run) -> list[str]:
    """Owners of chunks that are decided and not finished."""
    unresolved = world.site.repository.views.chunks(run.id, unresolved=True)
    return [chunk.owner for chunk, _, _ in unresolved if chunk.state is ChunkState.DECIDED]


def test_attack_01_killed_between_decide_and_commit(world: World, same):
    """The decision stands and no target has a row: recovery writes them all, once."""
    run = world.die("phase.begin:commit")
    assert rows_in_targets(world) == 0
    assert len(decided(world, run)) == 1
    assert world.site.repository.views.counters(run.id).committing == 5
    same(world.finish())


def test_attack_06_the_zombie_commits_while_its_chunk_is_recovered(world: World, same):
    """Recovery waits for the lock that the sleeping worker holds; it wakes up and commits; recovery finds its ledger row."""
    world.edit("job.yaml", "lease: 3s", "lease: 2s")
    for name in ("ARCHIVE", "BILLING"):
        world.edit("job.yaml", f'"${{{name}}}"', f'"${{{name}}}", busy_timeout: 0.2')
    run = world.start()
    zombie = world.worker(run, f"phase.begin:commit!stop@{world.folder / 'mute'}")
    await_that((world.folder / "mute").exists, "nothing is decided")
    (asleep,) = decided(world, run)
    other = world.worker(run)
    await_that(
        lambda: [owner for owner in decided(world, run) if owner != asleep], "nobody takes the decided chunk over"
    )
    assert rows_in_targets(world) == 0
    zombie.signal(signal.SIGCONT)
    assert (zombie.wait(), other.wait()) == (0, 0)
    same(world.summary())


def test_attack_06_the_zombie_publishes_files_that_recovery_has_published(world: World, same):
    """A folder of files has no lock: whoever comes second must find the work done, not do it again."""
    world.edit("job.yaml", "lease: 3s", "lease: 2s")
    run = world.start()
    zombie = world.worker(run, f"participant.committed:billing!stop@{world.folder / 'mute'}")
    await_that((world.folder / "mute").exists, "nothing is committed")
    assert world.worker(run).wait() == 0, world.told()
    same(world.summary())
    zombie.signal(signal.SIGCONT)
    assert zombie.wait() == 0
    same(world.summary())


def test_attack_07_the_host_is_lost_after_decide(world: World, same):
    """Its lock cannot be asked from here: its silence is enough for a chunk that has nothing on its way."""
    world.edit("job.yaml", "lease: 3s", "lease: 2s")
    run = world.die("phase.begin:commit#2")
    world.repository("update owner set host = 'a host that burnt down'")
    assert decided(world, run)
    same(world.finish())


def test_attack_07_a_lost_host_with_calls_on_their_way_is_given_up_by_a_person(world: World, same):
    """A process there may still send: silence is not enough, somebody has to know that it is dead."""
    world.edit("job.yaml", "lease: 3s", "lease: 2s")
    run = world.die("call.sent:inventory.service")
    world.repository("update owner set host = 'a host that burnt down'")
    (lost,) = world.workers(run)
    other = world.worker(run)
    await_that(lambda: world.pending(run) == 6, f"the other chunks do not move: {world.told()}")
    left = world.site.repository.views.chunks(run.id, unresolved=True)
    assert [(chunk.state, chunk.owner) for chunk, _, _ in left] == [(ChunkState.CLAIMED, lost.id)]
    world.site.repository.owners.leave(lost.id, "dead")
    assert other.wait() == 0
    same(world.summary())


def test_attack_12_a_stopped_worker_that_holds_locks_is_fenced(world: World, same):
    """Nobody can write into the databases while it sleeps: the supervisor kills it, and another worker goes on."""
    world.edit("job.yaml", "lease: 3s", "lease: 2s")
    run = world.start()
    launcher = NurseryLauncher(world, f"phase.end:prepare!stop@{world.folder / 'mute'}")
    world.supervise(run, launcher).supervise()
    assert [process.wait() for process in launcher.started.values()] == [-signal.SIGKILL, 0]
    same(world.summary())


def test_attack_12_a_stopped_worker_of_an_earlier_supervisor_is_fenced_too(world: World, same):
    """It was adopted: no launcher knows it, but the lock that it holds does."""
    world.edit("job.yaml", "lease: 3s", "lease: 2s")
    run = world.start()
    orphan = world.worker(run, f"phase.end:prepare!stop@{world.folder / 'mute'}")
    await_that((world.folder / "mute").exists, "nothing is prepared")
    launcher = NurseryLauncher(world)
    world.supervise(run, launcher).supervise()
    assert orphan.wait() == -signal.SIGKILL
    same(world.summary())


def test_attack_12_a_stopped_worker_does_not_keep_a_stopping_run_from_stopping(world: World, same):
    """Fencing is not only for runs that go on."""
    world.edit("job.yaml", "lease: 3s", "lease: 2s")
    run = world.start()
    launcher = NurseryLauncher(world, f"phase.end:prepare!stop@{world.folder / 'mute'}")
    supervisor = world.supervise(run, launcher)
    launcher.start(run.id, ())
    await_that((world.folder / "mute").exists, "nothing is prepared")
    supervisor.stop("tester")
    assert supervisor.supervise().state is RunState.STOPPED
    same(world.finish())


def test_attack_12_only_the_process_that_holds_the_lock_is_killed(tmp_path: Path):
    """A process number may have been given to somebody else meanwhile."""
    held = OwnerLock(tmp_path / "held.lock")
    try:
        for pid in (os.getpid(), os.getppid()):
            owner = Owner("w", "r", "worker", "here", pid, str(held.path))
            assert not end_owner(owner, patience=0.1)
            assert not lock_is_free(str(held.path))
    finally:
        held.release()
    assert end_owner(Owner("w", "r", "worker", "here", os.getppid(), str(held.path)))


def test_attack_12_a_worker_that_was_declared_dead_does_nothing_more(world: World, same):
    """A person said so, and was wrong: others may take whatever it claims, even with calls on their way."""
    run = world.start()
    wrong = world.worker(run, f"phase.begin:claim#2!hold@{world.folder / 'held'}")
    await_that((world.folder / "held").exists, "the worker claims nothing")
    (alive,) = world.workers(run)
    world.site.repository.owners.leave(alive.id, "dead")
    told = time.monotonic()
    await_that(lambda: time.monotonic() - told > 1.5, "")  # three of its heartbeats
    (world.folder / "held.go").touch()
    assert wrong.wait() == 0
    assert world.pending(run) >= UNITS - 6
    same(world.finish())


class Lossy:
    """`decide` as a bad network shows it: `arrived` tells whether the repository heard it, for each call in turn."""

    def __init__(self, *arrived: bool) -> None:
        self.arrived, real = list(arrived), StoreChunks.decide

        def decide(chunks, chunk, decision):
            if not self.arrived:
                return real(chunks, chunk, decision)
            if self.arrived.pop(0):
                real(chunks, chunk, decision)
            raise TransientError("the connection was lost", system="repository")

        self.decide = decide


@pytest.mark.parametrize("arrived", [(True,), (False,), (False, True), (False, False, True, True)], ids=str)
def test_attack_13_the_answer_of_decide_is_lost(world: World, same, monkeypatch, arrived):
    """Whether it was decided is read from the repository, never assumed."""
    lossy = Lossy(*arrived)
    monkeypatch.setattr(StoreChunks, "decide", lossy.decide)
    same(world.finish())
    assert lossy.arrived in ([], [True])


@pytest.mark.parametrize("arrived", [True, False], ids=["decided", "not decided"])
def test_attack_13_nobody_can_say_whether_it_was_decided(world: World, same, monkeypatch, arrived):
    """The repository is away for longer than the worker asks: the worker itself takes the chunk up again later."""

    def away(chunks, txn):
        if asked:
            asked.pop()
            raise TransientError("the repository is away", system="repository")
        return real(chunks, txn)

    lossy, real, asked = Lossy(arrived), StoreChunks.decision, [1] * 7
    monkeypatch.setattr("ludb.engine.commit.backoff", lambda *_: 0.0)
    monkeypatch.setattr(StoreChunks, "decide", lossy.decide)
    monkeypatch.setattr(StoreChunks, "decision", away)
    same(world.finish())
    assert not asked


def test_attack_13_the_repository_goes_away_after_the_commit(world: World, same, monkeypatch):
    """The rows are there and the chunk is still decided, owned by a worker that lives: it finishes its own chunk later."""

    def finish(chunks, chunk, exceptions=()):
        if failures:
            failures.pop()
            raise TransientError("the repository is away", system="repository")
        return real(chunks, chunk, exceptions)

    real, failures = StoreChunks.finish, [1]
    monkeypatch.setattr(StoreChunks, "finish", finish)
    same(world.finish())


def test_attack_14_a_target_is_away_for_long_after_decide(world: World, same):
    """What is decided waits for its target, in a named place, and is done when it is back."""
    run = world.die("phase.begin:commit")
    away = world.folder / "away.sqlite"
    for name in ("billing.sqlite", "billing.sqlite-journal"):
        if (world.folder / name).exists():
            shutil.move(world.folder / name, world.folder / name.replace("billing", "away"))
    worker = world.worker(run)
    events = world.site.repository.events
    await_that(
        lambda: [e for _, _, e in events.since(run.id) if e.name == "target.away" and e.data["target"] == "billing"],
        f"nobody says that billing is away: {world.told()}",
    )
    assert decided(world, run)
    assert world.site.repository.runs.get(run.id).state is RunState.RUNNING
    worker.end()
    with pytest.raises(ConfigError, match="billing"):
        world.start()  # a start says at once what is missing, and loses nothing
    assert decided(world, run)
    worker = world.worker(run)
    await_that(lambda: any(o.pid == worker.pid for o in world.workers(run)), "the worker does not begin")
    for name in ("away.sqlite-journal", "away.sqlite"):
        if (world.folder / name).exists():
            shutil.move(world.folder / name, world.folder / name.replace("away", "billing"))
    assert worker.wait() == 0
    assert not away.exists()
    same(world.summary())
