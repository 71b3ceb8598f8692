"""Customers whose rows come from an API move as whole as those of a database; the API is read once, whatever happens."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from decimal import Decimal

import pytest

from tests.acceptance.conftest import BILLING, JOB, STEPS, Bench
from tests.unit.paged_api import PagedApi

SYSTEM = """\
legacy:
    type: rest
    url: "${API_URL}"
    auth: {bearer: "${API_TOKEN}"}
    retry_for: 0
    tables:
      customers: {get: /customers, rows: data.items, page: {by: link}, key: [id], total: $header.X-Total}
      orders: {from: customers, rows: bought, carry: {cid: id}, types: {amount: "decimal(10,2)"}}
"""
LEGACY = '  legacy:  {type: sqlite, url: "${LEGACY_URL}"}\n'
NEGATIVE = "select unit_key, 'an order is negative' as reason from billing.charge where amount < 0"


def people(count):
    return [
        {"id": n, "name": f"c{n}", "bought": [{"oid": n * 10, "amount": Decimal(f"{n}.10")}, {"oid": n * 10 + 1, "amount": 2}]}
        for n in range(1, count + 1)
    ]  # fmt: skip


@pytest.fixture
def api():
    served = PagedApi()
    served.shelves["customers"] = people(8)
    yield served
    served.end()


@pytest.fixture
def shop(tmp_path, ready, api):
    made = Bench(tmp_path, ready)
    made.database("billing", BILLING)
    made.environment |= {"API_URL": api.url, "API_TOKEN": "t0p-secret"}
    indented = "".join(f"      {line}\n" for line in SYSTEM.splitlines())
    made.write({"job.yaml": JOB.replace("    " + LEGACY, indented), **STEPS})
    yield made
    made.close()


def test_a_job_over_an_api_moves_whole_customers_and_reads_the_api_once(shop, api):
    api.shelves["customers"][4]["bought"][0]["amount"] = Decimal("-0.01")
    shop.write({"rules/no_negative.sql": NEGATIVE})
    assert shop.ludb("check", shop.job).code == 0
    assert api.seen == [], "a check asks nobody"
    run = shop.ludb("run", shop.job, "--json")
    assert run.code == 3, run.err
    assert shop.rows("billing", "select count(*) from account") == [(7,)]
    assert shop.rows("billing", "select count(*), sum(amount = oid / 10 + 0.1) from charge where oid % 10 = 0") == [
        (7, 7)
    ]
    assert shop.rows("billing", "select count(*) from charge where account = 104") == [(0,)]
    assert len(api.seen) == 4, "eight customers, two a page"
    assert {headers["Authorization"] for _, _, headers, _ in api.seen} == {"Bearer t0p-secret"}

    told = shop.ludb("stage", shop.job, "--status")
    assert "legacy: as of " in told.out
    assert f"planned from it: {run.json['run']['id']}" in told.out
    shop.write({"rules/no_negative.sql": NEGATIVE.replace("< 0", "< -1")})
    again = shop.ludb("quarantine", "retry", run.json["run"]["id"], "--all", "--state", shop.state)
    assert again.code == 0, again.err
    assert shop.rows("billing", "select count(*) from account") == [(8,)]
    assert len(api.seen) == 4, "what is tried again comes out of what is staged"


def test_an_api_that_fails_on_its_last_page_leaves_nothing_half_staged(shop, api):
    def fail(request):
        if request.query.get("after") == "c6":
            api.faults = [(404, {}, "gone")]

    api.turned = fail
    said = shop.ludb("run", shop.job)
    assert said.code == 2, said.out
    assert "system legacy, table customers, page 4: the server answered 404" in " ".join(said.err.split())
    assert shop.ludb("stage", shop.job, "--status", "--json").json["staged"] == [{"system": "legacy", "take": None}]
    assert not [path for path in (shop.state / "staged").rglob("*") if path.is_file()]
    api.turned = None
    assert shop.ludb("run", shop.job).code == 0
    assert shop.rows("billing", "select count(*) from account") == [(8,)]


def test_a_staging_that_is_killed_begins_again(shop, api):
    reached, dead = threading.Event(), asyncio.Event()

    async def hang(request):
        if request.query.get("after") == "c4":
            reached.set()
            await dead.wait()

    api.answer = hang
    process = shop.start("stage", shop.job)
    shop.until(reached.is_set, "the third page")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    api.loop.call_soon_threadsafe(dead.set)
    api.answer = None
    assert shop.ludb("stage", shop.job, "--json").json["staged"][0]["tables"][0]["rows"] == 8
    assert len(list((shop.state / "staged").glob("*/*/take.json"))) == 1
    assert len(list((shop.state / "staged").glob("*/*/"))) == 1


def test_an_api_and_a_database_make_one_customer(shop, api):
    shop.database("old", "create table people (id integer primary key, name text);"
                         "insert into people values (1,'a'),(2,'b'),(3,'c')")  # fmt: skip
    api.shelves["customers"] = people(3)
    shop.change("job.yaml", "  legacy:\n", '  old: {type: sqlite, url: "${OLD_URL}"}\n  legacy:\n')
    shop.change("job.yaml", "root: legacy.customers", "root: old.people")
    shop.change("job.yaml", "orders: {parent: customers, on: {cid: id}}",
                "legacy.orders: {parent: people, on: {cid: id}}")  # fmt: skip
    shop.change("job.yaml", "for: customers.id", "for: people.id")
    shop.change("steps/10_customer/billing.account.sql", "legacy.customers", "old.people")
    (shop.job / "steps/30_visit/billing.visit.py").unlink()
    run = shop.ludb("run", shop.job)
    assert run.code == 0, run.err
    assert shop.rows("billing", "select name, count(*) from charge c join account a on a.id = c.account group by 1") == [
        ("a", 2), ("b", 2), ("c", 2),
    ]  # fmt: skip


def test_a_refresh_asks_only_for_what_has_changed(shop, api):
    for number, person in enumerate(api.shelves["customers"], 1):
        person["updated"] = f"2026-01-0{number}"
    shop.change("job.yaml", "total: $header.X-Total", "changed: {field: updated, parameter: since}")
    assert shop.ludb("stage", shop.job).code == 0
    api.shelves["customers"][2] |= {"name": "new", "updated": "2026-02-01"}
    told = shop.ludb("stage", shop.job, "--refresh", "--json")
    assert told.json["staged"][0]["tables"][0]["rows"] == 8, told.err
    assert api.asked[4:] == ["/customers?since=2026-01-08"]
    shop.change("job.yaml", "retry_for: 0", "pace: 50/s")
    assert shop.ludb("run", shop.job).code == 0
    assert shop.rows("billing", "select name from account where id = 102") == [("new",)]
    assert len(api.seen) == 5, "how hard an API is asked says nothing of what it gives"
