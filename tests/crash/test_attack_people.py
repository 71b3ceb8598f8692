"""Attacks by people (PROTOCOL section 4): they stop, give up, delete and edit while the run goes on."""

from __future__ import annotations

import pytest
from kill_processes import NurseryLauncher, await_that
from kill_world import BAD, UNITS, World, check_ledgers, check_whole, rows_in_targets, states_of_calls, stopped_now

from ludb.errors import ConfigError, TransientError
from ludb.model.run import ChunkState, RunState, UnitState
from ludb.service.abandon import abandon


def test_attack_16_stop_now_gives_an_undecided_chunk_back(world: World, same):
    """No row anywhere; the calls that were made are known, and made use of when the run goes on."""
    run = stopped_now(world, "phase.end:prepare")
    assert [c.state for c, _, _ in world.site.repository.views.chunks(run.id)] == [ChunkState.RELEASED]
    assert rows_in_targets(world) == 0
    assert world.pending(run) == UNITS
    made = {one["id"] for one in world.crm.objects()}
    assert len(made) == 6
    same(world.finish())
    assert len(made & {one["id"] for one in world.crm.objects()}) == 5


def test_attack_16_stop_now_after_decide_finishes_the_chunk(world: World, same):
    """What is decided is done, however much of a hurry somebody is in."""
    run = stopped_now(world, "phase.begin:commit")
    assert next(c.state for c, _, _ in world.site.repository.views.chunks(run.id)) is ChunkState.FINISHED
    assert world.site.repository.views.counters(run.id).done == 5
    check_ledgers(world, run)
    same(world.finish())


def test_attack_16_a_stop_that_nobody_obeyed_does_not_end_the_next_start(world: World, same):
    """The supervisor died before it took the command."""
    run = world.die("phase.begin:prepare")
    world.site.repository.commands.put(run.id, "stop", {"now": True}, "tester")
    world.start()
    world.supervise(run, NurseryLauncher(world)).supervise()
    same(world.summary())


def test_attack_16_an_abandoned_run_leaves_nothing_of_units_that_did_not_move(world: World, uninterrupted):
    """One chunk is done, one is decided, one has made its calls: what is decided is done, the rest is taken back."""
    world.edit("job.yaml", "chunk_units: 6", "chunk_units: 5")
    run = world.die("phase.begin:commit#2")
    process = world.worker(run, f"phase.begin:prepare#1@{world.folder / 'again'}")
    assert process.wait() != 0
    first = abandon(world.site, run.id)
    assert first.state is RunState.ABANDONED
    counters = world.site.repository.views.counters(run.id)
    assert (counters.done, counters.quarantined) == (8, 2)
    assert {one["name"] for one in world.crm.objects()} == {
        f"Customer {key}" for key in range(1, 11) if key not in (5, 9)
    }
    check_ledgers(world, run)
    with pytest.raises(ConfigError, match="abandoned"):
        abandon(world.site, run.id)
    second = world.finish()
    assert second.run.id != run.id
    assert (second.counters.total, second.counters.done) == (UNITS - 8, UNITS - 8 - len(BAD))
    assert world.dump(first, second.run) == uninterrupted


def test_attack_16_a_crash_while_abandoning_is_abandoned_again(world: World):
    """`ludb abandon` is killed between two of its undo calls."""
    run = world.die("phase.begin:prepare")
    process = world.process(f"call.answered:crm.customer#2@{world.folder / 'again'}", "abandon", run.id)
    assert process.wait() != 0
    assert world.process("", "abandon", run.id).wait() == 0, world.told()
    assert world.site.repository.runs.get(run.id).state is RunState.ABANDONED
    assert world.crm.objects() == world.inventory.objects() == []
    assert rows_in_targets(world) == 0


def test_attack_16_a_run_whose_calls_cannot_be_taken_back_is_not_abandoned(world: World):
    """The refusal names the units; the others have been taken back."""
    run = world.die("phase.begin:prepare")
    world.crm.behave(next=["400"], methods=["DELETE"])
    with pytest.raises(ConfigError, match=r"what 1 unit left behind: \d"):
        abandon(world.site, run.id)
    assert world.site.repository.runs.get(run.id).state is RunState.STOPPED
    assert len(world.crm.objects()) == 1
    (doubtful,) = world.site.repository.views.exceptions(run.id, UnitState.IN_DOUBT)
    assert {one["name"] for one in world.crm.objects()} == {f"Customer {doubtful.unit_key}"}


def test_attack_16_an_api_that_is_away_only_postpones_the_end(world: World):
    """Nothing is forgotten: the same command again finishes it."""
    run = world.die("phase.begin:prepare")
    world.crm.kill()
    with pytest.raises(TransientError, match="crm"):
        abandon(world.site, run.id)
    assert world.site.repository.runs.get(run.id).state is RunState.STOPPED
    world.crm.start()
    assert abandon(world.site, run.id).state is RunState.ABANDONED
    assert world.crm.objects() == []


