"""An event loop in a thread of its own, so that a synchronous engine keeps many requests on their way at once."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TypeVar

import aiohttp

from ludb.dialects.http.pace import Gate

T = TypeVar("T")
Session = aiohttp.ClientSession
"""Connections that are kept for one system."""
Job = Callable[[aiohttp.ClientSession], Awaitable[T]]
"""One piece of work on the shared session."""

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
        ended: SimpleQueue[asyncio.Task[T]] = SimpleQueue()
        tasks = loop.call(loop.launch(jobs, ended.put)).result()
        try:
            for _ in tasks:
                task = ended.get()
                if task.cancelled():
                    raise RuntimeError(f"the calls to {self._name} were closed while they ran")
                yield task.result()
        finally:
            loop.end(tasks)

    def resize(self, in_flight: int) -> None:
        """Another number of jobs at a time; those that run go on. From any thread."""
        with self._lock:
            self._in_flight, loop = in_flight, self._loop
        if loop is not None and loop.is_mine:
            loop.soon(loop.gate.resize, in_flight)

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


class _Loop:
    """A running loop with its thread, session and tasks. All but `call`, `end` and `close` happens on the loop."""

    def __init__(self, name: str, open_session: Callable[[], aiohttp.ClientSession], in_flight: int) -> None:
        self._pid = os.getpid()
        self._open_session = open_session
        self._session: aiohttp.ClientSession | None = None
        self.gate = Gate(in_flight)
        self._tasks: set[asyncio.Task[object]] = set()
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

    async def launch(self, jobs: Sequence[Job[T]], tell: Callable[[asyncio.Task[T]], None]) -> list[asyncio.Task[T]]:
        if self._session is None:
            self._session = self._open_session()
        tasks = [asyncio.create_task(self._one(job, self._session)) for job in jobs]
        for task in tasks:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            task.add_done_callback(tell)
        return tasks

    async def _one(self, job: Job[T], session: aiohttp.ClientSession) -> T:
        async with self.gate:
            return await job(session)

    def end(self, tasks: Sequence[asyncio.Task[T]]) -> None:
        """Cancel the tasks and wait until nothing of them is on its way; nothing to do in a forked child."""
        if self.is_mine and self._thread.is_alive():
            self.call(_ended(tasks)).result(timeout=_PATIENCE)

    def close(self) -> None:
        if not self.is_mine or not self._thread.is_alive():
            return
        self.call(self._finish()).result(timeout=_PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=_PATIENCE)

    async def _finish(self) -> None:
        await _ended(list(self._tasks))
        if self._session is not None:
            await self._session.close()
            await asyncio.sleep(0)  # one round, in which the transports say that they are closed

    def _serve(self, started: Future[asyncio.AbstractEventLoop]) -> None:
        loop = asyncio.new_event_loop()
        loop.call_soon(started.set_result, loop)
        try:
            loop.run_forever()
        finally:
            loop.close()


async def _awaited(coroutine: Awaitable[T]) -> T:
    return await coroutine


async def _ended(tasks: Sequence[asyncio.Task[T]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
