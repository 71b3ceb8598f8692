"""The two API simulators: they behave like the published APIs, keep what they answered for, and misbehave as told."""

from __future__ import annotations

import concurrent.futures
import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlencode

import jsonschema
import pytest

ROOT = Path(__file__).parents[2]
TELCO = ROOT / "examples" / "telco"
CRM = "/tmf-api/customerManagement/v4/customer"
INVENTORY = "/tmf-api/serviceInventory/v4/service"


def customer(call: str = "c-1", **more) -> dict:
    return {
        "name": "Jürgen Müller",
        "status": "active",
        "engagedParty": {"id": "legacy-1", "name": "Jürgen Müller", "@referredType": "Individual"},
        "contactMedium": [
            {"mediumType": "email", "preferred": True, "characteristic": {"emailAddress": "a@example.com"}}
        ],
        "account": [{"id": "100000", "name": "Billing account 100000"}],
        "characteristic": [
            {"name": "legacyId", "valueType": "string", "value": "1"},
            {"name": "ludbCall", "valueType": "string", "value": call},
        ],
        **more,
    }


def service(call: str = "s-1", **more) -> dict:
    return {
        "name": "Mobile line 1",
        "state": "active",
        "serviceSpecification": {"id": "CFS-MOBILE-01", "@type": "ServiceSpecificationRef"},
        "serviceCharacteristic": [{"name": "ludbCall", "valueType": "string", "value": call}],
        "relatedParty": [{"id": "crm-1", "role": "customer", "@referredType": "Customer"}],
        **more,
    }


class Simulator:
    """A running simulator and the simplest client there is: one connection per request."""

    def __init__(self, api: str, store: Path, *options: str) -> None:
        command = [sys.executable, str(TELCO / "simulator.py"), api, "--port", "0", "--store", str(store), *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line.startswith("listening on http://127.0.0.1:"), line
        self.port = int(line.rsplit(":", 1)[1])
        self.path = CRM if api == "crm" else INVENTORY

    def ask(self, method: str, path: str, body: object = None, *, timeout: float = 10, **headers: str):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)) as connection:
            sent = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            headers = {"Content_Type": "application/json", **headers} if body is not None else headers
            connection.request(method, path, sent, {name.replace("_", "-"): value for name, value in headers.items()})
            response = connection.getresponse()
            text = response.read().decode()
        with contextlib.suppress(ValueError):
            text = json.loads(text)
        return response.status, text, response.headers

    def post(self, body: object, **headers: str):
        return self.ask("POST", self.path, body, **headers)

    def behave(self, **told: object) -> None:
        status, answer, _ = self.ask("PUT", "/control/behave", told)
        assert status == 200, answer

    def dump(self) -> list[dict]:
        return self.ask("GET", "/control/dump")[1]

    def stats(self) -> dict:
        return self.ask("GET", "/control/stats")[1]

    def find(self, name: str, value: str, **more: str):
        traits = "characteristic" if self.path == CRM else "serviceCharacteristic"
        query = urlencode({f"{traits}.name": name, f"{traits}.value": value, **more})
        return self.ask("GET", f"{self.path}?{query}")

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process.poll() is None:
            self.process.send_signal(how)
        self.process.wait(timeout=10)
        self.process.stdout.close()


@pytest.fixture
def start(tmp_path):
    started = []

    def run(api: str = "crm", *options: str) -> Simulator:
        started.append(Simulator(api, tmp_path / f"{api}.sqlite", *options))
        return started[-1]

    yield run
    for one in started:
        one.end()


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulators")
    running = {api: Simulator(api, folder / f"{api}.sqlite") for api in ("crm", "inventory")}
    yield running
    for one in running.values():
        one.end()


def specification(folder: str) -> dict:
    """The published API, where the repository stands beside `shared/`; in CI it must."""
    files = sorted((ROOT.parent / "shared" / "data" / folder).glob("*.swagger.json"))
    if not files:
        missing = (
            f"TM Forum specification {folder} is not beside the repository: the simulator is not checked against it"
        )
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    return json.loads(files[0].read_text(encoding="utf-8"))


SPECS = [
    pytest.param("crm", "tmf629", "Customer", customer, id="TMF629"),
    pytest.param("inventory", "tmf638", "Service", service, id="TMF638"),
]


