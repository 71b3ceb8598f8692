"""What the work of a run costs is what its workers have counted: in sum, by second, by worker, and for each system."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ludb.model.access import Role
from ludb.model.events import Event
from ludb.model.figures import PHASE, STEP, SYSTEM, Figure, once, rates, together
from ludb.model.run import RunState
from ludb.model.tasks import Sample
from ludb.server.config import ServerConfig
from ludb.server.world import World
from ludb.testing.repository_world import RUN, claimed, moved, owner, started


def get(client, path, **params):
    answer = client.get(f"/api/v1{path}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
def engineer(shop, people):
    """A server that knows the shop's job, which was run once by a worker in this process."""
    run = shop.run().run
    site = replace(shop.site, environment=shop.environment)
    people.world = World(site, ServerConfig(jobs=(shop.folder,)), people.world.now, passwords=people.world.passwords)
    people.app.state.world = people.world
    return people, run


def test_a_real_run_tells_what_its_phases_steps_and_systems_cost(engineer):
    people, run = engineer
    told = get(people.token(Role.VIEWER), f"/runs/{run.id}/figures")
    assert {"claim", "extract", "steps", "prepare", "decide", "commit"} <= {one["name"] for one in told["phases"]}
    steps = {one["name"]: one for one in told["steps"]}
    assert {name: (one["count"], one["rows"]) for name, one in steps.items()} == {
        "steps/10_customer/billing.account.sql": (2, 3),
        "steps/20_order/billing.charge.sql": (2, 3),
    }
    systems = {one["name"]: one for one in told["systems"]}
    assert (systems["legacy"]["rows"], systems["billing"]["rows"]) == (6, 6)
    assert systems["legacy"]["received"] > 0 < systems["billing"]["sent"]
    assert 0 < systems["billing"]["p50"] <= systems["billing"]["p95"]


def test_figures_of_all_workers_are_one_sum_and_series_are_by_second(people):
    repository = people.world.repository
    started(repository)
    crm = Figure(10, 1.0, 10, (0.0, 8.0, 2.0), sent=1000, throttled=1)
    repository.figures.note("w1", RUN, {(SYSTEM, "crm"): crm, (STEP, "a step"): once(0.5, rows=4)})
    repository.figures.note("w2", RUN, {(SYSTEM, "crm"): crm})
    repository.figures.note("w2", RUN, {(SYSTEM, "crm"): crm.plus(crm)})
    client = people.token(Role.VIEWER)
    told = get(client, f"/runs/{RUN}/figures")
    assert [(one["name"], one["count"], one["sent"], one["throttled"]) for one in told["systems"]] == [
        ("crm", 30, 3000, 3)
    ]
    assert 0.005 < told["systems"][0]["p50"] < 0.01 < told["systems"][0]["p95"] < 0.025
    repository.samples.add(RUN, Sample(10.0, 5.0, 4, {"cpu": 1.0}, rates({(SYSTEM, "crm"): crm}, 5.0)))
    (at,) = get(client, f"/runs/{RUN}/figures/series")
    assert (at["at"], at["span"], at["systems"][0]["count"], at["systems"][0]["sent"]) == (10.0, 5.0, 2.0, 200.0)
    assert get(client, f"/runs/{RUN}/series")[0]["data"] == {"cpu": 1.0}


def test_a_merged_sample_keeps_what_passed_in_its_whole_span(people):
    repository, crm = people.world.repository, {(SYSTEM, "crm"): once(0.01)}
    started(repository)
    repository.samples.add(RUN, Sample(1.0, 1.0, 0, rates=rates(crm, 1.0)), most=1)
    repository.samples.add(RUN, Sample(2.0, 1.0, 0), most=1)
    (at,) = get(people.token(Role.VIEWER), f"/runs/{RUN}/figures/series")
    assert at["span"] * at["systems"][0]["count"] == pytest.approx(1.0), "one request, however samples are merged"


def test_sums_that_begin_anew_are_not_taken_off():
    assert Figure(3, 1.0).less(Figure(1, 0.25)) == Figure(2, 0.75, latencies=())
    assert Figure(1, 0.5).less(Figure(9, 9.0)) == Figure(1, 0.5)
    assert together([{(PHASE, "claim"): Figure(1)}, {(PHASE, "claim"): Figure(2)}]) == {(PHASE, "claim"): Figure(3)}
    assert Figure().quantile(0.5) is None


def test_a_worker_tells_its_chunk_and_for_how_long_it_has_held_it(people, clock, tmp_path):
    repository = people.world.repository
    started(repository)
    repository.owners.enrol(replace(owner("a"), host="elsewhere"))
    moved(repository, claimed(repository))
    chunk = claimed(repository)
    clock.now += 90
    client = people.token(Role.VIEWER)
    (worker,) = get(client, f"/runs/{RUN}/workers")
    assert (worker["chunk"], worker["chunk_units"], worker["chunk_first"], worker["age"]) == (chunk.id, 2, "104", 90)
    listed = {one["id"]: one["claimed_at"] for one in get(client, f"/runs/{RUN}/chunks")["items"]}
    assert listed[chunk.id] == clock.now - 90
    (load,) = get(client, f"/runs/{RUN}/load")
    assert (load["worker"], load["chunks"], load["units"], load["done"]) == ("a", 1, 4, 4)


def test_what_is_slow_stuck_or_waits_is_named_with_its_keys(people, clock):
    repository = people.world.repository
    started(repository, 20, size=20)
    for seconds in (1, 2, 40):
        chunk = claimed(repository)
        clock.now += seconds
        moved(repository, chunk)
    repository.chunks.release(claimed(repository), "crm: connection refused", 60)
    stuck = claimed(repository)
    clock.now += 9
    client = people.token(Role.VIEWER)
    told = get(client, f"/runs/{RUN}/stragglers")
    assert told["typical"] == 2
    slowest = told["slowest"][0]
    assert (slowest["first"], slowest["last"], slowest["seconds"]) == ("108", "111", 40)
    assert [(one["first"], one["error"]) for one in told["waiting"]] == [("112", "crm: connection refused")]
    assert told["stuck"] == [], "9 seconds are no reason to worry"
    clock.now += 9
    assert [one["id"] for one in get(client, f"/runs/{RUN}/stragglers")["stuck"]] == [stuck.id]


def test_systems_tell_their_health_over_runs_and_whether_one_is_away(engineer):
    people, run = engineer
    client = people.token(Role.VIEWER)
    told = {one["name"]: one for one in get(client, "/systems/health")}
    assert {name: (one["state"], one["runs"], one["last_run"]) for name, one in told.items()} == {
        "legacy": ("ok", 1, run.id),
        "billing": ("ok", 1, run.id),
    }
    assert told["billing"]["of_runs"][0]["name"] == run.id
    repository = people.world.repository
    repository.runs.create(replace(run, id="going", state=RunState.PLANNED), [])
    repository.runs.change("going", RunState.RUNNING)
    data = {"system": "billing", "error": "connection refused"}
    repository.events.append(Event("circuit.open", "going", lasting=True, data=data))
    billing = next(one for one in get(client, "/systems/health", job="shop") if one["name"] == "billing")
    assert (billing["state"], billing["error"]) == ("away", "going: connection refused")
    repository.events.append(Event("circuit.closed", "going", lasting=True))
    assert {one["state"] for one in get(client, "/systems/health")} == {"ok"}
