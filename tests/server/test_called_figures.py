"""What passes between a worker and an API is told by the API and to Prometheus, number by number, as the server saw it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pytest

from ludb.dialects.settings import Surroundings
from ludb.model.access import Role
from ludb.model.calls import Action
from ludb.model.figures import FLYING, SYSTEM, Figure, once, rates
from ludb.service.noting import Noting
from ludb.targets.rest import RestTarget
from ludb.testing.calls import OUTPUT, make_call
from ludb.testing.repository_world import RUN, owner, started

ANSWERS = [201, 201, 400, 429, 503, 201]
"""One document is throttled and taken in its second request; one meets a server that is not well."""


class Api(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        sent = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received += len(sent)
        status = self.server.answers.pop(0)
        said = json.dumps({"id": "c1", "revision": 1} if status == 201 else {"error": "no"}).encode()
        self.server.sent += len(said)
        if self.server.look is not None:
            self.server.look()
        self.send_response(status)
        for name, value in {"Content-Length": len(said), **({"Retry-After": "1"} if status == 429 else {})}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_):
        pass


@pytest.fixture
def api():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    server.answers, server.received, server.sent, server.look = list(ANSWERS), 0, 0, None
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def told(client, figure):
    """Values of one family by the last label (`outcome`, `le`), or by nothing where it has none but the system's."""
    found = {}
    for labels, value in re.findall(rf"^{figure}{{(.*)}} (\S+)$", client.get("/metrics").text, re.MULTILINE):
        named = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        assert (named["run"], named["system"]) == (RUN, "crm")
        found[named.get("outcome") or named.get("le") or ""] = float(value)
    return found


def test_every_number_of_an_api_is_told_at_both_ends(api, people):
    repository, client = people.world.repository, people.token(Role.VIEWER)
    started(repository)
    worker = replace(owner("w1"), host="elsewhere")
    repository.owners.enrol(worker)
    url = f"http://127.0.0.1:{api.server_address[1]}"
    settings = RestTarget.Settings.model_validate({"type": "rest", "url": url, "in_flight": 1, "retry_for": 5})
    made = RestTarget("crm", settings, Surroundings(Path(), Path()), {OUTPUT.name: OUTPUT})
    at = SimpleNamespace(
        repository=repository, owner=worker.id, run=SimpleNamespace(id=RUN), meter=SimpleNamespace(told=dict),
        migration=SimpleNamespace(calls={"crm": made}),
    )  # fmt: skip
    noting, flying = Noting(at), []

    def look():
        noting.tick(last=True)
        (crm,) = client.get(f"/api/v1/runs/{RUN}/figures").json()["systems"] or [{"in_flight": None}]
        flying.append((crm["in_flight"], told(client, "ludb_run_system_in_flight")))

    for at_last in (False, True):
        api.look = look if at_last else None
        calls = [make_call(made, {"name": "x"}, f"{at_last} {number}") for number in range(1 if at_last else 4)]
        assert list(made.perform([Action("send", call) for call in calls]))
    made.close()
    noting.tick(last=True)
    assert flying == [(1, {"": 1.0})]

    (crm,) = client.get(f"/api/v1/runs/{RUN}/figures").json()["systems"]
    assert crm["requests"] == {"2xx": 3, "4xx": 1, "429": 1, "5xx": 1}
    assert told(client, "ludb_run_system_answers_total") == crm["requests"]
    assert crm["calls"] == {"done": 3, "rejected": 1, "ambiguous": 1}
    assert told(client, "ludb_run_system_calls_total") == crm["calls"]
    assert (crm["count"], crm["throttled"], crm["failed"], crm["in_flight"]) == (6, 1, 1, 0)
    assert (crm["sent"], crm["received"]) == (api.received, api.sent)
    assert sum(crm["latencies"]) == 6
    assert crm["waited"] >= 1 > crm["seconds"] / 6
    fields = {
        "requests": "count", "failed": "failed", "throttled": "throttled", "seconds": "seconds", "waited_seconds": "waited",
        "sent_bytes": "sent", "received_bytes": "received",
    }  # fmt: skip
    for name, field in fields.items():
        assert told(client, f"ludb_run_system_{name}_total") == {"": crm[field]}, name
    buckets = told(client, "ludb_run_system_latency_seconds_bucket")
    counts = [buckets["0.005"], *(b - a for a, b in zip(buckets.values(), list(buckets.values())[1:], strict=False))]
    assert (len(counts), counts) == (13, crm["latencies"])
    assert told(client, "ludb_run_system_latency_seconds_sum") == {"": crm["seconds"]}
    assert told(client, "ludb_run_system_in_flight") == {"": 0.0}


def test_nothing_of_a_dead_worker_is_on_its_way(people):
    """Its last word stands in the repository for ever, and would look like a request that never ends."""
    repository, client = people.world.repository, people.token(Role.VIEWER)
    started(repository)
    noted = {(SYSTEM, "crm"): once(0.5), (FLYING, "crm"): Figure(3)}
    repository.figures.note("killed", RUN, noted)
    (crm,) = client.get(f"/api/v1/runs/{RUN}/figures").json()["systems"]
    assert (crm["count"], crm["in_flight"]) == (1, 0)
    assert not told(client, "ludb_run_system_in_flight")
    assert not any("flying" in name for name in rates(noted, 1.0)), "what is on its way is no sum: it has no rate"
