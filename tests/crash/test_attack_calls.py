"""Attacks on calls (PROTOCOL section 4): what exists at a server is what the journal says, whatever happens on the way."""

from __future__ import annotations

import time

import pytest
from kill_processes import Simulator, await_that
from kill_world import UNITS, World, check_whole, states_of_calls

from ludb.model.run import CallState, ChunkState, UnitState


def names_at(server) -> list[str]:
    return sorted(one["name"] for one in server.objects())


@pytest.mark.parametrize("update", [False, True], ids=["undo", "update"])
def test_attack_02_the_payload_changes_between_two_attempts(world: World, update):
    """The calls were made with what the source said then; the unit moves with what it says now."""
    if update:
        world.edit("job.yaml", "returns: {crm_id", 'update: "PATCH /customer/{id}", returns: {crm_id')
    world.die("call.settled:inventory.service")
    before = {one["name"]: one["id"] for one in world.crm.objects()}
    world.sql(
        "legacy",
        "update customers set name = 'Renamed' where id = 2",
        "update services set state = 'inactive' where cid = 3",
    )
    reordered = world.sql("legacy", "select service_id, cid, state from services order by service_id desc")
    world.sql(
        "legacy", "delete from services", *(f"insert into services values ({a}, {b}, '{c}')" for a, b, c in reordered)
    )
    check_whole(world, world.finish())
    after = {one["name"]: one["id"] for one in world.crm.objects()}
    assert "Customer 2" not in after
    assert (after["Renamed"] == before["Customer 2"]) is update
    assert after["Customer 1"] == before["Customer 1"], "what did not change is not called again"
    assert [s["state"] for s in world.inventory.objects() if s["name"].startswith("Line 3")] == ["inactive"] * 2
    assert [crm for (crm,) in world.sql("billing", "select crm_id from account where legacy_id = 2")] == [
        after["Renamed"]
    ]


def test_attack_03_a_call_that_was_undone_is_made_anew_under_another_key(world: World, tmp_path):
    """A server that heeds idempotency keys would answer the old key with the object that was deleted."""
    crm = Simulator("crm", tmp_path / "keys", "--idempotent")
    try:
        world.use(crm)
        summary = world.finish()
        assert world.site.repository.views.unit(summary.run.id, 4)[0] is UnitState.QUARANTINED
        (world.job / "rules/20_account/no_owner.sql").write_text(
            "select unit_key, 'never' as reason from legacy.customers where false"
        )
        world.retry(summary.run, 4)
        summary = world.finish()
        check_whole(world, summary, {"9": "CHECK constraint", "16": "refused the call"})
        assert states_of_calls(world, summary.run)["crm.customer", "5"] == [CallState.UNDONE, CallState.DONE]
        assert names_at(crm).count("Owner") == 1
    finally:
        crm.kill()


def test_attack_04_killed_after_the_rejection_before_the_undo(world: World, same):
    """A unit is quarantined only once its calls are taken back: until then it is pending, and its calls are known."""
    run = world.die("phase.begin:undo")
    assert world.site.repository.views.unit(run.id, 4)[0] is UnitState.PENDING
    assert "Owner" in names_at(world.crm)
    assert [c.kind for c, _, _ in world.site.repository.views.chunks(run.id, unresolved=True)] == ["undo"]
    same(world.finish())
    assert "Owner" not in names_at(world.crm)


def test_attack_05_a_silent_worker_with_calls_on_their_way_keeps_its_chunk_until_it_is_dead(world: World, same):
    """Its requests may still leave when it wakes up: nobody looks for them before it is known to be dead."""
    world.edit("job.yaml", "lease: 3s", "lease: 2s")
    run = world.start()
    zombie = world.worker(run, f"call.sent:crm.customer!stop@{world.folder / 'mute'}")
    await_that((world.folder / "mute").exists, "the worker sends nothing")
    other = world.worker(run)
    await_that(lambda: world.pending(run) == 6, f"the other chunks do not move: {world.told()}")
    asleep = time.monotonic()
    await_that(lambda: time.monotonic() - asleep > 4.0, "")  # two leases: by now it is silent to everybody
    left = world.site.repository.views.chunks(run.id, unresolved=True)
    assert [(c.state, c.owner) for c, _, _ in left] == [(ChunkState.CLAIMED, world.workers(run)[-1].id)]
    zombie.end()
    assert other.wait() == 0
    same(world.summary())


