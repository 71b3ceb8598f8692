"""Both call targets keep the contract: `rest` against a real HTTP server, `MemoryCalls` against its store."""

import asyncio
import json
import threading
from collections import deque
from concurrent.futures import Future
from pathlib import Path

import pytest
from aiohttp import web

from ludb.dialects.settings import Surroundings
from ludb.ports.target import CallTarget
from ludb.targets.rest import RestTarget
from ludb.targets.soap import SoapTarget
from ludb.testing.calls import OUTPUT, CallTargetContract, Mischief, Subject
from ludb.testing.memory_calls import MemoryCalls, MemoryServer
from ludb.testing.steering import SteeringContract
from tests.unit import soap_service

SECRET = "Bearer tell-nobody-4711"
OUTPUTS = {OUTPUT.name: OUTPUT}


class HttpServer:
    """An aiohttp server in a thread of its own; all of its state is touched on its loop only."""

    def __init__(self):
        self.store, self.script, self.hanging, self.always = {}, deque(), [], set()
        self.keys = None
        self.seen = []
        self.count = 0
        started = Future()
        self._thread = threading.Thread(target=self._serve, args=(started,), name="http-server")
        self._thread.start()
        self.loop, self.runner, self.site = started.result()
        self.url = f"http://127.0.0.1:{self.runner.addresses[0][1]}/api/v4/"

    def _serve(self, started):
        loop = asyncio.new_event_loop()

        async def start():
            app = web.Application()
            app.router.add_route("*", "/api/v4/{tail:.*}", self._answer)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.arrived, self.let_go = asyncio.Condition(), asyncio.Event()
            return loop, runner, site

        started.set_result(loop.run_until_complete(start()))
        loop.run_forever()
        loop.close()

    def call(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout=10)

    def end(self):
        async def clean():
            self.let_go.set()
            await self.runner.cleanup()

        self.call(clean())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(timeout=10)

    def misbehave(self, *mischiefs):
        self.script.extend(mischiefs)

    def objects(self):
        async def read():
            return [dict(one) for one in self.store.values()]

        return self.call(read())

    def plant(self, document, *, found_by_any_probe=False):
        async def add():
            planted = self._add(document)
            if found_by_any_probe:
                self.always.add(planted["id"])

        self.call(add())

    def deliver(self, count=1):
        async def write():
            async with self.arrived:
                await self.arrived.wait_for(lambda: len(self.hanging) >= count)
            while self.hanging:
                self._carry_out(*self.hanging.pop())

        self.call(write())

    def honour_keys(self):
        self.keys = {}

    def stop(self):
        self.call(self.site.stop())

    async def _answer(self, request):
        body = await request.text()
        if request.path == "/api/v4/":
            return web.Response(status=404)
        self.seen.append((request.method, request.raw_path, dict(request.headers), body))
        mischief = self.script.popleft() if self.script else None
        said = {
            Mischief.BUSY: (429, {}),
            Mischief.LATER: (503, {"Retry-After": "0"}),
            Mischief.MUCH_LATER: (429, {"Retry-After": "900"}),
            Mischief.FAIL_BEFORE: (500, {}),
            Mischief.DENY: (401, {}),
            Mischief.CONFLICT: (409, {}),
            Mischief.REFUSE: (400, {}),
        }
        if mischief in said:
            status, headers = said[mischief]
            # A careless server echoes what it was sent, credential included.
            text = f"status is missing; you sent {request.headers.get('Authorization')}"
            return web.Response(status=status, headers=headers, text=text)
        asked = (request.method, request.match_info["tail"], dict(request.query), body, request.headers)
        if mischief is Mischief.DROP_BEFORE:
            return self._drop(request)
        if mischief is Mischief.HANG:
            async with self.arrived:
                self.hanging.append(asked)
                self.arrived.notify_all()
            await self.let_go.wait()
            return web.Response(status=500)
        status, answer = self._carry_out(*asked)
        if mischief is Mischief.DROP_AFTER:
            return self._drop(request)
        if mischief is Mischief.FAIL_AFTER:
            return web.Response(status=500)
        if mischief is Mischief.GARBLE:
            return web.Response(status=201, text="<html>created")
        return web.Response(status=status, text=answer, content_type="application/json")

    def _drop(self, request):
        request.transport.abort()
        return web.Response()

    def _carry_out(self, method, tail, query, body, headers):
        key = headers.get("Idempotency-Key")
        if self.keys is not None and key in self.keys:
            return self.keys[key]
        collection, _, object_id = tail.partition("/")
        assert collection == "customer"
        if method == "GET":
            wanted = query["characteristic.value"]
            hits = [one for one in self.store.values() if one["id"] in self.always or wanted in json.dumps(one)]
            answer = (200, json.dumps(hits))
        elif method == "POST":
            answer = (201, json.dumps(self._add(json.loads(body))))
        elif object_id not in self.store:
            answer = (404, "")
        elif method == "DELETE":
            del self.store[object_id]
            answer = (204, None)
        else:
            found = self.store[object_id]
            found.update(json.loads(body), id=object_id, revision=found["revision"] + 1)
            answer = (200, json.dumps(found))
        if self.keys is not None and key:
            self.keys[key] = answer
        return answer

    def _add(self, document):
        self.count += 1
        self.store[f"c/{self.count}"] = {**document, "id": f"c/{self.count}", "revision": 1}
        return self.store[f"c/{self.count}"]


