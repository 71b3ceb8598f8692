"""A document that its API fails for ever, at APIs of other kinds: SOAP, work that is done later, an object that is updated; and
with two workers at once. It is set aside by name, nothing of it is left anywhere, and everybody else moves.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from ludb.model.run import RunState
from ludb.service.runs import start
from ludb.service.summary import summarize
from tests.engine.test_poison import FAILS, poison, told, whole
from tests.unit import soap_service

JOB = """
    name: shop
    systems:
      legacy:  {{type: sqlite, url: "${{LEGACY}}"}}
      billing: {{type: sqlite, url: "${{BILLING}}"}}
      crm:     {{{crm}}}
    unit:
      root: legacy.customers
      key: id
    outputs:
      crm.customer: {{row: [unit_key], marker: $.externalId, {output}}}
    settings: {{chunk_units: 10, workers: {workers}, retry: {{base: 1ms, cap: {cap}}}, quarantine_limit: 90%}}
"""
REST = 'type: rest, url: "${CRM}", max_delay: 0, retry_for: 1s'
SOAP = (
    'type: soap, url: "${CRM}", wsdl: crm.wsdl, max_delay: 0, retry_for: 1s, '
    'security: {user: loader, password: "${CRM_PASSWORD}"}, '
    "faults: [{detail: NotFound, means: absent}, {detail: Full, means: retry}]"
)
MADE = 'call: POST /customer, probe: "GET /customer?externalId={call_id}", undo: "DELETE /customer/{id}"'
LATER = (
    f"{MADE}, accepted: {{poll: 'GET /jobs/{{job}}', job: $.job, done: [ok], failed: [no], every: 5ms, within: 50ms, "
    "returns: {id: $.object}}"
)
OPERATED = (
    'call: SOAP /CreateCustomer, probe: "SOAP /FindCustomers?filter.externalId={call_id}", '
    'undo: "SOAP /DeleteCustomer?id={id}"'
)
STEPS = {
    "steps/10/crm.customer.sql": "select unit_key, name from legacy.customers",
    "steps/20/billing.account.sql": "select unit_key, id, name from legacy.customers",
}


@pytest.fixture
def shop(desk):
    """A job over `count` customers c1, c2, ..., who go to `billing` and to the system `crm`."""
    desk.database("billing", "create table account (id integer primary key, name text not null)")

    def describe(output, *, crm=REST, count=40, workers=1, cap="20ms"):
        desk.database(
            "legacy",
            "create table customers (id integer primary key, name text); insert into customers with recursive n(i) as "
            f"(select 1 union all select i + 1 from n where i < {count}) select i, 'c' || i from n",
        )
        desk.write({"job.yaml": JOB.format(output=output, crm=crm, workers=workers, cap=cap), **STEPS})

    desk.describe = describe
    return desk


@pytest.fixture
def called(shop, api):
    """The API of the job's `crm`, by REST."""
    shop.environment["CRM"] = api.url
    return api


@pytest.fixture
def service(shop):
    """The service of the job's `crm`, by SOAP."""
    made = []

    def serve(version):
        made.append(soap_service.SoapService(version))
        shop.environment |= {"CRM": made[0].url, "CRM_PASSWORD": soap_service.PASSWORD}
        shop.write({"crm.wsdl": soap_service.wsdl(version)})
        return made[0]

    yield serve
    for one in made:
        one.end()


def alone(shop, summary, unit, said):
    """Only this unit was set aside, because the API fails its call each time."""
    assert summary.run.state is RunState.EXCEPTIONS, summary.run.reason
    found = shop.set_aside(summary.run.id)
    assert {key: (str(one.state), one.reason) for key, one in found.items()} == {
        unit: ("quarantined", f"crm.customer: {FAILS} ({said})")
    }
    assert told(shop, summary, "call.given_up")
    return found[unit]


class Faults(dict):
    """Faults by name; whoever never stops is told to at the 40th."""

    met = 0

    def get(self, name):
        self.met += name in self
        return ("wsse:FailedAuthentication", "enough", "") if name in self and self.met > 40 else super().get(name)


@pytest.mark.parametrize(
    ("version", "code", "status"),
    [("1.1", "Server", 500), pytest.param("1.2", "Client", 400, marks=pytest.mark.long)],
)
def test_a_soap_fault_that_means_retry_and_comes_for_ever_sets_its_customer_aside(shop, service, version, code, status):
    """The service says that it may be tried again, of one document each time; with SOAP 1.2 by another status."""
    crm = service(version)
    crm.faults = Faults({"c3": (code, "no room for it", "Full")})
    shop.describe(OPERATED, crm=SOAP)
    summary = shop.run()
    found = alone(shop, summary, "3", f"status {status}")
    assert "no room for it" in found.body
    crm.store = {one["id"]: one for one in crm.objects()}
    whole(shop, crm, {"c3"}, 40)


@pytest.mark.long
def test_a_document_that_a_soap_service_hangs_up_on_each_time_is_set_aside(shop, service):
    crm = service("1.1")
    crm.dropped.add("c3")
    shop.describe(OPERATED, crm=SOAP)
    summary = shop.run()
    alone(shop, summary, "3", "no answer")
    crm.store = {one["id"]: one for one in crm.objects()}
    whole(shop, crm, {"c3"}, 40)


@pytest.mark.long
def test_a_document_that_is_to_be_tried_again_for_ever_is_set_aside(shop, called):
    """What the job calls `retry` is a word on one document; on the whole system it is said by 429, and 503."""
    shop.describe(f"{MADE}, status: {{retry: [409]}}", crm=REST.replace("retry_for: 1s", "retry_for: 0s"))
    seen = poison(called, "c3", answer=(409, {"error": "not yet"}))
    found = alone(shop, shop.run(), "3", "status 409")
    assert "not yet" in found.body
    assert seen["c3"] >= 5
    whole(shop, called, {"c3"}, 40)


