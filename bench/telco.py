"""The estate and the job that the engine is measured with, made from examples/telco."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ludb.model.keys import named_uuids

HERE = Path(__file__).resolve().parent
EXAMPLE = HERE.parent / "examples" / "telco"
JOB = "telco_bench"
"""The job's name, as `bench/job/job.yaml` says it: key maps are named by it."""
LEFT_OUT = ("steps/10_customer/crm.customer.sql", "steps/30_contract/inventory.service.py")
"""Steps of the example whose output is an API."""
API_DEFECTS = {"service_without_kind", "unreadable_msisdn"}
"""What only an API, or the step that writes to it, refuses: without APIs these customers move."""
CHILDREN = (
    ("addresses", "customers", "customer_id"),
    ("contacts", "customers", "customer_id"),
    ("contracts", "customers", "customer_id"),
    ("subscriptions", "contracts", "contract_id"),
    ("services", "subscriptions", "subscription_id"),
    ("usage_records", "services", "service_id"),
    ("invoices", "customers", "customer_id"),
    ("invoice_lines", "invoices", "invoice_id"),
    ("payments", "customers", "customer_id"),
)
"""(table, its parent, the column that links them), parents first."""


@dataclass(frozen=True, slots=True)
class Estate:
    """A generated legacy database, and the same without what does not move. `units` and `moved` count customers, `rows`
    the source rows of those that move.
    """

    legacy: Path
    clean: Path
    empty: Path
    units: int
    moved: int
    rows: int

    def targets(self, folder: Path) -> tuple[Path, Path]:
        """Fresh, empty targets in `folder`: a database and a folder of files that is not there yet."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        shutil.copyfile(self.empty, folder / "billing.sqlite")
        return folder / "billing.sqlite", folder / "archive"


def make_estate(folder: Path, customers: int, seed: int = 7) -> Estate:
    """Generate the demo's customers in `folder`, with the demo's defects."""
    folder.mkdir(parents=True, exist_ok=True)
    truth = _generated(folder, customers, seed)
    bad = [int(key) for key, entry in truth["quarantined"].items() if entry["reason"] not in API_DEFECTS]
    clean = folder / "clean.sqlite"
    shutil.copyfile(folder / "legacy.sqlite", clean)
    rows = _leave_out(clean, bad)
    _name_keys(clean)
    with closing(sqlite3.connect(clean)) as connection:
        moved = int(connection.execute("SELECT count(*) FROM customers").fetchone()[0])
    return Estate(folder / "legacy.sqlite", clean, folder / "billing.sqlite", int(truth["units"]), moved, rows)


def tenth(estate: Estate, folder: Path) -> Estate:
    """A tenth of the estate's customers that move, the one with the most rows among them."""
    folder.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(estate.clean)) as connection:
        keys = [key for (key,) in connection.execute("SELECT customer_id FROM customers ORDER BY customer_id")]
        ((largest,),) = connection.execute(_LARGEST)
    others = [key for key in keys if key != largest]
    kept = {largest, *others[: len(keys) // 10 - 1]}
    legacy = folder / "legacy.sqlite"
    shutil.copyfile(estate.legacy, legacy)
    with closing(sqlite3.connect(legacy)) as connection:
        every = [key for (key,) in connection.execute("SELECT customer_id FROM customers")]
    rows = _leave_out(legacy, [key for key in every if key not in kept])
    return Estate(legacy, legacy, estate.empty, len(kept), len(kept), rows)


_LARGEST = """
SELECT customer_id FROM invoices JOIN invoice_lines USING (invoice_id) GROUP BY customer_id ORDER BY count(*) DESC LIMIT 1
"""


def _generated(folder: Path, customers: int, seed: int) -> dict[str, Any]:
    command = [sys.executable, str(EXAMPLE / "generate.py")]
    arguments = ["--customers", str(customers), "--seed", str(seed), "--out", str(folder)]
    subprocess.run([*command, *arguments], check=True, stdout=subprocess.DEVNULL)  # noqa: S603  (our own script)
    truth: dict[str, Any] = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    return truth


def _leave_out(clean: Path, bad: list[int]) -> int:
    """Delete these customers and everything that belongs to no customer; returns the rows of the unit tables left."""
    with closing(sqlite3.connect(clean)) as connection:
        connection.executemany("DELETE FROM customers WHERE customer_id = ?", [(key,) for key in bad])
        rows = int(connection.execute("SELECT count(*) FROM customers").fetchone()[0])
        for table, parent, link in CHILDREN:
            connection.execute(f"DELETE FROM {table} WHERE {link} NOT IN (SELECT {link} FROM {parent})")
            rows += int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
        connection.commit()
        connection.execute("VACUUM")
    return rows


def _name_keys(clean: Path) -> None:
    """The new keys that the job gives contracts and subscriptions, for a program that can only copy: same rows, same
    indexes.
    """
    with closing(sqlite3.connect(clean)) as connection:
        for table, key in (("contracts", "contract_id"), ("subscriptions", "subscription_id")):
            connection.execute(f"ALTER TABLE {table} ADD COLUMN new_id TEXT")
            old = [number for (number,) in connection.execute(f"SELECT {key} FROM {table}")]
            names = zip(named_uuids([JOB, key], map(str, old)), old, strict=True)
            connection.executemany(f"UPDATE {table} SET new_id = ? WHERE {key} = ?", names)
        connection.commit()


def make_job(folder: Path, **settings: object) -> Path:
    """The job folder: the example's, without its APIs, with what lies in `bench/job`, and these settings."""
    job = folder / "job"
    shutil.rmtree(job, ignore_errors=True)
    shutil.copytree(EXAMPLE / "job", job, ignore=shutil.ignore_patterns("__pycache__"))
    for name in LEFT_OUT:
        (job / name).unlink()
    shutil.copytree(HERE / "job", job, dirs_exist_ok=True)
    if settings:
        text = (job / "job.yaml").read_text(encoding="utf-8")
        more = "".join(f", {name}: {value}" for name, value in settings.items())
        (job / "job.yaml").write_text(text.replace("quarantine_limit: 10%}", f"quarantine_limit: 10%{more}}}"))
    return job


def environment(legacy: Path, billing: Path, archive: Path, state: Path) -> dict[str, str]:
    """The variables that the job's systems are named by."""
    named = {"LEGACY_URL": legacy, "BILLING_URL": billing, "ARCHIVE_PATH": archive, "LUDB_STATE": state}
    return {**os.environ, **{name: str(path) for name, path in named.items()}}
