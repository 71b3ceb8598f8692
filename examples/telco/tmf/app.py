"""One TM Forum API as an aiohttp application: create, list, read, change, delete, and a control door for tests."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from tmf.faults import Behaviour
from tmf.rules import Kind, mistakes
from tmf.store import Store, encode, text

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
WORDS = {400: "Bad Request", 404: "Not Found", 409: "Conflict", 429: "Too Many Requests", 503: "Service Unavailable"}


class Refused(Exception):  # noqa: N818  (an answer, not a failure)
    """The request is answered with this status and a TM Forum Error."""

    def __init__(self, status: int, reason: str, message: str = "") -> None:
        """`reason` is short, `message` says more."""
        super().__init__(reason)
        self.status, self.reason, self.message = status, reason, message


def error(status: int, reason: str, message: str = "", headers: dict[str, str] | None = None) -> web.Response:
    """A TM Forum Error: `code` and `reason` are mandatory, `status` is text."""
    body = {"code": str(status), "reason": reason, "message": message or reason, "status": str(status)}
    return web.Response(text=encode(body), status=status, content_type="application/json", headers=headers)


def answer(document: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """A JSON answer."""
    return web.Response(text=encode(document), status=status, content_type="application/json", headers=headers)


class Simulator:
    """The API's behaviour over one store. Ids are random UUIDs; `idempotent` makes it heed `Idempotency-Key`."""

    def __init__(
        self,
        kind: Kind,
        store: Store,
        *,
        behaviour: Behaviour,
        idempotent: bool = False,
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Hold what every request needs."""
        self.kind, self.store, self.behaviour, self.idempotent = kind, store, behaviour, idempotent
        self.new_id, self.clock = new_id, clock
        self.stats: Counter[tuple[str, str]] = Counter()
        self.commit: asyncio.Future[None] | None = None

    def app(self) -> web.Application:
        """The application, ready to be served."""
        app = web.Application(middlewares=[self.faults], client_max_size=16 * 2**20)
        app.router.add_post(self.kind.path, self.create)
        app.router.add_get(self.kind.path, self.list)
        one = app.router.add_resource(f"{self.kind.path}/{{id}}")
        one.add_route("GET", self.read)
        one.add_route("PATCH", self.change)
        one.add_route("DELETE", self.delete)
        app.router.add_put("/control/behave", self.behave)
        app.router.add_get("/control/stats", self.report)
        app.router.add_get("/control/dump", self.dump)
        return app

    @web.middleware
    async def faults(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Misbehave as told, answer errors in the API's form, and count every answer by method and status."""
        if request.path.startswith("/control/"):
            return await self.plainly(request, handler)
        body = await request.read()  # the request is complete, whatever happens to it now
        word = self.behaviour.word(request.method)
        if self.behaviour.told["slow_ms"]:
            await asyncio.sleep(self.behaviour.seconds("slow_ms"))
        if word == "late":
            await asyncio.sleep(self.behaviour.seconds("late_ms"))
        if word.isdigit():
            response: web.StreamResponse = self.fault(int(word))
        elif word in ("drop_before", "timeout"):
            return await self.silence(request, word)
        else:
            response = await self.plainly(request, handler)
            if word.endswith("_after"):
                if word in ("drop_after", "timeout_after"):
                    return await self.silence(request, word)
                what = word.removesuffix("_after")
                cut = body[: len(body) // 2].decode("utf-8", "replace")
                response = web.Response(text=cut, status=201) if what == "garbage" else self.fault(int(what))
        self.stats[request.method, str(response.status)] += 1
        return response

    def fault(self, status: int) -> web.Response:
        """An error by order; 429 and 503 say when to come again, unless `retry_after` is null."""
        wait = self.behaviour.told["retry_after"]
        headers = {"Retry-After": str(wait)} if status in (429, 503) and wait is not None else None
        return error(status, WORDS.get(status, "Simulated failure"), "the simulator was told to answer so", headers)

    async def silence(self, request: web.Request, word: str) -> web.Response:
        """No answer: the connection is cut, or left open until the client has lost its patience."""
        self.stats[request.method, word] += 1
        if word.startswith("timeout"):
            await asyncio.sleep(self.behaviour.seconds("hang_ms"))
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)

    async def plainly(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The answer without misbehaviour."""
        try:
            return await handler(request)
        except Refused as refused:
            return error(refused.status, refused.reason, refused.message)
        except web.HTTPException as plain:  # the router's own: no such path, no such method
            return error(plain.status, plain.reason)

    async def document(self, request: web.Request) -> dict[str, Any]:
        """The request's JSON object."""
        if request.content_type not in ("application/json", "application/merge-patch+json"):
            raise Refused(415, "Unsupported Media Type", "send application/json")
        try:
            found = json.loads(await request.read(), parse_constant=_refuse_constant)
        except ValueError as wrong:
            raise Refused(400, "Malformed body", "the body is no JSON") from wrong
        if not isinstance(found, dict):
            raise Refused(400, "Invalid body", f"a {self.kind.collection} is a JSON object")
        return found

    async def create(self, request: web.Request) -> web.Response:
        """POST: 201 with the object as kept."""
        document = await self.document(request)
        wrong = mistakes(self.kind, document)
        if wrong:
            raise Refused(400, "Missing or invalid attribute", "; ".join(wrong))
        key = request.headers.get("Idempotency-Key") if self.idempotent else None
        if key is not None and (known := self.store.answered(key)) is not None:
            await self.committed()
            return self.made(known)
        made_id = self.new_id()
        given = {name: value for name, value in document.items() if value is not None and name not in ("id", "href")}
        kept = {"id": made_id, "href": f"{self.kind.path}/{made_id}", **given}
        try:
            self.store.create(kept, key)
        except sqlite3.IntegrityError as taken:
            raise Refused(409, "Conflict", "an object of this id exists") from taken
        await self.committed()
        return self.made(kept)

    async def committed(self) -> None:
        """Return once all changes made so far are durable; requests that are being handled at once share a commit."""
        if self.commit is None:
            loop = asyncio.get_running_loop()
            self.commit = loop.create_future()
            loop.call_soon(self.commit_now)
        await self.commit

    def commit_now(self) -> None:
        """Commit for everybody who waits; all of them learn of a failure."""
        waiting, self.commit = self.commit, None
        assert waiting is not None
        try:
            self.store.commit()
        except sqlite3.Error as failed:
            waiting.set_exception(failed)
        else:
            waiting.set_result(None)

    def made(self, document: dict[str, Any]) -> web.Response:
        """201 for an object."""
        return answer(document, 201, {"Location": document["href"]})

    async def list(self, request: web.Request) -> web.Response:
        """GET of the collection: equal attributes, characteristics by name and value, fields, offset, limit."""
        query = dict(request.query)
        fields, offset, limit = query.pop("fields", ""), _whole(query, "offset", 0), _whole(query, "limit", 100)
        traits = self.kind.traits
        name, value = query.pop(f"{traits}.name", None), query.pop(f"{traits}.value", None)
        lag = self.behaviour.seconds("lookup_lag_ms")
        found = [
            one
            for one in self.store.find(name, value, before=self.clock() - lag if lag else None)
            if _has_trait(one.get(traits), name, value) and all(_has(one, path, want) for path, want in query.items())
        ]
        page = [_only(one, fields) for one in found[offset : offset + limit]]
        return answer(page, 200, {"X-Total-Count": str(len(found)), "X-Result-Count": str(len(page))})

    async def read(self, request: web.Request) -> web.Response:
        """GET of one object."""
        return answer(_only(self.one(request), request.query.get("fields", "")))

    async def change(self, request: web.Request) -> web.Response:
        """PATCH: a JSON merge patch; id and href cannot change."""
        patch = await self.document(request)
        document = self.one(request)
        for name in ("id", "href"):
            if patch.pop(name, document[name]) != document[name]:
                raise Refused(400, "Attribute cannot be changed", f"{name} is assigned by the server")
        patched = _merged(document, patch)
        wrong = mistakes(self.kind, {name: value for name, value in patched.items() if name not in ("id", "href")})
        if wrong:
            raise Refused(400, "Missing or invalid attribute", "; ".join(wrong))
        self.store.replace(patched)
        await self.committed()
        return answer(patched)

    async def delete(self, request: web.Request) -> web.Response:
        """DELETE: 204, or 404 where there is nothing."""
        there = self.store.delete(request.match_info["id"])
        await self.committed()
        if not there:
            raise Refused(404, "Not Found", f"there is no such {self.kind.collection}")
        return web.Response(status=204)

    def one(self, request: web.Request) -> dict[str, Any]:
        """The object that the path names."""
        found = self.store.get(request.match_info["id"])
        if found is None:
            raise Refused(404, "Not Found", f"there is no such {self.kind.collection}")
        return found

    async def behave(self, request: web.Request) -> web.Response:
        """PUT /control/behave: replace the misbehaviour; `{}` ends it."""
        try:
            self.behaviour = Behaviour.of(json.loads(await request.read()))
        except ValueError as wrong:
            raise Refused(400, "Invalid behaviour", str(wrong)) from wrong
        return answer(self.behaviour.told)

    async def report(self, _request: web.Request) -> web.Response:
        """GET /control/stats: answers by method and status since the start, and how many objects there are."""
        counted: dict[str, dict[str, int]] = {}
        for (method, status), count in sorted(self.stats.items()):
            counted.setdefault(method, {})[status] = count
        return answer({"requests": counted, "objects": self.store.count()})

    async def dump(self, _request: web.Request) -> web.Response:
        """GET /control/dump: every object, ordered by content (ids and hrefs last), so that dumps can be compared."""
        return answer(sorted(self.store.find(), key=_content))


def _content(document: dict[str, Any]) -> tuple[str, str]:
    rest = {name: value for name, value in document.items() if name not in ("id", "href")}
    return json.dumps(rest, sort_keys=True), document["id"]


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _whole(query: dict[str, str], name: str, default: int) -> int:
    given = query.pop(name, str(default))
    if not given.isdecimal():
        raise Refused(400, "Invalid query", f"{name} is a whole number")
    return int(given)


def _has_trait(traits: Any, name: str | None, value: str | None) -> bool:
    """Whether one element has both the name and the value asked for."""
    if name is None and value is None:
        return True
    return any(name in (None, one["name"]) and (value is None or value == text(one["value"])) for one in traits or ())


def _has(document: Any, path: str, wanted: str) -> bool:
    """Whether an attribute (dotted path, any element of an array) has this value."""
    head, _, rest = path.partition(".")
    if isinstance(document, list):
        return any(_has(one, path, wanted) for one in document)
    if not isinstance(document, dict) or head not in document:
        return False
    value = document[head]
    return _has(value, rest, wanted) if rest else text(value) == wanted


def _only(document: dict[str, Any], fields: str) -> dict[str, Any]:
    """The asked for first-level attributes; id and href always."""
    if not fields:
        return document
    wanted = {"id", "href", *(name.strip() for name in fields.split(","))}
    return {name: value for name, value in document.items() if name in wanted}


def _merged(document: Any, patch: Any) -> Any:
    """JSON merge patch (RFC 7396): null removes, objects merge, everything else replaces."""
    if not isinstance(patch, dict) or not isinstance(document, dict):
        return patch
    merged = dict(document)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merged(merged.get(name, {}), value)
    return merged
