"""`ludb serve` as a process: first start, port taken, end."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time

import httpx2
import pytest

from ludb.server.config import ServerConfig
from ludb.server.serve import _listen


def test_the_first_start_tells_a_password_and_the_next_one_does_not_and_all_it_says_can_be_json(served):
    process, url, said = served()
    password = re.search(r"one-time password (\S+)", said)[1]
    asked = {"user": "admin", "password": password}
    assert httpx2.post(f"{url}/api/v1/login", json=asked).json()["must_change"] is True
    assert httpx2.get(f"{url}/health/ready").json()["status"] == "ok"
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) in {0, -signal.SIGTERM}
    process, url, said = served("--json")
    assert "password" not in said
    httpx2.get(f"{url}/health/live")
    process.send_signal(signal.SIGTERM)
    lines = [json.loads(line) for line in (said + process.stderr.read()).splitlines()]
    found = {one["event"]: one for one in lines}
    assert found["server.serves"]["url"] == url
    assert (found["server.answered"]["path"], found["server.answered"]["status"]) == ("/health/live", 200)
    assert found["server.says"]["logger"] == "uvicorn.error", "that it ends"


def test_a_port_that_is_taken_is_told_in_one_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        command = [sys.executable, "-m", "ludb", "serve", "--port", str(other.getsockname()[1]), "--state", "state"]
        ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1), ended.stderr
    assert "cannot listen" in ended.stderr
    assert not (tmp_path / "state").exists()


def until(found, what, patience=120.0):
    end = time.monotonic() + patience
    while not (value := found()):
        assert time.monotonic() < end, what
        time.sleep(0.1)
    return value


class Browser:
    """Somebody who is logged in, and comes back when the server does."""

    def __init__(self, url, password):
        self.http = httpx2.Client(base_url=url, timeout=60)
        told = self.http.post("/api/v1/login", json={"user": "admin", "password": password}).json()
        self.http.headers["X-CSRF-Token"] = told["csrf"]
        self.http.put("/api/v1/session/password", json={"old": password, "new": "battery horse staple"})

    def get(self, path):
        return self.http.get(f"/api/v1{path}").json()

    def post(self, path, body):
        answer = self.http.post(f"/api/v1{path}", json=body)
        assert answer.status_code == 202, answer.text
        return answer.json()


@pytest.mark.long
def test_a_server_killed_in_mid_run_leaves_the_run_at_work_and_the_next_one_steers_it(served, shop):
    (shop.job / "steps/20_order/billing.charge.sql").unlink()
    gate = shop.folder / "go"
    shop.write({"steps/20_order/billing.charge.py": f"""
        import pathlib, time
        def transform(unit):
            while not pathlib.Path({str(gate)!r}).exists():
                time.sleep(0.02)
            (account,) = unit.billing.account
            for one in unit.orders:
                yield {{"oid": one.oid, "account": account.id, "amount": one.amount}}
    """})  # fmt: skip
    process, url, said = served(str(shop.job), environment=shop.environment)
    ann = Browser(url, re.search(r"one-time password (\S+)", said)[1])
    task = ann.post("/runs", {"job": "shop", "workers": 1})["id"]
    run = until(lambda: ann.get(f"/tasks/{task}")["run"], "the run is not started")
    (worker,) = until(lambda: [one for one in ann.get(f"/runs/{run}/workers") if one["role"] == "worker"], "no worker")
    process.kill()
    process.wait()
    _, again, said = served(str(shop.job), environment=shop.environment)
    assert "password" not in said
    ann.http.base_url = again
    assert ann.get("/session")["user"] == "admin", "the session stands"
    assert [one["id"] for one in ann.get(f"/runs/{run}/workers") if one["role"] == "worker"] == [worker["id"]]
    told = ann.http.patch(f"/api/v1/runs/{run}/settings", json={"settings": {"workers": 2}}).json()
    assert (told["held"], told["outcome"]) == (True, "done")
    until(lambda: ann.get(f"/runs/{run}/progress")["workers"] == 2, "no second worker")
    gate.touch()
    until(lambda: ann.get(f"/runs/{run}")["state"] == "completed", "the run does not end")
    ann.http.close()
    assert shop.rows("billing", "select count(*) from charge") == [(3,)]


def test_a_short_answer_leaves_at_once():
    """Otherwise every answer waits 40 ms for the receipt of its own headers."""
    with _listen(ServerConfig(port=0)) as listening, socket.create_connection(listening.getsockname()) as caller:
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert caller.fileno() >= 0
