"""Jobs start by themselves when they are due: once, in the right time zone, and only for who may."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from ludb.errors import ConfigError
from ludb.model.access import Role
from ludb.model.schedules import Kind, Schedule
from ludb.server.config import ServerConfig
from ludb.server.timekeeper import Timekeeper
from ludb.server.world import World
from ludb.service.scheduling import planned
from ludb.testing.repository_world import RUN, claimed, moved, started


def at(text, zone="Europe/Berlin"):
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def cron(spec, zone="Europe/Berlin", **more):
    return Schedule("s", "s", "shop", Kind.CRON, spec, zone, "ann", **more)


def slots(schedule, begin, count):
    found = []
    for _ in range(count):
        begin = planned(schedule, begin).next_at
        found.append(datetime.fromtimestamp(begin, ZoneInfo(schedule.zone)).strftime("%m-%d %H:%M"))
    return found


def test_a_night_that_leaps_has_one_start_like_any_other():
    daily = cron("30 2 * * *")
    assert slots(daily, at("2026-03-28T12:00"), 2) == ["03-29 03:00", "03-30 02:30"], "02:30 does not exist that night"
    assert slots(daily, at("2026-10-24T12:00"), 2) == ["10-25 02:30", "10-26 02:30"], "02:30 is there twice"


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        (cron("at night"), "no cron expression"),
        (cron("0 0 31 2 *"), "never due|no cron expression"),
        (cron("0 22 * * *", "Mars/Olympus"), "no time zone"),
        (replace(cron("tomorrow"), kind=Kind.ONCE), "no moment"),
        (replace(cron("2026-01-01T00:00", "../etc"), kind=Kind.ONCE), "no time zone|no moment"),
    ],
    ids=["expression", "never", "zone", "moment", "path"],
)
def test_what_can_never_be_due_is_refused(schedule, said):
    with pytest.raises(ConfigError, match=said):
        planned(schedule, 0.0)


@pytest.fixture
def server(shop, people, clock):
    """A server of the shop's job in 2026, and an editor."""
    clock.now = at("2026-01-05T12:00")
    site = replace(people.world.site, environment=shop.environment, state=shop.folder / "state")
    people.world = people.app.state.world = World(
        site, ServerConfig(jobs=(shop.folder,)), now=clock, passwords=people.world.passwords
    )
    return people, people.token(Role.EDITOR, hours=9999)


def asked(**more):
    return {"name": "nightly", "job": "shop", "kind": "cron", "spec": "0 22 * * *", "zone": "Europe/Berlin"} | more


def tasks(people):
    return [(one.name, one.job, one.actor) for one in people.world.repository.tasks.page()]


def test_a_job_is_started_when_it_is_due_and_once_however_many_look(server, clock):
    people, client = server
    made = client.post("/api/v1/schedules", json=asked(parameters={"region": "north"}, workers=3)).json()
    assert made["next_at"] == at("2026-01-05T22:00")
    one, other = Timekeeper(people.world), Timekeeper(people.world)
    one.look()
    assert tasks(people) == []
    clock.now = at("2026-01-05T22:00")
    stale = people.world.repository.schedules.get(made["id"])
    one.look()
    other._due(stale, stale.next_at, clock.now)
    assert tasks(people) == [("start", "shop", "the-editor")]
    task = people.world.repository.tasks.page()[0]
    assert task.arguments == {"parameters": {"region": "north"}, "workers": 3}
    told = client.get("/api/v1/schedules").json()[0]
    assert (told["next_at"], told["last_task"]) == (at("2026-01-06T22:00"), task.id)


def test_what_nobody_was_there_for_is_left_out_and_said(server, clock):
    people, client = server
    client.post("/api/v1/schedules", json=asked())
    clock.now = at("2026-01-06T08:00")
    Timekeeper(people.world).look()
    (told,) = client.get("/api/v1/schedules").json()
    assert (tasks(people), told["next_at"]) == ([], at("2026-01-06T22:00"))
    assert "nobody was there" in told["note"]


def test_a_moment_fires_once_and_a_job_after_another_when_that_is_complete(server, clock):
    people, client = server
    client.post("/api/v1/schedules", json=asked(kind="once", spec="2026-01-05T13:00"))
    client.post("/api/v1/schedules", json=asked(kind="after", spec="telco"))
    repository, keeper = people.world.repository, Timekeeper(people.world)
    clock.now = at("2026-01-05T13:00")
    for _ in range(2):
        keeper.look()
    assert len(tasks(people)) == 1
    started(repository)
    moved(repository, claimed(repository, 10))
    moved(repository, claimed(repository, 10))
    keeper.look()
    assert len(tasks(people)) == 1
    clock.now += 60
    repository.runs.settle(RUN)
    for _ in range(2):
        keeper.look()
    assert len(tasks(people)) == 2


def test_whoever_lost_the_right_starts_nothing_any_more(server, clock):
    people, client = server
    client.post("/api/v1/schedules", json=asked())
    people.user(Role.ADMIN)
    users = people.world.repository.access.users
    users.change(replace(people.user(Role.EDITOR), role=Role.VIEWER))
    clock.now = at("2026-01-05T22:00")
    Timekeeper(people.world).look()
    (told,) = people.token(Role.VIEWER).get("/api/v1/schedules").json()
    assert (tasks(people), told["enabled"], "may not start" in told["note"]) == ([], False, True)


def test_a_schedule_is_changed_switched_off_and_removed(server, clock):
    people, client = server
    made = client.post("/api/v1/schedules", json=asked()).json()
    path = f"/api/v1/schedules/{made['id']}"
    assert client.patch(path, json={"spec": "0 23 * * *"}).json()["next_at"] == at("2026-01-05T23:00")
    assert client.patch(path, json={"enabled": False}).json()["enabled"] is False
    clock.now = at("2026-01-05T23:00")
    Timekeeper(people.world).look()
    assert tasks(people) == []
    assert client.patch(path, json={"spec": "x"}).status_code == 422
    assert client.post("/api/v1/schedules", json=asked(job="nonesuch")).status_code == 404
    assert client.delete(path).status_code == 204
    assert client.delete(path).status_code == 404
    actions = [one.action for one in people.world.repository.access.audit.page()]
    assert actions == ["schedule.remove", "schedule.change", "schedule.change", "schedule.add"]
