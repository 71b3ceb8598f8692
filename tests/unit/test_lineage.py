"""Where a column comes from is read from the text of the steps: what a person is told must be what the step reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from ludb.project.folder import read_job
from ludb.project.lineage import Place, lineage_of

TELCO = Path(__file__).parents[2] / "examples/telco/job"
URLS = {
    "LEGACY_URL": "sqlite:///a", "BILLING_URL": "sqlite:///b", "CRM_URL": "http://x", "INVENTORY_URL": "http://y",
}  # fmt: skip


@pytest.fixture(scope="module")
def telco():
    return {one.output: one for one in lineage_of(read_job(TELCO, URLS))}


def column(step, name):
    return next(one for one in step.columns if one.column == name)


def places(found):
    return [f"{one.table}.{one.column}" for one in found]


def test_a_column_is_led_back_to_what_its_step_reads_by_the_tables_real_names(telco):
    found = column(telco["billing.account"], "name")
    assert places(found.sources) == [
        f"legacy.customers.{name}" for name in ("company_name", "first_name", "kind", "last_name")
    ]
    assert found.expression == "full_name(c.kind, c.company_name, c.first_name, c.last_name)"


def test_earlier_outputs_and_key_maps_are_followed_to_the_source(telco):
    found = column(telco["billing.charge"], "account_id")
    assert (places(found.sources), places(found.origins)) == (
        ["billing.account.account_id"],
        ["legacy.customers.customer_id"],
    )
    assert column(telco["billing.account"], "crm_id").origins == (Place("keys.crm_id", "new"),)


def test_what_is_nested_in_a_document_is_found_through_its_common_tables(telco):
    found = places(column(telco["crm.customer"], "contactMedium").sources)
    assert {"legacy.contacts.value", "legacy.addresses.city"} <= set(found)
    assert not any(one.startswith("media.") for one in found)


def test_a_constant_comes_from_nowhere_and_a_step_in_python_says_so(telco):
    assert column(telco["billing.usage_summary"], "records").sources == ()
    service = telco["inventory.service"]
    assert (service.columns, service.note.split(":")[0]) == ((), "a step in Python")


def test_a_text_that_is_not_understood_is_told_and_the_others_are_read(shop):
    assert places(column(lineage_of(read_job(shop.job, shop.environment))[1], "amount").sources) == [
        "legacy.orders.amount"
    ]
    shop.write({"steps/10_customer/billing.account.sql": "select unit_key, from from from"})
    first, second = lineage_of(read_job(shop.job, shop.environment))
    assert "not understood" in first.note
    assert places(column(second, "account").sources) == ["billing.account.id"]
    shop.write({"steps/10_customer/billing.account.sql": "select * from legacy.customers"})
    assert "all columns" in lineage_of(read_job(shop.job, shop.environment))[0].note


def test_a_name_that_could_be_of_two_tables_is_not_guessed(shop):
    shop.write(
        {"steps/20_order/billing.charge.sql": "select oid, amount from legacy.orders join legacy.customers on cid = id"}
    )
    assert column(lineage_of(read_job(shop.job, shop.environment))[1], "amount").sources == (Place("", "amount"),)
