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
