"""Customers move into a SOAP service and a database as one: each is in both, or in neither, whatever dies in between."""

from __future__ import annotations

import os
import signal

import pytest

from tests.acceptance.conftest import BILLING, LEGACY, Bench, customers
from tests.unit import soap_service
from tests.unit.soap_service import Mischief, SoapService, wsdl

JOB = """
    name: shop
    systems:
      legacy:  {type: sqlite, url: "${LEGACY_URL}"}
      billing: {type: sqlite, url: "${BILLING_URL}"}
      crm:
        type: soap
        url: "${CRM_URL}"
        wsdl: crm.wsdl
        in_flight: 1
        max_delay: 200ms
        security: {user: loader, password: "${CRM_PASSWORD}", digest: true}
        faults: [{detail: NotFound, means: absent}]
    unit:
      root: legacy.customers
      key: id
      tables:
        orders: {parent: customers, on: {cid: id}}
    keys:
      account: {for: customers.id, kind: sequence, start: 100}
    outputs:
      crm.customer:
        {call: SOAP /CreateCustomer, row: [unit_key], marker: $.externalId, undo: "SOAP /DeleteCustomer?id={id}",
         probe: "SOAP /FindCustomers?filter.externalId={call_id}", returns: {crm_id: $.id}}
    settings: {chunk_units: 4, workers: 1, lease: 5s, retry: {base: 50ms, cap: 500ms}}
"""
STEPS = {
    "steps/10_customer/crm.customer.sql": """
        select unit_key, name, list({'number': oid::text, 'fee': amount} order by oid) as contracts
        from legacy.customers c join legacy.orders o using (unit_key) group by all
    """,
    "steps/20_account/billing.account.sql": """
        select c.unit_key, k.new as id, crm.new as name from legacy.customers c join keys.account k using (unit_key)
        join keys.crm_id crm using (unit_key)
    """,
}


@pytest.fixture
def service():
    served = SoapService(digest=True)
    yield served
    served.end()


@pytest.fixture
def shop(tmp_path, ready, service):
    made = Bench(tmp_path, ready)
    made.database("legacy", LEGACY, customers(8))
    made.database("billing", BILLING)
    made.environment |= {"CRM_URL": service.url, "CRM_PASSWORD": soap_service.PASSWORD}
    made.write({"job.yaml": JOB, "crm.wsdl": wsdl(), **STEPS})
    yield made
    made.close()


def check_alike(shop, service, wanted):
    """Whoever is in the service is in the database under its id, once, and nobody else is."""
    there = {one["id"]: one["name"] for one in service.objects()}
    assert sorted(there.values()) == sorted(wanted)
    assert sorted(name for (name,) in shop.rows("billing", "select name from account")) == sorted(there)


def test_one_fault_sets_one_customer_aside_with_what_the_service_said(shop, service):
    service.faults["c5"] = ("Client", "c5 is on a list", "Refused")
    assert shop.ludb("check", shop.job).code == 0
    run = shop.ludb("run", shop.job, "--json")
    assert run.code == 3, run.err
    check_alike(shop, service, [f"c{n}" for n in range(1, 9) if n != 5])
    assert [one["contracts"] for one in service.objects() if one["name"] == "c1"] == [[{"number": "10", "fee": "1.50"}]]
    (aside,) = shop.site.repository.views.exceptions(run.json["run"]["id"])
    assert "fault Client from crm at 127.0.0.1" in aside.detail
    assert "on a list" not in aside.reason + aside.message
    assert "c5 is on a list" in aside.detail + aside.body
    service.faults.clear()
    assert shop.ludb("quarantine", "retry", run.json["run"]["id"], "--all", "--state", shop.state).code == 0
    check_alike(shop, service, [f"c{n}" for n in range(1, 9)])


def test_a_worker_killed_while_a_call_is_on_its_way_leaves_no_customer_twice(shop, service):
    """The request arrives after its sender has died: the look-up finds it, and nobody sends it again."""
    service.misbehave(Mischief.HANG)
    process = shop.start("run", shop.job)
    shop.until(lambda: service.hanging, "a call on its way")
    (worker,) = shop.workers()
    os.kill(worker.pid, signal.SIGKILL)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    service.deliver()
    assert len(service.objects()) == 1
    run = shop.site.repository.views.runs(limit=1)[0]
    said = shop.ludb("resume", run.id, "--state", shop.state)
    assert said.code == 0, said.err
    check_alike(shop, service, [f"c{n}" for n in range(1, 9)])
    assert len(service.objects()) == 8


def test_an_output_that_the_wsdl_does_not_take_is_told_before_anything_moves(shop, service):
    shop.change("steps/10_customer/crm.customer.sql", "name, list", "name, 1 as colour, list")
    said = shop.ludb("plan", shop.job)
    assert said.code == 2, said.out
    assert "crm.customer: $.colour is not known to CreateCustomer" in " ".join(said.err.split())
    assert not service.seen
