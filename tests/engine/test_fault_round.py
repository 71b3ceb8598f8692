"""Thousands of calls to a server that does everything wrong: by its own store, each customer is there once or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from ludb.model.run import RunState

JOB = """
    name: shop
    systems:
      legacy:  {type: sqlite, url: "${LEGACY}"}
      billing: {type: sqlite, url: "${BILLING}"}
      crm:     {type: rest, url: "${CRM}", in_flight: 16, timeout: 1s, max_delay: 1s, retry_for: 5s, keep_alive: KEPT}
    unit:
      root: legacy.customers
      key: id
    outputs:
      crm.customer:
        {call: POST /customer, row: [unit_key], marker: $.externalId, probe: "GET /customer?externalId={call_id}",
         undo: "DELETE /customer/{id}", returns: {crm_id: $.id}}
    settings: {chunk_units: 500, quarantine_limit: 50%, retry: {base: 10ms, cap: 100ms}}
"""
BILLED = (
    "select c.unit_key, c.id, name, crm.new as crm_id from legacy.customers c join keys.crm_id crm using (unit_key)"
)
BEFORE = ("429", "500 before", "dropped before")
SHARES = {
    "429": 0.05, "500 before": 0.04, "dropped before": 0.03, "500 after": 0.04, "dropped after": 0.04, "garbage": 0.03,
    "twice": 0.02, "stalled": 0.004,
}  # fmt: skip
"""How often each fault meets a request of any kind."""
REPEATS = 0.04
"""How often an answer is repeated later, where connections are not kept: on one that is, nobody could tell whose it is."""
STALL = 1.3
"""Seconds: longer than the system's `timeout`, shorter than that and its `max_delay`."""

LATER = 0.01
"""Seconds after which a second answer comes: long enough for the next request to be on its way."""


class Wicked:
    """A store that knows no idempotency keys, behind a server that draws a fault for each request."""

    def __init__(self, seed: int) -> None:
        self.shares = dict(SHARES)
        self.store: dict[str, dict[str, str]] = {}
        self.did: Counter[str] = Counter()
        self._random, self._lock, self._count = random.Random(seed), threading.Lock(), 0
        wicked = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                fault = wicked.draw(self.command)
                if fault in BEFORE:
                    return self.say(int(fault[:3]), None) if fault[0].isdigit() else self.drop()
                if fault == "stalled":
                    time.sleep(STALL)  # it is carried out when its sender has long given it up
                status, document = wicked.carry_out(self.command, self.path, body)
                if fault in {"dropped after", "stalled"}:
                    return self.drop()
                if fault == "garbage":
                    return self.say(status, "<html>created")
                said = "" if document is None else json.dumps(document)
                if fault == "twice, later":
                    return self.repeat_later(status, said)
                return self.say(500 if fault == "500 after" else status, said, times=2 if fault == "twice" else 1)

            def drop(self) -> None:
                self.close_connection = True

            def say(self, status: int, text: str | None, times: int = 1) -> None:
                body = (text or "").encode()
                head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                self.wfile.write((head.encode() + body) * times)

            def repeat_later(self, status: int, text: str) -> None:
                """A second answer nobody asked for, when the connection may already carry the next request."""
                self.say(status, text)
                time.sleep(LATER)
                with contextlib.suppress(OSError):  # the other side may be gone
                    self.say(status, text)

            do_GET = do_POST = do_DELETE = answer  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 128
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                pass  # the other side has given up

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def draw(self, method: str) -> str:
        with self._lock:
            at = self._random.random()
            for fault, share in self.shares.items():
                if (at := at - share) < 0:
                    self.did[f"{method} {fault}"] += 1
                    return fault
        return ""

    def carry_out(self, method: str, path: str, body: bytes) -> tuple[int, object]:
        parts = urlsplit(path)
        with self._lock:
            if method == "POST":
                document = json.loads(body)
                if document["name"].endswith("00"):
                    return 400, {"reason": "no such name"}
                self._count += 1
                self.store[str(self._count)] = {**document, "id": str(self._count)}
                return 201, self.store[str(self._count)]
            if method == "DELETE":
                return (204, None) if self.store.pop(parts.path.rpartition("/")[2], None) else (404, None)
            wanted = parse_qs(parts.query).get("externalId", [""])[0]
            return 200, [one for one in self.store.values() if one.get("externalId") == wanted]

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def wicked() -> Iterator[Wicked]:
    """The seed is printed where the test fails; `LUDB_SEED` sets it."""
    seed = int(os.environ.get("LUDB_SEED") or random.randrange(10**6))
    sys.stdout.write(f"LUDB_SEED={seed}\n")
    made = Wicked(seed)
    yield made
    made.close()


@pytest.mark.parametrize("kept", [True, pytest.param(False, marks=pytest.mark.long)])
@pytest.mark.parametrize("calls", [100, pytest.param(10_000, marks=pytest.mark.long)])
def test_whatever_the_server_does_each_customer_is_everywhere_once_or_nowhere(desk, wicked, calls, kept):
    if not kept:
        wicked.shares["twice, later"] = REPEATS
    desk.database(
        "legacy",
        "create table customers (id integer primary key, name text); insert into customers with recursive n(i) as "
        f"(select 1 union all select i + 1 from n where i < {calls}) select i, 'c' || i from n",
    )
    # One in fifty is refused by the database, after its call: the call is taken back, through the same faults.
    desk.database(
        "billing",
        "create table account (id integer primary key check (id % 50 <> 7), name text not null, crm_id text not null)",
    )
    desk.environment["CRM"] = wicked.url
    desk.write(
        {
            "job.yaml": JOB.replace("KEPT", str(kept).lower()),
            "steps/10/crm.customer.sql": "select unit_key, name from legacy.customers",
            "steps/20/billing.account.sql": BILLED,
        }
    )
    summary = desk.run()
    refused = {f"c{n}" for n in range(1, calls + 1) if n % 50 == 7 or n % 100 == 0}
    here = Counter(one["name"] for one in wicked.store.values())
    sys.stdout.write(f"{calls} customers, {summary.counters}, faults {dict(wicked.did)}\n")
    assert {name: count for name, count in here.items() if count != 1} == {}
    assert set(here) == {f"c{n}" for n in range(1, calls + 1)} - refused
    billed = {name: crm_id for name, crm_id in desk.rows("billing", "select name, crm_id from account")}  # noqa: C416
    assert billed == {one["name"]: number for number, one in wicked.store.items()}
    counters = summary.counters
    assert (counters.in_doubt, counters.pending, counters.quarantined) == (0, 0, len(refused))
    assert summary.run.state is RunState.EXCEPTIONS
    if calls > 1_000:
        assert {fault.partition(" ")[2] for fault in wicked.did} == set(wicked.shares)
