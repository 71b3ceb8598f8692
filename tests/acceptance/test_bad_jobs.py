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
