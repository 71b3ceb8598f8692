"""Attacks 8 and 9: what a restore takes away is noticed before anything moves, and brought back without moving it twice."""

from __future__ import annotations

import shutil
import signal

import pytest
from kill_world import BAD, UNITS, check_ledgers

from ludb.errors import ConfigError, FatalError
from ludb.model.run import RunState
from ludb.service.restored import close_gap, find_gap


def some_chunks(world, lives: int):
    """So many workers, each of which dies after one chunk."""
    run = world.start()
    for life in range(lives):
        worker = world.worker(run, f"phase.begin:claim#2@{world.folder / f'died-{run.id}-{life}-{world.pending(run)}'}")
        assert worker.wait() == -signal.SIGKILL
    return run


def backup(world, *names: str) -> None:
    world.reopen()
    for name in names:
        path = world.state / "repository.sqlite" if name == "repository" else world.path(name)
        for file in path.parent.glob(f"{path.name}*"):
            shutil.copyfile(file, file.with_name(f"backup-{file.name}"))


def restore(world, *names: str) -> None:
    world.reopen()
    for name in names:
        path = world.state / "repository.sqlite" if name == "repository" else world.path(name)
        for file in path.parent.glob(f"{path.name}*"):
            file.unlink()
        for file in path.parent.glob(f"backup-{path.name}*"):
            file.rename(file.with_name(file.name.removeprefix("backup-")))


def sites(world):
    """Every process opens what is there."""
    world._site = None
    return world.site


@pytest.fixture
def moved_once(world, uninterrupted):
    """Everybody is everywhere, once, as after the undisturbed run. Which objects are whose at an API the repository has
    forgotten, so they are counted by what they say.
    """

    def look(summary):
        assert summary.run.state is RunState.EXCEPTIONS, world.told()
        assert all(line.balances for line in summary.source), summary.source
        found = world.dump(summary.run)
        assert {name: len(rows) for name, rows in found.items()} == {n: len(rows) for n, rows in uninterrupted.items()}
        good = sorted(key for key in range(1, UNITS + 1) if str(key) not in BAD)
        assert sorted(key for (key,) in world.sql("billing", "select legacy_id from account")) == good
        assert sorted(key for (key,) in world.sql("archive", "select legacy_id from person")) == good
        ids = {one["id"] for one in world.crm.objects()}
        assert {crm for (crm,) in world.sql("billing", "select crm_id from account")} == ids
        check_ledgers(world, summary.run)

    return look


@pytest.mark.parametrize("before", [1, 3])
def test_attack_08_a_restored_repository_is_noticed_and_adopts_what_targets_committed(world, moved_once, before):
    some_chunks(world, before)
    backup(world, "repository")
    some_chunks(world, 3)
    restore(world, "repository")
    site = sites(world)
    with pytest.raises(
        FatalError, match=r"transactions of this repository are committed in targets and unknown to it.*ludb recover"
    ):
        world.start()
    gap = find_gap(site, world.job)
    ((run_id, found),) = gap.lost.items()
    assert not gap.hopeless
    assert site.repository.runs.seq() < gap.seq
    moved = {row[0] for row in world.sql("billing", "select legacy_id from account")}
    assert close_gap(site, world.job, gap) == [run_id]
    assert site.repository.views.counters(run_id).committing == sum(len(one.positions) for one in found)
    moved_once(world.finish())
    assert moved <= {row[0] for row in world.sql("billing", "select legacy_id from account")}
    assert not find_gap(sites(world), world.job)


def test_attack_08_calls_made_since_the_backup_are_looked_up_and_not_made_twice(world, moved_once):
    some_chunks(world, 1)
    backup(world, "repository")
    world.die("phase.begin:decide")  # all calls of a chunk are made, and none of them is known
    restore(world, "repository")
    sites(world)
    run = world.start()  # nothing was committed since, so no ledger can tell
    world.site.repository.runs.adjust(run.id, {"restored": 1.0})
    moved_once(world.finish())


def test_attack_08_half_committed_transactions_are_completed_from_the_journal(world, moved_once):
    some_chunks(world, 1)
    backup(world, "repository")
    world.die("participant.committed#1")  # archive has it, billing and the files have not
    restore(world, "repository")
    site = sites(world)
    assert close_gap(site, world.job, find_gap(site, world.job))
    moved_once(world.finish())


def test_attack_08_without_its_journal_a_transaction_is_named_and_nothing_moves(world):
    some_chunks(world, 1)
    backup(world, "repository")
    run = some_chunks(world, 3)
    shutil.rmtree(world.state / "journal" / run.id)
    restore(world, "repository")
    gap = find_gap(sites(world), world.job)
    assert not gap.lost
    assert all("its journal is not in" in why for why in gap.hopeless.values())
    with pytest.raises(FatalError, match="unknown to it"):
        world.start()


def test_attack_08_a_run_at_work_is_not_mended(world):
    some_chunks(world, 1)
    backup(world, "repository")
    some_chunks(world, 3)
    restore(world, "repository")
    site = sites(world)
    gap = find_gap(site, world.job)
    (run_id,) = gap.lost
    from ludb.service.holding import hold

    lock = hold(site, site.repository.runs.get(run_id).instance)
    try:
        with pytest.raises(ConfigError, match="is being started by another process"):
            close_gap(site, world.job, gap)
    finally:
        lock.release()


def test_attack_08_a_worker_notices_that_numbers_come_twice(world):
    run = world.start()
    backup(world, "repository")
    from ludb.service.worker_process import run_worker

    site = sites(world)
    original, claims = site.repository.chunks.claim, []

    def claim(*arguments, **named):
        chunk = original(*arguments, **named)
        claims.append(chunk)
        if chunk is not None and len(claims) == 2:
            import dataclasses

            return dataclasses.replace(chunk, seq=claims[0].seq)
        return chunk

    site.repository.chunks.claim = claim
    ended = run_worker(site, run.id)
    assert ended.state is RunState.FAILED
    assert "gave out sequence number" in ended.reason


def test_attack_09_a_target_restored_in_mid_run_gets_its_rows_again(world, same):
    some_chunks(world, 1)
    backup(world, "billing")
    some_chunks(world, 2)
    restore(world, "billing")
    sites(world)
    same(world.finish())
    events = [one.name for _, _, one in world.site.repository.events.since(world.runs()[0].id)]
    assert "target.restored" in events


def test_attack_09_a_target_restored_after_the_run_is_mended_on_demand(world, same):
    some_chunks(world, 1)
    backup(world, "archive")
    summary = world.finish()
    restore(world, "archive")
    site = sites(world)
    gap = find_gap(site, world.job)
    assert sum(map(len, gap.reopened.values())) > 0
    assert close_gap(site, world.job, gap) == [summary.run.id]
    assert site.repository.runs.get(summary.run.id).state is RunState.STOPPED
    same(world.finish())
    assert not find_gap(sites(world), world.job)
