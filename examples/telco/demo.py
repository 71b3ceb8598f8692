"""The demo: 2,000 telco customers move from a legacy database into a billing database, a CRM and a service inventory.

`make demo` runs it. Everything it makes lies in `examples/telco/out/`, anew each time.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

import dashboard
import expect
from databases import Postgres, Sqlite, databases
from generate import generate

HERE = Path(__file__).resolve().parent
SHOWN = "unreadable_msisdn"
"""The defect that the demo's last words are about."""
PATHS = {
    "crm": "/tmf-api/customerManagement/v4",
    "inventory": "/tmf-api/serviceInventory/v4",
}


class Simulator:
    """One simulated API in a process of its own."""

    def __init__(self, name: str, out: Path, options: Sequence[str] = ()) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "simulator.py"), name, "--store", str(out / f"{name}.sqlite"), *options],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if "listening on " not in line:
            sys.exit(f"the {name} simulator did not start: {line or 'no answer'}")
        self.root = line.split("listening on ", 1)[1].strip()
        self.url = self.root + PATHS[name]

    def objects(self) -> list[dict]:
        """What truly exists at the server."""
        with urllib.request.urlopen(f"{self.root}/control/dump") as answer:
            return json.load(answer)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


def ludb(*arguments: str) -> subprocess.CompletedProcess:
    """One `ludb` command, as a person would type it; its messages go to the terminal, its answer is returned."""
    process = subprocess.Popen([sys.executable, "-m", "ludb", *arguments], stdout=subprocess.PIPE, text=True)
    while True:
        try:
            out, _ = process.communicate()
        except KeyboardInterrupt:
            continue  # `ludb` has heard it too: it stops gracefully, and its workers with it
        return subprocess.CompletedProcess(process.args, process.returncode, out)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--systems", choices=["sqlite", "postgres"], default="sqlite", help="where the databases are")
    parser.add_argument("--idempotent", action="store_true", help="simulators that honour idempotency keys")
    options = parser.parse_args(arguments)
    out = HERE / "out"
    shutil.rmtree(out, ignore_errors=True)
    title("1. A legacy billing database that looks like twenty years of use")
    truth = generate(out, options.customers, options.seed)
    print(
        f"{truth['units']:,} customers, {sum(truth['rows'].values()):,} rows; the generator has spoiled some on purpose:"
    )
    print(f"{len(truth['quarantined'])} customers must not move, each for one reason (expected.json)")
    extra = ["--idempotent"] if options.idempotent else []
    with databases(options.systems, out) as held:
        simulators = {name: Simulator(name, out, extra) for name in PATHS}
        try:
            return show(out, truth, simulators, held, options)
        except KeyboardInterrupt:
            return 130
        finally:
            for simulator in simulators.values():
                simulator.stop()


def show(
    out: Path, truth: dict, simulators: dict[str, Simulator], held: Sqlite | Postgres, options: argparse.Namespace
) -> int:  # fmt: skip
    variables = {
        **held.urls,
        "CRM_URL": simulators["crm"].url,
        "INVENTORY_URL": simulators["inventory"].url,
        "LUDB_STATE": str(out / "state"),
    }
    os.environ |= variables
    job = str(held.job)
    title(f"2. Move them: ludb run {os.path.relpath(held.job)} --workers {options.workers}")
    began = time.monotonic()
    ran = ludb("run", job, "--workers", str(options.workers), "--json")
    took = time.monotonic() - began
    if ran.returncode not in {0, 3}:
        print(ludb("status").stdout)
        print(f"the run ended with exit code {ran.returncode} (docs/reference/cli.md)")
        return 1
    summary = json.loads(ran.stdout)
    print(ludb("status").stdout)
    counters = summary["counters"]
    print(f"{counters['done']:,} customers moved whole in {took:.1f} s: {counters['done'] / took:,.0f} customers/s")
    title("3. Nothing more and nothing less than expected")
    differences = verify(truth, summary, simulators)
    for line in differences or [
        "the units set aside, the orphans and the objects at both APIs are exactly the expected ones"
    ]:
        print(("DIFFERS: " if differences else "") + line)
    title("4. One customer, before and after")
    one_customer(truth, simulators, held)
    title("5. What to try next")
    what_next(truth, variables)
    if dashboard.wanted():
        look_at_it(out, held.job, simulators, summary["run"]["id"], options.seed)
    return 1 if differences else 0


