"""Units whose API says something unusual: each is whole, or set aside with nothing left of it anywhere."""

from __future__ import annotations

import pytest

from ludb.errors import ConfigError
from ludb.model.run import RunState
from ludb.project.folder import read_job
from ludb.project.load import load_migration
from ludb.service.examine import examine

JOB = """
    name: shop
    systems:
      legacy:  {{type: sqlite, url: "${{LEGACY}}"}}
      billing: {{type: sqlite, url: "${{BILLING}}"}}
      crm:     {{type: rest, url: "${{CRM}}", max_delay: 0, retry_for: 1s}}
    unit:
      root: legacy.customers
      key: id
    outputs:
      crm.customer:
        {{call: POST /customer, row: [unit_key], marker: $.externalId, probe: "GET /customer?externalId={{call_id}}",
         undo: "DELETE /customer/{{id}}", {more}}}
    settings: {{chunk_units: 3, retry: {{base: 10ms, cap: 50ms}}}}
"""
STEPS = {
    "steps/10/billing.account.sql": "select unit_key, id, name from legacy.customers",
    "steps/10/crm.customer.sql": "select unit_key, name from legacy.customers",
}


@pytest.fixture
def shop(desk, api):
    """Three customers, a billing database and the API; `write(more)` gives the output more fields."""
    desk.database(
        "legacy",
        "create table customers (id integer primary key, name text);"
        "insert into customers values (1,'Ann'),(2,'Bartholomew'),(3,'Cy')",
    )
    desk.database("billing", "create table account (id integer primary key, name text not null)")
    desk.environment["CRM"] = api.url

    def write(more: str) -> None:
        desk.write({"job.yaml": JOB.format(more=more), **STEPS})

    desk.describe = write
    return desk


def names(api):
    return sorted(one["name"] for one in api.store.values())


def test_an_object_that_the_api_keeps_otherwise_than_sent_is_taken_back_and_its_unit_set_aside(shop, api):
    """A CRM that cuts a name short says so in its 201: nobody would notice for years."""
    shop.describe("echo: [$.name]")
    api.keep = lambda document: {**document, "name": document["name"][:5]}
    summary = shop.run()
    found = shop.set_aside(summary.run.id)
    assert {key: one.reason for key, one in found.items()} == {
        "2": "crm.customer: the API keeps something else than was sent (status 201)"
    }
    assert found["2"].detail.endswith("at $.name")
    assert "Bartholomew" not in found["2"].reason + found["2"].message
    assert names(api) == ["Ann", "Cy"]
    assert shop.rows("billing", "select id from account order by id") == [(1,), (3,)]


def test_an_object_that_differs_is_never_reused_as_if_it_held_the_document(shop, api):
    """The API takes nothing back: the unit stays in doubt, and a later look finds an object that equals no document."""
    shop.describe("echo: all")
    api.keep = lambda document: {**document, "name": document["name"][:5]}
    api.before = lambda method, *_: (405, None) if method == "DELETE" else None
    summary = shop.run()
    assert summary.counters.in_doubt == 1
    calls = shop.site.repository.views.unit(summary.run.id, 1)[2]
    assert [(call.state, call.request.sha) for call in calls] == [("in_doubt", "")]


def test_a_status_that_is_fatal_ends_the_run_with_the_reason_and_the_next_attempt_makes_what_is_missing(shop, api):
    shop.describe("status: {fatal: [402]}")
    api.before = lambda method, *_: (402, {"reason": "licence"}) if method == "POST" and len(api.store) == 1 else None
    summary = shop.run()
    assert summary.run.state is RunState.FAILED
    assert "402" in summary.run.reason
    assert "fatal" in summary.run.reason
    api.before = lambda *_: None
    assert shop.go_on(summary.run.id).counters.done == 3
    assert names(api) == ["Ann", "Bartholomew", "Cy"]


def test_units_are_taken_back_by_a_change_of_state_where_the_api_deletes_nothing(shop, api):
    """The second call of unit 2 is refused, so the first one is taken back, by a PATCH."""
    shop.describe("")
    job = (shop.job / "job.yaml").read_text()
    delete, note = '"DELETE /customer/{id}"', "  crm.note: {call: POST /note, row: [unit_key]}\nsettings:"
    patch = '{call: "PATCH /customer/{id}", body: {state: terminated, by: "{call_id}"}}'
    assert delete in job
    (shop.job / "job.yaml").write_text(job.replace(delete, patch).replace("settings:", note))
    shop.write({"steps/20/crm.note.sql": "select unit_key, 'x' as note from legacy.customers where id = 2"})
    api.before = lambda method, path, _: (400, None) if (method, path) == ("POST", "/note") else None
    summary = shop.run()
    assert list(shop.set_aside(summary.run.id)) == ["2"]
    states = {one["name"]: (one.get("state"), one.get("by") == one["externalId"]) for one in api.store.values()}
    assert states == {"Ann": (None, False), "Bartholomew": ("terminated", True), "Cy": (None, False)}


