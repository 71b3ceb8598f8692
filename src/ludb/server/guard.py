"""What stands around every request: no body is too long, and browsers keep, frame and guess nothing."""

from __future__ import annotations

import time

from prometheus_client import Histogram
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ludb.server.problems import Problem

_SITE = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": _SITE,
}


class Guard:
    """A layer around the application. `most` is in bytes; a body without a length is counted as it comes."""

    def __init__(self, app: ASGIApp, most: int, answers: Histogram) -> None:
        """Stand around `app`; times are counted in `answers`, by the form of the path: never by what stands in it."""
        self._app, self._most, self._answers = app, most, answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        told = dict(scope["headers"]).get(b"content-length", b"0")
        if not told.isdigit() or int(told) > self._most:
            await self._too_long().answer()(scope, receive, send)
            return
        begun = await self._body(receive)
        if begun is None:
            await self._too_long().answer()(scope, receive, send)
            return

        async def replayed() -> Message:
            return begun.pop(0) if begun else await receive()

        began = time.perf_counter()

        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                form = getattr(scope.get("route"), "path_format", "")
                labels = (scope["method"] if form else "", form, str(message["status"]))
                self._answers.labels(*labels).observe(time.perf_counter() - began)
                headers = MutableHeaders(scope=message)
                headers.setdefault("Cache-Control", "no-store")
                headers.update(HEADERS)
            await send(message)

        await self._app(scope, replayed, headed)

    async def _body(self, receive: Receive) -> list[Message] | None:
        """The messages of the whole body, None once they are too long."""
        messages, taken = [await receive()], 0
        while messages[-1]["type"] == "http.request":
            taken += len(messages[-1].get("body", b""))
            if taken > self._most:
                return None
            if not messages[-1].get("more_body", False):
                break
            messages.append(await receive())
        return messages

    def _too_long(self) -> Problem:
        return Problem(413, "too-long", f"a body has at most {self._most:,} bytes", remedy="Send less at a time")