def look_at_it(out: Path, job: Path, simulators: dict[str, Simulator], run: str, seed: int) -> None:
    """What somebody at a terminal gets beside: the dashboard, or one line why not; and the simulated APIs meanwhile."""
    title("6. The dashboard")
    if dashboard.built():
        dashboard.show(job, dashboard.second_job(out, seed), run)
        return
    print(
        "The dashboard was not built: install Node 20 or later, then make web. The simulated APIs serve until you press Enter:"
    )
    for name, simulator in simulators.items():
        print(f"  {name:10} {simulator.url}")
    if sys.stdin.isatty():
        input()


def what_next(truth: dict, variables: dict[str, str]) -> None:
    """Commands that can be copied as they stand."""
    command = os.path.relpath(Path(sys.executable).with_name("ludb"))
    # One that a step sets aside: what an API would refuse, a trial cannot tell.
    aside = truth["quarantined"]
    bad = next((key for key, told in aside.items() if told["reason"] == SHOWN), next(iter(aside), "KEY"))
    print("  export " + " \\\n         ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items()))
    for arguments, meaning in (
        ("status", "what was moved, and how it balances"),
        ("quarantine list", "who was set aside, by reason"),
        (f"quarantine show {bad}", "one of them: step, reason, source rows"),
        (f"unit {bad}", "one customer's state, history, calls and rows"),
        (f"unit {bad} --try", "what the steps make of this customer now, writing nothing: change a step and try"),
        (f"quarantine retry --unit {bad}", "once it is mended: move it (the APIs must be there)"),
        ("report", "one HTML file for people who were not there"),
    ):
        print(f"  {f'{command} {arguments}':40} # {meaning}")


def verify(truth: dict, summary: dict, simulators: dict[str, Simulator]) -> list[str]:
    """Differences between what should be and what is, from the stores of the targets themselves."""
    listed = json.loads(ludb("quarantine", "list", "--json").stdout)
    differences = expect.compare(truth, [(unit["unit"], unit["reason"]) for unit in listed])
    counts = summary["run"]["counts"]
    for table, orphans in truth["orphans"].items():
        found = counts[table]["orphans"]
        total = orphans["direct"] + orphans["indirect"]
        if found != total:
            differences.append(f"{found} orphans in {table}, expected {total}")
    written = {line["output"]: line["written"] for line in summary["outputs"]}
    for output, rows in truth["outputs"].items():
        if written.get(output) != rows:
            differences.append(f"{written.get(output)} rows written by {output}, expected {rows}")
    for output, name in (("crm.customer", "crm"), ("inventory.service", "inventory")):
        alive = len(simulators[name].objects())
        if alive != written.get(output, 0):
            differences.append(f"{alive} objects at the {name}, but {written.get(output, 0)} were written by {output}")
    if summary["counters"]["done"] != truth["moved"]:
        differences.append(f"{summary['counters']['done']} customers moved, expected {truth['moved']}")
    return differences


def one_customer(truth: dict, simulators: dict[str, Simulator], held: Sqlite | Postgres) -> None:
    first = "SELECT customer_id FROM customers WHERE customer_id > ? ORDER BY customer_id"
    moved = (row["customer_id"] for row in held.rows("LEGACY_URL", first, 0))
    chosen = next(key for key in moved if str(key) not in truth["quarantined"])
    print("before, in the legacy database:")
    for table in ("customers", "contracts"):
        for row in held.rows("LEGACY_URL", f"SELECT * FROM {table} WHERE customer_id = ? LIMIT 2", chosen):
            print(f"  {table}: " + shown(row))
    print("after, in the CRM:")
    for customer in simulators["crm"].objects():
        if any(one.get("name") == "legacyId" and one.get("value") == str(chosen) for one in customer["characteristic"]):
            print("  " + json.dumps(customer, ensure_ascii=False)[:600])
            crm_id = customer["id"]
    print("and in the new billing database:")
    for row in held.rows("BILLING_URL", "SELECT * FROM account WHERE crm_id = ?", crm_id):
        print("  account: " + shown(row))


def shown(row: dict) -> str:
    return ", ".join(f"{key}={value!r}" for key, value in row.items())


def title(text: str) -> None:
    print(f"\n{text}\n{'-' * len(text)}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
