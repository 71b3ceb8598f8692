"""What a run's log says of units that failed: where, in which step, at which system; never what stood in their rows."""

from __future__ import annotations

import json

from ludb.errors import TransientError

JOB = """
    name: shop
    systems:
      legacy:  {type: sqlite, url: "${LEGACY}"}
      billing: {type: sqlite, url: "${BILLING}"}
      crm:     {type: rest, url: "${CRM}", auth: {bearer: "${TOKEN}"}, max_delay: 0}
    unit: {root: legacy.customers, key: id}
    outputs:
      crm.customer:
        {call: POST /customer, row: [unit_key], marker: $.externalId, probe: "GET /customer?externalId={call_id}",
         undo: "DELETE /customer/{id}"}
    settings: {chunk_units: 3, retry: {base: 10ms, cap: 50ms}}
"""


def test_each_line_of_a_failure_says_where_it_was_and_no_line_holds_a_value_or_a_secret(desk, api):
    desk.database(
        "legacy",
        "create table customers (id integer primary key, name text, since text);"
        "insert into customers values (1,'Ann','1'),(2,'Bartholomew','2'),(3,'Cy','Xanthippe')",
    )
    desk.database("billing", "create table account (id integer primary key, since integer)")
    desk.environment |= {"CRM": api.url, "TOKEN": "hunter2hunter2"}
    desk.write({
        "job.yaml": JOB,
        "steps/10/billing.account.sql": "select unit_key, id, since::integer as since from legacy.customers",
        "steps/20/crm.customer.sql": "select unit_key, name from legacy.customers",
    })  # fmt: skip
    api.before = lambda method, _, body: (
        (422, {"wrong": "Bartholomew hunter2hunter2"}) if method == "POST" and "Bartholomew" in str(body) else None
    )
    run = desk.run().run.id
    texts = [path.read_text() for path in desk.site.logs(run).glob("*.log")]
    lines = [json.loads(line) for text in texts for line in text.splitlines()]
    assert {one["run"] for one in lines} == {run}
    told = {
        one["unit"]: (one["step"], one["system"], bool(one["chunk"]))
        for one in lines
        if one["event"] == "unit.quarantined"
    }
    assert told == {"2": ("crm.customer", "crm", True), "3": ("steps/10/billing.account.sql", "billing", True)}
    for value in ("Bartholomew", "Xanthippe", "hunter2", "Ann"):
        assert value not in "".join(texts)


def test_a_bug_ends_the_run_with_its_place_in_the_log_and_not_with_what_it_stumbled_over(shop, monkeypatch):
    """Libraries repeat what they cannot read, and whoever may read logs may not see customers."""

    name, other = "Bartholomew", "Xanthippe"

    def stumbles(*_):
        raise ValueError(f"cannot read {name!r}") from KeyError(other)

    monkeypatch.setattr("ludb.engine.worker.process", stumbles)
    run = shop.run().run
    text = "".join(path.read_text() for path in shop.site.logs(run.id).glob("*.log"))
    (bug,) = [one for one in map(json.loads, text.splitlines()) if one["event"] == "engine.bug"]
    assert run.reason == "ValueError in the engine: see the worker's log"
    assert [line for line in bug["trace"].splitlines() if "File" not in line and "    " not in line] == [
        "builtins.KeyError", "which led to:", "builtins.ValueError",
    ]  # fmt: skip
    assert ("in stumbles" in bug["trace"], "in handle" in bug["trace"]) == (True, True)
    kept = [str(event.data) for _, _, event in shop.site.repository.events.since(run.id)]
    assert not [word for word in (name, other) if word in text + "".join(kept)]


def test_a_repository_that_is_away_for_a_night_does_not_fill_the_log(shop, monkeypatch):
    """Each try of each worker was a line, ten in a second, until the disk was full as well."""
    repository, tries = shop.site.repository, iter(range(50))
    claim = type(repository.chunks).claim

    def away(self, *asked, **more):
        if next(tries, None) is None:
            return claim(self, *asked, **more)
        raise TransientError("the repository does not answer", system="repository")

    monkeypatch.setattr(type(repository.chunks), "claim", away)
    monkeypatch.setattr("ludb.engine.worker.backoff", lambda *_: 0.0)
    run = shop.run().run
    assert run.state == "completed"
    text = "".join(path.read_text() for path in shop.site.logs(run.id).glob("*.log"))
    told = [(one["event"], one["level"]) for one in map(json.loads, text.splitlines()) if "repository" in one["event"]]
    assert told == [("repository.away", "warning"), ("repository.back", "info")]
