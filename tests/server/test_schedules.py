"""Jobs start by themselves when they are due: once, in the right time zone, and only for who may."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from ludb.errors import ConfigError
from ludb.model.access import Role, User
from ludb.model.schedules import Kind, Schedule
from ludb.server.config import ServerConfig
from ludb.server.keeper import Keeper
from ludb.server.timekeeper import Timekeeper
from ludb.server.world import World
from ludb.service.scheduling import arrived, planned
from ludb.service.site import open_site
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
def server(shop_server):
    """A server of the shop's job, at noon of the fifth of January 2026, and an editor."""
    return shop_server


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


def test_a_slot_whose_server_ended_while_it_fired_does_not_stop_the_schedule(server, clock):
    people, client = server
    made = client.post("/api/v1/schedules", json=asked()).json()
    clock.now = at("2026-01-05T22:00")
    people.world.repository.schedules.claim(made["id"], str(int(clock.now)))  # and then it was killed
    Timekeeper(people.world).look()
    assert client.get("/api/v1/schedules").json()[0]["next_at"] == clock.now, "it may still be at it"
    clock.now += 61
    Timekeeper(people.world).look()
    (told,) = client.get("/api/v1/schedules").json()
    assert (tasks(people), told["next_at"], "ended" in told["note"]) == ([], at("2026-01-06T22:00"), True)


def test_each_start_gets_the_date_of_its_slot_in_the_zone_of_its_schedule(server, clock):
    people, client = server
    client.post("/api/v1/schedules", json=asked(spec="30 0 * * *", parameters={"night": "{date}", "region": "north"}))
    clock.now = at("2026-01-06T00:30")
    Timekeeper(people.world).look()
    (task,) = people.world.repository.tasks.page()
    assert task.arguments["parameters"] == {"night": "2026-01-06", "region": "north"}


def test_a_file_that_has_arrived_whole_starts_the_job_once(server, clock, tmp_path):
    people, client = server
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "old.csv").write_text("was there before")
    clock.now = (inbox / "old.csv").stat().st_ctime + 0.001
    people.token(Role.EDITOR)
    made = client.post(
        "/api/v1/schedules", json=asked(kind="file", spec=f"{inbox}/*.csv", parameters={"from": "{file}"})
    )
    assert made.status_code == 201, made.text
    keeper = Timekeeper(people.world)
    for name in ("new.csv", "new.txt"):
        os.utime(inbox / "old.csv")  # so that what comes is later on a coarse disk too
        (inbox / name).write_text("row")
    (inbox / "old.csv").unlink()
    (inbox / "folder.csv").mkdir()
    came = (inbox / "new.csv").stat().st_ctime
    clock.now = came + 9
    keeper.look()
    assert tasks(people) == [], "it may still be written"
    clock.now = came + 11
    for _ in range(2):
        keeper.look()
        Timekeeper(people.world).look()
    (task,) = people.world.repository.tasks.page()
    assert task.arguments["parameters"] == {"from": f"{inbox}/new.csv"}
    (inbox / "part").write_text("another of its name")
    (inbox / "part").rename(inbox / "new.csv")
    clock.now = (inbox / "new.csv").stat().st_ctime + 11
    keeper.look()
    assert len(tasks(people)) == 2
    (inbox / "new.csv").unlink()
    inbox.joinpath("new.txt").unlink()
    keeper.look()
    assert len(tasks(people)) == 2


def test_files_that_were_there_before_the_schedule_start_nothing(clock, tmp_path):
    (tmp_path / "a.csv").write_text("row")
    came = (tmp_path / "a.csv").stat().st_ctime
    assert arrived(f"{tmp_path}/*.csv", came + 0.001, came + 60) == []
    assert [one.path for one in arrived(f"{tmp_path}/*.csv", came, came + 60)] == [f"{tmp_path}/a.csv"]
    assert arrived("/nowhere/at/all/*.csv", 0.0, came) == []


@pytest.mark.parametrize("spec", ["inbox/*.csv", "/data/**/x.csv", "/data/*/x.csv", "/data/../etc/x", ""])
def test_a_file_is_waited_for_in_one_folder_by_its_whole_path(server, spec):
    assert server[1].post("/api/v1/schedules", json=asked(kind="file", spec=spec)).status_code == 422


def test_somebody_with_the_secret_starts_the_job_from_outside_once_for_each_key(server, clock):
    people, client = server
    made = client.post("/api/v1/schedules", json={**asked(kind="webhook"), "spec": None}).json()
    secret, outside = made["secret"], people.client()
    path = f"/api/v1/schedules/{made['id']}/fire"
    assert outside.post(path).status_code == 401
    assert outside.post(path, headers={"X-Ludb-Token": secret + "x"}).status_code == 401
    assert outside.post("/api/v1/schedules/nonesuch/fire", headers={"X-Ludb-Token": secret}).status_code == 401
    assert tasks(people) == []
    headers = {"X-Ludb-Token": secret, "Idempotency-Key": "delivery 1"}
    fired = outside.post(path, headers=headers, json={"parameters": {"region": "north"}})
    assert fired.status_code == 202, fired.text
    again = outside.post(path, headers=headers)
    assert again.json() == fired.json()
    (task,) = people.world.repository.tasks.page()
    assert (task.id, task.arguments["parameters"]) == (fired.json()["task"], {"region": "north"})
    told = client.get("/api/v1/schedules").json()[0]
    assert (told["spec"], told["secret"]) == ("", None)
    newer = client.post(f"/api/v1/schedules/{made['id']}/secret").json()["secret"]
    assert outside.post(path, headers={"X-Ludb-Token": secret}).status_code == 401
    client.patch(f"/api/v1/schedules/{made['id']}", json={"enabled": False})
    assert outside.post(path, headers={"X-Ludb-Token": newer}).status_code == 409
    for _ in range(60):
        outside.post(path)
    assert outside.post(path).status_code == 429, "nobody guesses for ever"


def test_two_servers_on_one_repository_start_each_slot_once(shop, clock, monkeypatch, tmp_path):
    clock.now = at("2026-03-29T00:00")
    monkeypatch.setattr(Keeper, "_begin", lambda *_: None)
    keepers = []
    for number in range(2):
        site = replace(
            open_site(state=tmp_path / str(number), repository=f"sqlite:///{tmp_path}/repository.sqlite"),
            environment=shop.environment, host=f"host-{number}",
        )  # fmt: skip
        keepers.append(Keeper(World(site, ServerConfig(jobs=(shop.folder,)), now=clock)))
    repository = keepers[0].world.repository
    repository.access.users.add(User("ann", Role.EDITOR, "-"))
    for number in range(1, 9):
        repository.schedules.add(planned(replace(cron(f"{number} * * * *"), id=f"s{number}"), clock.now))
    for hours in range(4):  # the night leaps over two o'clock
        clock.now = at("2026-03-29T00:00") + 3600 * hours + 600
        together = threading.Barrier(2)

        def look(keeper, together=together):
            together.wait()
            Timekeeper(keeper.world).look()
            keeper.look()

        threads = [threading.Thread(target=look, args=(keeper,)) for keeper in keepers]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert len(repository.tasks.page(limit=500)) == 8 * (hours + 1)
    keepers[0].world.repository.close()
    keepers[1].world.repository.close()
