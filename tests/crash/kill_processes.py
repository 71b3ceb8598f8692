"""Processes that may be killed: simulated APIs, and `ludb` itself."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kill_world import World

TELCO = Path(__file__).parents[2] / "examples" / "telco"
PATHS = {"crm": "/tmf-api/customerManagement/v4", "inventory": "/tmf-api/serviceInventory/v4"}
COLLECTIONS = {"crm": "customer", "inventory": "service"}


class Simulator:
    """One simulated API: its process may be killed and started again; its store and its port stay."""

    def __init__(self, api: str, folder: Path, *options: str) -> None:
        folder.mkdir(exist_ok=True)
        self.api, self.store, self.options = api, folder / f"{api}.sqlite", options
        self.port = 0
        self.process: subprocess.Popen[str] | None = None
        self.start()

    def start(self) -> None:
        command = [sys.executable, str(TELCO / "simulator.py"), self.api, "--port", str(self.port)]
        command += ["--store", str(self.store), *self.options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line.startswith("listening on http://127.0.0.1:"), line
        self.port = int(line.rsplit(":", 1)[1])

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{PATHS[self.api]}"

    def ask(self, method: str, path: str, body: object = None) -> object:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", data, {"Content-Type": "application/json"}, method=method
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def behave(self, **told: object) -> None:
        self.ask("PUT", "/control/behave", told)

    def objects(self) -> list[dict]:
        """What truly exists."""
        return self.ask("GET", "/control/dump")

    def requests(self) -> dict[str, dict[str, int]]:
        return self.ask("GET", "/control/stats")["requests"]

    def plant(self, document: Mapping[str, object]) -> dict:
        return self.ask("POST", f"{PATHS[self.api]}/{COLLECTIONS[self.api]}", document)

    def clear(self) -> None:
        if self.process.poll() is not None:
            self.process.stdout.close()
            self.start()
        self.behave()
        for one in self.objects():
            self.ask("DELETE", f"{PATHS[self.api]}/{COLLECTIONS[self.api]}/{one['id']}")


class Nursery:
    """A process that starts others quickly (kill_nursery.py); any thread may ask it."""

    def __init__(self) -> None:
        command = [sys.executable, str(Path(__file__).with_name("kill_nursery.py"))]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            # Threads would be missing in a fork: those of numpy, and that of Arrow's allocator, on which a fork can hang.
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"},
        )  # fmt: skip
        self.ended: dict[int, int] = {}
        self.told = threading.Condition()
        self.asking = threading.Lock()
        self.started: queue.SimpleQueue[int] = queue.SimpleQueue()
        # One reader only: of two threads that read the pipe, one would take the answer meant for the other.
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            told = json.loads(line)
            if "status" not in told:
                self.started.put(told["pid"])
                continue
            with self.told:
                self.ended[told["pid"]] = told["status"]
                self.told.notify_all()

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], out: Path) -> int:
        asked = {"arguments": arguments, "environment": dict(environment), "out": str(out)}
        with self.asking:
            self.process.stdin.write(json.dumps(asked).encode() + b"\n")
            self.process.stdin.flush()
            return self.started.get(timeout=60)

    def wait(self, pid: int, seconds: float) -> int:
        with self.told:
            assert self.told.wait_for(lambda: pid in self.ended, seconds), "the process does not end"
            return self.ended[pid]

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()
        self.reader.join()
        self.process.stdout.close()


class Process:
    """One `ludb` process."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self.nursery, self.pid = nursery, pid

    def wait(self, seconds: float = 60) -> int:
        """Its exit code, negative for a signal."""
        return self.nursery.wait(self.pid, seconds)

    def alive(self) -> bool:
        return self.pid not in self.nursery.ended

    def signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def end(self) -> None:
        if self.alive():
            self.signal(signal.SIGKILL)
            self.wait()


class NurseryLauncher:
    """A launcher that starts its workers in the nursery."""

    def __init__(self, world: World, fault: str = "") -> None:
        self.world, self.fault = world, fault
        self.started: dict[str, Process] = {}

    def start(self, run_id: str, arguments: Sequence[str]) -> str:
        process = self.world.process(self.fault, "worker", "--run", run_id)
        self.started[str(process.pid)] = process
        return str(process.pid)

    def alive(self, launch_id: str) -> bool:
        return launch_id in self.started and self.started[launch_id].alive()

    def stop(self, launch_id: str) -> bool:
        if launch_id not in self.started:
            return False
        self.started[launch_id].end()
        return True


def await_that(what: Callable[[], object], why: str, seconds: float = 30.0) -> None:
    """Wait until something is so; the test fails if it never is."""
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, why
        time.sleep(0.02)