def test_attack_05_a_post_that_arrives_after_the_takeover_is_found(world: World, same):
    """The dead worker's request is carried out when its chunk has a new owner already; the server ignores keys."""
    world.crm.behave(next=["ok", "late"], late_ms=250)
    world.die("call.answered:crm.customer")
    same(world.finish())
    assert world.crm.requests()["GET"]["200"] >= 1


def test_attack_05_a_look_up_that_lags_is_waited_for(world: World, same):
    """The object is there, and a look-up does not show it yet: a negative probe counts only after `settle`."""
    world.edit("job.yaml", "returns: {crm_id", "settle: 600ms, returns: {crm_id")
    world.crm.behave(next=["drop_after", "ok", "500_after"], lookup_lag_ms=500)
    same(world.finish())


def test_attack_05_a_post_that_its_sender_gave_up_is_found(world: World, same):
    """The client's patience ends before the server writes: `max_delay` is how long such a request may still arrive."""
    world.edit(
        "job.yaml",
        'crm:       {type: rest, url: "${CRM}", in_flight: 2, max_delay: 300ms, timeout: 5s',
        'crm:       {type: rest, url: "${CRM}", in_flight: 2, max_delay: 500ms, timeout: 200ms',
    )
    world.crm.behave(next=["ok", "late"], late_ms=450)
    same(world.finish())


@pytest.mark.parametrize("jump", [0, -7200], ids=["time went by", "the clock was set back"])
def test_attack_05_a_key_that_the_server_may_have_forgotten_is_not_sent_again(world: World, same, jump):
    """`idempotent: {ttl}` runs from the first sending, also across processes; after it the call is looked up."""
    world.edit("job.yaml", "returns: {crm_id", "idempotent: {ttl: 1h}, returns: {crm_id")
    world.die("call.answered:crm.customer#3")
    world.repository(
        "update call set changed_at = changed_at - 4000"
        if not jump
        else "update call set changed_at = changed_at + 7200"
    )
    same(world.finish())  # this server has never heeded a key: a call that was sent again would be there twice


def test_attack_05_a_key_that_the_server_still_knows_is_sent_again(world: World, tmp_path, uninterrupted):
    """Within the ttl no look-up is needed: the same request again has the same answer."""
    crm = Simulator("crm", tmp_path / "keys", "--idempotent")
    try:
        world.use(crm)
        world.edit("job.yaml", "returns: {crm_id", "idempotent: {ttl: 1h}, returns: {crm_id")
        world.die("call.answered:crm.customer#3")
        summary = world.finish()
        check_whole(world, summary)
        assert world.dump(summary.run) == uninterrupted
        assert "200" not in crm.requests()["GET"]
    finally:
        crm.kill()


def test_attack_17_a_strangers_object_is_neither_taken_nor_deleted(world: World):
    """It looks like ours in everything but the call id."""
    world.die("call.sent:crm.customer")
    stranger = world.crm.plant(document("Customer 1", "somebody else's call"))
    summary = world.finish()
    assert names_at(world.crm).count("Customer 1") == 2
    assert stranger["id"] in {one["id"] for one in world.crm.objects()}
    ((mine,),) = world.sql("billing", "select crm_id from account where legacy_id = 1")
    assert mine != stranger["id"]
    assert summary.counters.pending == 0


def test_attack_17_two_objects_under_one_call_id_are_left_to_a_person(world: World):
    """One of them is not ours, and nobody can tell which: the unit is in doubt, nothing is deleted."""
    run = world.die("call.sent:crm.customer")
    call = next(c for c in world.site.repository.views.unit(run.id, 0)[2] if c.output == "crm.customer")
    planted = {world.crm.plant(document("Customer 1", call.id))["id"] for _ in range(2)}
    summary = world.finish()
    assert (summary.counters.in_doubt, summary.counters.done, summary.counters.pending) == (1, UNITS - 4, 0)
    assert planted == {one["id"] for one in world.crm.objects() if one["name"] == "Customer 1"}, "a third was made"
    assert world.sql("billing", "select count(*) from account where legacy_id = 1") == [(0,)]
    found = world.site.repository.views.exceptions(run.id, UnitState.IN_DOUBT)
    assert [(one.unit_key, one.step) for one in found] == [("1", "crm.customer")]


def document(name: str, call: str) -> dict:
    return {
        "name": name,
        "engagedParty": {"id": "legacy-1", "@referredType": "Individual"},
        "characteristic": [{"name": "ludbCall", "value": call}],
    }
