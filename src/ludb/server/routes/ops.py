"""Whether the server lives, whether it can work, and what it is."""

from __future__ import annotations

from typing import cast

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field

from ludb import __version__
from ludb.errors import LudbError
from ludb.model.access import Role
from ludb.server.metrics import Metrics
from ludb.server.rules import rule
from ludb.server.world import AnyWorld

router = APIRouter(tags=["ops"])


class HealthShape(BaseModel):
    """`ok`, or `away` with the reason."""

    status: str = Field(examples=["ok"])
    reason: str = ""


class InfoShape(BaseModel):
    """What this server is."""

    name: str = Field(examples=["ludb"])
    version: str = Field(examples=["0.1.0"])
    repository: str = Field(description="The repository's identity", examples=["5f0c..."])
    host: str
    now: float = Field(description="The server's clock, in Unix seconds")


@router.get("/health/live", **rule("public"))
def live() -> HealthShape:
    """The process answers."""
    return HealthShape(status="ok")


@router.get("/health/ready", responses={503: {"model": HealthShape}}, **rule("public"))
def ready(world: AnyWorld, response: Response) -> HealthShape:
    """The repository answers too; 503 while it does not."""
    try:
        world.repository.runs.seq()
    except LudbError:
        response.status_code = 503
        return HealthShape(status="away", reason="the repository does not answer")
    return HealthShape(status="ok")


@router.get("/info", **rule(Role.VIEWER))
def info(world: AnyWorld) -> InfoShape:
    """Version, host and clock."""
    return InfoShape(
        name="ludb", version=__version__, repository=world.repository.id, host=world.site.host, now=world.now()
    )


@router.get("/metrics", response_class=PlainTextResponse, **rule(Role.VIEWER))
def metrics(request: Request) -> Response:
    """Figures for Prometheus, for which a token with the role viewer is enough. No label names a unit."""
    found = cast("Metrics", request.app.state.metrics)
    return Response(found.text(), media_type="text/plain; version=1.0.0; charset=utf-8")
