"""Mistakes in a job are found by `ludb check` or, where systems must be looked at, before anything runs."""

from __future__ import annotations

import pytest


def test_every_missing_variable_is_named_at_once_with_its_line(shop):
    del shop.environment["LEGACY_URL"], shop.environment["BILLING_URL"]
    said = shop.ludb("check", "job")
    assert said.code == 2
    assert "job.yaml:4:" in said.err
    assert "variable LEGACY_URL is not set" in said.err
    assert "variable BILLING_URL is not set" in said.err
    assert "LUDB_SECRETS" in said.err
    told = shop.ludb("check", "job", "--json")
    assert told.code == 2
    assert [one["field"] for one in told.json["errors"]] == ["systems.legacy.url", "systems.billing.url"]
    (shop.folder / "secrets").write_text("LEGACY_URL=a.sqlite\nBILLING_URL=b.sqlite\n")
    assert shop.ludb("check", "job", LUDB_SECRETS=str(shop.folder / "secrets")).code == 0


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("job.yaml", "root: legacy.customers", "root: legcay.customers", ["job.yaml:7:", "legcay", "legacy"]),
        ("job.yaml", 'type: sqlite, url: "${LEGACY_URL}"', 'type: sqlight, url: "${LEGACY_URL}"', ["job.yaml:4:", "sqlight"]),
        ("job.yaml", "chunk_units: 2", "chunk_unit: 2", ["job.yaml:13:", "chunk_unit", "chunk_units"]),
        ("steps/20_order/billing.charge.sql", "from legacy", "form legacy", ["steps/20_order/billing.charge.sql:2:"]),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place_and_a_remedy(shop, file, old, new, told):
    shop.change(file, old, new)
    said = shop.ludb("check", "job")
    assert said.code == 2
    assert "Traceback" not in said.err
    for part in told:
        assert part in said.err


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("job.yaml", "root: legacy.customers", "root: legacy.custmers", ["custmers"]),
        ("job.yaml", "on: {cid: id}", "on: {customer: id}", ["'customer'", "cid"]),
        ("steps/20_order/billing.charge.sql", "amount from", "amount as sum from", ["'sum'", "amount"]),
        ("steps/10_customer/billing.account.sql", ", name", "", ["billing.account needs name"]),
        ("steps/10_customer/billing.account.sql", "unit_key, k.new", "k.new", ["unit_key"]),
    ],
)
def test_what_only_the_systems_can_tell_is_told_before_anything_runs(shop, file, old, new, told):
    shop.change(file, old, new)
    said = shop.ludb("run", "job")
    assert said.code == 2
    assert "Traceback" not in said.err
    for part in told:
        assert part in said.err
    assert shop.rows("billing", "select count(*) from account") == [(0,)]


def test_a_database_that_is_not_there_is_named_with_its_system(shop):
    (shop.folder / "billing.sqlite").unlink()
    said = shop.ludb("run", "job", "--json")
    assert said.code == 2
    assert "system billing" in said.json["message"]
    assert "billing.sqlite" in said.json["message"]
    assert not (shop.folder / "billing.sqlite").exists()


DESCRIPTION = """
    swagger: "2.0"
    paths:
      /customer:
        get: {}
        post: {parameters: [{in: body, name: c, schema: {type: object, required: [name, party], additionalProperties: false,
          properties: {name: {type: string}, age: {type: integer}, externalId: {type: string},
                       party: {type: object, required: [id], properties: {id: {type: string}, kind: {type: string}}}}}}]}
      /customer/{id}: {delete: {}}
"""
CALLS = """
    name: shop
    systems:
      legacy: {type: sqlite, url: nowhere.sqlite}
      crm:    {type: rest, url: "http://127.0.0.1:9", max_delay: 0, openapi: crm.yaml}
    unit: {root: legacy.customers, key: id}
    outputs:
      crm.customer: {call: POST /customer, row: [unit_key], marker: $.externalId, probe: "GET /customer?externalId={call_id}",
                     undo: "DELETE /customer/{id}", returns: {crm_id: $.id}}
"""


def test_what_an_api_demands_and_no_step_selects_is_told_from_the_text_while_every_system_is_away(shop):
    """An engineer writes the job before anybody lets them connect: a file that is not there and a port nobody listens at."""
    step = "steps/10_customer/crm.customer.sql"
    shop.job = shop.folder / "crm"

    def check(select):
        shop.write({"job.yaml": CALLS, "crm.yaml": DESCRIPTION, step: select})
        said = shop.ludb("check", "crm", "--json")
        return said.code, [(one["severity"], one["text"], one["remedy"]) for one in said.json["findings"]]

    code, found = check("select unit_key, surname as name, {'kind': 'P'} as party, 1 as colour from legacy.customers")
    assert code == 2
    assert [(severity, text.partition(": ")[2]) for severity, text, _ in found] == [
        ("error", "$.party.id is missing (POST /customer)"),
        ("warning", "$.colour is not known to the API (POST /customer)"),
    ]
    assert {text.partition(": ")[0] for _, text, _ in found} == {step}
    assert found[0][2] == "Mend the SELECT"
    assert check("select unit_key, surname as name from legacy.customers")[1][0][1].endswith(
        "$.party is missing (POST /customer)"
    )
    assert check("select unit_key, surname as name, years as age, {'id': 'x'} as party from legacy.customers") == (
        0,
        [],
    )
    code, found = check("select unit_key, null as name, null as age, {'id': null} as party from legacy.customers")
    assert (code, [text.partition(": ")[2].partition(",")[0] for _, text, _ in found]) == (
        2, ["$.name is NULL", "$.party.id is NULL"],
    )  # fmt: skip
    assert check("select * from legacy.customers") == (0, []), "what its columns are is not in its text"
