"""A person at a shell: jobs, databases and APIs in a folder, `ludb` as a process, and a terminal if one is needed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import sqlite3
import struct
import subprocess
import sys
import textwrap
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ludb.model.run import Owner
from ludb.service.site import Site, open_site

ROOT = Path(__file__).parents[2]
TELCO = ROOT / "examples" / "telco"
PATHS = {"crm": "/tmf-api/customerManagement/v4", "inventory": "/tmf-api/serviceInventory/v4"}
PATIENCE = 180.0
"""Seconds that anything may take before a test gives up."""
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07")

LEGACY = """
create table customers (id integer primary key, name text not null);
create table orders (oid integer primary key, cid int references customers(id), amount decimal(10,2));
create index orders_cid on orders(cid);
"""
BILLING = """
create table account (id integer primary key, name text not null);
create table charge (oid integer primary key, account int not null references account(id), amount decimal(10,2));
create table visit (customer integer primary key);
"""
JOB = """
    name: shop
    systems:
      legacy:  {type: sqlite, url: "${LEGACY_URL}"}
      billing: {type: sqlite, url: "${BILLING_URL}"}
    unit:
      root: legacy.customers
      key: id
      tables:
        orders: {parent: customers, on: {cid: id}}
    keys:
      account: {for: customers.id, kind: sequence, start: 100}
    settings: {chunk_units: 2, workers: 1}
"""
NEGATIVE = "select unit_key, 'an order is negative' as reason from billing.charge where amount < 0"
STEPS = {
    "steps/10_customer/billing.account.sql": """
        select unit_key, k.new as id, name from legacy.customers join keys.account k using (unit_key)
    """,
    "steps/20_order/billing.charge.sql": """
        select o.unit_key, oid, a.id as account, amount from legacy.orders o join billing.account a using (unit_key)
    """,
    "steps/30_visit/billing.visit.py": """
        import os, time
        from pathlib import Path

        def transform(unit):
            if os.environ.get("GATE"):  # whoever waits here is in the middle of a chunk
                gate = Path(os.environ["GATE"])
                gate.with_name(f"inside-{os.getpid()}").touch()
                while not gate.exists():
                    time.sleep(0.01)
            for row in unit.customers:
                yield {"customer": row.id}
    """,
}


@dataclass(frozen=True)
class Said:
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON document on standard output."""
        return json.loads(self.out)


