"""A small but complete migration to be killed: two databases, files, a CRM whose ids are needed, a service inventory."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import threading
from collections.abc import Mapping
from pathlib import Path

from kill_processes import Nursery, NurseryLauncher, Process, Simulator, await_that

from ludb.engine.liveness import end_owner
from ludb.model.run import SETTLED_CALLS, CallState, Owner, Run, RunState
from ludb.service.runs import resume, retry, start
from ludb.service.site import Site, open_site
from ludb.service.summary import Summary, summarize
from ludb.service.supervisor import Supervisor
from ludb.service.worker_process import run_worker
from ludb.testing.dump import Dump, Names, dump_documents, dump_files, dump_sqlite, names_of, unfinished_files
from ludb.testing.faults import VARIABLE

UNITS = 24
BAD = {"5": "bought the company", "9": "CHECK constraint", "16": "refused the call"}
"""Customers that cannot move: by a rule after their CRM call, by a target's constraint, by the inventory (400)."""

LEGACY = """
create table customers (id integer primary key, name text not null);
create table services (service_id integer primary key, cid int not null references customers(id), state text not null);
create table invoices (iid integer primary key, cid int not null references customers(id), amount decimal(10,2));
create index services_cid on services(cid);
create index invoices_cid on invoices(cid);
"""
BILLING = """
create table account (id integer primary key, legacy_id int not null, crm_id text not null, name text not null);
create table charge (iid int not null, account int not null references account(id), amount decimal(10,2) check (amount >= 0));
"""
ARCHIVE = "create table person (legacy_id int not null, account int not null, name text not null);"


