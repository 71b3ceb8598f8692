"""A browser, and what it looks at: `ludb serve` as a process, with the telco demo's job, databases and simulated APIs."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from ludb.server.routes.dashboard import BUILT

httpx2 = pytest.importorskip("httpx2")
ROOT = Path(__file__).parents[2]
TELCO = ROOT / "examples" / "telco"
CHROMIUM = shutil.which("chromium")
PASSWORD = "battery horse staple"
PATIENCE = 60_000
"""Milliseconds: a worker, or a second server, takes seconds to start on a busy machine."""
SLOW = {"slow_ms": 500}
"""An API that takes its time, so that a run lasts long enough to be steered."""
PATHS = {"crm": "/tmf-api/customerManagement/v4", "inventory": "/tmf-api/serviceInventory/v4"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without a build or a browser the rounds are left out, loudly; in continuous integration they fail instead."""
    here = Path(__file__).parent
    lacking = "no Chromium" if CHROMIUM is None else None if (BUILT / "index.html").is_file() else "no built dashboard"
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.e2e)
            if lacking and not os.environ.get("CI"):
                item.add_marker(pytest.mark.skip(reason=f"{lacking}: apt-get install chromium, make web"))


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    """Debian's Chromium, quiet: it talks to this host alone."""
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic"]
    more = ["--no-sandbox", "--disable-gpu", "--no-first-run", *quiet]
    return {**browser_type_launch_args, "executable_path": CHROMIUM, "args": more}


@dataclass
class Estate:
    """The demo's systems."""

    folder: Path
    url: str
    apis: dict[str, str]
    http: httpx2.Client
    serve: Callable[[str], tuple[subprocess.Popen, str]]
    server: subprocess.Popen

    def behave(self, how: dict) -> None:
        """Both APIs do as told."""
        for root in self.apis.values():
            asked = urllib.request.Request(f"{root}/control/behave", json.dumps(how).encode(), method="PUT")
            urllib.request.urlopen(asked).close()

    def ended(self) -> None:
        """The server ends, as by a deployment; runs go on without it."""
        self.server.terminate()
        self.server.wait()
        self.server.stderr.close()

    def again(self) -> None:
        """Another server stands at the same address."""
        self.server, _ = self.serve(self.url.rpartition(":")[2])

    def launched(self, **asked: object) -> str:
        """A run of the job, once it is planned."""
        task = self.http.post("/api/v1/runs", json={"job": "telco", "workers": 1, **asked}).json()
        while task["state"] in {"waiting", "running"}:
            task = self.http.get(f"/api/v1/tasks/{task['id']}").json()
        return task["run"] or task["outcome"]["run"]

    def over(self, run: str) -> str:
        """The run, once it has nothing left to do."""
        while self.http.get(f"/api/v1/runs/{run}").json()["state"] in {"planned", "running"}:
            self.http.get(f"/api/v1/runs/{run}/progress")
        return run

    def moved(self) -> str:
        """The key of a customer that is in perfect order."""
        told = json.loads((self.folder / "expected.json").read_text())["quarantined"]
        return next(key for key in map(str, range(1001, 1600)) if key not in told)

    def spoiled(self, code: str) -> str:
        """The key of a customer with this defect."""
        told = json.loads((self.folder / "expected.json").read_text())["quarantined"]
        return next(key for key, why in told.items() if code in str(why))

    def legacy(self, statement: str, *values: object) -> None:
        """Mend the source."""
        self._sqlite("legacy", statement, values)

    def billing(self, statement: str, *values: object) -> None:
        """Spoil a target."""
        self._sqlite("billing", statement, values)

    def _sqlite(self, name: str, statement: str, values: tuple[object, ...]) -> None:
        with closing(sqlite3.connect(self.folder / f"{name}.sqlite")) as connection, connection:
            connection.execute(statement, values)

    def user(self, name: str, role: str, **more: object) -> None:
        """Somebody with a password of their own."""
        made = self.http.post("/api/v1/users", json={"name": name, "role": role, "personal": True, **more}).json()
        with httpx2.Client(base_url=self.url) as fresh:
            old = made["one_time_password"]
            told = fresh.post("/api/v1/login", json={"user": name, "password": old}).json()
            fresh.headers["X-CSRF-Token"] = told["csrf"]
            assert fresh.put("/api/v1/session/password", json={"old": old, "new": PASSWORD}).status_code == 204


