"""Attacks 2 to 4, kills and lost answers on APIs of other kinds: SOAP, many documents in one request, work done later."""

from __future__ import annotations

import pytest
from kill_world import World, check_whole, states_of_calls

from ludb.model.run import CallState, UnitState
from ludb.testing.calls import Mischief
from tests.engine.conftest import Api
from tests.unit import soap_service

HTTP = 'crm:       {type: rest, url: "${CRM}", in_flight: 2, max_delay: 300ms, timeout: 5s, retry_for: 2s}'
SOAP = (
    'crm:       {type: soap, url: "${CRM}", wsdl: crm.wsdl, in_flight: 2, max_delay: 300ms, timeout: 5s, retry_for: 2s, '
    'security: {user: loader, password: "${CRM_PASSWORD}"}, faults: [{detail: NotFound, means: absent}], '
    'call_id_header: "{urn:example:crm}CallId"}'
)
MARKED = "row: [unit_key], marker: $.externalId, returns: {crm_id: $.id}"
LOOKED_UP = 'undo: "DELETE /customer/{id}", probe: "GET /customer?externalId={call_id}"'
OUTPUTS = {
    "soap": f'{{call: SOAP /CreateCustomer, {MARKED}, undo: "SOAP /DeleteCustomer?id={{id}}", '
    'probe: "SOAP /FindCustomers?filter.externalId={call_id}"}',
    "bulk": f"{{call: POST /customer, {MARKED}, {LOOKED_UP}, "
    "bulk: {size: 2, call: POST /customers, items: $.all, results: $.all, status: $.code, document: $.one}}",
    "later": f"{{call: POST /customer, {MARKED}, {LOOKED_UP}, accepted: {{poll: 'GET /jobs/{{job}}', job: $.job, "
    "done: [ok], failed: [no], every: 10ms, within: 500ms, returns: {id: $.object, crm_id: $.object}}}",
}  # fmt: skip


class Soap:
    """A SOAP service in the place of the CRM; it heeds the keys of calls."""

    api = "crm"

    def __init__(self) -> None:
        self.service = soap_service.SoapService()
        self.service.honour_keys()
        self.url = self.service.url
        self.objects, self.end = self.service.objects, self.service.end

    def lose_an_answer(self) -> None:
        self.service.misbehave(Mischief.DROP_AFTER)


class Http:
    """A small API in the place of the CRM: it takes many documents at once, or does them later."""

    api = "crm"

    def __init__(self, kind: str) -> None:
        self.http, self.jobs, self.lost = Api(), [], 0
        self.url, self.end = self.http.url, self.http.close
        self.http.before = {"bulk": self.together, "later": self.later}[kind]

    def objects(self) -> list[dict]:
        return list(self.http.store.values())

    def lose_an_answer(self) -> None:
        self.lost = 1

    def said(self, status: int, document: object) -> tuple[int, object]:
        self.lost -= 1
        return (500, None) if self.lost == 0 else (status, document)

    def together(self, method, path, document):
        if (method, path) != ("POST", "/customers"):
            return None
        made = [self.http.respond("POST", "/customer", one) for one in document["all"]]
        return self.said(207, {"all": [{"code": status, "one": one} for status, one in made]})

    def later(self, method, path, document):
        if (method, path) == ("POST", "/customer"):
            self.jobs.append((document, None))
            return self.said(202, {"job": str(len(self.jobs) - 1)})
        # Work that nobody asks for is done all the same, as soon as the server has anything to do again.
        for number, (waiting, made) in enumerate(self.jobs):
            if made is None:
                self.jobs[number] = (waiting, f"done-{number}")
                self.http.store[f"done-{number}"] = {**waiting, "id": f"done-{number}"}
        if path.startswith("/jobs/"):
            return 200, {"status": "ok", "object": self.jobs[int(path.removeprefix("/jobs/"))][1]}
        return None


@pytest.fixture(params=["soap", *(pytest.param(kind, marks=pytest.mark.long) for kind in ("bulk", "later"))])
def other(request, world: World):
    """The world with a CRM of another kind."""
    kind = request.param
    server = Soap() if kind == "soap" else Http(kind)
    text = (world.job / "job.yaml").read_text()
    begin, end = text.index("    {call: POST /customer"), text.index("  inventory.service:")
    text = text[:begin] + f"    {OUTPUTS[kind]}\n" + text[end:]
    (world.job / "job.yaml").write_text(text.replace(HTTP, SOAP if kind == "soap" else HTTP))
    (world.job / "crm.wsdl").write_text(soap_service.wsdl())
    (world.job / "steps/10_customer/crm.customer.sql").write_text("select unit_key, name from legacy.customers")
    world.environment["CRM_PASSWORD"] = soap_service.PASSWORD
    world.use(server)
    yield world
    server.end()


def names_at(world: World) -> list[str]:
    return sorted(one["name"] for one in world.crm.objects())


def check_names(world: World, *more: str) -> None:
    """Whoever is in the database is at the server, under the id that the database holds, once."""
    billed = world.sql("billing", "select name, crm_id from account")
    assert sorted(billed) == sorted((one["name"], one["id"]) for one in world.crm.objects())
    assert set(more) <= {name for name, _ in billed}


@pytest.mark.long
@pytest.mark.parametrize("sent", [1, 3])
def test_a_sender_killed_after_its_request_left_makes_nobody_twice(other, sent):
    other.die(f"call.answered:crm.customer#{sent}")
    check_whole(other, other.finish())
    check_names(other)


@pytest.mark.long
@pytest.mark.parametrize("event", ["call.intended", "call.sent", "call.settled"])
def test_a_sender_killed_at_another_boundary_makes_nobody_twice(other, event):
    other.die(f"{event}:crm.customer")
    check_whole(other, other.finish())
    check_names(other)


@pytest.mark.long
def test_an_answer_that_is_lost_makes_nobody_twice(other):
    other.crm.lose_an_answer()
    check_whole(other, other.finish())
    check_names(other)


@pytest.mark.long
def test_attack_02_the_payload_changes_between_two_attempts(other):
    other.die("call.settled:inventory.service")
    assert "Customer 2" in names_at(other)
    other.sql("legacy", "update customers set name = 'Renamed' where id = 2")
    check_whole(other, other.finish())
    assert "Customer 2" not in names_at(other)
    check_names(other, "Renamed")


@pytest.mark.long
def test_attack_03_a_call_that_was_undone_is_made_anew_under_another_key(other):
    summary = other.finish()
    assert other.site.repository.views.unit(summary.run.id, 4)[0] is UnitState.QUARANTINED
    (other.job / "rules/20_account/no_owner.sql").write_text(
        "select unit_key, 'never' as reason from legacy.customers where false"
    )
    other.retry(summary.run, 4)
    summary = other.finish()
    check_whole(other, summary, {"9": "CHECK constraint", "16": "refused the call"})
    assert states_of_calls(other, summary.run)["crm.customer", "5"] == [CallState.UNDONE, CallState.DONE]
    check_names(other, "Owner")


@pytest.mark.long
def test_attack_04_killed_after_the_rejection_before_the_undo(other):
    run = other.die("phase.begin:undo")
    assert other.site.repository.views.unit(run.id, 4)[0] is UnitState.PENDING
    assert "Owner" in names_at(other)
    check_whole(other, other.finish())
    assert "Owner" not in names_at(other)
    check_names(other)
