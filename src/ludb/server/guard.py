"""What stands around every request: no body is too long, and browsers keep, frame and guess nothing."""

from __future__ import annotations

import time

from prometheus_client import Histogram
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ludb.server.logbook import log
from ludb.server.paths import form_of, run_of
from ludb.server.problems import Problem

_SITE = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"
_NUL = b"%00"
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": _SITE,
}


class Guard:
    """A layer around the application. `most` is in bytes; a body without a length is counted as it comes."""

    def __init__(self, app: ASGIApp, most: int, answers: Histogram, *, logged: bool = False) -> None:
        """Stand around `app`; times are counted in `answers`, and answers are `logged`, by the form of the path: never by what
        stands in it.
        """
        self._app, self._most, self._answers, self._logged = app, most, answers, logged

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        told = dict(scope["headers"]).get(b"content-length", b"0")
        if not told.isdigit() or int(told) > self._most:
            await self._too_long().answer()(scope, receive, send)
            return
        if _NUL in scope.get("raw_path", b"") or _NUL in scope["query_string"]:
            await _no_nul().answer()(scope, receive, send)
            return
        begun = await self._body(receive)
        if begun is None:
            await self._too_long().answer()(scope, receive, send)
            return

        async def replayed() -> Message:
            return begun.pop(0) if begun else await receive()

        began, begun_to_answer = time.perf_counter(), False

        async def headed(message: Message) -> None:
            nonlocal begun_to_answer
            if message["type"] == "http.response.start":
                begun_to_answer = True
                self._note(scope, message["status"], time.perf_counter() - began)
                headers = MutableHeaders(scope=message)
                headers.setdefault("Cache-Control", "no-store")
                headers.update(HEADERS)
            await send(message)

        try:
            await self._app(scope, replayed, headed)
        except Exception:
            if not begun_to_answer:  # the answer is made by whoever stands around us
                self._note(scope, 500, time.perf_counter() - began)
            raise

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        form = form_of(scope)
        self._answers.labels(scope["method"] if form else "", form, str(status)).observe(seconds)
        if self._logged:
            address = (scope.get("client") or ("",))[0]
            log(
                "server.answered", level="info", run=run_of(scope), method=scope["method"], path=form, status=status,
                seconds=round(seconds, 4), address=address,
            )  # fmt: skip

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


def _no_nul() -> Problem:
    """No name or text has this character, and PostgreSQL, asked for it, would seem to be away."""
    return Problem(422, "invalid", "the address holds the character NUL", remedy="Leave it out")
