"""How hard an API is called, said in job.yaml and changed while the run goes on; the simulator's own store is the witness."""

from __future__ import annotations

import pytest

JOB = """
    name: shop
    systems:
      legacy:  {type: sqlite, url: "${LEGACY_URL}"}
      billing: {type: sqlite, url: "${BILLING_URL}"}
      crm:     {type: rest, url: "${CRM_URL}", pace: 1/h, max_delay: 200ms}
    unit:
      root: legacy.customers
      key: id
    keys:
      account: {for: customers.id, kind: sequence, start: 100}
    outputs:
      crm.customer: {call: POST /customer, row: [unit_key], undo: "DELETE /customer/{id}", returns: {crm_id: $.id}}
    settings: {chunk_units: 8, workers: 1}
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
def paced(shop, simulator):
    """Eight customers, and a CRM that may be asked once an hour: one call leaves, the others wait."""
    for step in sorted((shop.job / "steps").rglob("*.*")):
        step.unlink()
    shop.write({"job.yaml": JOB, **STEPS})
    shop.crm = simulator("crm")
    shop.environment["CRM_URL"] = shop.crm.url
    return shop


def worker_of(shop):
    run = shop.site.repository.views.runs(limit=1)[0]
    return next(one for one in shop.site.repository.owners.all(run.id) if one.role == "worker")


def check_once(shop):
    objects = shop.crm.objects()
    assert sorted(one["name"] for one in objects) == [f"c{n}" for n in range(1, 9)]
    assert {one["id"] for one in objects} == {name for (name,) in shop.rows("billing", "select name from account")}


def test_a_pace_of_the_job_holds_and_another_one_reaches_what_waits(paced):
    process = paced.start("run", "job")
    paced.until(lambda: paced.crm.count() == 1, "one call has left")
    beat = worker_of(paced).beat
    paced.until(lambda: worker_of(paced).beat > beat + 1, "time goes on")
    assert paced.crm.count() == 1
    assert paced.ludb("set", "--job", "job", "crm.pace=500/s", "crm.in_flight=2").code == 0
    said = paced.said(process)
    assert said.code == 0, said.err
    check_once(paced)


def test_stopping_now_does_not_wait_for_the_pace_and_leaves_nothing_in_doubt(paced):
    """The API has no probe: a call that is counted as sent and never left could never be resolved."""
    process = paced.start("run", "job")
    paced.until(lambda: paced.crm.count() == 1, "one call has left")
    assert paced.ludb("stop", "--now", "--job", "job").code == 0
    said = paced.said(process)
    assert said.code == 4, said.err
    assert paced.crm.count() == 1
    assert [one["outcome"] for one in paced.events("command.done")] == ["stopped"]
    assert paced.ludb("set", "--job", "job", "crm.pace=off").code == 0
    again = paced.ludb("resume", "--job", "job")
    assert again.code == 0, again.err
    check_once(paced)
