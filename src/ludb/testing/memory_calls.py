"""A call target without a network: the classification of `rest` over a server that lives in memory.

For tests that need thousands of exchanges, crashes between any two of them, and no waiting: a wait asked for by the
server costs no time here.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from ludb.dialects.http.answer import conclude
from ludb.dialects.http.heard import Heard
from ludb.dialects.http.paths import is_segment
from ludb.dialects.http.request import Route
from ludb.dialects.http.settings import Identity
from ludb.dialects.http.waiting import wait_for
from ludb.errors import ConfigError
from ludb.model.calls import Ability, Action, Answer, CallRequest, Patience, Result
from ludb.model.job import OutputSpec
from ludb.testing.calls import Mischief

_NOW = datetime(2024, 1, 1, tzinfo=UTC)
_NO_WRITE: Mapping[Mischief, Heard] = {
    Mischief.BUSY: Heard(429, body=b'{"reason": "too many"}'),
    Mischief.LATER: Heard(503, {"retry-after": "0"}),
    Mischief.MUCH_LATER: Heard(429, {"retry-after": "900"}),
    Mischief.FAIL_BEFORE: Heard(500),
    Mischief.DROP_BEFORE: Heard(None, failure="the connection broke"),
    Mischief.REFUSE: Heard(400, body=b'{"reason": "status is missing"}'),
    Mischief.DENY: Heard(401),
    Mischief.CONFLICT: Heard(409),
}
_AFTER_WRITE: Mapping[Mischief, Heard] = {
    Mischief.FAIL_AFTER: Heard(500),
    Mischief.DROP_AFTER: Heard(None, failure="the connection broke"),
    Mischief.GARBLE: Heard(201, body=b"<html>created"),
}


class MemoryServer:
    """A server's store: it outlives every `MemoryCalls` that talks to it, as a real one outlives our crashes.

    Collections are the first part of a path (`/customer`): POST adds, GET finds by the marker's value, PATCH and PUT
    change, DELETE takes away. `script` holds the misbehaviours of the next requests. Implements
    `ludb.testing.calls.CallServer`.
    """

    def __init__(self) -> None:
        """An empty server that ignores idempotency keys."""
        self.store: dict[str, dict[str, Any]] = {}
        self.script: deque[Mischief] = deque()
        self.up = True
        self._late: list[tuple[str, str, str, str]] = []
        self._keys: dict[str, Heard] | None = None
        self._always: set[str] = set()
        self._count = 0

    def misbehave(self, *mischiefs: Mischief) -> None:
        """Do these to the next requests, one each, in this order."""
        self.script.extend(mischiefs)

    def objects(self) -> Sequence[Mapping[str, Any]]:
        """What exists, in the order it was written."""
        return list(self.store.values())

    def plant(self, document: Mapping[str, Any], *, found_by_any_probe: bool = False) -> None:
        """Put somebody else's object into the store (as the first collection asked for)."""
        object_id = self._add("", document)
        if found_by_any_probe:
            self._always.add(object_id)

    def deliver(self, count: int = 1) -> None:
        """Carry out the requests that hang; there must be at least `count`."""
        assert len(self._late) >= count, f"only {len(self._late)} requests hang"
        late, self._late = self._late, []
        for request in late:
            self._carry_out(*request)

    def honour_keys(self) -> None:
        """Answer a repeated idempotency key as the first time, without writing."""
        self._keys = {}

    def stop(self) -> None:
        """Take no more connections; `up = True` undoes it."""
        self.up = False

    def exchange(self, method: str, path: str, body: str, key: str) -> Heard:
        """One request and what is heard of it, by the script."""
        if not self.up:
            return Heard(None, failure="no connection was made", reached=False)
        mischief = self.script.popleft() if self.script else None
        if mischief is not None and mischief in _NO_WRITE:
            return _NO_WRITE[mischief]
        if mischief is Mischief.HANG:
            self._late.append((method, path, body, key))
            return Heard(None, failure="no answer in time")
        heard = self._carry_out(method, path, body, key)
        return _AFTER_WRITE[mischief] if mischief is not None else heard

    def _carry_out(self, method: str, path: str, body: str, key: str) -> Heard:
        if self._keys is not None and key in self._keys:
            return self._keys[key]
        parts = urlsplit(path)
        collection, _, object_id = parts.path.lstrip("/").partition("/")
        if method == "GET":
            heard = self._find(collection, parse_qs(parts.query))
        elif method == "POST":
            heard = self._show(201, self._add(collection, json.loads(body)))
        else:
            heard = self._change(method, unquote(object_id), body)
        if self._keys is not None and key:
            self._keys[key] = heard
        return heard

    def _add(self, collection: str, document: Mapping[str, Any]) -> str:
        self._count += 1
        object_id = str(self._count)
        self.store[object_id] = {**document, "id": object_id, "revision": 1, "href": f"/{collection}/{object_id}"}
        return object_id

    def _show(self, status: int, object_id: str) -> Heard:
        return Heard(status, body=json.dumps(self.store[object_id]).encode())

    def _change(self, method: str, object_id: str, body: str) -> Heard:
        if object_id not in self.store:
            return Heard(404)
        if method == "DELETE":
            del self.store[object_id]
            return Heard(204)
        found = self.store[object_id]
        found.update(json.loads(body), id=object_id, revision=found["revision"] + 1)
        return self._show(200, object_id)

    def _find(self, collection: str, query: Mapping[str, Sequence[str]]) -> Heard:
        """Objects of the collection in whose text every asked value occurs: a filter as loose as real ones are."""
        wanted = [value for values in query.values() for value in values]
        found = [
            one
            for object_id, one in self.store.items()
            if object_id in self._always
            or (one["href"].startswith(f"/{collection}/") and all(value in json.dumps(one) for value in wanted))
        ]
        return Heard(200, body=json.dumps(found).encode())


