"""Live: a stream of what happens in a run."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from ludb.model.access import Role
from ludb.server.live import Hub, stream
from ludb.server.lookup import known_run
from ludb.server.rules import rule
from ludb.server.world import AnyWorld

router = APIRouter(prefix="/api/v1", tags=["live"])
_TEXT = {"text/event-stream": {"schema": {"type": "string"}}}


@router.get(
    "/runs/{run}/stream", response_class=StreamingResponse,
    responses={200: {"content": _TEXT, "description": "Server-sent events `event` and `progress`"}}, **rule(Role.VIEWER),
)  # fmt: skip
async def run_stream(
    run: str, world: AnyWorld, request: Request,
    after: Annotated[int, Query(ge=0, lt=2**63, description="Only events after this number")] = 0,
    last: Annotated[
        str | None, Header(alias="Last-Event-ID", pattern=r"^\d{1,18}$", description="Goes before `after`")
    ] = None,
) -> StreamingResponse:  # fmt: skip
    """Events of a run as they happen: `event` with the shape of `/events` and its number as id, so that a listener who lost
    the line goes on where it was; and `progress` with the shape of `/progress`, whenever it has changed.
    """
    found = await run_in_threadpool(known_run, world, run)
    hub = cast("Hub", request.app.state.hub)
    begin = int(last) if last is not None else after
    lines = stream(hub, world, request, found.id, begin)
    return StreamingResponse(lines, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
