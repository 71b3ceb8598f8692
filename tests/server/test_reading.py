"""What the API tells of jobs and runs is what the repository knows; row values only with the right."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest

from ludb.errors import TransientError
from ludb.model.access import Role
from ludb.model.events import Event
from ludb.model.run import Segment
from ludb.server.config import ServerConfig
from ludb.server.world import World
from ludb.testing.repository_world import planned, segments

BAD = {
    "rules/all_named.sql": "select unit_key, 'nobody has this name' as reason from legacy.customers where name = 'Bo'"
}


@pytest.fixture
def moved(shop, people):
    """The shop's job was run: two customers moved, Bo was set aside. Gives (server, run)."""
    shop.write(BAD)
    run = shop.run().run
    site = replace(shop.site, environment=shop.environment)
    people.world = World(site, ServerConfig(jobs=(shop.folder,)), people.world.now, passwords=people.world.passwords)
    people.app.state.world = people.world
    return people, run


def get(client, path, **params):
    answer = client.get(f"/api/v1{path}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_run_is_told_with_counters_that_add_up(moved):
    people, run = moved
    client = people.token(Role.VIEWER)
    told = get(client, f"/runs/{run.id}")
    assert told["counters"] == {
        "total": 3, "done": 2, "quarantined": 1, "in_doubt": 0, "gone": 0, "rolled_back": 0, "pending": 0, "committing": 0,
    }  # fmt: skip
    assert (told["state"], told["percent"], told["held"]) == ("completed_with_exceptions", 100.0, False)
    assert told["live"] == {"workers": 2, "chunk": 2, "calls": {}}
    listed = get(client, "/runs", state="completed_with_exceptions")["items"]
    assert [one | {"held": False, "seconds": 0} for one in listed] == [told | {"seconds": 0}]
    assert get(client, "/runs", job="other") == {"items": [], "next": None}
    progress = get(client, f"/runs/{run.id}/progress")
    assert (progress["counters"], progress["eta"], progress["workers"]) == (told["counters"], None, 0)


def test_the_recount_agrees_and_says_so_when_it_does_not(moved):
    people, run = moved
    client = people.token(Role.VIEWER)
    told = get(client, f"/runs/{run.id}/audit")
    assert (told["agrees"], told["wrong"]) == (True, [])
    with people.world.repository._database.write() as connection:
        connection.exec_driver_sql("update unit_exception set reason = reason || ' once more'")
    told = get(client, f"/runs/{run.id}/audit")
    assert told["agrees"] is False, "a sum of all reasons hides that one is wrong"
    wrong = {one["reason"]: (one["state"], one["counted"], one["kept"]) for one in told["wrong"]}
    assert len(wrong) == 2
    assert all(
        counts == ("quarantined", *((1, 0) if why.endswith("once more") else (0, 1))) for why, counts in wrong.items()
    )
    with people.world.repository._database.write() as connection:
        connection.exec_driver_sql("delete from unit_exception")
    assert get(client, f"/runs/{run.id}/audit")["agrees"] is False


def test_rows_balance(moved):
    people, run = moved
    rows = get(people.token(Role.VIEWER), f"/runs/{run.id}/rows")
    assert rows["source"] == [
        {"table": "customers", "planned": 3, "by_state": {"done": 2, "quarantined": 1}, "balances": True},
        {"table": "orders", "planned": 3, "by_state": {"done": 3}, "balances": True},
    ]
    assert rows["output"][0]["by_state"] == {"done": 2, "quarantined": 1}


def test_what_was_set_aside_is_found_by_reason_and_one_by_one(moved):
    people, run = moved
    client = people.token(Role.VIEWER)
    reason = "nobody has this name"
    assert [(one["run"], one["reason"], one["units"]) for one in get(client, "/quarantine")] == [(run.id, reason, 1)]
    assert get(client, f"/runs/{run.id}/quarantine/reasons")[0]["keys"] == ["2"]
    assert [one["key"] for one in get(client, f"/runs/{run.id}/quarantine", reason=reason)["items"]] == ["2"]
    assert get(client, f"/runs/{run.id}/quarantine", key="7")["items"] == []
    (aside,) = get(client, f"/runs/{run.id}/quarantine", error="NOBODY has", since=0)["items"]
    for wrong in ({"error": "somebody"}, {"error": "%"}, {"since": aside["at"] + 1}):
        assert get(client, f"/runs/{run.id}/quarantine", **wrong)["items"] == [], wrong
    assert len(client.get(f"/api/v1/runs/{run.id}/quarantine.csv", params={"error": "somebody"}).text.splitlines()) == 1
    lines = client.get(f"/api/v1/runs/{run.id}/quarantine.csv").text.splitlines()
    assert (len(lines), lines[1].split(",")[:2]) == (2, ["2", "quarantined"])


def test_row_values_are_shown_to_nobody_without_the_right(moved):
    people, run = moved
    plain, trusted = people.token(Role.ADMIN), people.token(Role.OPERATOR, personal=True)
    for path in (f"/runs/{run.id}/units/2", f"/runs/{run.id}/units/2/rows", f"/runs/{run.id}/quarantine"):
        assert "Bo" not in str(get(plain, path)), path
    masked, open_ = (get(client, f"/runs/{run.id}/units/2")["exception"] for client in (plain, trusted))
    assert (masked["masked"], masked["source_rows"], masked["trace"]) == (True, None, None)
    assert open_["source_rows"]["customers"] == [{"id": 2, "name": "Bo"}]
    assert get(plain, f"/runs/{run.id}/units/1/rows")["outputs"]["billing.account"] == [{"id": None, "name": None}]
    assert get(trusted, f"/runs/{run.id}/units/1/rows")["outputs"]["billing.account"] == [{"id": 100, "name": "Ann"}]
    told = people.world.repository.access.audit.page()
    assert {(one.actor, one.action) for one in told} == {("the-operator", "unit.read"), ("the-operator", "unit.rows")}


def test_the_times_of_all_chunks_add_up_to_those_of_their_run(moved):
    """A chunk is told its own times: not those of the chunks that its worker moved before."""
    people, run = moved
    repository = people.world.repository
    own = [repository.chunks.decision(chunk.txn).seconds for chunk, _, _ in repository.views.chunks(run.id)]
    assert len(own) == 2
    for kind, names in get(people.token(Role.VIEWER), f"/runs/{run.id}/figures").items():
        if kind in ("steps", "rules"):
            for one in names:
                told = sum(seconds[kind.removesuffix("s")].get(one["name"], 0.0) for seconds in own)
                assert told == pytest.approx(one["seconds"], abs=1e-5), one["name"]
    assert own[1]["step"]["steps/10_customer/billing.account.sql"] > 0


def test_a_unit_is_told_with_its_life(moved):
    people, run = moved
    client = people.token(Role.VIEWER)
    unit = get(client, f"/runs/{run.id}/units/1")
    assert (unit["state"], [one["what"] for one in unit["history"]], unit["exception"]) == (
        "done",
        ["claimed", "decided", "done"],
        None,
    )
    decided = unit["history"][1]["data"]
    seconds = decided.pop("seconds")
    assert {"extract", "steps", "rules", "prepare", "journal"} <= set(seconds["phase"])
    assert "steps/10_customer/billing.account.sql" in seconds["step"]
    assert all(0 <= taken < seconds["phase"]["steps"] + 1 for taken in seconds["step"].values())
    assert decided == {
        "targets": ["billing"],
        "rows": {"source": {"customers": 1, "orders": 2}, "output": {"billing.account": 1, "billing.charge": 2}},
    }
    aside = get(client, f"/runs/{run.id}/units/2")["history"]
    assert [one["what"] for one in aside] == ["claimed", "quarantined"]
    assert aside[0]["data"]["chunk"] == aside[1]["data"]["chunk"]
    assert [one["run"] for one in get(client, "/units/shop/2")["items"]] == [run.id]
    missing = client.get(f"/api/v1/runs/{run.id}/units/9")
    assert (missing.status_code, missing.json()["type"]) == (404, "urn:ludb:problem:not-found")


def test_a_customer_who_was_moved_sixty_runs_ago_is_found(people):
    """Otherwise an operator would read that nobody ever moved a customer who was moved in the first night."""
    runs = people.world.repository.runs
    runs.create(planned("first", job="shop"), segments(10))
    for number in range(60):
        runs.create(planned(f"later-{number}", job="shop"), (Segment(0, pa.table({"id": [500 + number % 2]})),))
    client = people.token(Role.VIEWER)
    assert [(one["run"], one["position"]) for one in get(client, "/units/shop/104")["items"]] == [("first", 4)]
    newest = get(client, "/units/shop/501", limit=25)
    older = get(client, "/units/shop/501", limit=25, cursor=newest["next"])
    assert [one["run"] for page in (newest, older) for one in page["items"]] == [f"later-{n}" for n in range(59, 0, -2)]
    assert (older["next"], get(client, "/units/shop/9")) == (None, {"items": [], "next": None})


def test_chunks_workers_and_logs_are_told(moved):
    people, run = moved
    client = people.token(Role.VIEWER)
    chunks = get(client, f"/runs/{run.id}/chunks", limit=1)
    rest = get(client, f"/runs/{run.id}/chunks", cursor=chunks["next"])
    assert sum(one["done"] for one in [*chunks["items"], *rest["items"]]) == 2
    assert get(client, f"/runs/{run.id}/workers") == []
    assert {one["state"] for one in get(client, f"/runs/{run.id}/workers", all=True)} == {"ended"}
    logged = get(client, f"/runs/{run.id}/logs")
    assert {one["data"]["run"] for one in logged} == {run.id}
    assert "Bo" not in str(logged)


def test_events_are_told_from_where_a_reader_stopped(moved):
    people, run = moved
    client = people.token(Role.VIEWER)
    for number in range(3):
        people.world.repository.events.append(Event(f"e{number}", run.id, lasting=True))
    first = get(client, f"/runs/{run.id}/events", limit=1)
    rest = get(client, f"/runs/{run.id}/events", after=first["last"])
    assert [one["name"] for one in [*first["items"], *rest["items"]]][-3:] == ["e0", "e1", "e2"]
    assert get(client, f"/runs/{run.id}/events", after=rest["last"]) == {"items": [], "last": rest["last"]}
    newest = get(client, "/events", limit=2)
    assert [one["name"] for one in newest["items"]] == ["e2", "e1"]
    assert get(client, "/events", cursor=newest["next"], limit=1)["items"][0]["name"] == "e0"


def test_a_job_that_does_not_load_is_listed_with_its_error_and_the_others_work(moved):
    people, _ = moved
    broken = people.world.config.jobs[0] / "broken"
    broken.mkdir()
    (broken / "job.yaml").write_text("name: broken\nsystems: {a: {type: nonesuch}}\n")
    client = people.token(Role.VIEWER)
    first, second = get(client, "/jobs")
    assert (first["name"], first["loads"], bool(first["errors"][0]["message"])) == ("broken", False, True)
    assert (second["name"], second["loads"], second["steps"]) == ("shop", True, 2)
    detail = get(client, "/jobs/shop")
    assert [one["name"] for one in detail["unit"]] == ["customers", "orders"]
    assert [one["output"] for one in detail["step_list"]] == ["billing.account", "billing.charge", None]
    assert get(client, "/jobs/broken")["errors"] == first["errors"]
    assert client.get("/api/v1/jobs/nonesuch").status_code == 404


def test_the_text_of_a_job_is_shown_and_no_other_file(moved):
    people, _ = moved
    client = people.token(Role.VIEWER)
    texts = {one["path"]: one["text"] for one in get(client, "/jobs/shop/files")}
    assert "rules/all_named.sql" in texts
    assert "${LEGACY}" in texts["job.yaml"]
    for path in ("../legacy.sqlite", "/etc/passwd", "steps"):
        assert client.get("/api/v1/jobs/shop/files", params={"path": path}).status_code == 404


def test_systems_are_told_without_their_addresses(moved):
    people, _ = moved
    told = get(people.token(Role.VIEWER), "/systems")
    assert [(one["name"], one["type"], one["roles"], one["variables"]) for one in told] == [
        ("legacy", "sqlite", ["source"], ["LEGACY"]),
        ("billing", "sqlite", ["target"], ["BILLING"]),
    ]
    assert "sqlite3" not in str(told)
    assert people.world.site.environment["LEGACY"] not in str(told)


def test_a_repository_that_is_away_is_told_as_away_and_the_server_lives(people, monkeypatch):
    client = people.token(Role.VIEWER)

    def away(*_, **__):
        raise TransientError("job repository x: connection refused", system="repository")

    monkeypatch.setattr(people.world.repository.runs, "seq", away)
    monkeypatch.setattr(people.world.repository.pages, "runs", away)
    assert client.get("/health/live").status_code == 200
    assert (client.get("/health/ready").status_code, client.get("/health/ready").json()["status"]) == (503, "away")
    answer = client.get("/api/v1/runs")
    assert (answer.status_code, answer.json()["type"], answer.headers["Retry-After"]) == (
        503,
        "urn:ludb:problem:away",
        "1",
    )


def test_a_stranger_is_not_told_where_the_repository_is_when_it_is_away(people, monkeypatch):
    """Host, port and name of the database are for those who are let in."""
    bearer = people.client()
    bearer.headers["Authorization"] = "Bearer ludb_guess"

    def away(*_, **__):
        raise TransientError("job repository postgresql://db.inside:5432/ludb: connection refused", system="repository")

    access = people.world.repository.access
    for part, name in ((access.tokens, "find"), (access.users, "get"), (access.sessions, "get")):
        monkeypatch.setattr(part, name, away)
    asked = {"user": "admin", "password": "a password of some length"}
    for answer in (bearer.get("/api/v1/runs"), people.client().post("/api/v1/login", json=asked)):
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:ludb:problem:away")
        assert "Retry-After" in answer.headers
        assert "db.inside" not in answer.text


def test_an_error_that_nobody_foresaw_tells_nothing_of_what_it_holds(people, monkeypatch):
    def bug(*_, **__):
        raise ValueError("Ann, 10 Downing Street")

    monkeypatch.setattr(people.world.repository.pages, "runs", bug)
    answer = people.token(Role.VIEWER).get("/api/v1/runs")
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:ludb:problem:bug")
    assert "Downing" not in answer.text


def test_a_cell_that_was_changed_at_the_target_is_told_beside_what_was_written(moved, shop):
    people, run = moved
    client = people.token(Role.VIEWER, personal=True)
    told = get(client, f"/runs/{run.id}/units/1/rows", found=True)
    assert (told["differences"], told["found"]["billing.account"]) == ([], [{"id": 100, "name": "Ann"}])
    assert get(client, f"/runs/{run.id}/units/1/rows")["found"] is None
    shop.database("billing", "update account set name = 'Anna'; delete from charge where oid = 2")
    told = get(client, f"/runs/{run.id}/units/1/rows", found=True)
    assert [tuple(one.values()) for one in told["differences"]] == [
        ("billing.account", 0, "differs", "name", "Ann", "Anna"),
        ("billing.charge", 1, "missing", "", None, None),
    ]
    masked = get(people.token(Role.ADMIN), f"/runs/{run.id}/units/1/rows", found=True)
    assert [(one["column"], one["meant"], one["found"]) for one in masked["differences"]][:1] == [("name", None, None)]
    assert "Anna" not in str(masked)