class World:
    """One estate, one job, one state directory: everything that a crash may hurt."""

    def __init__(self, folder: Path, crm: Simulator, inventory: Simulator, nursery: Nursery) -> None:
        self.folder, self.crm, self.inventory, self.nursery = folder, crm, inventory, nursery
        self.job, self.state = folder / "job", folder / "state"
        self.environment = {
            **os.environ, "LUDB_ACTOR": "tester", "CRM": crm.url, "INVENTORY": inventory.url, "EXPORT": str(folder / "export"),
        }  # fmt: skip
        self.environment |= {name.upper(): str(self.path(name)) for name in ("legacy", "billing", "archive")}
        shutil.copytree(Path(__file__).with_name("job"), self.job)
        self.processes: list[Process] = []
        self._site: Site | None = None
        self.retried: Run | None = None
        self.parameters: dict[str, str] = {}

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.sqlite"

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace a text in a file of the job folder."""
        path = self.job / file
        assert old in path.read_text(), file
        path.write_text(path.read_text().replace(old, new))

    def sql(self, name: str, *statements: str) -> list[tuple]:
        with contextlib.closing(sqlite3.connect(self.path(name), isolation_level=None, timeout=30)) as connection:
            rows: list[tuple] = []
            for statement in statements:
                rows = connection.execute(statement).fetchall()
            return rows

    def repository(self, statement: str) -> None:
        """Change what the repository says, as no program of ours would."""
        with (
            contextlib.closing(sqlite3.connect(self.state / "repository.sqlite", timeout=30)) as connection,
            connection,
        ):
            connection.execute(statement)

    def reopen(self) -> None:
        """Open the site anew, as another process would."""
        self._site.repository.close()
        self._site = None

    def use(self, server: Simulator) -> None:
        """Take this server in place of the shared one."""
        setattr(self, server.api, server)
        self.environment[server.api.upper()] = server.url

    @property
    def site(self) -> Site:
        if self._site is None:
            self._site = open_site(state=self.state, environment=self.environment)
        return self._site

    def start(self) -> Run:
        """Start the job, or go on with it, as `ludb run` does, with nobody at work yet."""
        started = start(self.site, self.job, self.parameters)
        started.lock.release()
        return started.run

    def finish(self) -> Summary:
        """`ludb run` with one worker, in this process, to the end."""
        again = self.retried
        started = resume(self.site, again.id, self.job) if again else start(self.site, self.job, self.parameters)
        try:
            run_worker(self.site, started.run.id)
        finally:
            started.lock.release()
        return summarize(self.site, started.run.id)

    def supervise(self, run: Run, launcher: NurseryLauncher) -> Supervisor:
        """A supervisor of one worker, not yet at work."""
        return Supervisor(self.site, run, launcher, 1, 2.0, interval=0.05)

    def retry(self, run: Run, *positions: int) -> None:
        """`ludb quarantine retry`, before it goes on with the run."""
        retry(self.site, run.id, positions)
        self.retried = run

    def worker(self, run: Run, fault: str = "") -> Process:
        """A worker process, with a crash on purpose."""
        return self.process(fault, "worker", "--run", run.id)

    def run(self, *options: str, fault: str = "") -> Process:
        """`ludb run`: a supervisor with workers of its own."""
        return self.process(fault, "run", str(self.job), "--json", *options)

    def process(self, fault: str, *arguments: str) -> Process:
        environment = self.environment | ({VARIABLE: fault} if fault else {})
        everything = [*arguments, "--state", str(self.state)]
        pid = self.nursery.start(everything, environment, self.folder / "processes.out")
        self.processes.append(Process(self.nursery, pid))
        return self.processes[-1]

    def die(self, fault: str) -> Run:
        """One worker process moves units until it kills itself at the fault."""
        marker = self.folder / "died"
        run = self.start()
        process = self.worker(run, f"{fault}@{marker}")
        assert process.wait() == -signal.SIGKILL, f"the run ended before {fault}: {self.told()}"
        return run

    def told(self) -> str:
        """What processes printed and logged: for messages of failing tests."""
        logs = sorted(self.state.glob("logs/*/*"))
        texts = [(self.folder / "processes.out").read_text()] if (self.folder / "processes.out").exists() else []
        return "\n".join([*texts, *(path.read_text()[-4000:] for path in logs)])

    def workers(self, run: Run) -> list[Owner]:
        """Workers that are not known to have ended."""
        owners = self.site.repository.owners.all(run.id)
        return [owner for owner in owners if owner.role == "worker" and owner.state == "alive"]

    def kill_workers(self, run: Run) -> None:
        """End all worker processes of the run: those that hold a lock of this world."""
        for owner in self.workers(run):
            end_owner(owner)

    def runs(self) -> list[Run]:
        return self.site.repository.views.runs()

    def summary(self) -> Summary:
        return summarize(self.site, self.runs()[0].id)

    def pending(self, run: Run) -> int:
        return self.site.repository.views.counters(run.id).pending

    def dump(self, *runs: Run) -> Dump:
        """Everything that stands in the targets and at the servers, by its meaning for these runs."""
        names = Names()
        for run in runs:
            names |= names_of(self.site.repository, run.id, {"account": [(key,) for key in range(1, UNITS + 1)]})
        found: Dump = {}
        for name in ("billing", "archive"):
            found |= {f"{name}.{table}": rows for table, rows in dump_sqlite(self.path(name), names).items()}
        found |= {f"export.{table}": rows for table, rows in dump_files(self.folder / "export", names).items()}
        for server in (self.crm, self.inventory):
            found[server.api] = dump_documents(server.objects(), names)
        return found

    def close(self) -> None:
        for process in self.processes:
            process.end()
        if self._site is not None:
            for run in self.runs():
                self.kill_workers(run)
            self._site.repository.close()


def stopped_now(world: World, point: str):
    """A supervised run whose worker is held at a point while somebody asks to stop now; the run as it then is."""
    run = world.start()
    supervisor = world.supervise(run, NurseryLauncher(world, f"{point}!hold@{world.folder / 'held'}"))
    ended: list[object] = []
    thread = threading.Thread(target=lambda: ended.append(supervisor.supervise()))
    thread.start()
    await_that((world.folder / "held").exists, f"the worker does not come to {point}")
    assert world.process("", "stop", run.id, "--now").wait() == 0, world.told()
    (worker,) = world.workers(run)
    runs, owners = world.site.repository.runs, world.site.repository.owners
    await_that(lambda: runs.get(run.id).state is RunState.STOPPING, "the run does not stop")
    beat = next(o.beat for o in owners.all(run.id) if o.id == worker.id)
    await_that(lambda: next(o.beat for o in owners.all(run.id) if o.id == worker.id) > beat + 1, "no heartbeat")
    (world.folder / "held.go").touch()
    thread.join(30)
    assert [one.state for one in ended] == [RunState.STOPPED]
    return run


def check_whole(world: World, summary: Summary, bad: Mapping[str, str] = BAD) -> None:
    """The invariants of DESIGN section 4, from the repository, the targets and the servers."""
    run, counters, views = summary.run, summary.counters, world.site.repository.views
    assert run.state is (RunState.EXCEPTIONS if bad else RunState.COMPLETED), world.told()
    aside = [(one.unit_key, str(one.state), one.reason) for one in views.exceptions(run.id)]
    assert (counters.total, counters.done, counters.pending) == (UNITS, UNITS - len(bad), 0), aside
    assert counters.quarantined == len(bad)
    found = {one.unit_key: one.reason for one in views.exceptions(run.id)}
    assert {key: part for key, part in bad.items() if part in found.get(key, "")} == dict(bad), found
    assert not views.chunks(run.id, unresolved=True)
    assert all(line.balances for line in summary.source), summary.source
    check_calls(world, run, set(bad))
    check_ledgers(world, run)
    assert unfinished_files(world.folder / "export") == []
    accounts = [key for (key,) in world.sql("billing", "select legacy_id from account")]
    assert sorted(accounts) == [key for key in range(1, UNITS + 1) if str(key) not in bad]


def states_of_calls(world: World, run: Run) -> dict[tuple[str, str], list[CallState]]:
    """The states of all calls, oldest first, by output and unit."""
    found: dict[tuple[str, str], list[CallState]] = {}
    for position in range(run.units):
        for call in world.site.repository.views.unit(run.id, position)[2]:
            found.setdefault((call.output, call.unit_key), []).append(call.state)
    return found


def rows_in_targets(world: World) -> int:
    """Rows in all tables and files."""
    tables = [("billing", "account"), ("billing", "charge"), ("archive", "person")]
    rows = sum(world.sql(name, f"select count(*) from {table}")[0][0] for name, table in tables)
    return rows + sum(len(lines) for lines in dump_files(world.folder / "export", Names()).values())


def check_calls(world: World, run: Run, bad: set[str], *earlier: Run) -> None:
    """Every call is settled or done; exactly the done ones, of this run and earlier ones, have an object at their server."""
    done: dict[str, set[str]] = {"crm": set(), "inventory": set()}
    views = world.site.repository.views
    for of, position in [(each.id, position) for each in (run, *earlier) for position in range(each.units)]:
        for call in views.unit(of, position)[2]:
            assert call.state in SETTLED_CALLS | {CallState.DONE}, call
            if call.state is CallState.DONE:
                assert call.unit_key not in bad, call
                done[call.output.split(".")[0]].add(call.server_id)
    for server in (world.crm, world.inventory):
        assert sorted(done[server.api]) == sorted(one["id"] for one in server.objects())


def check_ledgers(world: World, *runs: Run) -> None:
    """What the ledgers tell is what the repository decided, no more and no less."""
    wanted: dict[str, list[str]] = {"billing": [], "archive": [], "export": []}
    for chunk in [chunk for run in runs for chunk, _, _ in world.site.repository.views.chunks(run.id)]:
        decision = world.site.repository.chunks.decision(chunk.txn)
        for name in decision.participants if decision else ():
            wanted[name].append(chunk.txn)
    for name in ("billing", "archive"):
        assert sorted(txn for (txn,) in world.sql(name, "select txn from ludb_ledger")) == sorted(wanted[name])
    entries = [path.stem for path in (world.folder / "export" / ".ludb" / "ledger").glob("*.json")]
    assert sorted(entries) == sorted(wanted["export"])


def fill(connection: sqlite3.Connection) -> None:
    for key in range(1, UNITS + 1):
        connection.execute("insert into customers values (?, ?)", (key, "Owner" if key == 5 else f"Customer {key}"))
        for number in range(0 if key % 7 == 0 else 2 if key % 3 == 0 else 1):
            state = "broken" if key == 16 else "active"
            connection.execute("insert into services values (?, ?, ?)", (key * 10 + number, key, state))
        for number in range(2):
            amount = -1 if key == 9 and number else f"{key}.{number}0"
            connection.execute("insert into invoices values (?, ?, ?)", (key * 10 + number, key, amount))
