"""A real HTTP server on loopback that answers as a test tells it, and `rest` targets that talk to it."""

import asyncio
import threading
from concurrent.futures import Future
from pathlib import Path

import pytest
from aiohttp import web

from ludb.dialects.settings import Surroundings
from ludb.targets.rest import RestTarget
from ludb.testing.calls import OUTPUT

CREATED = (201, {}, '{"id": "c1", "revision": 1}')


class Server:
    """Answers with `answer(request)`, a coroutine, on a loop of its own; `seen` holds what arrived."""

    def __init__(self):
        self.seen, self.open, self.most = [], 0, 0
        self.answer = None
        self.replies = []
        started = Future()
        self.thread = threading.Thread(target=self._serve, args=(started,))
        self.thread.start()
        self.loop, self.runner = started.result()
        self.port = self.runner.addresses[0][1]

    def _serve(self, started):
        loop = asyncio.new_event_loop()

        async def start():
            app = web.Application()
            app.router.add_route("*", "/{tail:.*}", self._handle)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            return loop, runner

        started.set_result(loop.run_until_complete(start()))
        loop.run_forever()
        loop.close()

    async def _handle(self, request):
        self.seen.append((request.method, request.raw_path, request.headers.copy(), await request.text()))
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            if self.answer is not None:
                await self.answer(request)
        finally:
            self.open -= 1
        status, headers, text = self.replies.pop(0) if self.replies else CREATED
        return web.Response(status=status, headers=headers, text=text)

    def call(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout=10)

    def end(self):
        self.call(self.runner.cleanup())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(timeout=10)


@pytest.fixture
def server():
    server = Server()
    yield server
    server.end()


@pytest.fixture
def target(server):
    made = []

    def make(output=OUTPUT, *, userinfo="", base="", jitter=lambda: 0.5, **settings):
        url = f"http://{userinfo}127.0.0.1:{server.port}{base}"
        system = RestTarget.Settings.model_validate({"type": "rest", "url": url, "timeout": 10, **settings})
        surroundings = Surroundings(Path(), Path(), {"url": ("CRM_URL",)})
        made.append(RestTarget("crm", system, surroundings, {output.name: output}, jitter=jitter))
        return made[-1]

    yield make
    for one in made:
        one.close()
