"""A refresh token that is good once: every worker of a run, and the next run, goes by the newest one."""

from __future__ import annotations

import json
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest

FIRST = "refresh-Zanzibar-0"
USES = 3
"""Requests that an access token is good for: every worker has to get another one in mid-run."""
JOB = """
    name: shop
    systems:
      legacy: {type: sqlite, url: "${LEGACY_URL}"}
      crm:
        type: rest
        url: "http://${CRM_HOST}"
        max_delay: 100ms
        auth: {oauth2: {token_url: "http://${CRM_HOST}/token", client_id: me, refresh_token: "${CRM_REFRESH}"}}
    unit: {root: legacy.customers, key: id}
    outputs:
      crm.customer:
        {call: POST /customer, row: [unit_key], marker: $.mark, probe: "GET /customer?mark={call_id}",
         undo: "DELETE /customer/{id}"}
    settings: {chunk_units: 1, workers: 2}
"""


class Authority(ThreadingHTTPServer):
    """An API with its own token endpoint, which takes a second use of a spent refresh token for theft, and revokes all."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Desk)
        self.lock = threading.Lock()
        self.refresh, self.given, self.left, self.revoked = FIRST, 0, 0, False
        self.names: list[str] = []

    def token(self, shown: str) -> tuple[int, dict[str, object]]:
        self.revoked = self.revoked or shown != self.refresh
        if self.revoked:
            return 400, {"error": "invalid_grant"}
        self.given, self.left = self.given + 1, USES
        self.refresh = f"refresh-Zanzibar-{self.given}"
        return 200, {"access_token": f"access-{self.given}", "expires_in": 3600, "refresh_token": self.refresh}

    def admits(self, shown: str | None) -> bool:
        self.left -= 1
        return not self.revoked and self.left >= 0 and shown == f"Bearer access-{self.given}"


class Desk(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            if self.path == "/token":
                return self.say(*self.server.token(parse_qs(body.decode())["refresh_token"][0]))
            if not self.server.admits(self.headers["Authorization"]):
                return self.say(401, {})
            document = json.loads(body)
            self.server.names.append(document["name"])
            return self.say(201, {"id": uuid.uuid4().hex, **document})

    def do_GET(self) -> None:
        self.say(200, [])

    def say(self, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def authority():
    server = Authority()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.long
def test_two_workers_and_the_next_run_never_show_a_spent_refresh_token(shop, authority):
    """One second use would lock the migration out until somebody logs in by hand, in the middle of the night."""
    for step in sorted((shop.job / "steps").rglob("*.*")):
        step.unlink()
    shop.write({"job.yaml": JOB, "steps/10_customer/crm.customer.sql": "select unit_key, name from legacy.customers"})
    shop.environment |= {"CRM_HOST": f"127.0.0.1:{authority.server_port}", "CRM_REFRESH": FIRST}
    for units in ("1..4", "5..8"):
        said = shop.ludb("run", "job", "--json", "--where", f"id between {units[0]} and {units[-1]}")
        assert said.code == 0, said.err
    assert not authority.revoked
    assert sorted(authority.names) == [f"c{n}" for n in range(1, 9)]
    assert authority.given >= 3, "no token ended in mid-run"
    secrets = [f"refresh-Zanzibar-{n}".encode() for n in range(authority.given + 1)]
    files = [path for path in shop.folder.rglob("*") if path.is_file()]
    assert not [path.name for path in files if any(secret in path.read_bytes() for secret in secrets)]