@pytest.mark.parametrize(("api", "folder", "definition", "document"), SPECS)
def test_every_answer_has_the_shape_that_the_published_api_promises(both, api, folder, definition, document):
    simulator, spec = both[api], specification(folder)

    def holds(name: str, value: object) -> None:
        schema = {"$ref": f"#/definitions/{name}", "definitions": spec["definitions"]}
        assert [error.message for error in jsonschema.Draft4Validator(schema).iter_errors(value)] == []

    path = f"/{simulator.path.rsplit('/', 1)[1]}"
    assert spec["basePath"].rstrip("/") + path == simulator.path
    one = f"{path}/{{id}}"
    assert {method for at in (path, one) for method in spec["paths"][at]} == {"get", "post", "patch", "delete"}
    status, made, headers = simulator.post(document("spec"))
    assert str(status) in spec["paths"][path]["post"]["responses"]
    holds(definition, made)
    assert headers["Location"] == made["href"]
    assert simulator.ask("GET", made["href"])[:2] == (200, made)
    _, found, headers = simulator.find("ludbCall", "spec")
    holds(definition, found[0])
    assert (headers["X-Total-Count"], headers["X-Result-Count"]) == ("1", "1")
    holds(definition, simulator.ask("PATCH", made["href"], {"name": "x"})[1])
    for answer in (
        simulator.post({}),
        simulator.ask("GET", f"{simulator.path}/none"),
        simulator.ask("PUT", simulator.path),
    ):
        assert str(answer[0]) in {"400", "404", "405"}
        holds("Error", answer[1])
    assert simulator.ask("DELETE", made["href"])[:2] == (204, "")


@pytest.mark.parametrize(("api", "folder", "definition", "document"), SPECS)
def test_what_the_published_api_calls_mandatory_is_refused_when_it_is_missing(both, api, folder, definition, document):
    definitions = specification(folder)["definitions"]
    mandatory = definitions[f"{definition}_Create"]["required"]
    for attribute in mandatory:
        wanting = {name: value for name, value in document().items() if name != attribute}
        status, error, _ = both[api].post(wanting)
        assert status == 400
        assert f"{attribute} is mandatory" in error["message"]
        assert both[api].post({**document(), attribute: None})[0] == 400


def without(document: dict, path: str) -> dict:
    """The document less the attribute at `a.0.b`."""
    *before, last = path.split(".")
    at: object = document
    for step in before:
        at = at[int(step) if step.isdigit() else step]
    del at[last]
    return document


WANTING = [
    ("crm", customer, "engagedParty.id"),
    ("crm", customer, "engagedParty.@referredType"),
    ("crm", customer, "contactMedium.0.mediumType"),
    ("crm", customer, "contactMedium.0.characteristic"),
    ("crm", customer, "characteristic.1.value"),
    ("crm", customer, "account.0.name"),
    ("inventory", service, "serviceSpecification.id"),
    ("inventory", service, "relatedParty.0.@referredType"),
    ("inventory", service, "serviceCharacteristic.0.name"),
]
WRONG = [
    ("crm", customer(name="  "), "name must not be blank"),
    ("crm", customer(name=5), "name is a string"),
    ("crm", customer(characteristic={}), "characteristic is an array"),
    ("crm", customer(id="mine"), "id is assigned by the server"),
    ("inventory", service(state="gone"), "state is none of feasibilityChecked"),
    ("crm", b"{", "the body is no JSON"),
    ("crm", b'{"name": NaN}', "the body is no JSON"),
    ("crm", [], "a customer is a JSON object"),
    *((api, without(made(), path), f"{path.split('.')[-1]} is mandatory") for api, made, path in WANTING),
]


@pytest.mark.parametrize(("api", "wrong", "said"), WRONG)
def test_a_wrong_document_is_refused_with_400_and_the_attribute_and_leaves_nothing(both, api, wrong, said):
    before = both[api].stats()["objects"]
    status, error, _ = both[api].post(wrong)
    assert status == 400
    assert said in error["message"]
    assert both[api].stats()["objects"] == before


