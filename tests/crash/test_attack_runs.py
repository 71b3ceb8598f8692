"""Attacks by other chunks, other runs and the clock (PROTOCOL section 4)."""

from __future__ import annotations

import itertools
import time

import pytest
from kill_processes import await_that
from kill_world import UNITS, World, check_calls, check_ledgers, check_whole, states_of_calls

from ludb.errors import ConfigError
from ludb.model.run import SETTLED_CALLS, CallState, RunState, UnitState
from ludb.service.abandon import abandon
from ludb.service.runs import start

TWINS = (2, 20)
"""Two customers of two chunks who have the same name, which the archive takes only once."""


@pytest.mark.parametrize("held", ["phase.begin:extract", "phase.begin:prepare"], ids=["before calls", "after calls"])
@pytest.mark.parametrize("declared", [False, True], ids=["found by the target", "decided at planning"])
def test_attack_15_two_customers_of_two_chunks_with_one_unique_value(world: World, declared, held):
    """The later chunk overtakes the earlier one, which has rehearsed already and made its calls. One of the two moves,
    whole; the other is in quarantine and nowhere else. Who wins is no race where the job says that the value is unique.
    """
    world.sql("archive", "create unique index person_name on person(name)")
    world.sql("legacy", f"update customers set name = 'Twin' where id in {TWINS}")
    if declared:
        world.edit("job.yaml", "keys:\n", "  unique_across_units: {customers.name: reject_later}\nkeys:\n")
    run = world.start()
    first = world.worker(run, f"{held}!hold@{world.folder / 'held'}")
    await_that((world.folder / "held").exists, "the first chunk does not move")
    second = world.worker(run)
    await_that(lambda: world.pending(run) == 6, f"the other chunks do not move: {world.told()}")
    (world.folder / "held.go").touch()
    assert (first.wait(), second.wait()) == (0, 0)
    loser = 20 if declared else 2
    winner = 22 - loser
    bad = {"5": "bought", "9": "CHECK", "16": "refused", str(loser): "customers.name" if declared else "UNIQUE"}
    check_whole(world, world.summary(), bad)
    assert world.sql("archive", "select legacy_id from person where name = 'Twin'") == [(winner,)]
    assert [one["name"] for one in world.crm.objects()].count("Twin") == 1
    calls = states_of_calls(world, run).get(("crm.customer", str(loser)), [])
    assert calls == ([CallState.UNDONE] if not declared else [])


def another_instance(world: World) -> None:
    world.edit("job.yaml", "settings:", "parameters:\n  round: {type: integer, default: 1}\nsettings:")


def test_attack_18_a_second_run_waits_for_a_decided_chunk_of_the_first(world: World):
    """Its units count as done only when they are: a list that was made meanwhile would hold them again."""
    another_instance(world)
    first = world.die("phase.begin:commit")
    with pytest.raises(ConfigError, match=f"{first.id}.*decided chunk"):
        start(world.site, world.job, {"round": "2"})


def test_attack_18_a_second_run_moves_only_what_the_first_did_not(world: World):
    """Units done in any run of the job are left out; units that an unfinished run still has to move are refused."""
    another_instance(world)
    first = world.die("phase.begin:claim#3")
    with pytest.raises(ConfigError, match=rf"{first.id} .* still has \d+ of these units"):
        start(world.site, world.job, {"round": "2"})
    done = world.site.repository.views.counters(first.id).done
    abandon(world.site, first.id)
    world.parameters = {"round": "2"}
    second = world.finish()
    assert (second.counters.total, second.counters.done) == (UNITS - done, UNITS - done - 3)
    accounts = [key for (key,) in world.sql("billing", "select legacy_id from account")]
    assert sorted(accounts) == [key for key in range(1, UNITS + 1) if key not in (5, 9, 16)]
    check_calls(world, second.run, {"5", "9", "16"}, first)
    check_ledgers(world, second.run, first)


def test_attack_18_a_unit_that_another_run_has_moved_is_not_tried_again(world: World):
    """It was quarantined in the first run, and moved by a second one with a mended rule."""
    another_instance(world)
    first = world.finish().run
    (world.job / "rules/20_account/no_owner.sql").unlink()
    world.parameters = {"round": "2"}
    second = world.finish()
    assert (second.counters.total, second.counters.done) == (3, 1)
    with pytest.raises(ConfigError, match="moved by another run"):
        world.retry(first, 4)
    assert world.site.repository.views.unit(first.id, 4)[0] is UnitState.QUARANTINED
    assert world.sql("billing", "select count(*) from account where legacy_id = 5") == [(1,)]


def test_attack_18_a_unit_in_doubt_is_not_moved_by_another_run(world: World):
    """Something of it may be at the server already."""
    another_instance(world)
    run = world.die("call.sent:crm.customer")
    call = next(c for c in world.site.repository.views.unit(run.id, 0)[2] if c.output == "crm.customer")
    party = {"id": "legacy-1", "@referredType": "Individual"}
    marker = [{"name": "ludbCall", "value": call.id}]
    for _ in range(2):
        world.crm.plant({"name": "Customer 1", "engagedParty": party, "characteristic": marker})
    assert world.finish().counters.in_doubt == 1
    world.parameters = {"round": "2"}
    assert world.finish().counters.total == 3
    assert world.sql("billing", "select count(*) from account where legacy_id = 1") == [(0,)]


def test_attack_19_the_clock_jumps_both_ways(world: World, same, monkeypatch):
    """Leases, delays and waits are none of the wall clock's business."""
    jumps = itertools.cycle([0, 86_400, -86_400, 3_600, -7_200])
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + next(jumps))
    world.crm.behave(next=["ok", "503", "500_after", "drop_before"], retry_after=1)
    same(world.finish())


@pytest.mark.parametrize("hours", [-5, 5], ids=["set back", "set forward"])
def test_attack_19_a_chunk_that_waits_does_not_wait_for_the_clock(world: World, same, monkeypatch, hours):
    """It was given back before the jump, and its worker was killed."""
    run = world.start()
    world.crm.kill()
    worker = world.worker(run)
    views = world.site.repository.views
    await_that(lambda: [c for c, _, _ in views.chunks(run.id) if c.state == "released"], "no chunk waits")
    worker.end()
    world.crm.start()
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + hours * 3600)
    world.reopen()
    began = time.monotonic()
    summary = world.finish()
    assert time.monotonic() - began < 60
    same(summary)
    assert summary.run.state is RunState.EXCEPTIONS
    assert all(set(states) <= SETTLED_CALLS | {CallState.DONE} for states in states_of_calls(world, run).values())
