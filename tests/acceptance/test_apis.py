"""APIs in trouble: away, restarted, overloaded, lying. The run waits or asks; every object is made exactly once."""

from __future__ import annotations

import json
import re

import pytest

JOB = """
    name: telco
    systems:
      legacy:    {type: sqlite, url: "${LEGACY_URL}"}
      billing:   {type: sqlite, url: "${BILLING_URL}"}
      crm:       {type: rest, url: "${CRM_URL}", in_flight: 8, max_delay: 200ms, timeout: 10s, retry_for: 5s}
    unit:
      root: legacy.customers
      key: id
      tables:
        orders: {parent: customers, on: {cid: id}}
    keys:
      account: {for: customers.id, kind: sequence, start: 100}
    outputs:
      crm.customer:
        {call: POST /customer, row: [unit_key], marker: $.characteristic.ludbCall, undo: "DELETE /customer/{id}",
         returns: {crm_id: $.id}, probe: "GET /customer?characteristic.name=ludbCall&characteristic.value={call_id}"}
    settings: {chunk_units: 25, workers: 1, retry: {base: 50ms, cap: 500ms}}
"""
STEPS = {
    "steps/10_customer/crm.customer.sql": """
        select unit_key, name, {'id': 'legacy-' || id, '@referredType': 'Individual'} as "engagedParty"
        from legacy.customers
    """,
    "steps/20_account/billing.account.sql": """
        select c.unit_key, k.new as id, crm.new as name from legacy.customers c join keys.account k using (unit_key)
        join keys.crm_id crm using (unit_key)
    """,
}


@pytest.fixture
def telco(shop, simulator):
    """100 customers whose CRM id is kept in billing."""
    for step in sorted((shop.job / "steps").rglob("*.*")):
        step.unlink()
    shop.database("legacy", "delete from orders; delete from customers", people(100))
    shop.write({"job.yaml": JOB, **STEPS})
    shop.crm = simulator("crm")
    shop.environment["CRM_URL"] = shop.crm.url
    return shop


def people(count: int) -> str:
    return "insert into customers values " + ",".join(f"({n},'c{n}')" for n in range(1, count + 1))


def check_once(telco, count: int = 100) -> None:
    """Every customer has one object, and billing knows its id."""
    objects = telco.crm.objects()
    assert sorted(one["name"] for one in objects) == sorted(f"c{n}" for n in range(1, count + 1))
    assert {one["id"] for one in objects} == {name for (name,) in telco.rows("billing", "select name from account")}


def test_an_api_that_is_away_at_the_start_is_named_with_its_address(telco):
    telco.crm.stop()
    said = telco.ludb("run", "job", "--json")
    assert said.code == 2
    told = said.json
    assert f"system crm at 127.0.0.1:{telco.crm.port} cannot be reached" in told["message"]
    assert "CRM_URL" in told["remedy"]
    assert telco.rows("billing", "select count(*) from account") == [(0,)]
    telco.crm.start()


def test_an_api_that_dies_in_mid_run_is_waited_for_and_the_run_completes_by_itself(telco):
    telco.crm.behave(slow_ms=20)
    process = telco.start("run", "job")
    telco.until(lambda: telco.crm.count() >= 30, "some customers have arrived")
    telco.crm.stop()
    opened = telco.until(lambda: telco.events("circuit.open"), "the circuit opens")
    assert opened[0]["system"] == "crm"
    assert f"127.0.0.1:{telco.crm.port}" in opened[0]["error"]
    telco.until(
        lambda: [one.doing for one in telco.workers()] == ["waiting for crm"], "the worker says what it waits for"
    )
    waits = re.compile(r"^worker w-\w+ on \S+, process \d+: waiting for crm$", re.MULTILINE)
    # Now and then the worker takes the chunk up again to see whether the system is back: then it is not waiting.
    status = telco.until(
        lambda: next((out for out in [telco.ludb("status", "--job", "job").out] if waits.search(out)), None),
        "the status says what the worker waits for",
    )
    assert "waiting 1 chunk: crm: no answer from crm at 127.0.0.1" in status
    assert process.poll() is None
    telco.crm.start()
    said = telco.said(process)
    assert said.code == 0, said.err
    assert telco.events("circuit.closed")
    check_once(telco)


@pytest.mark.parametrize(
    "idempotent", [False, pytest.param(True, marks=pytest.mark.long)], ids=["probed", "idempotent"]
)
def test_case_60_an_api_that_fails_in_every_way_gets_every_object_exactly_once(telco, simulator, idempotent):
    if idempotent:
        telco.crm.stop()
        telco.crm.options = ("--idempotent",)
        telco.crm.start()
        telco.change("job.yaml", "returns: {crm_id", "idempotent: {ttl: 1h}, returns: {crm_id")
    telco.crm.behave(
        status_before={"429": 0.05, "503": 0.05}, after_write={"500": 0.05, "drop": 0.05}, retry_after=0, seed=3
    )
    said = telco.ludb("run", "job", "--json")
    assert said.code == 0, said.out
    assert said.json["counters"]["done"] == 100
    stats = telco.crm.ask("/control/stats")["requests"]["POST"]
    assert {"201", "429", "503", "500", "drop_after"} <= set(stats), f"not everything happened: {stats}"
    check_once(telco)


def test_what_the_api_refuses_is_set_aside_with_what_the_api_said(telco):
    telco.database("legacy", "update customers set name = '' where id = 7")
    said = telco.ludb("run", "job", "--json")
    assert said.code == 3, said.err
    shown = telco.ludb("quarantine", "show", "7", "--job", "job", "--json").json
    assert shown["reason"] == "crm.customer: the API refused the call (status 400)"
    assert json.loads(shown["body"])["code"] == "400"
    assert f"400 Bad Request from crm at 127.0.0.1:{telco.crm.port} to POST /customer" in shown["detail"]
    unit = telco.ludb("unit", "7", "--job", "job").out
    assert "call crm.customer 7: rejected, status 400" in unit
    assert len(telco.crm.objects()) == 99
