"""Attacks 2 to 4, kills and lost answers on APIs of other kinds: SOAP, many documents in one request, work done later."""

from __future__ import annotations

import pytest
from kill_apis import check_names, kinds, names_at
from kill_world import check_whole, states_of_calls

from ludb.model.run import CallState, UnitState

pytestmark = [pytest.mark.long, kinds()]


@pytest.mark.parametrize("sent", [1, 3])
def test_a_sender_killed_after_its_request_left_makes_nobody_twice(other, sent):
    other.die(f"call.answered:crm.customer#{sent}")
    check_whole(other, other.finish())
    check_names(other)


@pytest.mark.parametrize("event", ["call.intended", "call.sent", "call.settled"])
def test_a_sender_killed_at_another_boundary_makes_nobody_twice(other, event):
    other.die(f"{event}:crm.customer")
    check_whole(other, other.finish())
    check_names(other)


def test_an_answer_that_is_lost_makes_nobody_twice(other):
    other.crm.lose_an_answer()
    check_whole(other, other.finish())
    check_names(other)


def test_attack_02_the_payload_changes_between_two_attempts(other):
    other.die("call.settled:inventory.service")
    assert "Customer 2" in names_at(other)
    other.sql("legacy", "update customers set name = 'Renamed' where id = 2")
    check_whole(other, other.finish())
    assert "Customer 2" not in names_at(other)
    check_names(other, "Renamed")


def test_attack_03_a_call_that_was_undone_is_made_anew_under_another_key(other):
    summary = other.finish()
    assert other.site.repository.views.unit(summary.run.id, 4)[0] is UnitState.QUARANTINED
    (other.job / "rules/20_account/no_owner.sql").write_text(
        "select unit_key, 'never' as reason from legacy.customers where false"
    )
    other.retry(summary.run, 4)
    summary = other.finish()
    check_whole(other, summary, {"9": "CHECK constraint", "16": "refused the call"})
    assert states_of_calls(other, summary.run)["crm.customer", "5"] == [CallState.UNDONE, CallState.DONE]
    check_names(other, "Owner")


def test_attack_04_killed_after_the_rejection_before_the_undo(other):
    run = other.die("phase.begin:undo")
    assert other.site.repository.views.unit(run.id, 4)[0] is UnitState.PENDING
    assert "Owner" in names_at(other)
    check_whole(other, other.finish())
    assert "Owner" not in names_at(other)
    check_names(other)
