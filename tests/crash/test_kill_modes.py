"""kill -9 while a job writes over what an earlier run wrote: the end is that of a run which nobody disturbed."""

from __future__ import annotations

import os
import signal

import pytest
from kill_processes import Process

from ludb.engine.pipeline import PHASES
from ludb.model.run import RunState
from ludb.service.runs import start
from ludb.service.summary import summarize
from ludb.service.worker_process import run_worker
from ludb.testing.faults import VARIABLE

JOB = """
name: shop
systems:
  legacy: {type: TYPE, url: "HEAD${LEGACY}"}
  new: {type: TYPE, url: "HEAD${NEW}"}
unit: {root: legacy.customers, key: id, tables: {orders: {parent: customers, on: {cid: id}}}}
parameters: {round: {type: integer, default: 1}}
outputs:
  new.account: {mode: upsert}
  new.charge: {mode: replace_unit, by: {account: id}}
settings: {chunk_units: 4, workers: 1}
"""
STEPS = {
    "steps/10_a/new.charge.sql": "select unit_key, oid, cid as account, amount from legacy.orders",
    "steps/20_b/new.account.sql": "select unit_key, id, name from legacy.customers",
    "rules/nobody.sql": "select unit_key, 'no' as reason from legacy.customers where name like '%nobody%'",
}
DEFAULT = ["phase.end:prepare#2", "phase.begin:commit#2"]
MORE = [
    f"{point}#{number}"
    for point in (
        "phase.begin:prepare", "phase.end:journal", "phase.begin:decide", "phase.end:decide", "participant.committed",
        "phase.begin:record", "phase.end:record",
    )
    for number in (1, 3)
]  # fmt: skip


@pytest.fixture
def shop(request, desk):
    """12 customers, moved once; then the source changed. The type of both systems may be said."""
    kind, head = getattr(request, "param", ("sqlite", ""))
    rows = ",".join(
        f"({oid}, {oid // 10}, {oid})" for key in range(1, 13) for oid in range(key * 10, key * 10 + key % 4)
    )
    desk.database(
        "legacy",
        "create table customers (id integer primary key, name text);"
        "create table orders (oid integer primary key, cid int references customers(id), amount int);"
        f"insert into customers values {','.join(f'({key}, {key!r})' for key in range(1, 13))};"
        f"insert into orders values {rows};",
    )
    desk.database(
        "new",
        "create table account (id integer primary key, name text, note text default 'kept');"
        "create table charge (oid integer primary key, account int not null references account(id), amount int);",
    )
    desk.write(STEPS | {"job.yaml": JOB.replace("TYPE", kind).replace("HEAD", head)})
    assert desk.run().run.state is RunState.COMPLETED
    desk.database(
        "legacy",
        "update customers set name = 'new ' || name; update customers set name = 'nobody' where id = 7;"
        "delete from orders where cid % 3 = 0; update orders set amount = 0 where oid % 2 = 0;"
        "insert into orders values (999, 4, 1);",
    )
    return desk


EDGES = [
    f"phase.{edge}:{phase}#2" for phase in PHASES if phase not in ("rehearse", "call") for edge in ("begin", "end")
]
QUICK = ("prepare", "decide", "commit")
"""Phases whose edges are killed in every round where both systems are behind SQLAlchemy."""


@pytest.mark.parametrize("fault", [*DEFAULT, *(pytest.param(fault, marks=pytest.mark.long) for fault in MORE)])
def test_a_kill_while_rows_are_written_over_changes_nothing_in_the_end(shop, nursery, fault):
    check(shop, nursery, fault)


@pytest.mark.parametrize("shop", [("sqlalchemy", "sqlite:///")], indirect=True, ids=["sqlalchemy"])
@pytest.mark.parametrize(
    "fault",
    [fault if any(name in fault for name in QUICK) else pytest.param(fault, marks=pytest.mark.long) for fault in EDGES],
)
def test_a_kill_at_the_edge_of_a_phase_changes_nothing_behind_sqlalchemy(shop, nursery, fault):
    """The generic adapters, on SQLite."""
    check(shop, nursery, fault)


def check(shop, nursery, fault):
    """Die at the fault, go on, and find what an undisturbed run leaves."""
    started = start(shop.site, shop.job, {"round": "2"})
    started.lock.release()
    environment = {**os.environ, **shop.environment, VARIABLE: f"{fault}@{shop.folder / 'died'}"}
    arguments = ["worker", "--run", started.run.id, "--state", str(shop.state)]
    process = Process(nursery, nursery.start(arguments, environment, shop.folder / "processes.out"))
    assert process.wait() == -signal.SIGKILL, (shop.folder / "processes.out").read_text()
    again = start(shop.site, shop.job, {"round": "2"})
    try:
        run_worker(shop.site, again.run.id)
    finally:
        again.lock.release()
    summary = summarize(shop.site, again.run.id)
    assert (summary.run.state, summary.counters.done, summary.counters.quarantined) == (RunState.EXCEPTIONS, 11, 1)
    for output in summary.outputs:
        assert output.written + sum(output.held.values()) == output.produced
    accounts = shop.rows("new", "select id, name, note from account order by id")
    assert accounts == [(key, "7" if key == 7 else f"new {key}", "kept") for key in range(1, 13)]
    source = shop.rows("legacy", "select oid, cid, amount from orders where cid <> 7 order by oid")
    assert shop.rows("new", "select * from charge where account <> 7 order by oid") == source
    assert shop.rows("new", "select * from charge where account = 7") == [(70, 7, 70), (71, 7, 71), (72, 7, 72)]
