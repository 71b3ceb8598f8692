"""What explains jobs and runs: lineage, versions, preflight, two runs side by side, calls of all runs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ludb.model.access import Role
from ludb.model.run import CallState
from ludb.server.config import ServerConfig
from ludb.server.world import World
from ludb.testing.repository_calls import make_call
from ludb.testing.repository_world import RUN, claimed, fault, moved, planned, segments, started


@pytest.fixture
def engineer(shop, people):
    """A server that knows the shop's job, which was run once."""
    run = shop.run().run
    site = replace(shop.site, environment=shop.environment)
    people.world = World(site, ServerConfig(jobs=(shop.folder,)), people.world.now, passwords=people.world.passwords)
    people.app.state.world = people.world
    return people, run


def get(client, path, **params):
    answer = client.get(f"/api/v1{path}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_job_tells_how_its_tables_hang_together_and_where_its_columns_come_from(engineer):
    people, _ = engineer
    client = people.token(Role.VIEWER)
    detail = get(client, "/jobs/shop")
    assert [(one["name"], one["parent"], one["on"]) for one in detail["unit"]] == [
        ("customers", None, []),
        ("orders", "customers", [["cid", "id"]]),
    ]
    assert detail["key_maps"] == [{"name": "account", "table": "customers", "columns": ["id"], "kind": "sequence"}]
    account, charge = get(client, "/jobs/shop/lineage")
    assert account["columns"][0]["origins"] == [{"table": "legacy.customers", "column": "id"}]
    assert [one["column"] for one in charge["columns"]] == ["oid", "account", "amount"]


def test_versions_of_a_job_are_told_with_their_runs_and_what_the_folder_holds_now(engineer, shop):
    people, run = engineer
    client = people.token(Role.VIEWER)
    (only,) = get(client, "/jobs/shop/versions")
    assert (only["version"], only["current"], only["runs"], only["last_run"]) == (run.version, True, 1, run.id)
    shop.write({"rules/named.sql": "select unit_key, 'x' as reason from legacy.customers where name is null"})
    people.world.catalogue._read = None
    newest, oldest = get(client, "/jobs/shop/versions")
    assert (newest["current"], newest["runs"], oldest["current"], oldest["runs"]) == (True, 0, False, 1)


def test_preflight_says_what_check_says_and_looks_at_systems_only_for_operators(engineer, shop):
    people, run = engineer
    told = get(people.token(Role.VIEWER), "/jobs/shop/preflight")
    assert (told["ok"], told["version"], told["connected"]) == (True, run.version, False)
    answer = people.token(Role.VIEWER).get("/api/v1/jobs/shop/preflight", params={"connect": True})
    assert answer.status_code == 403
    shop.database("billing", "drop table charge")
    told = get(people.token(Role.OPERATOR), "/jobs/shop/preflight", connect=True)
    assert (told["ok"], told["connected"]) == (False, True)
    assert any("charge" in one["text"] + one["table"] for one in told["findings"])


def test_preflight_of_a_job_that_does_not_load_is_its_mistakes(engineer, shop):
    people, _ = engineer
    shop.write({"job.yaml": "name: shop\nsystems: {a: {type: nonesuch}}\n"})
    people.world.catalogue._read = None
    told = get(people.token(Role.VIEWER), "/jobs/job/preflight")
    assert (told["ok"], told["findings"][0]["severity"]) == (False, "error")
    assert people.token(Role.VIEWER).get("/api/v1/jobs/job/lineage").status_code == 409


def test_two_runs_are_told_side_by_side(people):
    repository = people.world.repository
    started(repository)
    moved(repository, claimed(repository), [fault(1)])
    repository.runs.create(
        replace(planned("run-2"), version="v2", settings={"chunk_units": 4, "workers": 8}), segments(10)
    )
    told = get(people.token(Role.VIEWER), f"/runs/{RUN}/compare/run-2")
    counts = {(one["kind"], one["name"], one["state"]): (one["a"], one["b"]) for one in told["counts"]}
    assert counts["state", "done", ""] == (3, 0)
    assert counts["reason", "bad date", "quarantined"] == (1, 0)
    assert counts["source", "customers", "quarantined"] == (1, 0)
    settings = {one["name"]: (one["a"], one["b"], one["same"]) for one in told["settings"]}
    assert (settings["version"], settings["workers"]) == (("v1", "v2", False), (2, 8, False))
    assert settings["parameters.region"] == ("north", "north", True)
    assert (told["a"]["pace"][-1]["settled"], told["b"]["pace"]) == (4, [])


def test_calls_of_all_runs_are_found_by_state_system_and_run(people):
    repository = people.world.repository
    started(repository)
    chunk = claimed(repository)
    repository.calls.intend(chunk, [make_call(0), make_call(1)])
    repository.calls.mark(chunk, [make_call(0)], CallState.SENT)
    client = people.token(Role.VIEWER)
    assert [one["key"] for one in get(client, "/calls")["items"]] == ["101", "100"], "the newest first"
    (sent,) = get(client, "/calls", state="sent", system="crm", run=RUN, job="telco")["items"]
    assert (sent["key"], sent["run"], sent["job"], sent["system"], sent["masked"], sent["request"]) == (
        "100", RUN, "telco", "crm", True, None,
    )  # fmt: skip
    for other in ({"system": "cr"}, {"run": "x"}, {"job": "x"}, {"state": "done"}):
        assert get(client, "/calls", **other)["items"] == []
    first = get(client, "/calls", limit=1)
    assert [one["key"] for one in get(client, "/calls", limit=1, cursor=first["next"])["items"]] == ["100"]