def begun(command: list[str], until: str, stream: str, **more: object) -> tuple[subprocess.Popen, str]:
    """A process, once it has said `until`; with all that it said before."""
    process = subprocess.Popen([sys.executable, *command], text=True, **{stream: subprocess.PIPE}, **more)
    said = ""
    while until not in said:
        line = getattr(process, stream).readline()
        assert line, f"{command[0]} ended: {said}"
        said += line
    return process, said


@contextmanager
def logged_in(url: str, said: str) -> Iterator[httpx2.Client]:
    """The first admin's door to a fresh server, by the one-time password that it has said."""
    old = re.search(r"one-time password (\S+)", said)[1]
    with httpx2.Client(base_url=url, timeout=60) as http:
        for password, new in ((old, PASSWORD), (PASSWORD, "")):
            told = http.post("/api/v1/login", json={"user": "admin", "password": password}).json()
            http.headers["X-CSRF-Token"] = told["csrf"]
            if new:
                http.put("/api/v1/session/password", json={"old": password, "new": new})
        yield http


@pytest.fixture
def patient(page: Page) -> Page:
    """A browser's page that waits for as long as a busy machine takes."""
    page.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    page.emulate_media(reduced_motion="reduce")
    return page


@pytest.fixture
def enter(estate: Estate, patient: Page) -> Callable[..., Page]:
    """Somebody logs in, and is where they asked to be."""

    def enter(user: str, path: str = "/") -> Page:
        patient.context.clear_cookies()
        patient.goto(estate.url + path)
        patient.get_by_label("User").fill(user)
        patient.get_by_label("Password").fill(PASSWORD)
        patient.get_by_role("button", name="Log in").click()
        patient.get_by_role("button", name="Log out").wait_for()
        return patient

    return enter


@pytest.fixture(scope="module")
def estate(tmp_path_factory) -> Iterator[Estate]:
    folder = tmp_path_factory.mktemp("telco")
    generate = [sys.executable, str(TELCO / "generate.py"), "--customers", "600", "--seed", "7", "--out", str(folder)]
    subprocess.run(generate, check=True, capture_output=True)
    shutil.copytree(TELCO / "job", folder / "job")
    job = folder / "job" / "job.yaml"
    job.write_text(job.read_text().replace("chunk_units: 500", "chunk_units: 20"))
    processes, apis = [], {}
    for name in PATHS:
        command = [str(TELCO / "simulator.py"), name, "--store", str(folder / f"{name}.sqlite")]
        process, said = begun(command, "listening on ", "stdout")
        processes.append(process)
        apis[name] = said.split("listening on ", 1)[1].strip()
    variables = {
        "LEGACY_URL": str(folder / "legacy.sqlite"), "BILLING_URL": str(folder / "billing.sqlite"),
        **{f"{name.upper()}_URL": apis[name] + path for name, path in PATHS.items()},
    }  # fmt: skip

    def serve(port: str) -> tuple[subprocess.Popen, str]:
        command = ["-m", "ludb", "serve", str(folder / "job"), "--port", port, "--state", str(folder / "state")]
        return begun(command, "serving ", "stderr", env={**os.environ, **variables}, cwd=folder)

    server, said = serve("0")
    url = re.search(r"serving (\S+)", said)[1]
    with logged_in(url, said) as http:
        made = Estate(folder, url, apis, http, serve, server)
        made.user("ada", "operator")
        made.user("vic", "viewer")
        yield made
        for run in http.get("/api/v1/runs").json()["items"]:
            http.post(f"/api/v1/runs/{run['id']}/stop", json={"now": True})
    for process in [made.server, *reversed(processes)]:
        process.terminate()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()
