"""APIs of other kinds in the place of the CRM: SOAP, many documents in one request, work that is done later. Each can lie."""

from __future__ import annotations

import time

import pytest
from kill_world import World

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
"""The output `crm.customer` by kind: tests over all kinds take them from here."""


def kinds(cheap: str = "", among: tuple[str, ...] = tuple(OUTPUTS)) -> pytest.MarkDecorator:
    """A test for each kind of API; but for the cheap one they are the long round's."""
    marked = [pytest.param(kind, marks=[] if kind == cheap else [pytest.mark.long]) for kind in among]
    return pytest.mark.parametrize("other", marked, indirect=True)


class Soap:
    """A SOAP service in the place of the CRM."""

    api = "crm"

    def __init__(self) -> None:
        self.service = soap_service.SoapService()
        self.url = self.service.url
        self.objects, self.end = self.service.objects, self.service.end
        self.stop, self.start = self.service.stop, self.service.start_again
        self.honour_keys = self.service.honour_keys

    def requests(self) -> int:
        """How many it has been sent."""
        return len(self.service.seen)

    def looked_up(self) -> int:
        """How many look-ups it has been sent."""
        return sum("FindCustomers" in text for _, text in self.service.seen)

    def lose_an_answer(self) -> None:
        """The next request is carried out, and its answer is lost."""
        self.service.misbehave(Mischief.DROP_AFTER)

    def bring_late(self, seconds: float) -> None:
        """The second request from now on is carried out only after this time, and never answered."""
        self.service.misbehave(None, Mischief.HANG)
        self.service.deliver_late(seconds)

    def lag(self, seconds: float) -> None:
        """A look-up does not show what is younger than this."""
        self.service.lag = seconds

    def keep_all(self) -> None:
        """Whatever is to be deleted from now on is not: it is refused."""
        self.service.keeps = True

    def plant(self, name: str, call_id: str) -> str:
        """Make an object as somebody else would, and show it to whoever looks up anything; its id."""
        return self.service.call(self._plant({"name": name, "externalId": call_id}))

    async def _plant(self, document: dict[str, str]) -> str:
        made = self.service._add(document)["id"]
        self.service.always.add(made)
        return made


class Http:
    """A small API in the place of the CRM: it takes many documents at once, or does them later."""

    api = "crm"

    def __init__(self, kind: str) -> None:
        self.http, self.jobs, self.lost, self.late = Api(), [], 0, (0, 0.0)
        self.young, self.kept, self.keyed = 0.0, False, False
        self.born: dict[str, float] = {}
        self.planted: list[dict] = []
        self.url, self.end, self.stop, self.start = self.http.url, self.http.close, self.http.stop, self.http.start
        self.take = {"bulk": self._together, "later": self._later}[kind]
        self.path = {"bulk": "/customers", "later": "/customer"}[kind]
        self.http.before = self._before

    def objects(self) -> list[dict]:
        return list(self.http.store.values())

    def requests(self) -> int:
        return len(self.http.seen)

    def looked_up(self) -> int:
        return sum(method == "GET" and path.startswith("/customer?") for method, path, _ in self.http.seen)

    def lose_an_answer(self) -> None:
        self.lost = 1

    def bring_late(self, seconds: float) -> None:
        self.late = (2, seconds)

    def lag(self, seconds: float) -> None:
        self.young = seconds

    def keep_all(self) -> None:
        self.kept = True

    def honour_keys(self) -> None:
        self.keyed = True

    def plant(self, name: str, call_id: str) -> str:
        made = self._add({"name": name, "externalId": call_id}, f"planted-{len(self.born)}")
        self.planted.append(self.http.store[made])
        return made

    def _add(self, document: dict, object_id: str) -> str:
        self.http.store[object_id] = {**document, "id": object_id}
        self.born[object_id] = time.monotonic()
        return object_id

    def _before(self, method: str, path: str, document: object) -> tuple[int, object] | None:
        if (method, path) == ("POST", self.path):
            left, seconds = self.late
            self.late = (left - 1, seconds)
            if left == 1:
                self.http.aside(seconds, lambda: self.take(document))
                return 0, None
            return self._said(*self.take(document))
        if self.take == self._later:
            self._work()
        if path.startswith("/jobs/"):
            return 200, {"status": "ok", "object": self.jobs[int(path.removeprefix("/jobs/"))][1]}
        if method == "DELETE" and self.kept:
            return 400, {"error": "it stays"}
        if method == "GET":
            found = [*(one for one in self.http.found(path) if one not in self.planted), *self.planted]
            return 200, [one for one in found if time.monotonic() - self.born[one["id"]] >= self.young]
        return None

    def _said(self, status: int, document: object) -> tuple[int, object]:
        self.lost -= 1
        return (500, None) if self.lost == 0 else (status, document)

    def _together(self, document: dict) -> tuple[int, object]:
        made = [self._add(one, f"made-{len(self.born)}") for one in document["all"]]
        return 207, {"all": [{"code": 201, "one": self.http.store[one]} for one in made]}

    def _later(self, document: dict) -> tuple[int, object]:
        known = [at for at, (one, _) in enumerate(self.jobs) if one["externalId"] == document["externalId"]]
        if known and self.keyed:
            return 202, {"job": str(known[0])}
        self.jobs.append((document, None))
        return 202, {"job": str(len(self.jobs) - 1)}

    def _work(self) -> None:
        """Work that nobody asks for is done all the same, as soon as the server has anything to do again."""
        for number, (waiting, made) in enumerate(self.jobs):
            if made is None:
                self.jobs[number] = (waiting, self._add(waiting, f"done-{number}"))


def put_in_place(world: World, kind: str) -> Soap | Http:
    """A server of this kind, and the job that goes with it."""
    server = Soap() if kind == "soap" else Http(kind)
    text = (world.job / "job.yaml").read_text()
    begin, end = text.index("    {call: POST /customer"), text.index("  inventory.service:")
    text = text[:begin] + f"    {OUTPUTS[kind]}\n" + text[end:]
    (world.job / "job.yaml").write_text(text.replace(HTTP, SOAP if kind == "soap" else HTTP))
    (world.job / "crm.wsdl").write_text(soap_service.wsdl())
    (world.job / "steps/10_customer/crm.customer.sql").write_text("select unit_key, name from legacy.customers")
    world.environment["CRM_PASSWORD"] = soap_service.PASSWORD
    world.use(server)
    return server


def names_at(world: World) -> list[str]:
    """The names of the customers that the CRM has."""
    return sorted(one["name"] for one in world.crm.objects())


def check_names(world: World, *more: str) -> None:
    """Whoever is in the database is at the server, under the id that the database holds, once."""
    billed = world.sql("billing", "select name, crm_id from account")
    assert sorted(billed) == sorted((one["name"], one["id"]) for one in world.crm.objects())
    assert set(more) <= {name for name, _ in billed}