class Ready:
    """A process that runs commands without loading the libraries each time: see ready.py."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("ready.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, folder: Path, arguments: list[str], environment: Mapping[str, str]) -> int:
        """The exit code of one command; what it says goes to `said.out` and `said.err` in the folder."""
        asked = {"folder": str(folder), "arguments": arguments, "environment": dict(environment)}
        asked |= {end: str(folder / f"said.{end}") for end in ("out", "err")}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        assert select.select([self._process.stdout], [], [], PATIENCE)[0], f"no answer: {arguments}"
        return int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture(scope="session")
def ready() -> Iterator[Ready]:
    made = Ready()
    yield made
    made.close()


class Bench:
    """A folder with a job and its databases; `ludb` runs there as a person would run it."""

    def __init__(self, folder: Path, ready: Ready) -> None:
        self._ready = ready
        self.folder, self.job, self.state = folder, folder / "job", folder / "job" / ".ludb"
        plain = {name: value for name, value in os.environ.items() if not name.startswith("LUDB_")}
        self.environment = plain | {"LUDB_ACTOR": "tester"}
        self.processes: list[subprocess.Popen[bytes]] = []
        self.first: Said | None = None
        self._site: Site | None = None

    def database(self, name: str, *scripts: str) -> Path:
        """A SQLite database; its path is `${NAME_URL}` in the job."""
        path = self.folder / f"{name}.sqlite"
        with contextlib.closing(sqlite3.connect(path)) as connection:
            for script in scripts:
                connection.executescript(script)
        self.environment[f"{name.upper()}_URL"] = str(path)
        return path

    def rows(self, name: str, query: str) -> list[tuple]:
        with contextlib.closing(sqlite3.connect(self.folder / f"{name}.sqlite", timeout=30)) as connection:
            return connection.execute(query).fetchall()

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = self.job / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text), encoding="utf-8")

    def change(self, name: str, old: str, new: str) -> None:
        """One place of a job file."""
        text = (self.job / name).read_text(encoding="utf-8")
        assert old in text
        (self.job / name).write_text(text.replace(old, new), encoding="utf-8")

    def ludb(self, *arguments: object, **environment: str) -> Said:
        """One command, to its end, without the time it takes to load (ready.py)."""
        code = self._ready.run(self.folder, [str(one) for one in arguments], self.environment | environment)
        out, err = (self.folder / f"said.{end}" for end in ("out", "err"))
        said = Said(code, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8"))
        out.unlink()
        err.unlink()
        return said

    def start(self, *arguments: object, **environment: str) -> subprocess.Popen[bytes]:
        """One command as a process group of its own; what it says is in `said`."""
        number = len(self.processes)
        with (self.folder / f"{number}.out").open("wb") as out, (self.folder / f"{number}.err").open("wb") as err:
            process = subprocess.Popen(
                [sys.executable, "-m", "ludb", *map(str, arguments)],
                cwd=self.folder, env=self.environment | environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                start_new_session=True,
            )  # fmt: skip
        self.processes.append(process)
        return process

    def said(self, process: subprocess.Popen[bytes]) -> Said:
        """What a started command said, once it has ended."""
        code = process.wait(PATIENCE)
        number = self.processes.index(process)
        texts = [(self.folder / f"{number}.{end}").read_text(encoding="utf-8") for end in ("out", "err")]
        return Said(code, *texts)

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        """The condition's first true value."""
        deadline = time.monotonic() + PATIENCE
        while not (found := condition()):
            assert time.monotonic() < deadline, f"waited in vain: {what}"
            time.sleep(0.05)
        return found

    def terminal(self, *arguments: object, columns: int = 80, **environment: str) -> Terminal:
        """`ludb` in a window of its own."""
        return Terminal(self, *arguments, columns=columns, **environment)

    def inside(self, count: int) -> list[int]:
        """Wait until so many workers are in the middle of a chunk; their process ids."""

        def found() -> list[int]:
            return [int(path.name.split("-")[1]) for path in self.folder.glob("inside-*")]

        self.until(lambda: len(found()) >= count, f"{count} workers in mid-chunk")
        return found()

    @property
    def gate(self) -> Path:
        """Workers that were started with GATE wait for this file."""
        return self.folder / "gate"

    @property
    def site(self) -> Site:
        """The state directory, read in this process."""
        if self._site is None:
            self._site = open_site(state=self.state, environment=self.environment, create=False)
        return self._site

    def events(self, name: str) -> list[Mapping[str, object]]:
        """Lasting events of the newest run."""
        if not (self.state / "repository.sqlite").exists():
            return []
        runs = self.site.repository.views.runs(limit=1)
        told = self.site.repository.events.since(runs[0].id) if runs else []
        return [event.data for _, _, event in told if event.name == name]

    def workers(self) -> list[Owner]:
        """Workers of the newest run whose processes live."""
        run = self.site.repository.views.runs(limit=1)[0]
        return [one for one in self.site.repository.owners.all(run.id) if one.role == "worker" and self._lives(one.pid)]

    def _lives(self, pid: int) -> bool:
        with contextlib.suppress(OSError):
            return str(self.state).encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
        return False

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        if (self.state / "repository.sqlite").exists():
            for run in self.site.repository.views.runs():
                for owner in self.site.repository.owners.all(run.id):
                    if owner.pid != os.getpid() and self._lives(owner.pid):
                        os.kill(owner.pid, signal.SIGKILL)
            self.site.repository.close()


def customers(count: int, orders: int = 1) -> str:
    """SQL that makes customers `c1`, `c2`, ... with orders."""
    people = ",".join(f"({n},'c{n}')" for n in range(1, count + 1))
    bought = ",".join(f"({n * 10 + o},{n},{n}.5)" for n in range(1, count + 1) for o in range(orders))
    return f"insert into customers values {people}; insert into orders values {bought};"


