"""Selecting where the source has no SQL of its own, and values that one unit alone may hold, over several waves."""

from __future__ import annotations

import pytest

from ludb.errors import ConfigError
from ludb.service.planning import plan_run
from ludb.service.runs import start
from ludb.service.selection import KeyFile, Selection
from ludb.service.summary import summarize
from ludb.service.worker_process import run_worker

FILES = """
    name: shop
    systems:
      legacy: {type: files, path: ../legacy, tables: {customers: {types: {id: integer}}}}
      billing: {type: sqlite, url: "${BILLING}"}
    unit:
      root: legacy.customers
      key: id
      tables: {orders: {parent: customers, on: {cid: id}, types: {cid: integer}}}
"""


def move(desk, selection: Selection):
    started = start(desk.site, desk.job, {}, selection)
    try:
        run_worker(desk.site, started.run.id)
    finally:
        started.lock.release()
    return summarize(desk.site, started.run.id)


@pytest.fixture
def files(desk):
    (desk.folder / "legacy").mkdir()
    (desk.folder / "legacy/customers.csv").write_text("id,name\n9,Ann\n8,Bo\n7,Cy\n")
    (desk.folder / "legacy/orders.csv").write_text("oid,cid\na,9\nb,8\nc,7\nd,1\n")
    desk.database("billing", "create table account (name text)")
    desk.write({"job.yaml": FILES, "steps/10/billing.account.sql": "select unit_key, name from legacy.customers"})
    return desk


def test_files_are_selected_by_the_sql_of_the_steps_and_only_true_orphans_are_orphans(files):
    planned = plan_run(files.site, files.job, {}, Selection(where="customers.name like '%n%' or id < 8"))
    planned.migration.close()
    assert planned.units.keys.column("id").to_pylist() == [9, 7]
    assert planned.survey.counts == {"customers": {"rows": 2, "orphans": 0}, "orders": {"rows": 2, "orphans": 1}}


def test_a_condition_that_the_steps_sql_does_not_know_is_named(files):
    with pytest.raises(ConfigError, match=r"--where nmae = 'x': .*nmae"):
        plan_run(files.site, files.job, {}, Selection(where="nmae = 'x'"))
    with pytest.raises(ConfigError, match=r"--where name::int = 1: .*data"):
        plan_run(files.site, files.job, {}, Selection(where="name::int = 1"))


def test_a_file_of_keys_selects_in_the_source_s_order(files):
    summary = move(files, Selection(units=KeyFile("keys", "7\n9")))
    assert files.rows("billing", "select name from account") == [("Ann",), ("Cy",)]
    assert all(line.balances for line in summary.source)


def test_waves_give_a_value_to_the_same_unit_as_one_run_would(shop):
    shop.database("legacy", "alter table customers add column msisdn text; update customers set msisdn = '1'")
    text = (shop.job / "job.yaml").read_text()
    unique = text.replace("keys:", "  unique_across_units: {customers.msisdn: reject_later}\nkeys:", 1)
    (shop.job / "job.yaml").write_text(unique)
    later = move(shop, Selection(where="id = 3"))  # Ann keeps the number, though she is not selected
    assert (later.counters.done, later.counters.quarantined) == (0, 1)
    first = move(shop, Selection(where="id < 3"))
    assert (first.counters.done, first.counters.quarantined) == (1, 1)
    assert shop.rows("billing", "select name from account") == [("Ann",)]
