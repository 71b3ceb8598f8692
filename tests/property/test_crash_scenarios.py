"""Crashes that the machine, or thinking about it, once found: played again step by step."""

from __future__ import annotations

import pytest
from crash_estate import LEASE, Kind, Power, TinyDatabase
from crash_world import RUN, World

from ludb.model.run import UnitState
from ludb.testing.turnstile import Fate


@pytest.fixture
def make(monkeypatch):
    """Makes worlds; ends their threads."""
    monkeypatch.setattr("ludb.unitdb.batch.UnitDatabase", TinyDatabase)
    made = []

    def make(*kinds, **more):
        made.append(World(kinds, **more))
        return made[-1]

    yield make
    for world in made:
        world.close()


KINDS = (Kind.BROKEN, Kind.GOOD, Kind.ODD)
"""A run with everything in it: returning calls, a rejection after them, a split, an undo chunk."""
DISTURBED = (Fate.LOSE, Fate.FAIL)
FATES = (*DISTURBED, Fate.CRASH_BEFORE, Fate.CRASH_AFTER)


def struck(make, number, fate):
    """One worker, one fault at one of its operations, and on it goes (or its successor)."""
    world = make(*KINDS, chunk_units=2)
    only = world.hire()
    world.go(only, number)
    world.suffer(only, fate)
    world.finish(survivors=True)
    world.close()


def operations(make):
    """The operations of that run without any fault, in their order."""
    world = make(*KINDS, chunk_units=2)
    world.hire()
    world.finish(survivors=True)
    return [operation.partition(" ")[2] for operation in world.trace]


@pytest.mark.parametrize("fate", DISTURBED)
def test_one_worker_gets_over_a_lost_or_failed_operation_of_every_sort_by_itself(make, fate):
    """Nobody else would ever take a chunk from a living worker that has forgotten it."""
    names = operations(make)
    for name in dict.fromkeys(names):
        struck(make, names.index(name), fate)


@pytest.mark.long
@pytest.mark.parametrize("fate", FATES)
def test_trouble_at_any_single_operation_changes_nothing(make, fate):
    """Between any two operations of a whole run."""
    for number in range(len(operations(make))):
        struck(make, number, fate)


def dies(world, member, fate=Fate.CRASH_BEFORE):
    world.step(member, fate)
    world.bury()


def test_a_zombies_late_update_does_not_overtake_that_of_its_successor(make):
    """Asleep with an update in its hands, it wakes up when another worker has written a newer document and committed."""
    world = make(Kind.GOOD, Kind.GOOD, power=Power.UPDATE)
    first = world.hire()
    assert world.go_to(first, "chunks.decide")
    dies(world, first)
    world.edit()
    zombie, successor = world.hire(), world.hire()
    assert world.go_to(zombie, "crm.update")
    zombie.frozen = True
    world.edit()
    for _ in range(12):
        world.advance(LEASE / 4)
        world.go(successor, 10)
    world.thaw(beats=True)
    world.go(zombie, 10)
    world.check()
    world.finish(survivors=True)


def test_a_dead_workers_late_update_does_not_overtake_that_of_its_successor(make):
    """Its last request is still on its way when another worker takes the chunk with a newer document."""
    world = make(Kind.GOOD, Kind.GOOD, power=Power.UPDATE)
    first = world.hire()
    assert world.go_to(first, "chunks.decide")
    dies(world, first)
    world.edit()
    second = world.hire()
    assert world.go_to(second, "crm.update")
    world.suffer(second, Fate.CRASH_AFTER, sending=True)
    world.bury()
    world.edit()
    world.finish(survivors=True)


@pytest.mark.parametrize("beats", [True, False])
def test_a_zombies_late_request_never_makes_a_second_object(make, beats):
    """Attack 5: asleep with a request in its hands for many leases, while another worker looks for something to do."""
    world = make(Kind.GOOD, Kind.GOOD)
    zombie, other = world.hire(), world.hire()
    assert world.go_to(zombie, "crm.send")
    zombie.frozen = True
    for _ in range(8):
        world.go(other, 10)
        world.advance(LEASE)
    world.thaw(beats=beats)
    world.go(zombie, 10)
    world.check()
    world.finish(survivors=True)


def test_a_zombie_that_sees_its_successor_at_work_on_its_calls_does_not_fail_the_run(make):
    """It looks at the calls once more before it decides, and they are just being taken back."""
    world = make(Kind.GOOD, Kind.GOOD)
    zombie, successor = world.hire(), world.hire()
    assert world.go_to(zombie, "journal.sync", limit=80)
    world.go(zombie, 1)
    zombie.frozen = True
    world.edit()
    for _ in range(3):
        world.go(successor, 4)
        world.advance(LEASE)
    assert world.go_to(successor, "crm.undo", limit=80)
    world.thaw(beats=True)
    world.go(zombie, 10)
    world.check()
    world.finish(survivors=True)


@pytest.mark.parametrize("fate", [Fate.CRASH_AFTER, Fate.LOSE])
def test_rows_that_no_longer_fit_stay_in_doubt_when_recovery_itself_is_interrupted(make, fate):
    """The second recovery finds the ledger row and must not take it for the whole chunk."""
    world = make(Kind.TWIN, Kind.GOOD, Kind.TWIN, Kind.GOOD, chunk_units=2)
    decided = world.hire()
    assert world.go_to(decided, "billing.commit", limit=80)
    world.step(decided, Fate.CRASH_BEFORE)
    other = world.hire()
    assert world.go_to(other, "chunks.finish", limit=120)
    world.go(other, 1)
    world.bury()
    world.advance(1.0)
    assert world.go_to(other, "stock.apply", limit=80)
    world.step(other, fate)
    world.bury()
    world.finish(survivors=fate is Fate.LOSE)
    (found,) = world.repository.views.exceptions(RUN)
    assert (found.position, found.state) == (0, UnitState.IN_DOUBT)
    assert "no longer fit" in found.reason
