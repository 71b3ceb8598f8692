"""Routes that only read: who asks, what is read and how it is written is one errand of one thread."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, get_type_hints

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from starlette.concurrency import run_in_threadpool

from ludb.server.ages import header, noted
from ludb.server.rules import Caller, admit, caller_of, is_public

_REQUEST = "request_of_reading"


class ReadRoute(APIRoute):
    """A route whose GETs cost one change of threads instead of three: to let the request in, to answer it, and to look at the
    answer once more, which is built from its own type and needs no second look.

    `reads` says that the route lets its requests in by itself; all others leave that to the application (`admitted`).
    """

    reads = False

    def __init__(self, path: str, endpoint: Callable[..., Any], **more: Any) -> None:
        """Stand in for an endpoint that answers GET with a model; any other stays as it is."""
        whole = _whole(endpoint) if more.get("methods") in ({"GET"}, ["GET"]) else None
        super().__init__(path, whole or endpoint, **more)
        self.reads = whole is not None

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        """What is wrong with a request is told to nobody who may not send it."""
        handler = super().get_route_handler()
        if not self.reads:
            return handler

        async def guarded(request: Request) -> Response:
            try:
                return await handler(request)
            except RequestValidationError:
                await run_in_threadpool(admit, request)
                raise

        return guarded


async def admitted(request: Request) -> None:
    """Let a request in (`admit`), unless its route does so itself. Runs before every route of the app; what is open to anybody
    needs no thread to look up who it is.
    """
    route = request.scope.get("route")
    if not getattr(route, "reads", False) and not is_public(route):
        await run_in_threadpool(admit, request)


def _whole(endpoint: Callable[..., Any]) -> Callable[..., Awaitable[Response]] | None:
    """All of it at once; None for an endpoint that is asynchronous, or that makes or changes the answer itself."""
    hints = get_type_hints(endpoint)
    told = hints.pop("return", None)
    if inspect.iscoroutinefunction(endpoint) or told is None or Response in hints.values() or _is_response(told):
        return None
    adapter = TypeAdapter[Any](get_type_hints(endpoint, include_extras=True)["return"])
    callers = [name for name, kind in hints.items() if kind is Caller]

    def work(request: Request, given: dict[str, Any]) -> Response:
        admit(request)
        given |= {name: caller_of(request) for name in callers}
        with noted() as ages:
            found = endpoint(**given)
        return Response(adapter.dump_json(found, by_alias=True), headers=header(ages), media_type="application/json")

    @wraps(endpoint)
    async def whole(**given: Any) -> Response:
        return await run_in_threadpool(work, given.pop(_REQUEST), given)

    signature = inspect.signature(endpoint)
    asked = inspect.Parameter(_REQUEST, inspect.Parameter.KEYWORD_ONLY, annotation=Request)
    whole.__signature__ = signature.replace(parameters=[*signature.parameters.values(), asked])  # type: ignore[attr-defined]
    return whole


def _is_response(told: Any) -> bool:
    return inspect.isclass(told) and issubclass(told, Response)
