"""`ludb stage`: what is staged, as of when, and for whom; refreshed and dropped by a person."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from tests.acceptance.conftest import JOB


def test_a_person_stages_looks_refreshes_and_drops(shop):
    said = shop.ludb("stage", shop.job)
    assert (said.code, "asks its sources directly" in said.err) == (2, True)
    shop.write({"job.yaml": JOB.replace("workers: 1", "workers: 1, extract: staged")})
    assert shop.ludb("stage", shop.job, "--status", "--json").json["staged"] == [{"system": "legacy", "take": None}]
    first = shop.ludb("stage", shop.job, "--json").json["staged"][0]
    assert next((one["table"], one["rows"]) for one in first["tables"]) == ("customers", 8)
    again = shop.ludb("stage", shop.job, "--json").json["staged"][0]
    assert again["take"] == first["take"], "what is there is kept"

    run = shop.ludb("run", shop.job, "--json")
    assert run.code == 0, run.err
    told = shop.ludb("stage", shop.job, "--status")
    assert "legacy: as of " in told.out
    assert f"planned from it: {run.json['run']['id']}" in told.out
    assert "staged: legacy as of " in shop.ludb("status", "--job", shop.job).out

    shop.database("legacy", "insert into customers values (77, 'New')")
    newer = shop.ludb("stage", shop.job, "--refresh", "--json").json["staged"][0]
    assert (newer["take"] != first["take"], newer["tables"][0]["rows"], newer["runs"]) == (True, 9, [])
    assert shop.ludb("stage", shop.job, "--drop", "--json").json["dropped"] == ["legacy"]
    assert shop.ludb("stage", shop.job, "--drop", "--status").code == 2


def test_what_a_run_could_still_need_is_dropped_only_on_purpose(shop):
    shop.write({
        "job.yaml": JOB.replace("workers: 1", "workers: 1, extract: staged"),
        "rules/no_negative.sql": "select unit_key, 'bad' as reason from billing.charge where account = 100",
    })  # fmt: skip
    assert shop.ludb("run", shop.job).code == 3
    said = shop.ludb("stage", shop.job, "--drop")
    assert (said.code, "nobody has confirmed" in said.err) == (2, True)
    assert "not over: shop-" in said.out
    assert shop.ludb("stage", shop.job, "--drop", "--yes").code == 0


def test_a_purge_removes_what_is_staged_once_no_run_can_need_it(shop):
    """Otherwise copies of whole databases would stay on the disk for good."""
    shop.write({
        "job.yaml": JOB.replace("workers: 1", "workers: 1, extract: staged"),
        "rules/no_negative.sql": "select unit_key, 'bad' as reason from billing.charge where account = 100",
    })  # fmt: skip
    run = shop.ludb("run", shop.job, "--json").json["run"]["id"]
    take = shop.ludb("stage", shop.job, "--status", "--json").json["staged"][0]["take"]
    arguments = ("purge", shop.job, "--older-than", "0m", "--what", "staged")
    assert shop.ludb(*arguments, "--yes", "--json").json["staged"] == [], (
        "its quarantined unit can still be tried again"
    )
    assert shop.ludb("purge", shop.job, "--older-than", "1d", "--what", "staged", "--with-exceptions").code == 0
    told = shop.ludb(*arguments, "--with-exceptions", "--dry-run")
    assert "staged of legacy, as of " in told.out
    assert shop.ludb("stage", shop.job, "--status", "--json").json["staged"][0]["take"] == take
    said = shop.ludb(*arguments, "--with-exceptions")
    assert (said.code, "nobody has confirmed" in said.err) == (2, True)
    assert "removed what was staged of legacy" in shop.ludb(*arguments, "--with-exceptions", "--yes").out
    assert shop.ludb("stage", shop.job, "--status", "--json").json["staged"] == [{"system": "legacy", "take": None}]
    assert list((shop.state / "staged").iterdir()) == []
    with closing(sqlite3.connect(shop.state / "repository.sqlite")) as repository:
        told = repository.execute("select run, outcome from command where name = 'purge'").fetchall()
    assert [(by, "removed what was staged of legacy" in outcome) for by, outcome in told] == [(run, True)]
