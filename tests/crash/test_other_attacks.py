"""Attacks 5, 16 and 17 on APIs of other kinds: SOAP, many documents in one request, work done later."""

from __future__ import annotations

import time

import pytest
from kill_apis import check_names, kinds, names_at
from kill_processes import await_that
from kill_world import BAD, UNITS, check_whole, rows_in_targets, states_of_calls, stopped_now

from ludb.errors import ConfigError, TransientError
from ludb.model.run import CallState, ChunkState, RunState, UnitState
from ludb.service.abandon import abandon

MID_CALL, ALL_CALLED = "call.answered:crm.customer", "phase.begin:prepare"
KEYED = ("soap", "later")
"""Kinds whose outputs may promise idempotent keys: those of a bulk request are the request's."""


def declare(other, more: str) -> None:
    other.edit("job.yaml", "row: [unit_key], marker: $.externalId", f"row: [unit_key], {more}, marker: $.externalId")


@pytest.mark.long
@kinds()
def test_attack_05_a_silent_worker_with_calls_on_their_way_keeps_its_chunk_until_it_is_dead(other):
    other.edit("job.yaml", "lease: 3s", "lease: 2s")
    run = other.start()
    zombie = other.worker(run, f"{MID_CALL}!stop@{other.folder / 'mute'}")
    await_that((other.folder / "mute").exists, "the worker sends nothing")
    successor = other.worker(run)
    await_that(lambda: other.pending(run) == 6, f"the other chunks do not move: {other.told()}")
    asleep = time.monotonic()
    await_that(lambda: time.monotonic() - asleep > 4.0, "")  # two leases: by now it is silent to everybody
    left = other.site.repository.views.chunks(run.id, unresolved=True)
    assert [(c.state, c.owner) for c, _, _ in left] == [(ChunkState.CLAIMED, other.workers(run)[-1].id)]
    zombie.end()
    assert successor.wait() == 0
    check_whole(other, other.summary())
    check_names(other)


@kinds(cheap="soap")
def test_attack_05_a_request_that_arrives_after_the_takeover_is_found(other):
    """The dead worker's request is carried out when its chunk has a new owner already; the server ignores keys."""
    other.edit("job.yaml", "max_delay: 300ms", "max_delay: 800ms")
    other.crm.bring_late(0.6)
    other.die(MID_CALL)
    check_whole(other, other.finish())
    check_names(other)
    assert other.crm.looked_up() >= 1


@pytest.mark.long
@kinds()
def test_attack_05_a_request_that_its_sender_gave_up_is_found(other):
    other.edit("job.yaml", "max_delay: 300ms, timeout: 5s", "max_delay: 1500ms, timeout: 300ms")
    other.crm.bring_late(1.0)
    check_whole(other, other.finish())
    check_names(other)


@pytest.mark.long
@kinds()
def test_attack_05_a_look_up_that_lags_is_waited_for(other):
    declare(other, "settle: 1200ms")
    other.crm.lag(1.0)
    other.crm.lose_an_answer()
    check_whole(other, other.finish())
    check_names(other)


@pytest.mark.long
@kinds(among=KEYED)
def test_attack_05_a_key_that_the_server_may_have_forgotten_is_not_sent_again(other):
    declare(other, "idempotent: {ttl: 1h}")
    other.die(f"{MID_CALL}#3")
    other.repository("update call set changed_at = changed_at - 4000")
    check_whole(other, other.finish())  # this server has never heeded a key
    check_names(other)
    assert other.crm.looked_up() >= 1


@pytest.mark.long
@kinds(among=KEYED)
def test_attack_05_a_key_that_the_server_still_knows_is_sent_again(other):
    other.crm.honour_keys()
    declare(other, "idempotent: {ttl: 1h}")
    other.die(f"{MID_CALL}#3")
    check_whole(other, other.finish())
    check_names(other)
    assert other.crm.looked_up() == 0


@pytest.mark.long
@kinds()
@pytest.mark.parametrize("point", [MID_CALL, ALL_CALLED], ids=["in mid-call", "all called"])
def test_attack_16_stop_now_gives_an_undecided_chunk_back(other, point):
    """Its calls are made use of when the run goes on."""
    run = stopped_now(other, point)
    assert [c.state for c, _, _ in other.site.repository.views.chunks(run.id)] == [ChunkState.RELEASED]
    assert (rows_in_targets(other), other.pending(run)) == (0, UNITS)
    made = {one["id"] for one in other.crm.objects()}
    assert made
    check_whole(other, other.finish())
    check_names(other)
    assert len(made & {one["id"] for one in other.crm.objects()}) >= len(made) - 1, "that of the owner is taken back"