def rest(url, **settings):
    given = {"type": "rest", "url": url, "in_flight": 8, "headers": {"Authorization": SECRET}, **settings}
    names = {"headers.Authorization": ("CRM_TOKEN",), "url": ("CRM_URL",)}
    surroundings = Surroundings(folder=Path(), state=Path(), variables=names)
    return RestTarget("crm", RestTarget.Settings.model_validate(given), surroundings, OUTPUTS)


class TestRest(CallTargetContract, SteeringContract):
    @pytest.fixture
    def subject(self):
        server = HttpServer()
        target, impatient = rest(server.url, timeout="10s"), rest(server.url, timeout="300ms")
        yield Subject(target, impatient, server, SECRET.split()[1], in_flight=8)
        target.close()
        impatient.close()
        server.end()

    def test_it_is_a_call_target(self, subject):
        assert isinstance(subject.target, CallTarget)

    def test_no_thread_is_left_after_closing(self, subject):
        list(subject.target.perform([]))
        subject.target.check()
        assert any(thread.name == "ludb-calls-crm" for thread in threading.enumerate())
        subject.target.close()
        assert not any(thread.name == "ludb-calls-crm" for thread in threading.enumerate())


def soap(service, folder, digest=False, **settings):
    (folder / "crm.wsdl").write_text(soap_service.wsdl(service.version), encoding="utf-8")
    given = {
        "type": "soap", "url": service.url, "wsdl": "crm.wsdl", "in_flight": 8,
        "security": {"user": soap_service.USER, "password": soap_service.PASSWORD, "digest": digest},
        "call_id_header": f"{{{soap_service.URN}}}CallId", "faults": [{"detail": "NotFound", "means": "absent"}], **settings,
    }  # fmt: skip
    names = {"security.password": ("CRM_TOKEN",), "url": ("CRM_URL",)}
    outputs = {soap_service.OUTPUT.name: soap_service.OUTPUT}
    made = SoapTarget("crm", SoapTarget.Settings.model_validate(given), Surroundings(folder, folder, names), outputs)
    assert isinstance(made, CallTarget)
    return made


class _Soap(CallTargetContract):
    version, digest = "1.1", False

    @pytest.fixture
    def subject(self, tmp_path):
        server = soap_service.SoapService(self.version, self.digest)
        target, impatient = (soap(server, tmp_path, self.digest, timeout=one) for one in ("10s", "300ms"))
        yield Subject(target, impatient, server, soap_service.PASSWORD, in_flight=8)
        target.close()
        impatient.close()
        server.end()


class TestSoap11(_Soap):
    pass


class TestSoap12(_Soap, SteeringContract):
    version, digest = "1.2", True


class TestMemory(CallTargetContract):
    @pytest.fixture
    def subject(self):
        server = MemoryServer()
        target = MemoryCalls(server, OUTPUTS)
        return Subject(target, MemoryCalls(server, OUTPUTS), server, SECRET, in_flight=0)

    def test_it_is_a_call_target(self, subject):
        assert isinstance(subject.target, CallTarget)

    def test_what_was_written_outlives_the_client_that_wrote_it(self, subject):
        subject.server.plant({"name": "somebody"})
        assert len(MemoryCalls(subject.server, OUTPUTS).server.objects()) == 1