def test_attack_16_a_run_with_a_living_worker_is_not_abandoned(world: World, same):
    """It would go on making calls."""
    run = world.start()
    worker = world.worker(run, f"phase.begin:prepare!hold@{world.folder / 'held'}")
    await_that((world.folder / "held").exists, "nothing is prepared")
    with pytest.raises(ConfigError, match=f"process {worker.pid} .* still at work"):
        abandon(world.site, run.id)
    (world.folder / "held.go").touch()
    assert worker.wait() == 0
    same(world.summary())


def test_attack_16_a_run_that_nobody_holds_cannot_be_asked_to_stop(world: World):
    """The command would wait for the next start, and end it."""
    run = world.die("phase.begin:prepare")
    assert world.process("", "stop", run.id).wait() == 2
    assert "nobody holds it" in world.told()
    assert not world.site.repository.commands.take(run.id)


def test_attack_20_a_unit_is_deleted_after_the_list_was_frozen(world: World):
    """It is counted as gone, and what an earlier attempt made for it at the APIs is taken back."""
    world.die("phase.begin:prepare")
    assert "Customer 2" in {one["name"] for one in world.crm.objects()}
    for key in (2, 20):
        world.sql(
            "legacy",
            f"delete from services where cid = {key}",
            f"delete from invoices where cid = {key}",
            f"delete from customers where id = {key}",
        )
    summary = world.finish()
    assert summary.run.state is RunState.EXCEPTIONS
    counters = summary.counters
    assert (counters.total, counters.done, counters.gone, counters.quarantined, counters.pending) == (24, 19, 2, 3, 0)
    assert {one["name"] for one in world.crm.objects()}.isdisjoint({"Customer 2", "Customer 20"})
    assert len(world.crm.objects()) == 19
    assert world.sql("billing", "select count(*) from account where legacy_id in (2, 20)") == [(0,)]
    assert [one.unit_key for one in world.site.repository.views.exceptions(summary.run.id, UnitState.GONE)] == [
        "2",
        "20",
    ]


def test_attack_21_the_job_folder_is_edited_in_mid_run(world: World, same):
    """A run moves what was pinned when it started: workers that run, and workers that start later."""
    run = world.start()
    worker = world.worker(run, f"phase.begin:claim#3!hold@{world.folder / 'held'}")
    await_that((world.folder / "held").exists, "the worker claims nothing")
    text = "select unit_key, 0 as legacy_id, 0 as account, 'edited' as name from legacy.customers"
    (world.job / "steps/20_account/archive.person.sql").write_text(text)
    world.edit("job.yaml", "start: 900000", "start: 5")
    late = world.worker(run)
    (world.folder / "held.go").touch()
    assert (worker.wait(), late.wait()) == (0, 0)
    same(world.summary())


def test_attack_21_an_edited_step_is_taken_when_the_run_goes_on_and_an_edited_key_map_is_refused(world: World):
    """What was moved stays as it was; the version stands with every chunk."""
    run = world.die("phase.begin:claim#3")
    world.edit("steps/20_account/archive.person.sql", "c.name", "upper(c.name) as name")
    world.edit("job.yaml", "start: 900000", "start: 5")
    with pytest.raises(ConfigError, match="key maps"):
        world.start()
    world.edit("job.yaml", "start: 5", "start: 900000")
    summary = world.finish()
    check_whole(world, summary)
    assert summary.run.version != run.version
    names = [name for (name,) in world.sql("archive", "select name from person order by legacy_id")]
    assert names[:5] == ["Customer 1", "Customer 2", "Customer 3", "Customer 4", "Customer 6"]
    assert names[-1] == "CUSTOMER 24"
    views = world.site.repository.views
    versions = {views.unit(run.id, 4)[1][-1][2]["job_version"], views.unit(run.id, 15)[1][-1][2]["job_version"]}
    assert versions == {run.version, summary.run.version}


def test_attack_22_the_chunk_size_changes_while_chunks_wait_for_a_retry(world: World, same):
    """Chunks keep the boundaries they were born with: no unit falls between two sizes."""
    run = world.start()
    world.crm.kill()
    worker = world.worker(run)
    views = world.site.repository.views
    await_that(lambda: ChunkState.RELEASED in {c.state for c, _, _ in views.chunks(run.id)}, "no chunk waits")
    worker.end()
    waiting = [tuple(c.positions) for c, _, _ in views.chunks(run.id)]
    world.edit("job.yaml", "chunk_units: 6", "chunk_units: 5")
    world.crm.start()
    summary = world.finish()
    same(summary)
    moved = sorted(tuple(c.positions) for c, _, _ in views.chunks(run.id) if c.kind == "move")
    assert set(waiting) <= set(moved)
    assert {len(positions) for positions in moved if positions not in waiting} <= {5, 3, 2, 1}
    assert sorted(position for positions in moved for position in positions) == list(range(UNITS))
    assert states_of_calls(world, run)