@pytest.mark.long
@kinds()
@pytest.mark.parametrize("point", [MID_CALL, ALL_CALLED], ids=["in mid-call", "all called"])
def test_attack_16_an_abandoned_run_leaves_nothing_of_units_that_did_not_move(other, point):
    """What nobody knows the end of is looked up before it is taken back; another run of the job moves all of them."""
    run = other.die(point)
    assert names_at(other)
    assert abandon(other.site, run.id).state is RunState.ABANDONED
    assert other.crm.objects() == other.inventory.objects() == []
    assert rows_in_targets(other) == 0
    summary = other.finish()
    assert summary.run.id != run.id
    check_whole(other, summary)
    check_names(other)


@pytest.mark.long
@kinds()
def test_attack_16_a_crash_while_abandoning_is_abandoned_again(other):
    run = other.die(ALL_CALLED)
    process = other.process(f"{MID_CALL}#2@{other.folder / 'again'}", "abandon", run.id)
    assert process.wait() != 0
    assert other.process("", "abandon", run.id).wait() == 0, other.told()
    assert other.site.repository.runs.get(run.id).state is RunState.ABANDONED
    assert other.crm.objects() == other.inventory.objects() == []


@kinds(cheap="later")
def test_attack_16_a_run_whose_calls_cannot_be_taken_back_is_not_abandoned(other):
    """The refusal names the units that are still there."""
    run = other.die(ALL_CALLED)
    other.crm.keep_all()
    with pytest.raises(ConfigError, match=r"what 6 units left behind: 1, 2, 3, 4, 5, 6"):
        abandon(other.site, run.id)
    assert other.site.repository.runs.get(run.id).state is RunState.STOPPED
    assert len(other.crm.objects()) == 6
    assert states_of_calls(other, run)["crm.customer", "1"] == [CallState.IN_DOUBT]


@pytest.mark.long
@kinds()
def test_attack_16_an_api_that_is_away_only_postpones_the_end(other):
    run = other.die(ALL_CALLED)
    other.crm.stop()
    with pytest.raises(TransientError, match="crm"):
        abandon(other.site, run.id)
    assert other.site.repository.runs.get(run.id).state is RunState.STOPPED
    other.crm.start()
    assert abandon(other.site, run.id).state is RunState.ABANDONED
    assert other.crm.objects() == []


@pytest.mark.long
@kinds()
def test_attack_17_a_strangers_object_is_neither_taken_nor_deleted(other):
    """It looks like ours in everything but the call id, and the API shows it whatever is asked for."""
    other.die("call.sent:crm.customer")
    stranger = other.crm.plant("Customer 1", "somebody else's call")
    summary = other.finish()
    assert (summary.counters.done, summary.counters.pending) == (UNITS - len(BAD), 0)
    assert names_at(other).count("Customer 1") == 2
    ((mine,),) = other.sql("billing", "select crm_id from account where legacy_id = 1")
    assert {mine, stranger} == {one["id"] for one in other.crm.objects() if one["name"] == "Customer 1"}
    assert mine != stranger


@kinds(cheap="bulk")
def test_attack_17_two_objects_under_one_call_id_are_left_to_a_person(other):
    """Nobody can tell which is ours: the unit is in doubt, nothing is deleted."""
    run = other.die("call.sent:crm.customer")
    call = next(c for c in other.site.repository.views.unit(run.id, 0)[2] if c.output == "crm.customer")
    planted = {other.crm.plant("Customer 1", call.id) for _ in range(2)}
    counters = other.finish().counters
    assert (counters.in_doubt, counters.done, counters.pending) == (1, UNITS - len(BAD) - 1, 0)
    assert planted == {one["id"] for one in other.crm.objects() if one["name"] == "Customer 1"}, "a third was made"
    assert other.sql("billing", "select count(*) from account where legacy_id = 1") == [(0,)]
    found = other.site.repository.views.exceptions(run.id, UnitState.IN_DOUBT)
    assert [(one.unit_key, one.step) for one in found] == [("1", "crm.customer")]
