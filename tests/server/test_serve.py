"""`ludb serve` as a process: first start, port taken, end."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys

import httpx2
import pytest


@pytest.fixture
def served(tmp_path):
    """Starts servers on free ports; gives (process, URL, what was said before it listened)."""
    processes = []

    def start(*words):
        command = [sys.executable, "-m", "ludb", "serve", *words, "--port", "0", "--state", str(tmp_path / "state")]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
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


def test_the_first_start_tells_a_password_and_the_next_one_does_not(served):
    process, url, said = served()
    password = re.search(r"one-time password (\S+)", said)[1]
    asked = {"user": "admin", "password": password}
    assert httpx2.post(f"{url}/api/v1/login", json=asked).json()["must_change"] is True
    assert httpx2.get(f"{url}/health/ready").json()["status"] == "ok"
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) in {0, -signal.SIGTERM}
    assert "password" not in served()[2]


def test_a_port_that_is_taken_is_told_in_one_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        command = [sys.executable, "-m", "ludb", "serve", "--port", str(other.getsockname()[1]), "--state", "state"]
        ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1), ended.stderr
    assert "cannot listen" in ended.stderr
    assert not (tmp_path / "state").exists()
