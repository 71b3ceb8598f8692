"""`ludb stage`: what is staged, as of when, and for whom; refreshed and dropped by a person."""

from __future__ import annotations

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
