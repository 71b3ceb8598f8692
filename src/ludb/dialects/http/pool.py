"""An event loop in a thread of its own, so that a synchronous engine keeps many requests on their way at once."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

import aiohttp
import uvloop

from ludb.dialects.http.pace import Gate

T = TypeVar("T")
Session = aiohttp.ClientSession
"""Connections that are kept for one system."""
Job = Callable[[aiohttp.ClientSession], Awaitable[T]]
"""One piece of work on the shared session."""

TELL_EVERY = 0.005
"""Seconds that an outcome may wait for others to be told with it; the last one waits for nothing."""
_PATIENCE = 10.0
"""Seconds to wait for the loop to take note of an end; it answers at once unless the interpreter is going down."""


class Pool:
    """Runs jobs concurrently, at most `in_flight` at a time over all callers; the thread starts with the first job.

    Used from any thread. A forked child starts a loop of its own and never touches its parent's connections.
    """

    def __init__(self, name: str, open_session: Callable[[], aiohttp.ClientSession], in_flight: int) -> None:
        """Nothing is started yet; `open_session` is called on the loop."""
        self._name, self._open_session, self._in_flight = name, open_session, in_flight
        self._lock = threading.Lock()
        self._loop: _Loop | None = None

    def run(self, jobs: Sequence[Job[T]]) -> Iterator[T]:
        """The outcomes as they come. Raises what a job raises; closed early, it cancels the rest and waits."""
        if not jobs:
            return
        loop = self._running()
        batch = _Batch(jobs)
        loop.call(loop.launch(batch)).result()
        try:
            left = len(jobs)
            while left:
                for task in (ended := batch.ended.get()):
                    if task is None:
                        raise RuntimeError(f"the calls to {self._name} were closed while they ran")
                    if isinstance(task, BaseException):
                        raise task
                    yield task.value
                left -= len(ended)
        finally:
            loop.end(batch)

    def resize(self, in_flight: int) -> None:
        """Another number of jobs at a time; those that run go on. From any thread."""
        with self._lock:
            self._in_flight, loop = in_flight, self._loop
        if loop is not None and loop.is_mine:
            loop.soon(loop.resize, in_flight)

    def close(self) -> None:
        """Cancel what runs, close connections, end the thread. Safe to repeat; a later `run` starts anew."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is not None:
            loop.close()

    def _running(self) -> _Loop:
        with self._lock:
            if self._loop is None or not self._loop.is_mine:
                self._loop = _Loop(self._name, self._open_session, self._in_flight)
            return self._loop


@dataclass(frozen=True, slots=True)
class _Outcome(Generic[T]):
    value: T


class _Batch(Generic[T]):
    """Jobs that wait, and what ended since somebody was last told. Whoever waits for outcomes is woken for many at once: a
    thread that wakes up takes the interpreter from the loop.
    """

    def __init__(self, jobs: Sequence[Job[T]]) -> None:
        self.waiting = deque(jobs)
        self.left = len(jobs)
        self.senders: set[asyncio.Task[None]] = set()
        self.ended: SimpleQueue[list[_Outcome[T] | BaseException | None]] = SimpleQueue()
        self._untold: list[_Outcome[T] | BaseException | None] = []
        self._alarm: asyncio.TimerHandle | None = None

    def note(self, outcome: _Outcome[T] | BaseException | None) -> None:
        self._untold.append(outcome)
        self.left -= 1
        if not self.left or outcome is None:
            self.tell()
        elif self._alarm is None:
            self._alarm = asyncio.get_running_loop().call_later(TELL_EVERY, self.tell)

    def tell(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._untold:
            told, self._untold = self._untold, []
            self.ended.put(told)


class _Loop:
    """A running loop with its thread, session and tasks. All but `call`, `end` and `close` happens on the loop."""

    def __init__(self, name: str, open_session: Callable[[], aiohttp.ClientSession], in_flight: int) -> None:
        self._pid = os.getpid()
        self._open_session = open_session
        self._session: aiohttp.ClientSession | None = None
        self._gate, self._places = Gate(in_flight), in_flight
        self._batches: set[_Batch[Any]] = set()
        started: Future[asyncio.AbstractEventLoop] = Future()
        # A daemon, so that a process that forgot to close its targets still ends.
        self._thread = threading.Thread(target=self._serve, args=(started,), name=f"ludb-calls-{name}", daemon=True)
        self._thread.start()
        self._loop = started.result()

    @property
    def is_mine(self) -> bool:
        return self._pid == os.getpid()

    def call(self, coroutine: Awaitable[T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(_awaited(coroutine), self._loop)

    def soon(self, work: Callable[[int], None], value: int) -> None:
        self._loop.call_soon_threadsafe(work, value)

    async def launch(self, batch: _Batch[T]) -> None:
        """As many senders as there are places take one job after the other: no task is made for each."""
        if self._session is None:
            self._session = self._open_session()
        self._batches.add(batch)
        self._staff(batch, self._session)

    def resize(self, places: int) -> None:
        self._places = places
        self._gate.resize(places)
        if self._session is not None:
            for batch in self._batches:
                self._staff(batch, self._session)

    def _staff(self, batch: _Batch[Any], session: aiohttp.ClientSession) -> None:
        while len(batch.senders) < min(self._places, batch.left):
            sender = asyncio.create_task(self._send(batch, session))
            batch.senders.add(sender)
            sender.add_done_callback(batch.senders.discard)

    async def _send(self, batch: _Batch[T], session: aiohttp.ClientSession) -> None:
        while batch.waiting:
            async with self._gate:
                if not batch.waiting:
                    return
                job = batch.waiting.popleft()
                try:
                    batch.note(_Outcome(await job(session)))
                except asyncio.CancelledError:
                    batch.note(None)
                    raise
                except BaseException as error:  # noqa: BLE001  (told to whoever waits for the outcome)
                    batch.note(error)

    def end(self, batch: _Batch[T]) -> None:
        """Cancel what is left and wait until nothing of it is on its way; nothing to do in a forked child."""
        if self.is_mine and self._thread.is_alive():
            self.call(self._end(batch)).result(timeout=_PATIENCE)

    async def _end(self, batch: _Batch[Any]) -> None:
        self._batches.discard(batch)
        cut_off = bool(batch.waiting)
        batch.waiting.clear()
        if batch.senders:
            await _ended(list(batch.senders))
        if cut_off:
            batch.note(None)  # whoever waits for the rest waits in vain

    def close(self) -> None:
        if not self.is_mine or not self._thread.is_alive():
            return
        self.call(self._finish()).result(timeout=_PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=_PATIENCE)

    async def _finish(self) -> None:
        for batch in list(self._batches):
            await self._end(batch)
        if self._session is not None:
            await self._session.close()
            await asyncio.sleep(0)  # one round, in which the transports say that they are closed

    def _serve(self, started: Future[asyncio.AbstractEventLoop]) -> None:
        loop = uvloop.new_event_loop()
        loop.call_soon(started.set_result, loop)
        try:
            loop.run_forever()
        finally:
            loop.close()


async def _awaited(coroutine: Awaitable[T]) -> T:
    return await coroutine


async def _ended(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
