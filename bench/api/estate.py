"""Customers in a SQLite database, the job that sends them to an API, and that API in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PATIENCE = 30.0
"""Seconds that the API may take to be there."""
JOB = """\
name: api
systems:
  legacy: {{type: sqlite, url: "${{LEGACY_URL}}"}}
  crm:    {{type: rest, url: "${{CRM_URL}}", in_flight: 32, retry_for: 60s{more}}}
unit: {{root: legacy.customers, key: id}}
outputs:
  crm.customer:
    {{call: POST /customer, row: [unit_key], marker: $.ludbCall, undo: "DELETE /customer/{{id}}",
     probe: "GET /customer?ludbCall={{call_id}}"}}
settings: {{chunk_units: {chunk}, workers: {workers}}}
"""
STEP = """\
SELECT unit_key, name, id::VARCHAR AS "externalId", {'street': street, 'city': city} AS address, balance
FROM legacy.customers
"""


def make_customers(path: Path, count: int) -> Path:
    """A table of so many customers with distinct names."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "create table customers (id integer primary key, name text, street text, city text, balance real)"
        )
        rows = ((n, f"Customer {n}", f"Street {n % 977}", f"City {n % 89}", n / 4) for n in range(1, count + 1))
        connection.executemany("insert into customers values (?,?,?,?,?)", rows)
        connection.commit()
    return path


def make_job(folder: Path, *, workers: int, chunk: int, more: str = "") -> Path:
    """The job's folder, made anew."""
    step = folder / "steps/10_customer/crm.customer.sql"
    step.parent.mkdir(parents=True)
    step.write_text(STEP, encoding="utf-8")
    (folder / "job.yaml").write_text(JOB.format(workers=workers, chunk=chunk, more=more), encoding="utf-8")
    return folder


class Served:
    """The API while it runs."""

    def __init__(self, port: int) -> None:
        """Listening on this port of loopback."""
        self.url = f"http://127.0.0.1:{port}"

    def set(self, limit: float | None, *, keep: bool = False) -> None:
        """Another limit, in requests a second; forget what came, unless it is to be kept."""
        query = f"limit={'' if limit is None else limit}&keep={int(keep)}"
        request = urllib.request.Request(f"{self.url}/control?{query}", method="PUT")  # noqa: S310  (loopback)
        urllib.request.urlopen(request, timeout=10).close()  # noqa: S310

    def told(self) -> Mapping[str, Any]:
        """What came: see `bench.api.server`."""
        with urllib.request.urlopen(f"{self.url}/control", timeout=10) as answer:  # noqa: S310
            found: Mapping[str, Any] = json.load(answer)
            return found


@contextlib.contextmanager
def served() -> Iterator[Served]:
    """The API in a process of its own, until the end of the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", "bench.api.server", str(port)], env=os.environ)  # noqa: S603
    try:
        api, until = Served(port), time.monotonic() + PATIENCE
        while True:
            try:
                api.told()
                break
            except OSError:
                if time.monotonic() > until or process.poll() is not None:
                    raise
                time.sleep(0.05)
        yield api
    finally:
        process.kill()
        process.wait()
