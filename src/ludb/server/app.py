"""The application: routes, rules, errors and the document, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from anyio.to_thread import current_default_thread_limiter
from fastapi import Depends, FastAPI
from fastapi.openapi.utils import get_openapi

from ludb import __version__
from ludb.server import problems
from ludb.server.guard import Guard
from ludb.server.live import Hub
from ludb.server.metrics import Metrics
from ludb.server.problems import MEDIA, ProblemShape
from ludb.server.reading import admitted
from ludb.server.routes import (
    across,
    alert_rules,
    alerts,
    commands,
    dashboard,
    doubts,
    evidence,
    figures,
    folders,
    insight,
    jobs,
    live,
    login,
    logs,
    oidc,
    ops,
    people,
    quarantine,
    runs,
    schedules,
    units,
    windows,
)
from ludb.server.rules import COOKIE
from ludb.server.world import World

THREADS = 16
"""Requests that are carried out at the same time; more would only fight for the interpreter, and each keeps memory."""
MOST_BODY = 4_000_000
"""Bytes of a request's body; a list of unit keys may be long."""
ROUTERS = tuple(
    room.router
    for room in (
        ops,
        login,
        oidc,
        people,
        jobs,
        insight,
        runs,
        evidence,
        figures,
        across,
        quarantine,
        units,
        logs,
        commands,
        doubts,
        folders,
        live,
        alerts,
        schedules,
        alert_rules,
        windows,
        dashboard,
    )
)


class Application(FastAPI):
    """The web framework's application, with a document that tells more."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI 3.1 document, with the two ways to say who one is and the shape of every error."""
        if not self.openapi_schema:
            self.openapi_schema = _completed(
                get_openapi(
                    title=self.title, version=self.version, summary=self.summary, routes=self.routes,
                    openapi_version="3.1.0",
                )
            )  # fmt: skip
        return self.openapi_schema


@asynccontextmanager
async def _within_bounds(_: FastAPI) -> AsyncIterator[None]:
    """While the server listens."""
    current_default_thread_limiter().total_tokens = THREADS
    yield


def create_app(world: World) -> FastAPI:
    """An application over this world. It opens nothing and starts nothing."""
    app = Application(
        title="ludb", version=__version__, openapi_url="/api/v1/openapi.json", docs_url=None, redoc_url=None,
        summary="Starts, steers, watches and explains every migration.", dependencies=[Depends(admitted)],
        responses=problems.RESPONSES, lifespan=_within_bounds,
    )  # fmt: skip
    app.state.world, app.state.hub, app.state.metrics = world, Hub(world), Metrics(world)
    for router in ROUTERS:
        app.include_router(router)
    problems.install(app)
    app.add_middleware(Guard, most=MOST_BODY, answers=app.state.metrics.answers, logged=world.config.json)
    return app


def _completed(made: dict[str, Any]) -> dict[str, Any]:
    parts = made.setdefault("components", {})
    parts["securitySchemes"] = {
        "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
        "token": {"type": "http", "scheme": "bearer"},
    }
    shape = ProblemShape.model_json_schema(ref_template="#/components/schemas/{model}")
    parts.setdefault("schemas", {}).update(shape.pop("$defs", {}) | {"ProblemShape": shape})
    parts["responses"] = {f"Problem{code}": answer for code, answer in problems.RESPONSES.items()}
    for operations in made["paths"].values():
        for operation in operations.values():
            answers = operation["responses"]
            for code in problems.RESPONSES:
                if str(code) not in answers or MEDIA in answers[str(code)].get("content", {}) or code == 422:
                    answers[str(code)] = {"$ref": f"#/components/responses/Problem{code}"}
    return made