@pytest.mark.parametrize("fails", ["taking", pytest.param("asking", marks=pytest.mark.long)])
def test_work_that_is_never_taken_or_never_told_of_is_set_aside(shop, called, fails):
    """The POST fails for ever, or whoever asks for its job gets 500 for ever."""
    jobs = []

    def before(method, path, document):
        if method == "POST":
            if fails == "taking" and document["name"] == "c3":
                return 500, {"error": "no room for it"}
            jobs.append(document)
            return 202, {"job": str(len(jobs) - 1)}
        if not path.startswith("/jobs/"):
            return None
        job = path.removeprefix("/jobs/")
        if jobs[int(job)]["name"] == "c3":
            return 500, {"error": "no room for it"}
        called.store[job] = {**jobs[int(job)], "id": job}
        return 200, {"status": "ok", "object": job}

    called.before = before
    shop.describe(LATER)
    summary = shop.run()
    alone(shop, summary, "3", "status 500")
    whole(shop, called, {"c3"}, 40)


@pytest.mark.long
def test_work_that_ends_badly_each_time_is_refused_at_once(shop, called):
    """`failed` is a word: nobody asks five times."""
    jobs = []

    def before(method, path, document):
        if method == "POST":
            jobs.append(document)
            return 202, {"job": str(len(jobs) - 1)}
        if not path.startswith("/jobs/"):
            return None
        job = path.removeprefix("/jobs/")
        if jobs[int(job)]["name"] == "c3":
            return 200, {"status": "no"}
        called.store[job] = {**jobs[int(job)], "id": job}
        return 200, {"status": "ok", "object": job}

    called.before = before
    shop.describe(LATER, count=12)
    summary = shop.run()
    assert {key: str(one.state) for key, one in shop.set_aside(summary.run.id).items()} == {"3": "quarantined"}
    assert [one["name"] for one in jobs].count("c3") == 1
    whole(shop, called, {"c3"}, 12)


@pytest.mark.parametrize("taken_back", [True, pytest.param(False, marks=pytest.mark.long)])
def test_an_object_that_can_never_be_updated_is_taken_back_with_its_customer(shop, called, taken_back):
    """All of a chunk was made, the run was stopped before it was decided, and the customers have other names since."""
    output = f'{MADE}, update: "PUT /customer/{{id}}"'
    shop.describe(output if taken_back else output.replace(', undo: "DELETE /customer/{id}"', ""))
    called.before = lambda method, _, document: (401, None) if method == "POST" and document["name"] == "c10" else None
    summary = shop.run()
    assert summary.run.state is RunState.PAUSED
    made = {one["name"]: one["id"] for one in called.store.values()}
    assert "c3" in made
    shop.database("legacy", "update customers set name = 'n' || id where id < 10")
    seen = []

    def before(method, path, document):
        if method == "PUT" and document["name"] == "n3":
            seen.append(path)
            return 500, {"error": "no room for it"}
        return None

    called.before = before
    summary = shop.go_on(summary.run.id)
    found = shop.set_aside(summary.run.id)
    assert len(seen) >= 5
    assert {key: str(one.state) for key, one in found.items()} == {"3": "quarantined" if taken_back else "in_doubt"}
    assert found["3"].reason.startswith(f"crm.customer: {FAILS}" if taken_back else "rejected, but not taken back")
    here = {one["name"]: one["id"] for one in called.store.values()}
    moved = {f"n{n}" for n in range(1, 10) if n != 3} | {f"c{n}" for n in range(10, 41)}
    assert {*here} == moved | (set() if taken_back else {"c3"})
    assert here["n4"] == made["c4"], "it was updated, not made again"
    assert {name for (name,) in shop.rows("billing", "select name from account")} == moved


@pytest.mark.long
def test_two_workers_with_bad_documents_in_hand_set_aside_those_alone_and_end(shop, called):
    """The first two chunks have two each, and the API answers nobody before each worker holds one of them."""
    bad = ["c3", "c8", "c13", "c18"]
    shop.describe(MADE, count=80, workers=2, cap="200ms")
    poison(called, *bad)
    started = start(shop.site, shop.job, {})
    started.lock.release()
    run, both = started.run, threading.Event()
    called.admit = both.wait
    command = [sys.executable, "-m", "ludb", "run", str(shop.job), "--state", str(shop.state)]
    process = subprocess.Popen(command, env=shop.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        await_that(lambda: process.poll() is not None or len(holders(shop, run)) == 2, "one worker has all chunks")
        both.set()
        said = process.communicate(timeout=60)[0].decode()
    finally:
        both.set()
        process.kill()
    summary = summarize(shop.site, run.id)
    assert summary.run.state is RunState.EXCEPTIONS, said
    found = shop.set_aside(run.id)
    assert {one.reason for one in found.values()} == {f"crm.customer: {FAILS} (status 500)"}
    assert sorted(found) == sorted(name.removeprefix("c") for name in bad)
    assert len({event.data["worker"] for event in told(shop, summary, "worker.started")}) == 2
    whole(shop, called, bad, 80)


def holders(shop, run):
    return {chunk.owner for chunk, _, _ in shop.site.repository.views.chunks(run.id, unresolved=True) if chunk.owner}


def await_that(what, why):
    until = time.monotonic() + 60
    while not what():
        assert time.monotonic() < until, why
        time.sleep(0.02)
