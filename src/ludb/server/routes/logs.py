"""The logs of a run's processes, as far as they lie in this server's state directory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query

from ludb.model.access import Role
from ludb.server.lookup import known_run
from ludb.server.reading import ReadRoute
from ludb.server.rules import rule
from ludb.server.shapes.jobs import LogLineShape
from ludb.server.world import AnyWorld
from ludb.service.hooks import NOTES

router = APIRouter(prefix="/api/v1", tags=["runs"], route_class=ReadRoute)
TAIL = 256_000
"""Bytes that are read from the end of each log."""
_RANK = {"debug": 10, "info": 20, "warning": 30, "error": 40}


@router.get("/runs/{run}/logs", **rule(Role.VIEWER))
def logs(
    run: str, world: AnyWorld, lines: Annotated[int, Query(ge=1, le=2000)] = 200,
    level: Annotated[str, Query(pattern="^(debug|info|warning|error)$", description="This level and above")] = "info",
) -> list[LogLineShape]:  # fmt: skip
    """The newest lines of all logs of a run, oldest first. Lines hold names and numbers, never row values."""
    folder = world.site.logs(known_run(world, run).id)
    found = [line for path in sorted(folder.glob("*.log")) if path.name != NOTES for line in _tail(path)]
    wanted = [line for line in found if _RANK.get(line.level, 20) >= _RANK[level]]
    return sorted(wanted, key=lambda line: line.at)[-lines:]


def _tail(path: Path) -> Iterator[LogLineShape]:
    """The last whole lines of a log; what is no line of ours is left out."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            start = max(0, file.tell() - TAIL)
            file.seek(start)
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return
    for line in text.splitlines()[1 if start else 0 :]:
        try:
            told = json.loads(line)
            at, event, level = (str(told.pop(name)) for name in ("timestamp", "event", "level"))
        except (ValueError, KeyError, AttributeError):
            continue
        yield LogLineShape(at=at, file=path.name, level=level, event=event, data=told)