def make_shop(folder: Path, ready: Ready, count: int = 8) -> Bench:
    """Customers with orders, and a job that moves them into a billing database."""
    made = Bench(folder, ready)
    made.database("legacy", LEGACY, customers(count))
    made.database("billing", BILLING)
    made.write({"job.yaml": JOB, **STEPS})
    return made


@pytest.fixture
def shop(tmp_path: Path, ready: Ready) -> Iterator[Bench]:
    made = make_shop(tmp_path, ready)
    yield made
    made.close()


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory, ready: Ready) -> Iterator[Bench]:
    """A shop whose run is over: seven customers moved, one has a negative order. Tests only look."""
    made = make_shop(tmp_path_factory.mktemp("moved"), ready)
    made.write({"rules/no_negative.sql": NEGATIVE})
    made.database("legacy", "update orders set amount = -1 where cid = 5; insert into orders values (999, 77, 1)")
    made.first = made.ludb("run", made.job, "--json")
    yield made
    made.close()


class Terminal:
    """`ludb` on a pseudo terminal that controls it, as in a person's window."""

    _ATTACH = "import fcntl,os,sys,termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"

    def __init__(self, bench: Bench, *arguments: object, columns: int = 80, **environment: str) -> None:
        import fcntl
        import termios

        self._master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        told = bench.environment | {"TERM": "xterm-256color"} | environment
        told = {
            name: value for name, value in told.items() if name not in {"COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR"}
        }
        command = [sys.executable, "-c", self._ATTACH, sys.executable, "-m", "ludb", *map(str, arguments)]
        self.process = subprocess.Popen(
            command, cwd=bench.folder, env=told, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
        )
        bench.processes.append(self.process)
        os.close(slave)
        self._seen = b""

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._master, keys)

    def read(self, wanted: str = "") -> str:
        """The text so far, once it holds `wanted`; all of it, to the end, where nothing is wanted."""
        deadline = time.monotonic() + PATIENCE
        while not wanted or wanted not in self.text:
            assert time.monotonic() < deadline, f"{wanted!r} was not shown:\n{self.text}"
            if select.select([self._master], [], [], 0.2)[0]:
                try:
                    self._seen += os.read(self._master, 65536)
                except OSError:  # the process has ended
                    assert not wanted or wanted in self.text, self.text
                    break
        return self.text

    @property
    def text(self) -> str:
        """What was shown, without control sequences."""
        return CONTROL.sub("", self._seen.decode("utf-8", "replace")).replace("\r", "")

    def end(self) -> int:
        """The exit code, after the last word."""
        self.read()
        os.close(self._master)
        return self.process.wait(PATIENCE)


class Simulator:
    """One simulated API in a process of its own; its store and its port outlive the process."""

    def __init__(self, api: str, folder: Path, *options: str) -> None:
        self.api, self.store, self.options = api, folder / f"{api}.sqlite", options
        self.port = 0
        self.start()

    def start(self) -> None:
        command = [sys.executable, str(TELCO / "simulator.py"), self.api, "--port", str(self.port)]
        self.process = subprocess.Popen(
            [*command, "--store", str(self.store), *self.options], stdout=subprocess.PIPE, text=True
        )
        line = self.process.stdout.readline()
        assert "listening on" in line, line
        self.port = int(line.rsplit(":", 1)[1])

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{PATHS[self.api]}"

    def ask(self, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", data, {"Content-Type": "application/json"},
            method="GET" if body is None else "PUT",
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def behave(self, **told: object) -> None:
        self.ask("/control/behave", told)

    def objects(self) -> list[dict]:
        """What truly exists."""
        return self.ask("/control/dump")

    def count(self) -> int:
        return self.ask("/control/stats")["objects"]


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Callable[..., Simulator]]:
    """Makes simulated APIs: `simulator("crm", "--idempotent")`."""
    made: list[Simulator] = []

    def make(api: str, *options: str) -> Simulator:
        made.append(Simulator(api, tmp_path, *options))
        return made[-1]

    yield make
    for one in made:
        one.stop()
