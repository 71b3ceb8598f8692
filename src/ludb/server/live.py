"""What happens in a run, told to all who listen by one look at the repository."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from itertools import count

from fastapi import Request
from fastapi.sse import format_sse_event
from starlette.concurrency import run_in_threadpool

from ludb.errors import LudbError
from ludb.server.problems import Problem
from ludb.server.progress import progress_of
from ludb.server.rules import who
from ludb.server.shapes.runs import ProgressShape
from ludb.server.shaping import event_shape
from ludb.server.world import World

PAGE = 500
"""Events that are read at once."""
BREATH, CHECK = 15.0, 10.0
"""Seconds of silence after which a listener is told that the line stands; between two looks whether it may still listen."""
RETRY = 2000
"""Milliseconds after which a browser comes back."""
_TURNS = count(1)


Told = Sequence[tuple[int, str]]
"""Events as they are told: number and text."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a run stood. `turn` grows whenever that has changed; `text` is what listeners are told of it."""

    turn: int
    last_event: int
    text: str


@dataclass(slots=True)
class _Seen:
    """What was seen of one run last, and the events that listeners have been told since it changed."""

    at: float = float("-inf")
    progress: ProgressShape | None = None
    look: Look | None = None
    told: dict[int, Told] = field(default_factory=dict)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Hub:
    """The newest look at each run that somebody listens to: so many listeners cost the repository no more than one, and what
    they are told is written once.
    """

    def __init__(self, world: World, most: int = 100) -> None:
        """Nobody listens yet; of more than `most` runs the one looked at longest ago is looked at anew."""
        self._world, self._most = world, most
        self._runs: OrderedDict[str, _Seen] = OrderedDict()

    async def look(self, run_id: str) -> Look | None:
        """How the run stands, not older than the set-up says; None while the repository is away."""
        seen = self._seen(run_id)
        if time.monotonic() - seen.at < self._world.config.look_every:
            return seen.look
        async with seen.lock:
            if time.monotonic() - seen.at >= self._world.config.look_every:
                try:
                    _note(seen, await run_in_threadpool(progress_of, self._world, run_id))
                except LudbError:
                    seen.look = None
                seen.at = time.monotonic()
            return seen.look

    async def since(self, run_id: str, after: int) -> Told:
        """The next events after a number, oldest first; read once for all listeners who have heard as much. What ends before
        the newest one is not kept: on a server an event may be told only after a later one was seen.
        """
        seen = self._seen(run_id)
        async with seen.lock:
            if after in seen.told:
                return seen.told[after]
            newest = seen.look.last_event if seen.look else 0
            told = await run_in_threadpool(_since, self._world, run_id, after)
            if len(told) == PAGE or (told and told[-1][0] >= newest):
                seen.told[after] = told
            return told

    def _seen(self, run_id: str) -> _Seen:
        seen = self._runs.setdefault(run_id, _Seen())
        self._runs.move_to_end(run_id)
        while len(self._runs) > self._most:
            self._runs.popitem(last=False)
        return seen


async def stream(hub: Hub, world: World, request: Request, run_id: str, after: int) -> AsyncIterator[bytes]:
    """The run's events after a number, each with its number as id, and `progress` whenever it has changed. It ends when the
    listener may listen no longer, never by itself: a run that is over may be tried again.
    """
    yield format_sse_event(retry=RETRY, comment=f"run {run_id}")
    turn = 0
    spoke = checked = time.monotonic()
    while True:
        now = time.monotonic()
        if now - checked > CHECK:
            if not await run_in_threadpool(_may, request, world):
                return
            checked = now
        seen = await hub.look(run_id)
        while seen is not None and seen.last_event > after:
            told = await hub.since(run_id, after)
            for number, text in told:
                yield format_sse_event(event="event", id=str(number), data_str=text)
                after, spoke = number, now
            if not told:
                break  # not for everybody's eyes yet: at the next look
            seen = await hub.look(run_id)
        if seen is not None and seen.turn != turn:
            yield format_sse_event(event="progress", data_str=seen.text)
            turn, spoke = seen.turn, now
        elif now - spoke > BREATH:
            yield format_sse_event(comment="still here")
            spoke = now
        await asyncio.sleep(world.config.look_every / 2)


def _note(seen: _Seen, progress: ProgressShape) -> None:
    """Keep a look. Only one that differs in more than its moment is a new turn."""
    before = seen.progress
    if seen.look is None or before is None or before.model_copy(update={"at": progress.at}) != progress:
        turn = next(_TURNS)
        seen.progress, seen.look = progress, Look(turn, progress.last_event, progress.model_dump_json())
        seen.told = {}


def _since(world: World, run_id: str, after: int) -> Told:
    found = [event_shape(*one) for one in world.repository.events.since(run_id, after, PAGE)]
    return [(one.number, one.model_dump_json()) for one in found]


def _may(request: Request, world: World) -> bool:
    """Whether the listener's session or token still stands."""
    try:
        who(request, world)
    except Problem:
        return False
    except LudbError:
        return True  # the repository is away: nobody can tell
    return True
