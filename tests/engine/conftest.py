"""What the engine's tests share: a job text with one source and one target, the sums of a summary, and an API."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from ludb.service.summary import Summary


@pytest.fixture
def balanced() -> Callable[[Summary], bool]:
    """Says whether every unit is in one state, and every table's and output's rows add up."""

    def check(summary: Summary) -> bool:
        counters = summary.counters
        states = (counters.done, counters.quarantined, counters.in_doubt, counters.gone, counters.rolled_back)
        assert sum(states) + counters.pending == counters.total
        for line in summary.source:
            assert line.balances, line
            assert sum(line.by_state.values()) + line.stray + line.pending == line.planned, line
        for output in summary.outputs:
            assert output.written + sum(output.held.values()) == output.produced, output
        return True

    return check


@pytest.fixture
def job_text() -> Callable[..., str]:
    """Writes a job with the source `legacy` and the target `new`."""

    def write(unit: str, *, systems: str = "", more: str = "", chunk: int = 500) -> str:
        return f"""
name: shapes
systems:
  legacy: {{type: sqlite, url: "${{LEGACY}}"}}
  new: {{type: sqlite, url: "${{NEW}}"}}
{systems}
unit:
{unit}
{more}
settings: {{chunk_units: {chunk}}}
"""

    return write


class Api:
    """A small API with a store of its own: POST, GET by `externalId`, PATCH, PUT, DELETE.

    `before(method, path, document)` may answer in its place with (status, document), where a document that is bytes goes out
    as it is, as `text/html`, and a status of 0 means that no answer comes; `keep(document)` is what it stores; `headers` go
    out with every answer. `admit()` is called before, by every request at once: it may keep it waiting.
    """

    def __init__(self) -> None:
        self.store: dict[str, dict[str, Any]] = {}
        self.seen: list[tuple[str, str, Any]] = []
        self.before: Callable[[str, str, Any], tuple[int, Any] | None] = lambda *_: None
        self.keep: Callable[[dict[str, Any]], dict[str, Any]] = dict
        self.headers: dict[str, str] = {}
        self.admit: Callable[[], object] = lambda: None
        self._count, self._lock = 0, threading.Lock()
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(size)
                api.admit()
                with api._lock:
                    status, document = api.respond(self.command, self.path, json.loads(body) if body else None)
                if status == 0:
                    api._ended.wait()
                    self.close_connection = True
                    return
                raw = isinstance(document, bytes)
                said = document if raw else b"" if document is None else json.dumps(document).encode()
                self.send_response(status)
                kind = {"Content-Type": "text/html" if raw else "application/json"}
                for name, value in {**kind, "Content-Length": str(len(said)), **api.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(said)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815  (named by the library)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._handler, self._port, self._ended = Handler, 0, threading.Event()
        self.start()
        self.url = f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Take connections, after `stop` on the port that it had."""
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), self._handler)
        self._server.daemon_threads = True
        self._port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def stop(self) -> None:
        """Take no more connections."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def aside(self, seconds: float, work: Callable[[], object]) -> None:
        """Do this later, alone with the store, while other requests are answered."""

        def alone() -> None:
            with self._lock:
                work()

        threading.Timer(seconds, alone).start()

    def found(self, path: str) -> list[dict[str, Any]]:
        """The objects that a look-up asks for."""
        wanted = parse_qs(urlsplit(path).query).get("externalId", [""])[0]
        return [one for one in self.store.values() if one.get("externalId") == wanted]

    def respond(self, method: str, path: str, document: Any) -> tuple[int, Any]:
        self.seen.append((method, path, document))
        said = self.before(method, path, document)
        if said is not None:
            return said
        parts = urlsplit(path)
        _, _, object_id = parts.path.lstrip("/").partition("/")
        object_id = unquote(object_id)
        if method == "POST":
            self._count += 1
            self.store[str(self._count)] = self.keep({**document, "id": str(self._count)})
            return 201, self.store[str(self._count)]
        if method == "GET":
            return 200, self.found(path)
        if object_id not in self.store:
            return 404, None
        if method == "DELETE":
            del self.store[object_id]
            return 204, None
        self.store[object_id] = self.keep({**self.store[object_id], **document})
        return 200, self.store[object_id]

    def close(self) -> None:
        self._ended.set()
        self.stop()


@pytest.fixture
def api() -> Iterator[Api]:
    """An API on loopback."""
    made = Api()
    yield made
    made.close()