class MemoryCalls:
    """A synchronous `CallTarget` over a `MemoryServer`; dropping it and making another is what a crash looks like."""

    def __init__(
        self,
        server: MemoryServer,
        outputs: Mapping[str, OutputSpec],
        *,
        name: str = "crm",
        max_delay: float = 0.0,
        retry_for: float = 2.0,
    ) -> None:
        """`outputs` by full name, as the `rest` target takes them; times in seconds, spent in no time."""
        self.server = server
        self._name, self._max_delay, self._retry_for = name, max_delay, retry_for
        self._identity = Identity(name, "memory", "credential CRM_TOKEN", "CRM_URL", ())
        self._routes = {output.name: Route.of(output) for output in outputs.values()}

    def ability(self, output: str) -> Ability:
        """What the output's templates allow."""
        route = self._routes[output]
        return Ability(
            undo=route.undo is not None,
            probe=route.probe is not None,
            update=route.update is not None,
            idempotent_ttl=route.spec.idempotent_ttl,
            settle=route.spec.settle,
            max_delay=self._max_delay,
            patience=Patience(**route.spec.set_aside),
        )

    def request(self, output: str, document: Mapping[str, Any], call_id: str) -> CallRequest:
        """The very request that a `rest` target would send."""
        return self._routes[output].request(document, call_id)

    def perform(self, actions: Sequence[Action]) -> Iterator[Result]:
        """One action after the other, in the order given; nothing happens before a result is asked for."""
        for action in actions:
            yield self._act(action)

    def check(self) -> None:
        """ConfigError while the server is stopped."""
        if not self.server.up:
            raise ConfigError(f"system {self._name} cannot be reached", remedy="Start it, or mend `url` (CRM_URL)")

    def close(self) -> None:
        """Nothing is open."""

    def _act(self, action: Action) -> Result:
        call, route = action.call, self._routes[action.call.output]
        if action.kind == "send":
            return self._concluded(action, call.request.method, call.request.path, call.request.body, call.id)
        if action.kind == "probe":
            assert route.probe is not None
            return self._concluded(action, route.probe.method, route.probe.fill({"call_id": call.id}), "", "")
        template = route.undo if action.kind == "undo" else route.update
        assert template is not None
        if not is_segment(call.server_id):
            return Result(action, Answer.REJECTED, reason="no server id is known")
        path = template.fill({"id": call.server_id or ""})
        if action.kind == "undo":
            body = route.undo_document(call.server_id or "", call.id) or ""
            return self._concluded(action, template.method, path, body, "")
        return self._concluded(action, template.method, path, call.request.body, f"{call.id}-{call.request.sha[:16]}")

    def _concluded(self, action: Action, method: str, path: str, body: str, key: str) -> Result:
        """The exchange with its resends, the waits added up instead of waited."""
        waited, attempt = 0.0, 0
        while True:
            heard = self.server.exchange(method, path, body, key)
            wait = wait_for(heard, attempt, 0.5, _NOW, self._routes[action.call.output].spec.statuses)
            heard = replace(heard, resent=attempt > 0)
            if wait is not None and waited + wait > self._retry_for:
                heard = replace(heard, wait=wait)
            if wait is None or heard.wait is not None:
                return conclude(action, heard, self._routes[action.call.output], self._identity)
            waited, attempt = waited + wait, attempt + 1
