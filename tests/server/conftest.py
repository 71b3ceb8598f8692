"""A server in this very process: its world, and clients that are somebody."""

from __future__ import annotations

import itertools
import json
import re
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from zoneinfo import ZoneInfo

import pytest
import uvicorn
from argon2 import PasswordHasher
from starlette.testclient import TestClient

from ludb.cli import app as command_line
from ludb.model.access import Role, Session, Token, User
from ludb.repositories.memory import MemoryRepository
from ludb.server.app import create_app
from ludb.server.config import ServerConfig
from ludb.server.passwords import Passwords, csrf_of, sha_of
from ludb.server.rules import COOKIE, CSRF
from ludb.server.world import World
from ludb.service.site import open_scratch
from ludb.testing.repository_world import ManualClock

CHEAP = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
PASSWORD = "a password of some length"
BASE = "http://127.0.0.1:8321"
HASHED = CHEAP.hash(PASSWORD)


class People:
    """Makes users, and clients that act as they do."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.app = create_app(world)
        self._numbers = itertools.count()

    def user(self, role: Role, name: str = "", **more: bool) -> User:
        user = User(name or f"the-{role}", role, HASHED, **more)
        users = self.world.repository.access.users
        return users.get(user.name) or users.add(user)

    def client(self) -> TestClient:
        return TestClient(self.app, base_url=BASE, raise_server_exceptions=False)

    def session(self, role: Role, *, csrf: bool = True, hours: float = 1.0, **more: bool) -> TestClient:
        """A browser that is logged in, with the token for changes unless told otherwise."""
        name = self.user(role, **more).name
        secret, now = f"secret-{next(self._numbers)}", self.world.now()
        until = now + 3600 * hours
        self.world.repository.access.sessions.open(Session(sha_of(secret), name, now, now, until, "testclient"))
        client = self.client()
        client.cookies.set(COOKIE, secret)
        if csrf:
            client.headers[CSRF] = csrf_of(secret)
        return client

    def token(self, role: Role, *, owner: Role | None = None, hours: float = 1.0, **more: bool) -> TestClient:
        """A program with an API token."""
        user = self.user(owner or role, **more)
        secret = f"ludb_{next(self._numbers)}"
        made = Token(secret, "t", user.name, role, sha_of(secret), user.personal)
        self.world.repository.access.tokens.add(replace(made, expires_at=self.world.now() + 3600 * hours))
        client = self.client()
        client.headers["Authorization"] = f"Bearer {secret}"
        return client


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def world(clock) -> World:
    """A server that remembers in memory, at a time that stands still."""
    site = replace(open_scratch({"LUDB_ACTOR": "tester"}), repository=MemoryRepository(clock=clock))
    return World(site, ServerConfig(), now=clock, passwords=CHEAP)


@pytest.fixture
def people(world) -> People:
    return People(world)


@pytest.fixture
def shop_server(shop, people, clock):
    """A server of the shop's job, at noon of the fifth of January 2026 in Berlin, and an editor with a token."""
    clock.now = datetime(2026, 1, 5, 12, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()
    site = replace(people.world.site, environment=shop.environment, state=shop.folder / "state")
    people.world = people.app.state.world = World(
        site, ServerConfig(jobs=(shop.folder,)), now=clock, passwords=people.world.passwords
    )
    return people, people.token(Role.EDITOR, hours=9999)


@contextmanager
def _listening(app, **more):
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1, **more))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]})
        thread.start()
        yield f"http{'s' if more else ''}://127.0.0.1:{taken.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture
def listen():
    """Puts an application on a real socket, in a thread; gives its URL."""
    with ExitStack() as stack:
        yield lambda app, **more: stack.enter_context(_listening(app, **more))


@pytest.fixture
def listening(people, listen):
    """The server on a real socket, in a thread; gives its URL."""
    return listen(people.app)


@pytest.fixture
def served(tmp_path):
    """Starts `ludb serve` on free ports; gives (process, URL, what was said before it listened)."""
    processes = []

    def start(*words, environment=None):
        command = [sys.executable, "-m", "ludb", "serve", *words, "--port", "0", "--state", str(tmp_path / "state")]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment)
        processes.append(process)
        said = ""
        while not (found := re.search(r"serving (\S+)", said)):
            line = process.stderr.readline()
            assert line, f"the server ended: {said}"
            said += line
        return process, found[1], said

    yield start
    for process in processes:
        process.kill()
        process.wait()
        process.stderr.close()


class Hook(BaseHTTPRequestHandler):
    """Keeps what is posted; answers with what `server.answer` says."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, json.loads(body), {**self.headers, "body": body}))
        self.send_response(self.server.answer)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def hook():
    """Somebody who takes alerts by webhook, on a real socket."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        server.got, server.answer, server.url = [], 200, f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class Terminal:
    """Types commands in this process, as `python -m ludb` would take them; gives exit code, output and errors."""

    def __init__(self, capsys, monkeypatch, tmp_path):
        self._capsys, self._patch, self.folder = capsys, monkeypatch, tmp_path
        for name in ("LUDB_SERVER", "LUDB_TOKEN_FILE", "LUDB_CA_FILE"):
            monkeypatch.delenv(name, raising=False)

    def __call__(self, *words):
        self._patch.setattr("sys.argv", ["ludb", *map(str, words)])
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            command_line.main()
        said = self._capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    def file(self, token, mode=0o600):
        """A file that holds a token."""
        path = self.folder / "token"
        path.write_text(token)
        path.chmod(mode)
        return path

    def token(self, client):
        return self.file(client.headers["Authorization"].removeprefix("Bearer "))


@pytest.fixture
def ludb(capsys, monkeypatch, tmp_path):
    return Terminal(capsys, monkeypatch, tmp_path)


def admitted(repository, name="ann", role=Role.ADMIN, **more):
    """A token that stands in the repository."""
    repository.access.users.add(User(name, role, "", **more))
    repository.access.tokens.add(
        Token(name, "t", name, role, sha_of(f"ludb_{name}"), expires_at=time.time() + 3600, **more)
    )
    return f"ludb_{name}"
