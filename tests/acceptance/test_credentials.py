"""A refused credential pauses the run and is named; its value is written nowhere."""

from __future__ import annotations

import base64
import contextlib
import json
import threading
import urllib.parse
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

TOKEN, PASSWORD = "t0ken-Zanzibar-7731", "pa55word-Quetzal-9402"
BASIC = base64.b64encode(f"mover:{PASSWORD}".encode()).decode()
JOB = """
    name: shop
    systems:
      legacy:  {type: sqlite, url: "${LEGACY_URL}"}
      billing: {type: sqlite, url: "${BILLING_URL}"}
      crm:     {type: rest, url: "http://mover:${CRM_PASSWORD}@${CRM_HOST}", headers: {X-Token: "${CRM_TOKEN}"}, max_delay: 100ms}
    unit: {root: legacy.customers, key: id}
    outputs:
      crm.customer:
        {call: POST /customer, row: [unit_key], marker: $.mark, probe: "GET /customer?mark={call_id}",
         undo: "DELETE /customer/{id}"}
    settings: {chunk_units: 2, workers: 1}
"""
STEPS = {
    "steps/10_customer/crm.customer.sql": "select unit_key, name from legacy.customers",
    "steps/20_account/billing.account.sql": "select unit_key, id, name from legacy.customers",
}


class Api(ThreadingHTTPServer):
    """A CRM that asks for a token, and that sends back all it was sent where it refuses a document."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Desk)
        self.token, self.refusal, self.bad, self.most = TOKEN, 401, "nobody", 10_000
        self.objects: dict[str, dict] = {}
        self.lock = threading.Lock()


class Desk(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            if self.headers["X-Token"] != self.server.token or len(self.server.objects) >= self.server.most:
                return self.say(self.server.refusal, self.told())
            if document["name"] == self.server.bad:
                return self.say(400, self.told())
            made = {"id": uuid.uuid4().hex, **document}
            self.server.objects[made["id"]] = made
            return self.say(201, made)

    def do_GET(self) -> None:
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        self.say(200, [one for one in self.server.objects.values() if one["mark"] == query.get("mark")])

    def do_DELETE(self) -> None:
        with self.server.lock:
            gone = self.server.objects.pop(self.path.rsplit("/", 1)[1], None)
        self.say(204 if gone else 404, {})

    def told(self) -> dict[str, str]:
        return {"you sent": str(self.headers), "line": self.requestline}

    def say(self, status: int, document: object) -> None:
        body = b"" if status == 204 else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def api():
    server = Api()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def guarded(shop, api):
    """The shop's customers go to an API that asks for a token."""
    for step in sorted((shop.job / "steps").rglob("*.*")):
        step.unlink()
    shop.write({"job.yaml": JOB, **STEPS})
    shop.environment |= {"CRM_HOST": f"127.0.0.1:{api.server_port}", "CRM_TOKEN": TOKEN, "CRM_PASSWORD": PASSWORD}
    return shop


def leaks(bench) -> list[str]:
    """Files below the bench's folder that hold a secret, in any form it travels in."""
    found = []
    for path in bench.folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            name = path.relative_to(bench.folder)
            found += [f"{secret} in {name}" for secret in (TOKEN, PASSWORD, BASIC) if secret.encode() in content]
    return found


@pytest.mark.parametrize("status", [401, pytest.param(403, marks=pytest.mark.long)])
def test_a_refused_credential_pauses_the_run_which_goes_on_once_it_is_mended(guarded, api, status):
    api.refusal, api.most = status, 3  # it expires in mid-run
    process = guarded.start("run", "job")
    said = guarded.said(process)
    assert said.code == 4, said.err
    assert "paused" in said.out
    assert f"{status} " in said.out
    assert "crm" in said.out
    assert "credential CRM_TOKEN, CRM_PASSWORD" in said.out, said.out[said.out.index("paused") :]
    assert "once that is mended, go on with it: ludb run job" in said.out
    assert guarded.rows("billing", "select count(*) from account") == [(2,)]
    assert leaks(guarded) == []
    api.token, api.most = "a new one", 10_000
    said = guarded.ludb("run", "job", "--json", CRM_TOKEN="a new one")
    assert said.code == 0, said.err
    assert sorted(one["name"] for one in api.objects.values()) == [f"c{n}" for n in range(1, 9)]
    assert guarded.rows("billing", "select count(*) from account") == [(8,)]


def test_a_secret_that_the_api_sends_back_is_blanked_out_everywhere(guarded, api):
    api.bad = "c3"
    process = guarded.start("run", "job")
    assert guarded.said(process).code == 3
    for command in (["quarantine", "show", "3"], ["unit", "3", "--json"]):
        guarded.said(guarded.start(*command, "--job", "job"))
    shown = (guarded.folder / "1.out").read_text()
    assert "you sent" in shown, "the API's answer is kept"
    assert "***" in shown
    assert leaks(guarded) == []


def test_mistakes_around_a_secret_do_not_show_it(guarded, api):
    """A wrong URL, an API that is away, a step that raises: each is told without the secret."""
    api.shutdown()
    api.server_close()
    process = guarded.start("run", "job")
    said = guarded.said(process)
    assert said.code == 2
    assert f"system crm at 127.0.0.1:{api.server_port} cannot be reached" in said.err
    assert "CRM_PASSWORD" in said.err
    said = guarded.said(guarded.start("run", "job", CRM_HOST="127.0.0.1:not-a-port"))
    assert said.code == 2
    assert "systems.crm.url" in said.err
    said = guarded.said(guarded.start("check", "job", CRM_TOKEN=f"{TOKEN}\nX: y"))
    assert said.code == 2
    assert "systems.crm.headers" in said.err
    assert leaks(guarded) == []
    with contextlib.suppress(OSError):
        api.socket.close()
