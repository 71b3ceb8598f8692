"""Calls that nobody but a person can settle: listed, resolved with a name and a reason, and the unit moves whole."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from ludb.cli.app import app
from ludb.errors import ConfigError
from ludb.model.access import Role, Token, User
from ludb.server.app import create_app
from ludb.server.config import ServerConfig
from ludb.server.passwords import sha_of
from ludb.server.world import World
from ludb.service.doubts import resolve

JOB = """
    name: shop
    systems:
      legacy:  {type: sqlite, url: "${LEGACY}"}
      billing: {type: sqlite, url: "${BILLING}"}
      crm:     {type: rest, url: "${CRM}", max_delay: 0, retry_for: 1s}
    unit:
      root: legacy.customers
      key: id
    outputs:
      crm.customer: {call: POST /customer, row: [unit_key], undo: "DELETE /customer/{id}", returns: {crm_id: $.id}}
    settings: {chunk_units: 3, retry: {base: 10ms, cap: 50ms}}
"""
STEPS = {
    "steps/10/crm.customer.sql": "select unit_key, name from legacy.customers",
    "steps/20/billing.account.sql": """
        select unit_key, c.id, name, k.new as crm from legacy.customers c join keys.crm_id k using (unit_key)
    """,
}


@pytest.fixture
def shop(desk, api):
    """Three customers; the API answers 500 to Bo's document, and cannot be asked for it."""
    desk.database(
        "legacy",
        "create table customers (id integer primary key, name text);"
        "insert into customers values (1,'Ann'),(2,'Bo'),(3,'Cy')",
    )
    desk.database("billing", "create table account (id integer primary key, name text, crm text)")
    desk.environment["CRM"] = api.url
    desk.write({"job.yaml": JOB, **STEPS})
    api.before = lambda method, _, document: (500, None) if method == "POST" and document["name"] == "Bo" else None
    return desk


def ludb(shop, *arguments):
    """What a command answers as JSON."""
    said = CliRunner().invoke(app, [*arguments, "--state", str(shop.state), "--json"], env=shop.environment)
    if said.exception is not None and not isinstance(said.exception, SystemExit):
        raise said.exception
    return json.loads(said.stdout)


def in_doubt(shop):
    (found,) = ludb(shop, "calls", "--state", "in_doubt")
    return found


def test_an_object_that_somebody_found_is_taken_over_and_its_unit_moves_without_another_call(shop, api):
    run = shop.run().run
    api.before = lambda *_: None
    _, found = api.respond("POST", "/customer", {"name": "Bo"})  # it did arrive
    call = in_doubt(shop)
    assert (call["unit"], call["output"]) == ("2", "crm.customer")
    said = ludb(shop, "resolve", call["call"], "done", "--returns", f"id={found['id']}", "--returns",
                f"crm_id={found['id']}", "--reason", "found by name")  # fmt: skip
    assert (said["state"], said["pending"]) == ("done", True)
    summary = shop.go_on(run.id)
    assert (summary.counters.done, summary.counters.in_doubt) == (3, 0)
    assert shop.rows("billing", "select name, crm from account where id = 2") == [("Bo", found["id"])]
    assert sorted(one["name"] for one in api.store.values()) == ["Ann", "Bo", "Cy"]
    told = [event for _, _, event in shop.site.repository.events.since(run.id) if event.name == "call.resolved"]
    assert [(event.data["by"], event.data["reason"], event.data["unit"]) for event in told] == [
        ("tester", "found by name", "2")
    ]


def test_an_object_that_is_not_there_is_made_when_the_run_goes_on(shop, api):
    run = shop.run().run
    api.before = lambda *_: None
    call = in_doubt(shop)
    assert ludb(shop, "resolve", call["call"][:8], "absent", "--reason", "not in the list")["state"] == "absent"
    assert shop.go_on(run.id).counters.done == 3
    assert sorted(one["name"] for one in api.store.values()) == ["Ann", "Bo", "Cy"]
    with pytest.raises(ConfigError, match="nothing is to be resolved"):
        ludb(shop, "resolve", call["call"], "absent", "--reason", "once more")


@pytest.mark.parametrize(
    ("word", "reason", "returns", "told"),
    [
        ("done", "seen", {}, "--returns crm_id=... --returns id=..."),
        ("done", "seen", {"id": "7", "crm_id": "7", "cmr": "7"}, "returns no cmr"),
        ("done", " ", {"id": "7", "crm_id": "7"}, "needs its reason"),
        ("absent", "seen", {"id": "7"}, "returns nothing"),
    ],
    ids=["values missing", "unknown value", "no reason", "absent with a value"],
)
def test_a_word_that_would_leave_something_open_is_refused_and_changes_nothing(shop, word, reason, returns, told):
    run = shop.run().run
    call = in_doubt(shop)
    with pytest.raises(ConfigError, match=told.replace(".", r"\.")):
        resolve(shop.site, run.id, call["call"], word, reason, returns)
    assert in_doubt(shop) == call


def test_the_list_of_calls_is_told_to_people_with_what_is_known_of_each(shop):
    shop.run()
    said = CliRunner().invoke(app, ["calls", "--state", "in_doubt", "--state", str(shop.state)], env=shop.environment)
    call = in_doubt(shop)
    assert f"{call['call']}  in_doubt since " in said.stdout
    assert "crm.customer of unit 2" in said.stdout
    assert "500 Internal Server Error from crm" in said.stdout
    assert [one["state"] for one in ludb(shop, "calls")] == ["done", "in_doubt", "done"]


def test_a_call_is_resolved_over_the_api_by_who_may_with_name_and_reason(shop):
    run = shop.run().run
    call = in_doubt(shop)["call"]
    world = World(replace(shop.site, environment=shop.environment), ServerConfig())
    access, client = world.repository.access, TestClient(create_app(world))
    for name, role in (("op", Role.OPERATOR), ("look", Role.VIEWER)):
        access.users.add(User(name, role, "-"))
        access.tokens.add(Token(name, name, name, role, sha_of(f"ludb_{name}"), expires_at=world.now() + 999))

    def ask(name, call, **asked):
        headers = {"Authorization": f"Bearer ludb_{name}"}
        return client.post(f"/api/v1/runs/{run.id}/calls/{call}/resolve", json=asked, headers=headers)

    assert ask("look", call, word="absent", reason="seen").status_code == 403
    assert ask("op", call, word="absent", reason=" ").status_code == 422
    assert ask("op", call, word="gone", reason="seen").status_code == 422
    assert ask("op", call, word="absent", reason="seen", returns={"id": "7"}).status_code == 409
    assert ask("op", "nonesuch", word="absent", reason="seen").status_code == 409
    told = ask("op", call, word="absent", reason="--not in the list")
    assert (told.status_code, told.json()["state"], told.json()["pending"]) == (200, "absent", True), told.text
    (event,) = [event for _, _, event in shop.site.repository.events.since(run.id) if event.name == "call.resolved"]
    assert (event.data["by"], event.data["reason"]) == ("op", "--not in the list")
    assert access.audit.page(action="call.resolve")[0].actor == "op"