def test_an_api_that_refuses_is_called_more_slowly_and_the_run_tells_why(shop, api):
    shop.describe("")
    shop.database("legacy", "insert into customers with recursive n(i) as (select 4 union all select i + 1 from n where i < 40) "
                  "select i, 'c' || i from n")  # fmt: skip
    left = [12]

    def busy(method, *_):
        left[0] -= method == "POST"
        return (429, None) if method == "POST" and left[0] >= 0 else None

    api.before = busy
    (shop.job / "job.yaml").write_text((shop.job / "job.yaml").read_text().replace("chunk_units: 3", "chunk_units: 40"))
    summary = shop.run()
    assert summary.counters.done == 40
    assert len(api.store) == 40
    events = [event for _, _, event in shop.site.repository.events.since(summary.run.id)]
    told = [event.data for event in events if event.name == "pace.governed"]
    assert (told[0]["system"], told[0]["what"]) == ("crm", "pace")
    assert "refused" in told[0]["why"]


DESCRIPTION = """
swagger: "2.0"
paths:
  /customer:
    get: {}
    post: {parameters: [{in: body, name: c, schema: {type: object, required: [name%s], properties: {
      name: {type: string, maxLength: 5}, externalId: {type: string}}}}]}
  /customer/{id}: {delete: {}}
"""


def test_a_document_that_the_api_would_not_take_costs_no_call(shop, api):
    shop.describe("")
    shop.write({
        "crm.yaml": DESCRIPTION % "",
        "job.yaml": (shop.job / "job.yaml").read_text().replace("max_delay: 0", "max_delay: 0, openapi: crm.yaml"),
    })  # fmt: skip
    summary = shop.run()
    found = shop.set_aside(summary.run.id)
    assert list(found) == ["2"]
    assert "$.name does not keep to maxLength: 5" in found["2"].reason
    assert "Bartholomew" not in found["2"].reason
    assert "Bartholomew" in found["2"].detail
    assert names(api) == ["Ann", "Cy"]
    assert len([one for one in api.seen if one[0] == "POST"]) == 2


def test_a_member_that_the_api_needs_and_no_step_selects_is_told_before_any_unit_runs(shop, api):
    shop.describe("")
    shop.write({
        "crm.yaml": DESCRIPTION % ", party",
        "job.yaml": (shop.job / "job.yaml").read_text().replace("max_delay: 0", "max_delay: 0, openapi: crm.yaml"),
    })  # fmt: skip
    with pytest.raises(ConfigError, match=r"crm\.customer\.sql.*\$\.party is missing \(POST /customer\)"):
        shop.run()
    assert not [one for one in api.seen if one[0] == "POST"]


def test_what_an_api_would_not_take_is_told_while_the_api_is_away(shop, api):
    """Jobs are written before anybody has an API to call: what they lack stands in its description."""
    shop.describe("")
    shop.write({
        "crm.yaml": DESCRIPTION % ", party",
        "job.yaml": (shop.job / "job.yaml").read_text().replace("max_delay: 0", "max_delay: 0, openapi: crm.yaml"),
    })  # fmt: skip
    api.stop()
    try:
        job = read_job(shop.job, shop.environment)
        migration = load_migration(
            job.folder, environment=shop.environment, state=shop.state, reference={}, parameters={}
        )
        told = [one.text for one in examine(shop.site, job, migration)]
        migration.close()
    finally:
        api.start()
    assert any("cannot be reached" in text for text in told)
    assert any("$.party is missing (POST /customer)" in text for text in told), told


