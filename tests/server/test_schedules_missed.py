"""A start that does not come about is never silent: its schedule, the audit and an alert say why; the next one is not lost."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from ludb.model.access import Role
from ludb.model.run import RunState
from ludb.model.schedules import Kind
from ludb.server.inboxes import Inboxes
from ludb.server.keeper import Keeper
from ludb.server.timekeeper import Timekeeper
from ludb.server.watchman import Watchman
from ludb.service.alerts_channels import WEBHOOK
from ludb.service.scheduling import Arrived, planned
from ludb.testing.repository_world import planned as planned_run
from ludb.testing.repository_world import segments
from tests.server.test_schedules import asked, at, cron, tasks

BERLIN = ZoneInfo("Europe/Berlin")


def look(people):
    """One look at schedules and at what needs a person, who is told before it returns."""
    Timekeeper(people.world).look()
    Watchman(people.world, later=lambda do: do(), wait=lambda _: None).look()
    return [one.text for one in people.world.repository.alerts.page(standing=True)]


def told(client):
    return {one["name"]: one for one in client.get("/api/v1/schedules").json()}


def noted(people, action):
    return [dict(one.after) for one in people.world.repository.access.audit.page() if one.action == action]


@pytest.mark.parametrize(
    ("begin", "slots"),
    [
        ("2026-03-29T00:30+01:00", ["01:00+0100", "03:00+0200", "04:00+0200"]),
        ("2026-10-25T01:30+02:00", ["02:00+0200", "02:00+0100", "03:00+0100"]),
    ],
    ids=["leap", "twice"],
)
def test_an_hourly_start_comes_every_hour_of_a_night_that_is_shorter_or_longer(begin, slots):
    now, found = datetime.fromisoformat(begin).timestamp(), []
    for _ in slots:
        now = planned(cron("0 * * * *"), now).next_at
        found.append(datetime.fromtimestamp(now, BERLIN).strftime("%H:%M%z"))
    assert found == slots


def test_a_slot_of_an_hour_that_comes_twice_is_not_due_again_in_the_second():
    """Otherwise a schedule that is changed, or looked at late, in the second hour starts its job once more."""
    second = datetime.fromisoformat("2026-10-25T02:20+01:00").timestamp()
    assert planned(cron("30 2 * * *"), second).next_at == at("2026-10-26T02:30")


@pytest.mark.parametrize(
    ("spec", "moment"),
    [("2026-03-29T02:30", "2026-03-29T03:00+02:00"), ("2026-10-25T02:30", "2026-10-25T02:30+02:00")],
    ids=["leap", "twice"],
)
def test_one_moment_in_a_night_that_leaps_is_that_of_a_daily_start(spec, moment):
    once = replace(cron(spec), kind=Kind.ONCE)
    assert planned(once, 0.0).next_at == datetime.fromisoformat(moment).timestamp()
    assert planned(cron("30 2 * * *"), at(spec[:10] + "T00:00")).next_at == planned(once, 0.0).next_at


def test_a_server_that_was_away_leaves_out_what_is_too_late_says_so_and_starts_what_is_not(shop_server, clock):
    people, client = shop_server
    made = client.post("/api/v1/schedules", json=asked(spec="0 * * * *")).json()
    clock.now = at("2026-01-05T14:30")  # 13:00 and 14:00 have passed
    assert look(people) == ["schedule nightly: left out: nobody was there for 1.5 hours"]
    assert tasks(people) == []
    assert noted(people, "schedule.left_out") == [
        {"due": at("2026-01-05T13:00"), "reason": "nobody was there for 1.5 hours"}
    ]
    assert look(people) == [], "it is over when the next one starts"
    assert len(tasks(people)) == 1
    assert told(client)["nightly"]["last_at"] == at("2026-01-05T14:00")
    assert told(client)["nightly"]["next_at"] == at("2026-01-05T15:00")
    clock.now = at("2026-01-09T14:30")
    client.patch(f"/api/v1/schedules/{made['id']}", json={"enabled": False})
    assert look(people) == []


def test_a_job_that_no_server_has_is_told_at_once_and_left_out_after_an_hour(shop_server, shop, clock):
    people, client = shop_server
    client.post("/api/v1/schedules", json=asked())
    shop.job.rename(shop.folder.parent / "away")
    people.world.catalogue.forget()
    clock.now = at("2026-01-05T22:00") + 30
    assert look(people) == [], "another server may have it"
    clock.now += 60
    assert look(people) == [
        "schedule nightly: not started: it is due, and no server has the job shop: see the list of jobs"
    ]
    clock.now = at("2026-01-05T23:30")
    look(people)
    (told_,) = client.get("/api/v1/schedules").json()
    assert told_["note"] == "left out: no server had the job shop for 1.5 hours"
    assert told_["next_at"] == at("2026-01-06T22:00")


def ended(people):
    """Let the server carry out what waits, and hear what came of it."""
    keeper, repository = Keeper(people.world), people.world.repository
    until = time.monotonic() + 60
    while any(one.state in {"waiting", "running"} for one in repository.tasks.page()):
        assert time.monotonic() < until
        keeper.look()
        time.sleep(0.05)


def test_a_start_that_fails_is_an_alert_that_ends_with_the_next_start_or_its_schedule(shop_server, shop, clock, hook):
    people, client = shop_server
    people.world.site.environment[WEBHOOK] = hook.url
    made = client.post("/api/v1/schedules", json=asked(spec="0 * * * *")).json()
    (shop.job / "job.yaml").write_text("name: shop\nunit: {}\n")
    shop.job.rename(shop.folder / "shop")  # a job that does not load is known by its folder
    people.world.catalogue.forget()
    clock.now = at("2026-01-05T13:00")
    Timekeeper(people.world).look()
    ended(people)
    (alert,) = look(people)
    assert "schedule nightly: not started: " in alert
    assert "job.yaml:1:1: the field 'systems' is missing" in alert
    assert look(people) == [alert], "once, however long it lasts"
    assert [(document["rule"], document["job"]) for _, document, _ in hook.got] == [("not_started", "shop")]
    (shown,) = people.token(Role.VIEWER, hours=9999).get("/api/v1/alerts").json()["items"]
    assert (shown["rule"], shown["run"], shown["severity"]) == ("not_started", "", "critical")
    clock.now = at("2026-01-05T14:00")
    assert look(people) == [], "the next one is at work"
    Timekeeper(people.world).heard(told(client)["nightly"]["last_task"], "as before")
    assert look(people) == ["schedule nightly: not started: as before"]
    assert client.delete(f"/api/v1/schedules/{made['id']}").status_code == 204
    assert people.world.repository.alerts.page(standing=True) == []


def complete(people, clock, number, after):
    """A run of telco is complete so many seconds later."""
    run = f"run-{number}"
    clock.now += after
    people.world.repository.runs.change(run, RunState.COMPLETED)


def test_each_of_two_runs_that_overlap_starts_the_job_that_waits_for_them(shop_server, clock):
    people, client = shop_server
    client.post(
        "/api/v1/schedules", json=asked(kind="after", spec="telco", parameters={"of": "{run}", "region": "north"})
    )
    runs = people.world.repository.runs
    for number in (1, 2):
        runs.create(planned_run(f"run-{number}", instance=f"telco:{number}"), segments(4))
        runs.change(f"run-{number}", RunState.RUNNING)
    complete(people, clock, 2, 60)
    look(people)
    complete(people, clock, 1, 60)
    look(people)
    found = [one.arguments["parameters"]["of"] for one in people.world.repository.tasks.page()]
    assert sorted(found) == ["run-1", "run-2"], "whichever began first"
    runs.create(planned_run("run-3", instance="telco:3"), segments(4))
    runs.change("run-3", RunState.RUNNING)
    complete(people, clock, 3, 60)
    clock.now += 7200
    why = "left out: when run run-3 was complete, nobody was there for 2.0 hours"
    assert look(people) == [f"schedule nightly: {why}"]
    assert told(client)["nightly"]["note"] == why
    assert len(tasks(people)) == 2


def test_a_file_whose_name_is_no_text_is_said_and_keeps_nothing_else_from_starting(shop_server, clock, tmp_path):
    people, client = shop_server
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    clock.now = time.time() - 10
    client = people.token(Role.EDITOR)
    client.post("/api/v1/schedules", json=asked(kind="file", spec=f"{inbox}/*", parameters={"from": "{file}"}))
    with open(os.fsencode(inbox) + b"/\xff.csv", "w"):  # noqa: PTH123  (a path of bytes)
        pass
    (inbox / "a.csv").touch()
    clock.now += 60
    Timekeeper(people.world).look()
    assert [one.arguments["parameters"] for one in people.world.repository.tasks.page()] == [{"from": f"{inbox}/a.csv"}]
    assert "no UTF-8" in str(noted(people, "schedule.left_out"))
    assert client.get("/api/v1/tasks").status_code == 200


def test_a_schedule_that_can_not_be_looked_at_keeps_no_other_one_waiting(shop_server, clock, monkeypatch, capfd):
    people, client = shop_server
    client.post("/api/v1/schedules", json=asked(name="a", spec="0 22 * * *"))
    client.post("/api/v1/schedules", json=asked(name="b", spec="0 22 * * *"))
    whole = Timekeeper._due

    def due(keeper, schedule, *more):
        if schedule.name == "a":
            raise ValueError("nobody foresaw it")
        whole(keeper, schedule, *more)

    monkeypatch.setattr(Timekeeper, "_due", due)
    clock.now = at("2026-01-05T22:00")
    for _ in range(2):
        look(people)
    assert len(tasks(people)) == 1
    assert told(client)["a"]["note"] == "not started: ValueError; see the server's log"
    assert capfd.readouterr().err.count("server.bug") == 1


def test_what_an_editor_has_just_switched_off_is_not_started_nor_switched_on_again(shop_server, clock):
    """A server that had read it before would keep what it read."""
    people, client = shop_server
    made = client.post("/api/v1/schedules", json=asked()).json()
    read = people.world.repository.schedules.get(made["id"])
    client.patch(f"/api/v1/schedules/{made['id']}", json={"enabled": False})
    clock.now = at("2026-01-05T22:00")
    Timekeeper(people.world)._look_at(read, clock.now)
    assert (tasks(people), told(client)["nightly"]["enabled"]) == ([], False)


def test_a_folder_that_hangs_keeps_no_other_schedule_waiting_and_is_said(shop_server, clock, monkeypatch):
    """A network drive that is gone would stop schedules, adoption and alerts of the whole server, in silence."""
    people, client = shop_server
    answers, looked = threading.Event(), []

    def arrived(*_):
        looked.append(1)
        assert answers.wait(60)
        return [Arrived("/gone/a.csv", clock.now, "slot")]

    monkeypatch.setattr("ludb.server.inboxes.arrived", arrived)
    people.world = replace(people.world, inboxes=Inboxes(patience=0.05))
    client.post("/api/v1/schedules", json=asked(name="files", kind="file", spec="/gone/*.csv"))
    client.post("/api/v1/schedules", json=asked(name="nightly"))
    clock.now = at("2026-01-05T22:00")
    for _ in range(3):
        assert look(people) == ["schedule files: not started: the folder of its files does not answer"]
    assert (len(tasks(people)), len(looked)) == (1, 1), "the other one, and no second look is begun"
    answers.set()
    until = time.monotonic() + 60
    while look(people):
        assert time.monotonic() < until
    assert len(tasks(people)) == 2
    assert told(client)["files"]["note"] == ""


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"kind": "once", "spec": "2026-01-05T11:59"}, "2026-01-05T11:59 in Europe/Berlin is over"),
        ({"kind": "after", "spec": "shop"}, "a job that is started after itself would never end"),
    ],
    ids=["over", "itself"],
)
def test_a_schedule_that_nobody_means_is_refused(shop_server, more, said):
    answer = shop_server[1].post("/api/v1/schedules", json=asked(**more))
    assert (answer.status_code, answer.json()["detail"]) == (422, said)
    assert answer.json()["remedy"]


def test_what_came_while_a_schedule_was_off_or_waited_elsewhere_starts_nothing(shop_server, clock, tmp_path):
    people, _ = shop_server
    clock.now = time.time() - 10
    client = people.token(Role.EDITOR)
    made = client.post("/api/v1/schedules", json=asked(kind="file", spec=f"{tmp_path}/a/*.csv")).json()
    path = f"/api/v1/schedules/{made['id']}"
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "one.csv").touch()
    clock.now += 60
    client.patch(path, json={"spec": f"{tmp_path}/b/*.csv"})
    look(people)
    client.patch(path, json={"enabled": False})
    client.patch(path, json={"enabled": True, "spec": f"{tmp_path}/a/*.csv"})
    look(people)
    assert tasks(people) == []
