"""What needs a person is said once, with what it is, and is over when it is over."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ludb.errors import ConfigError
from ludb.model.access import Role
from ludb.model.run import CallState, RunState, UnitState
from ludb.model.tasks import Sample
from ludb.server.watchman import Watchman
from ludb.service.alerts import conditions
from ludb.service.alerts_channels import WEBHOOK, check_webhook
from ludb.testing.repository_calls import make_call
from ludb.testing.repository_world import RUN, claimed, fault, moved, owner, started


def rules(world):
    return [one.rule for one in conditions(world.repository, world.repository.runs.get(RUN), world.now())]


def sampled(world, clock, settled, **data):
    """Samples every 5 seconds: `settled` units each time."""
    total = 0
    for step in settled:
        clock.now += 5
        total += step
        world.repository.samples.add(RUN, Sample(clock.now, 5.0, total, data), most=10_000)


@pytest.fixture
def going(world):
    started(world.repository, units=40, size=40)
    return world


def test_a_run_that_goes_well_needs_nobody(going, clock):
    sampled(going, clock, [10] * 200, host_cpu=0.5, host_memory=0.5, host_disk=0.5)
    assert rules(going) == []


def test_a_stalled_run_is_told(going, clock):
    sampled(going, clock, [10] * 50 + [0] * 115)
    assert rules(going) == []
    sampled(going, clock, [0] * 10)
    assert rules(going) == ["stalled"]


def test_a_run_at_less_than_half_its_usual_pace_for_five_minutes_is_told(going, clock):
    sampled(going, clock, [10] * 200 + [4] * 40)
    assert rules(going) == []
    sampled(going, clock, [4] * 22)
    assert rules(going) == ["slow"]


def test_a_pause_is_no_slow_pace(going, clock):
    sampled(going, clock, [10] * 200)
    clock.now += 5000
    sampled(going, clock, [10] * 70)
    assert rules(going) == []


@pytest.mark.parametrize(
    ("data", "rule"),
    [({"host_memory": 0.95}, "memory"), ({"host_disk": 0.95}, "disk"), ({"host_cpu": 1.0}, "cpu")],
    ids=["memory", "disk", "cpu"],
)
def test_a_host_at_its_end_is_told(going, clock, data, rule):
    sampled(going, clock, [10] * 70, **data)
    assert rules(going) == [rule]


def test_too_many_units_in_quarantine_and_any_in_doubt_are_told(going):
    moved(going.repository, claimed(going.repository, 20), [fault(0, UnitState.IN_DOUBT), *map(fault, range(1, 12))])
    assert rules(going) == ["in_doubt", "quarantine_rate"]


def test_a_failed_run_and_one_that_paused_by_itself_are_told(going):
    going.repository.runs.change(RUN, RunState.PAUSED, "the disk is full", {"pause": {"by": "room"}})
    assert rules(going) == ["run_paused"]
    going.repository.runs.adjust(RUN, {"pause": {"by": "person"}})
    assert rules(going) == []
    going.repository.runs.change(RUN, RunState.FAILED, "why")
    assert rules(going) == ["run_failed"]


def test_a_run_without_workers_is_told(going):
    going.repository.owners.enrol(owner("w1"))
    assert rules(going) == []
    going.repository.owners.leave("w1", "dead")
    assert rules(going) == ["no_worker"]


def test_a_run_whose_host_is_lost_is_told_though_nobody_notes_how_it_goes_any_more(going, clock):
    """Its samples end with its supervisor: without this a night could pass in silence."""
    sampled(going, clock, [10] * 200)
    for one in (owner("w1"), replace(owner("s1"), role="supervisor")):
        going.repository.owners.enrol(one)
    clock.now += 599
    assert rules(going) == []
    clock.now += 2
    (found,) = conditions(going.repository, going.repository.runs.get(RUN), clock.now)
    assert (found.rule, "sign of life for 10 minutes" in found.text) == ("stalled", True)
    going.repository.owners.beat(replace(owner("s1"), role="supervisor"))
    assert rules(going) == []


def test_workers_that_died_lately_are_told_and_those_of_long_ago_are_not(going, clock):
    for name in ("w1", "w2"):
        going.repository.owners.enrol(owner(name))
    going.repository.owners.leave("w1", "dead")
    assert rules(going) == ["workers_lost"]
    clock.now += 1801
    going.repository.owners.beat(owner("w2"))
    assert rules(going) == []


def test_a_system_that_fails_more_of_its_calls_than_it_may_is_told(going, clock):
    chunk = claimed(going.repository, 40)
    calls = [make_call(at) for at in chunk.positions]
    going.repository.calls.intend(chunk, calls)
    going.repository.calls.mark(chunk, calls, CallState.SENT)
    going.repository.calls.mark(chunk, calls[:9], CallState.REJECTED, "400")
    assert rules(going) == [], "a handful says nothing"
    going.repository.calls.mark(chunk, calls[9:11], CallState.REJECTED, "400")
    (found,) = conditions(going.repository, going.repository.runs.get(RUN), clock.now)
    assert (found.rule, found.text) == ("api_errors", "crm: 28% of the last 40 calls failed: see the calls")
    clock.now += 301
    assert rules(going) == [], "it was well since"


def test_chunks_that_wait_again_and_again_are_told_with_what_for(going, clock):
    for _ in range(2):
        chunks = [claimed(going.repository, 5, "a") for _ in range(3)]
        for chunk in chunks:
            going.repository.chunks.release(chunk, "crm answers 503", 0.0)
    assert rules(going) == ["away"]


def test_an_alert_is_told_once_taken_care_of_and_over_when_it_is(people, going, hook):
    going = people.world = replace(going, site=replace(going.site, environment={WEBHOOK: f"{hook.url}/secret"}))
    people.app.state.world = going
    watchman = Watchman(going, later=lambda do: do())
    going.repository.runs.change(RUN, RunState.FAILED, "a stop rule spoke")
    watchman.look()
    watchman.look()
    ((path, document, _),) = hook.got
    assert (path, document["rule"], document["run"]) == ("/secret", "run_failed", RUN)
    client = people.token(Role.OPERATOR)
    answer = client.get("/api/v1/alerts", params={"standing": True})
    assert answer.status_code == 200, answer.text
    (told,) = answer.json()["items"]
    assert (told["rule"], told["severity"], "a stop rule spoke" in told["text"]) == ("run_failed", "critical", True)
    taken = client.post(f"/api/v1/alerts/{told['number']}/acknowledge").json()
    assert taken["acknowledged_by"] == "the-operator"
    assert client.post("/api/v1/alerts/999/acknowledge").status_code == 404
    going.repository.runs.change(RUN, RunState.RUNNING)
    watchman.look()
    assert client.get("/api/v1/alerts", params={"standing": True}).json()["items"] == []
    assert [event.name for _, _, event in going.repository.events.since(RUN)] == ["alert.raised"]
    assert "secret" not in client.get("/api/v1/alerts").text


def test_a_run_whose_figures_cannot_be_read_leaves_no_other_unwatched(going, monkeypatch, capsys):
    started(going.repository, run_id="odd")  # newer, so looked at first
    going.repository.runs.change(RUN, RunState.FAILED, "a stop rule spoke")

    def odd(repository, run, *more):
        if run.id == "odd":
            raise ValueError(f"Ann is {run.id}")
        return conditions(repository, run, *more)

    monkeypatch.setattr("ludb.server.watchman.conditions", odd)
    Watchman(going, later=lambda do: do()).look()
    assert [alert.rule for alert in going.repository.alerts.standing(RUN)] == ["run_failed"]
    (line,) = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (line["event"], line["run"], line["error"], "Ann is odd" in str(line)) == (
        "server.bug",
        "odd",
        "ValueError",
        False,
    )


def test_an_alert_of_a_run_that_is_over_is_over(going):
    watchman = Watchman(going)
    going.repository.owners.enrol(owner("w1"))
    going.repository.owners.leave("w1", "dead")
    watchman.look()
    assert len(going.repository.alerts.standing(RUN)) == 1
    moved(going.repository, claimed(going.repository, 40))
    going.repository.runs.settle(RUN)
    watchman.look()
    assert going.repository.alerts.standing(RUN) == []


def test_a_webhook_that_is_no_address_is_refused_without_repeating_it():
    check_webhook(None)
    with pytest.raises(ConfigError) as refused:
        check_webhook("file:///etc/secret")
    assert "secret" not in str(refused.value)


def test_who_takes_care_leaves_a_note_that_nobody_else_writes_over(people, going):
    people.app.state.world = going
    going.repository.runs.change(RUN, RunState.FAILED, "a stop rule spoke")
    Watchman(going, later=lambda do: do()).look()
    first, second = people.token(Role.OPERATOR), people.token(Role.EDITOR)
    (told,) = first.get("/api/v1/alerts").json()["items"]
    assert told["note"] == ""
    path = f"/api/v1/alerts/{told['number']}/acknowledge"
    assert (
        first.post(path, json={"note": " the rule is mended, then resumed "}).json()["note"]
        == "the rule is mended, then resumed"
    )
    assert second.post(path, json={"note": "mine"}).status_code == 409
    assert second.post(path).json()["acknowledged_by"] == "the-operator"
    (told,) = second.get("/api/v1/alerts").json()["items"]
    assert told["note"] == "the rule is mended, then resumed"
    noted = [
        one
        for one in people.token(Role.ADMIN).get("/api/v1/audit").json()["items"]
        if one["action"] == "alert.acknowledge"
    ]
    assert noted[-1]["after"] == {"note": "the rule is mended, then resumed"}