def test_work_that_an_api_accepts_and_refuses_later_sets_its_unit_aside_and_the_others_move(shop, api):
    """202 is no success: without a look at the job, unit 2 would be counted as moved."""
    shop.describe("accepted: {poll: 'GET /jobs/{job}', job: $.job, done: [ok], failed: [no], every: 10ms, within: 20s,"
                  " returns: {id: $.object}}")  # fmt: skip
    jobs = {}

    def later(method, path, document):
        if method == "POST":
            jobs[str(len(jobs))] = [None, document]
            return 202, {"job": str(len(jobs) - 1)}
        if not path.startswith("/jobs/"):
            return None
        done, document = jobs[path.removeprefix("/jobs/")]
        if done is None:  # the first look comes too early
            jobs[path.removeprefix("/jobs/")][0] = False
            return 200, {"status": "working"}
        if document["name"] == "Bartholomew":
            return 200, {"status": "no", "why": "too long"}
        name = str(len(api.store))
        api.store[name] = {**document, "id": name}
        return 200, {"status": "ok", "object": name}

    api.before = later
    found = shop.set_aside(shop.run().run.id)
    assert list(found) == ["2"]
    assert "too long" in found["2"].body
    assert names(api) == ["Ann", "Cy"]
    assert shop.rows("billing", "select id from account order by id") == [(1,), (3,)]


def test_one_bad_document_of_a_bulk_request_keeps_nobody_else_from_moving(shop, api):
    """Answers for each, and a request that was lost after it was carried out: every customer once, or not at all."""
    shop.describe(
        "bulk: {size: 10, call: POST /customers, items: $.all, results: $.all, status: $.code, document: $.one}"
    )
    lost = [1]

    def together(method, path, document):
        if (method, path) != ("POST", "/customers"):
            return None
        results = []
        for one in document["all"]:
            if one["name"] == "Bartholomew":
                results.append({"code": 422, "why": "too long"})
            else:
                status, made = api.respond("POST", "/customer", one)
                results.append({"code": status, "one": made})
        lost[0] -= 1
        return (500, None) if lost[0] == 0 else (207, {"all": results})

    api.before = together
    found = shop.set_aside(shop.run().run.id)
    assert list(found) == ["2"]
    assert "too long" in found["2"].body
    assert names(api) == ["Ann", "Cy"]
    assert shop.rows("billing", "select id from account order by id") == [(1,), (3,)]


def test_the_story_of_a_run_holds_what_passed_between_it_and_the_api(shop, api):
    shop.describe("")
    api.before = lambda method, _, document: (400, None) if method == "POST" and document["name"] == "Cy" else None
    summary = shop.run()
    told = [
        event for _, _, event in shop.site.repository.events.since(summary.run.id) if event.name == "system.metered"
    ]
    (data,) = [event.data for event in told]
    assert data["system"] == "crm"
    assert data["requests"] == {"2xx": 2, "4xx": 1}
    assert data["answers"] == {"done": 2, "rejected": 1}
    assert sum(data["latencies"]) == 3
    assert data["in_flight"] == 0


def test_a_second_object_that_a_worker_thought_dead_has_made_is_seen_before_the_decision(shop, api):
    """The chunk is claimed twice; meanwhile Ann's request arrives once more. She is in doubt, the others move."""
    shop.describe("")
    stage = ["first claim"]

    def world(method, path, document):
        if stage[0] == "first claim" and method == "POST" and "Ann" in names(api) and document["name"] == "Cy":
            ann = next(one for one in api.store.values() if one["name"] == "Ann")
            api.store["again"] = {**ann, "id": "again"}
            stage[0] = "Cy is lost"
            return 500, None
        if stage[0] == "Cy is lost" and method == "GET" and "externalId" in path:
            stage[0] = "second claim"  # the look-up fails: the chunk is given back
            return 500, None
        return None

    api.before = world
    (shop.job / "job.yaml").write_text(
        (shop.job / "job.yaml").read_text().replace("max_delay: 0", "max_delay: 0, in_flight: 1")
    )
    summary = shop.run()
    assert stage == ["second claim"]
    found = shop.set_aside(summary.run.id)
    assert {key: (str(one.state), one.reason) for key, one in found.items()} == {
        "1": ("in_doubt", "crm.customer: the API holds several objects of the call")
    }
    assert "found 2 objects" in found["1"].detail
    assert names(api) == ["Ann", "Ann", "Bartholomew", "Cy"]
    assert shop.rows("billing", "select id from account order by id") == [(2,), (3,)]


def test_a_chunk_that_was_claimed_once_costs_no_look_up(shop, api):
    """Otherwise every customer would be asked for once more, and a migration would take twice the calls."""
    shop.describe("")
    assert shop.run().counters.done == 3
    assert [method for method, *_ in api.seen if method != "POST"] == ["GET"], (
        "the one that reaches the system at the start"
    )
