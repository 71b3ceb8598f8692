"""kill -9 at every boundary of a call and of a commit: a server never holds an object that nobody knows of."""

from __future__ import annotations

import pytest
from kill_world import states_of_calls

from ludb.model.run import CallState

BOUNDARIES = ["call.intended", "call.sent", "call.answered", "call.settled"]


@pytest.mark.parametrize("output", ["crm.customer", "inventory.service"])
@pytest.mark.parametrize("event", BOUNDARIES)
def test_a_kill_at_the_boundary_of_a_call_makes_no_object_twice(world, same, event, output):
    world.die(f"{event}:{output}#{3 if event == 'call.answered' else 1}")
    same(world.finish())


@pytest.mark.parametrize("event", ["call.sent", "call.answered", "call.settled"])
def test_a_kill_at_the_boundary_of_an_undo_leaves_no_object(world, same, event):
    # The first chunk sends six customers in one wave; what is sent next is the undo of the one that a rule rejected.
    run = world.die(f"{event}:crm.customer#{7 if event == 'call.answered' else 2}")
    wanted = CallState.UNDONE if event == "call.settled" else CallState.UNDOING
    assert states_of_calls(world, run)[("crm.customer", "5")] == [wanted]
    same(world.finish())


@pytest.mark.parametrize("target", ["archive", "billing", "export"])
def test_a_kill_between_two_commits_is_mended_from_the_journal(world, same, target):
    world.die(f"participant.committed:{target}#2")
    same(world.finish())


def test_a_kill_while_an_update_is_on_its_way_leaves_the_new_content(world):
    """The journal must not say that the server holds the old document, or that it holds the new one."""
    world.edit("job.yaml", "returns: {crm_id", 'update: "PATCH /customer/{id}", returns: {crm_id')
    run = world.die("call.settled:inventory.service")
    before = {one["id"] for one in world.crm.objects()}
    world.sql("legacy", "update customers set name = 'Renamed' where id = 2")
    process = world.worker(run, f"call.answered:crm.customer@{world.folder / 'again'}")
    assert process.wait() != 0
    assert "Renamed" in {one["name"] for one in world.crm.objects()}
    world.sql("legacy", "update customers set name = 'Customer 2' where id = 2")
    world.finish()
    after = {one["id"]: one["name"] for one in world.crm.objects()}
    assert "Renamed" not in after.values()
    assert before - {one for one in before if one not in after} <= set(after)
    assert [name for (name,) in world.sql("billing", "select name from account where legacy_id = 2")] == ["Customer 2"]