def test_an_object_is_found_by_a_characteristic_only_if_one_element_has_both_name_and_value(start):
    crm = start()
    made = crm.post(customer("call-1"))[1]
    crm.post(customer("call-2"))
    assert [one["id"] for one in crm.find("ludbCall", "call-1")[1]] == [made["id"]]
    assert crm.find("legacyId", "call-1")[1] == []
    assert len(crm.ask("GET", f"{CRM}?characteristic.name=ludbCall")[1]) == 2
    assert crm.find("ludbCall", "call-1", status="terminated")[1] == []
    assert crm.find("ludbCall", "call-1", fields="name")[1] == [
        {"id": made["id"], "href": made["href"], "name": "Jürgen Müller"}
    ]
    assert [one["id"] for one in crm.ask("GET", f"{CRM}?engagedParty.id=legacy-1&limit=1&offset=1")[1]] != [made["id"]]
    assert crm.ask("GET", f"{CRM}?limit=1")[2]["X-Total-Count"] == "2"
    assert crm.ask("GET", f"{CRM}?limit=some")[0] == 400


def test_a_patched_object_is_found_by_its_new_characteristics_and_a_deleted_one_by_none(start):
    inventory = start("inventory")
    made = inventory.post(service("old"))[1]
    changed = {"serviceCharacteristic": [{"name": "ludbCall", "value": "new"}], "relatedParty": None}
    status, patched, _ = inventory.ask("PATCH", made["href"], changed)
    assert status == 200
    assert "relatedParty" not in patched
    assert inventory.find("ludbCall", "old")[1] == []
    assert inventory.find("ludbCall", "new")[1] == [patched]
    assert inventory.ask("PATCH", made["href"], {"id": "mine"})[0] == 400
    assert inventory.ask("PATCH", made["href"], {"state": None})[0] == 400
    assert inventory.ask("DELETE", made["href"])[0] == 204
    assert inventory.find("ludbCall", "new")[1] == []
    assert inventory.ask("DELETE", made["href"])[0] == 404
    assert inventory.ask("GET", made["href"])[0] == 404
    assert inventory.ask("PATCH", made["href"], {"name": "x"})[0] == 404


def test_what_was_answered_for_survives_kill_9(start):
    crm = start()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda at: crm.post(customer(f"call-{at}")), range(200)))
        stop = threading.Event()
        kept: list[str] = []

        def flood() -> None:
            while not stop.is_set():
                with contextlib.suppress(OSError, http.client.HTTPException):
                    kept.append(crm.post(customer("flood"))[1]["id"])

        floods = [pool.submit(flood) for _ in range(4)]
        while len(kept) < 50:
            assert not any(one.done() for one in floods)
            time.sleep(0.001)
        crm.end(signal.SIGKILL)
        stop.set()
    again = start()
    there = {one["id"] for one in again.dump()}
    assert {answer[1]["id"] for answer in answers} | set(kept) <= there
    assert len(again.find("ludbCall", "call-7")[1]) == 1


def test_a_repeated_idempotency_key_is_ignored_unless_the_api_is_told_to_heed_it(start):
    plain = start("crm")
    assert len({plain.post(customer(), Idempotency_Key="k")[1]["id"] for _ in range(3)}) == 3
    heeding = start("inventory", "--idempotent")
    assert len({heeding.post(service(), Idempotency_Key="k")[1]["id"] for _ in range(3)}) == 1
    assert heeding.post(service(), Idempotency_Key="other")[0] == 201
    assert heeding.post(service())[0] == 201
    heeding.end(signal.SIGKILL)
    again = start("inventory", "--idempotent")
    assert again.post(service(), Idempotency_Key="k")[1] in again.dump()
    assert len(again.dump()) == 3


def test_two_requests_with_one_idempotency_key_at_once_make_one_object(start):
    heeding = start("inventory", "--idempotent")
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        made = set(pool.map(lambda _: heeding.post(service(), Idempotency_Key="k")[1]["id"], range(64)))
    assert len(made) == 1
    assert len(heeding.dump()) == 1


