"""A staged job reads its sources once: everything afterwards, retries too, is answered from what stands here."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from pathlib import Path

import pyarrow as pa
import pytest

from ludb.errors import ConfigError, TransientError
from ludb.model.run import RunState
from ludb.project.folder import read_job
from ludb.project.load import load_migration
from ludb.service import pinning, staging
from ludb.service.dry_run import start_dry
from ludb.service.runs import start, try_again
from ludb.service.selection import Selection
from ludb.service.trial import try_unit
from ludb.service.worker_process import run_worker
from ludb.unitdb import takes

LEGACY = """
create table customers (id integer primary key, name text not null, born date);
create table orders (oid integer primary key, cid int, amount decimal(10,2), after int);
create index orders_cid on orders(cid);
create table colours (code text primary key, label text);
insert into colours values ('r', 'red');
insert into customers values (3, 'Cem', null), (1, 'Ada', '1990-01-02'), (2, 'Bo', null), (4, 'Di', null);
insert into orders values (10, 1, 1.50, null), (11, 1, 2, 10), (12, 2, -1, null), (13, 9, 7, null), (14, 3, 4, null);
"""
TARGET = """
create table person (id integer primary key, name text not null);
create table charge (oid integer primary key, cid int not null, amount decimal(10,2), colour text);
"""
JOB = {
    "job.yaml": """
        name: shop
        systems:
          legacy: {type: sqlite, url: "${LEGACY}"}
          new: {type: sqlite, url: "${NEW}"}
        unit:
          root: legacy.customers
          key: id
          tables:
            orders: {parent: customers, on: {cid: id}, types: {amount: "decimal(10,2)"}}
          reference: [legacy.colours]
        settings: {chunk_units: 2, extract: staged}
    """,
    "steps/10/new.person.sql": "select unit_key, id, name from legacy.customers",
    "steps/20/new.charge.sql": """
        select unit_key, oid, cid, amount, (select label from ref.colours) as colour from legacy.orders
    """,
    "rules/20/positive.sql": "select unit_key, 'negative' as reason from new.charge where amount < 0",
}


@pytest.fixture
def shop(desk):
    desk.database("legacy", LEGACY)
    desk.database("new", TARGET)
    desk.write(JOB)
    return desk


def change(desk, statement: str) -> None:
    with sqlite3.connect(desk.environment["LEGACY"]) as connection:
        connection.execute(statement)
    connection.close()


def opened(desk):
    job = read_job(desk.job, desk.environment)
    migration = load_migration(job.folder, environment=desk.environment, state=desk.state, reference={}, parameters={})
    return job, migration


def test_a_staged_run_moves_what_a_direct_one_moves_and_balances(shop):
    summary = shop.run()
    assert (summary.counters.done, summary.counters.quarantined) == (3, 1)
    assert all(line.balances for line in summary.source)
    assert {line.table: (line.planned, line.orphans) for line in summary.source} == {
        "customers": (4, 0),
        "orders": (4, 1),
    }
    assert shop.rows("new", "select * from charge order by oid") == [
        (10, 1, 1.5, "red"), (11, 1, 2, "red"), (14, 3, 4, "red")
    ]  # fmt: skip
    assert shop.rows("new", "select id from person order by id") == [(1,), (3,), (4,)]


def test_the_source_may_change_or_go_away_once_it_is_staged_and_a_retry_reads_what_was_staged(shop):
    first = shop.run()
    change(shop, "update orders set amount = 99 where oid = 12")
    (position,) = (found.position for found in shop.set_aside(first.run.id).values())
    for source_is_there in (True, False):
        if not source_is_there:
            Path(shop.environment["LEGACY"]).rename(shop.folder / "away")
        started = try_again(shop.site, first.run.id, [position], shop.job)
        run_worker(shop.site, first.run.id)
        started.lock.release()
        assert shop.site.repository.runs.get(first.run.id).state is RunState.EXCEPTIONS, "the old row is still bad"


def test_a_retry_over_the_same_take_has_the_tables_of_the_pin_before(shop, monkeypatch):
    first = shop.run()
    (position,) = (found.position for found in shop.set_aside(first.run.id).values())
    for look in ("stage", "shared_rows", "unique_faults"):
        monkeypatch.setattr(pinning, look, lambda *_: pytest.fail("the take was read again"))
    started = try_again(shop.site, first.run.id, [position], shop.job)
    run_worker(shop.site, first.run.id)
    started.lock.release()
    pins = list(shop.site.pinned(first.run.id).glob("*/stage/orders.parquet"))
    assert len({path.stat().st_ino for path in pins}) == 1 < len(pins)


def test_a_take_that_is_dropped_while_it_is_read_is_told_and_is_no_empty_source(shop):
    job, migration = opened(shop)
    take = staging.take_of(shop.site, job, migration, "legacy")
    staging.drop_takes(shop.site, job, migration)
    root = migration.job.unit.root
    for read in (lambda: list(take.keys(root, ["id"])), lambda: list(take.scan(root)), lambda: take.columns(root)):
        with pytest.raises(TransientError, match="legacy: what was staged was removed"):
            read()
    migration.close()


def test_refreshed_a_retry_reads_the_source_as_it_is_now_and_the_run_says_as_of_when(shop):
    first = shop.run()
    change(shop, "update orders set amount = 99 where oid = 12")
    before = shop.site.repository.runs.get(first.run.id).settings["staged"]["legacy"]
    job, migration = opened(shop)
    take = staging.take_of(shop.site, job, migration, "legacy", refresh=True)
    migration.close()
    (position,) = (found.position for found in shop.set_aside(first.run.id).values())
    started = try_again(shop.site, first.run.id, [position], shop.job)
    run_worker(shop.site, first.run.id)
    started.lock.release()
    assert shop.rows("new", "select amount from charge where oid = 12") == [(99,)]
    after = shop.site.repository.runs.get(first.run.id).settings["staged"]["legacy"]
    assert after == {"take": take.id, "taken_at": take.taken_at}
    assert after["taken_at"] > before["taken_at"]


def test_dry_runs_selections_and_trials_share_the_take(shop, monkeypatch):
    job, migration = opened(shop)
    staging.take_of(shop.site, job, migration, "legacy")
    migration.close()
    Path(shop.environment["LEGACY"]).unlink()
    monkeypatch.setattr(staging, "write_take", lambda *_, **__: pytest.fail("the source was read again"))
    place, dry = start_dry(shop.site, shop.job, {}, Selection())
    run_worker(place, dry.run.id)
    dry.lock.release()
    assert place.repository.views.counters(dry.run.id).done == 3
    place.repository.close()
    assert [row["oid"] for row in try_unit(shop.site, shop.job, {}, "1").outputs["new.charge"]] == [10, 11]
    started = start(shop.site, shop.job, {}, Selection(where="name like 'C%' or id = 1"))
    run_worker(shop.site, started.run.id)
    started.lock.release()
    assert shop.rows("new", "select id from person order by id") == [(1,), (3,)]


def test_a_value_that_cannot_be_carried_sets_its_own_unit_aside_with_column_and_row(shop):
    change(shop, "update orders set amount = 'lots' where oid = 14")
    run = shop.run().run
    found = shop.set_aside(run.id)
    assert sorted(found) == ["2", "3"]
    assert found["3"].reason.startswith("orders.amount: ")
    assert "lots" in found["3"].detail
    assert "row 14" in found["3"].detail


def test_a_staging_that_was_killed_leaves_nothing_that_is_read_and_is_swept_by_the_next(shop, monkeypatch):
    job, migration = opened(shop)

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(takes, "_entry", killed)
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)  # who is killed tidies nothing up
    with pytest.raises(KeyboardInterrupt):
        staging.take_of(shop.site, job, migration, "legacy")
    monkeypatch.undo()
    (place,) = shop.site.staged.iterdir()
    assert not (place / "current").exists()
    take = staging.take_of(shop.site, job, migration, "legacy")
    migration.close()
    assert sorted(path.name for path in place.iterdir()) == sorted(["current", take.id])


def test_two_processes_that_stage_at_once_one_is_refused_by_name(shop, monkeypatch):
    job, migration = opened(shop)
    inside, go_on = threading.Event(), threading.Event()
    original = staging.write_take

    def slow(*arguments, **named):
        inside.set()
        assert go_on.wait(60)
        return original(*arguments, **named)

    monkeypatch.setattr(staging, "write_take", slow)
    other, held = opened(shop)
    thread = threading.Thread(target=lambda: staging.take_of(shop.site, other, held, "legacy"))
    thread.start()
    try:
        assert inside.wait(60)
        with pytest.raises(ConfigError, match="system legacy is being staged by another process"):
            staging.take_of(shop.site, job, migration, "legacy")
    finally:
        go_on.set()
        thread.join()
    assert staging.take_of(shop.site, job, migration, "legacy").tables[0].rows == 4
    migration.close()
    held.close()


def test_another_unit_is_another_take_and_a_changed_step_is_the_same_one(shop):
    def take() -> str:
        job, migration = opened(shop)
        found = staging.take_of(shop.site, job, migration, "legacy").id
        migration.close()
        return found

    first = take()
    shop.write({"steps/10/new.person.sql": "select unit_key, id, upper(name) as name from legacy.customers"})
    assert take() == first
    shop.write({"job.yaml": JOB["job.yaml"].replace('types: {amount: "decimal(10,2)"}', "types: {amount: text}")})
    assert take() != first


def test_what_is_staged_is_told_with_its_runs_and_dropped(shop):
    run = shop.run().run
    job, migration = opened(shop)
    (found,) = staging.what_is_staged(shop.site, job, migration)
    assert (found.system, found.runs) == ("legacy", (run.id,))
    assert [(one.table, one.rows, one.refused) for one in found.take.tables] == [
        ("customers", 4, 0), ("orders", 5, 0), ("colours", 1, 0)
    ]  # fmt: skip
    assert staging.unfinished(shop.site, [found]) == [run.id], "its quarantined unit may be tried again"
    assert staging.drop_takes(shop.site, job, migration) == ["legacy"]
    assert staging.what_is_staged(shop.site, job, migration)[0].take is None
    migration.close()


def test_no_password_is_told_apart_or_kept(shop):
    assert staging._plain("url", "postgresql://me:s3cret@db:5432/x") == "postgresql://me@db:5432/x"
    assert staging._plain("password", "s3cret") == ""


def test_every_type_comes_back_as_the_source_handed_it_over(tmp_path):
    from ludb.model.unit import Column, Fetched, Refusal, TableRef, UnitTable

    table = UnitTable("t", TableRef("s", "odd/nämé"), types=(("b", "text"),))
    kinds = {
        "a": pa.uint64(), "b": pa.string(), "c": pa.decimal128(38, 9), "d": pa.timestamp("us", "UTC"), "e": pa.time64("us"),
        "f": pa.float32(), "g": pa.binary(), "h": pa.date32(), "i": pa.bool_(), "j": pa.timestamp("us"),
    }  # fmt: skip
    rows = pa.table({name: pa.nulls(3, kind) for name, kind in kinds.items()})
    columns = [Column(name, kind, str(kind)) for name, kind in kinds.items()]
    pieces = [Fetched(rows), Fetched(rows, [Refusal((), "t", "c", "is odd", "1e99", "7", 2)])]
    take = takes.write_take(tmp_path / "x", "s", [takes.Scan(table, columns, iter(pieces))], None, taken_at=1.0)
    assert list(take.columns(table)) == columns
    (found,) = takes.Take(tmp_path / "x").scan(table)
    assert found.rows.schema == rows.schema
    assert [(bad.row, bad.column, bad.row_id) for bad in found.refused] == [(5, "c", "7")]
    assert [piece.refused for piece in take.scan(table, ["a"])] == [[]]
