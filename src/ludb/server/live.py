"""What happens in a run, told to all who listen by one look at the repository."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from fastapi import Request
from fastapi.sse import format_sse_event
from starlette.concurrency import run_in_threadpool

from ludb.errors import LudbError
from ludb.server.problems import Problem
from ludb.server.progress import progress_of
from ludb.server.rules import who
from ludb.server.shapes.runs import EventShape, ProgressShape
from ludb.server.shaping import event_shape
from ludb.server.world import World

PAGE = 500
"""Events that are read at once."""
BREATH, CHECK = 15.0, 10.0
"""Seconds of silence after which a listener is told that the line stands; between two looks whether it may still listen."""
RETRY = 2000
"""Milliseconds after which a browser comes back."""


@dataclass(slots=True)
class _Seen:
    """What was seen of one run last."""

    at: float = float("-inf")
    progress: ProgressShape | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Hub:
    """The newest look at each run that somebody listens to: so many listeners cost the repository no more than one."""

    def __init__(self, world: World, most: int = 100) -> None:
        """Nobody listens yet; of more than `most` runs the one looked at longest ago is looked at anew."""
        self._world, self._most = world, most
        self._runs: OrderedDict[str, _Seen] = OrderedDict()

    async def look(self, run_id: str) -> ProgressShape | None:
        """How the run stands, not older than the set-up says; None while the repository is away."""
        seen = self._runs.setdefault(run_id, _Seen())
        self._runs.move_to_end(run_id)
        while len(self._runs) > self._most:
            self._runs.popitem(last=False)
        async with seen.lock:
            if time.monotonic() - seen.at >= self._world.config.look_every:
                try:
                    seen.progress = await run_in_threadpool(progress_of, self._world, run_id)
                except LudbError:
                    seen.progress = None
                seen.at = time.monotonic()
            return seen.progress


async def stream(hub: Hub, world: World, request: Request, run_id: str, after: int) -> AsyncIterator[bytes]:
    """The run's events after a number, each with its number as id, and `progress` whenever it has changed. It ends when the
    listener may listen no longer, never by itself: a run that is over may be tried again.
    """
    yield format_sse_event(retry=RETRY, comment=f"run {run_id}")
    told: ProgressShape | None = None
    spoke = checked = time.monotonic()
    while True:
        now = time.monotonic()
        if now - checked > CHECK:
            if not await run_in_threadpool(_may, request, world):
                return
            checked = now
        seen = await hub.look(run_id)
        while seen is not None and seen.last_event > after:
            for event in await run_in_threadpool(_since, world, run_id, after):
                yield format_sse_event(event="event", id=str(event.number), data_str=event.model_dump_json())
                after, spoke = event.number, now
            seen = await hub.look(run_id)
        if seen is not None and _differs(told, seen):
            yield format_sse_event(event="progress", data_str=seen.model_dump_json())
            told, spoke = seen, now
        elif now - spoke > BREATH:
            yield format_sse_event(comment="still here")
            spoke = now
        await asyncio.sleep(world.config.look_every / 2)


def _since(world: World, run_id: str, after: int) -> list[EventShape]:
    return [event_shape(*one) for one in world.repository.events.since(run_id, after, PAGE)]


def _may(request: Request, world: World) -> bool:
    """Whether the listener's session or token still stands."""
    try:
        who(request, world)
    except Problem:
        return False
    except LudbError:
        return True  # the repository is away: nobody can tell
    return True


def _differs(told: ProgressShape | None, seen: ProgressShape) -> bool:
    return told is None or told.model_copy(update={"at": seen.at}) != seen