def test_each_fault_leaves_exactly_what_it_says_behind(start):
    crm = start()
    crm.behave(
        next=["ok", "429", "503", "500", "409", "500_after", "drop_before", "drop_after", "garbage_after", "401"]
    )
    assert crm.post(customer("ok"))[0] == 201
    for status in (429, 503):
        answered, _, headers = crm.post(customer(str(status)))
        assert (answered, headers["Retry-After"]) == (status, "1")
    assert crm.post(customer("500"))[0] == 500
    assert crm.post(customer("409"))[0] == 409
    assert crm.post(customer("500_after"))[0] == 500
    for call in ("drop_before", "drop_after"):
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            crm.post(customer(call))
    status, body, _ = crm.post(customer("garbage_after"))
    assert status == 201
    assert isinstance(body, str), "the body cannot be read as JSON"
    assert crm.post(customer("401"))[0] == 401
    written = {one["characteristic"][1]["value"] for one in crm.dump()}
    assert written == {"ok", "500_after", "drop_after", "garbage_after"}
    answers = {"201": 2, "401": 1, "409": 1, "429": 1, "500": 2, "503": 1, "drop_after": 1, "drop_before": 1}
    assert crm.stats()["requests"]["POST"] == answers


def test_a_request_can_go_unanswered_and_be_written_or_not(start):
    crm = start("crm", "--behave", json.dumps({"next": ["timeout", "timeout_after", "late"], "late_ms": 300}))
    for call in ("timeout", "timeout_after", "late"):
        with pytest.raises(TimeoutError):
            crm.ask("POST", CRM, customer(call), timeout=0.15)
    assert [one["characteristic"][1]["value"] for one in crm.dump()] == ["timeout_after"], "the late one is on its way"
    deadline = time.monotonic() + 10
    while len(crm.dump()) < 2:
        assert time.monotonic() < deadline, "the late request was never written"
        time.sleep(0.02)
    assert {one["characteristic"][1]["value"] for one in crm.dump()} == {"timeout_after", "late"}


def test_faults_are_drawn_by_their_shares_from_the_seed_and_end_when_told(both):
    def misbehave() -> list[int]:
        crm.behave(status_before={"429": 0.3, "500": 0.1}, after_write={"500": 0.1}, seed=5, retry_after=None)
        return [crm.post(customer())[0] for _ in range(100)]

    crm = both["crm"]
    statuses = misbehave()
    assert statuses == misbehave()
    assert 15 <= statuses.count(429) <= 45
    assert 8 <= statuses.count(500) <= 35
    crm.behave()
    assert {crm.post(customer())[0] for _ in range(20)} == {201}


def test_faults_befall_the_methods_they_are_told_for(start):
    crm = start()
    made = crm.post(customer("a"))[1]
    crm.behave(next=["500_after", "drop_before"], methods=["DELETE", "GET"])
    assert crm.ask("DELETE", made["href"])[0] == 500
    assert crm.dump() == []
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        crm.find("ludbCall", "a")
    assert crm.ask("DELETE", made["href"])[0] == 404


def test_a_slow_api_is_slow_and_a_lagging_look_up_does_not_see_the_newest(both):
    crm = both["crm"]
    crm.behave(slow_ms=120, lookup_lag_ms=60_000)
    started = time.monotonic()
    assert crm.post(customer("fresh"))[0] == 201
    assert time.monotonic() - started >= 0.12
    crm.behave(lookup_lag_ms=60_000)
    assert crm.find("ludbCall", "fresh")[1] == []
    crm.behave()
    assert len(crm.find("ludbCall", "fresh")[1]) == 1


@pytest.mark.parametrize("told", [{"slow": 1}, {"next": ["explode"]}, {"status_before": {"200": 1}}, []])
def test_a_behaviour_that_makes_no_sense_is_refused_and_the_old_one_stays(both, told):
    crm = both["crm"]
    crm.behave(next=["409"])
    assert crm.ask("PUT", "/control/behave", told)[0] == 400
    assert crm.post(customer())[0] == 409


def test_two_dumps_of_the_same_objects_are_in_the_same_order_whatever_order_they_came_in(start):
    inventory = start("inventory")
    for at in (3, 0, 2, 1):
        inventory.post(service(f"s-{at}"))
    assert [one["serviceCharacteristic"][0]["value"] for one in inventory.dump()] == ["s-0", "s-1", "s-2", "s-3"]


def test_unknown_paths_and_media_types_are_answered_in_the_apis_own_form(both):
    crm = both["crm"]
    assert crm.ask("GET", "/nowhere")[1]["code"] == "404"
    assert crm.ask("PUT", CRM, {})[1]["code"] == "405"
    assert crm.ask("POST", CRM, b"name=x", Content_Type="text/plain")[1]["code"] == "415"
