"""Whatever shape a customer has in the source, all of it arrives, once, and the rows add up."""

from __future__ import annotations

import sqlite3

import pytest

from ludb.model.run import RunState
from ludb.service.runs import start
from ludb.service.summary import summarize
from ludb.service.worker_process import run_worker

# -- keys ---------------------------------------------------------------------------------------------------------------


def test_case_58_a_composite_key_is_a_struct_in_steps_and_rules_and_key_maps(desk, job_text, balanced):
    desk.database(
        "legacy",
        """
        create table customers (tenant text, no int, name text, primary key (tenant, no));
        create table orders (oid integer primary key, tenant text, cno int, amount int);
        insert into customers values ('x',1,'Ann'),('x',2,'Bo'),('y',1,'Cy');
        insert into orders values (1,'x',1,5),(2,'y',1,6),(3,'x',2,7),(4,'x',1,8);
        """,
    )
    desk.database(
        "new",
        "create table account (id integer primary key, tenant text, no int, name text);"
        "create table charge (oid integer primary key, account int, amount int);",
    )
    desk.write(
        {
            "job.yaml": job_text(
                """
  root: legacy.customers
  key: [tenant, no]
  tables:
    orders: {parent: customers, on: {tenant: tenant, cno: no}}
""",
                more="keys:\n  account: {for: [customers.tenant, customers.no], kind: sequence, start: 10}",
                chunk=2,
            ),
            "steps/10_a/new.account.sql": """
                select c.unit_key, k.new as id, c.unit_key.tenant as tenant, k.old.no as no, name
                from legacy.customers c join keys.account k using (unit_key)""",
            "steps/20_b/new.charge.py": """
                def transform(unit):
                    (customer,) = unit.customers
                    assert unit.key == {"tenant": customer.tenant, "no": customer.no}
                    account = unit.keys.account(customer.tenant, customer.no)
                    for order in unit.orders:
                        yield {"oid": order.oid, "account": account, "amount": order.amount}
                """,
            "rules/10_a/no_bo.sql": "select unit_key, 'Bo' as reason from new.account where name = 'Bo'",
        }
    )
    summary = desk.run()
    assert desk.set_aside(summary.run.id).keys() == {"x|2"}
    assert desk.rows("new", "select tenant, no, name from account order by 1, 2") == [("x", 1, "Ann"), ("y", 1, "Cy")]
    joined = desk.rows("new", "select oid, name, amount from charge join account on account = id order by 1")
    assert joined == [(1, "Ann", 5), (2, "Cy", 6), (4, "Ann", 8)]
    assert balanced(summary)


def test_case_39_keys_that_differ_by_case_or_blanks_alone_are_different_customers(desk, job_text):
    """A NOCASE or RTRIM source compares them as equal: rows must still go to the customer that they belong to."""
    names = ["a", "A", "ab", "AB", "ä", "Ä", "b ", "b", " b"]
    desk.database(
        "legacy",
        "create table customers (id text collate nocase, n int);"
        "create table notes (cid text collate rtrim, n int);"
        "create table plain (cid text, n int);",
    )
    with sqlite3.connect(desk.environment["LEGACY"]) as connection:
        for number, name in enumerate(names):
            connection.execute("insert into customers values (?, ?)", (name, number))
            connection.execute("insert into plain values (?, ?)", (name, number))
    connection.close()
    desk.database("new", "create table customer (id text, n int); create table plain (id text, n int);")
    desk.write(
        {
            "job.yaml": job_text(
                """
  root: legacy.customers
  key: id
  tables:
    plain: {parent: customers, on: {cid: id}}
""",
                chunk=2,
            ),
            "steps/10_a/new.customer.sql": "select unit_key, id, n from legacy.customers",
            "steps/10_a/new.plain.sql": "select unit_key, unit_key as id, n from legacy.plain",
        }
    )
    summary = desk.run()
    expected = sorted((name, number) for number, name in enumerate(names))
    assert sorted(desk.rows("new", "select id, n from customer")) == expected
    assert sorted(desk.rows("new", "select id, n from plain")) == expected
    assert summary.counters.done == len(names)


# -- links --------------------------------------------------------------------------------------------------------------

DEEP = """
create table customers (id integer primary key, name text);
create table contracts (kid integer primary key, cid int);
create table subscriptions (sid integer primary key, kid int);
create table services (vid integer primary key, sid int);
create table usage (vid int, minutes int);
insert into customers values (1,'Ann'),(2,'Bo'),(3,'Cy');
insert into contracts values (11,1),(12,1),(21,2);
insert into subscriptions values (111,11),(112,12),(211,21);
insert into services values (1111,111),(1121,112),(1122,112),(2111,211);
insert into usage values (1111,1),(1111,2),(1122,3),(2111,4),(2111,4);
"""
DEEP_UNIT = """
  root: legacy.customers
  key: id
  tables:
    usage: {parent: services, on: vid}
    contracts: {parent: customers, on: {cid: id}}
    subscriptions: {parent: contracts, on: kid}
    services: {parent: subscriptions, on: sid}
"""


def test_links_are_followed_down_to_the_fourth_level(desk, job_text, balanced):
    desk.database("legacy", DEEP)
    desk.database("new", "create table usage (customer int, service int, minutes int)")
    desk.write(
        {
            "job.yaml": job_text(DEEP_UNIT, chunk=1),
            "steps/10_a/new.usage.sql": """
                select u.unit_key, u.unit_key as customer, vid as service, minutes from legacy.usage u""",
        }
    )
    summary = desk.run()
    moved = desk.rows("new", "select * from usage order by 1, 2, 3")
    assert moved == [(1, 1111, 1), (1, 1111, 2), (1, 1122, 3), (2, 2111, 4), (2, 2111, 4)]
    assert {line.table: line.planned for line in summary.source} == {
        "customers": 3, "contracts": 3, "subscriptions": 3, "services": 4, "usage": 5,
    }  # fmt: skip
    assert balanced(summary)


def test_cases_58_and_62_a_table_without_a_key_keeps_its_duplicate_rows_and_a_customer_may_have_no_rows_at_all(
    desk, job_text, balanced
):
    desk.database("legacy", DEEP)
    desk.database("new", "create table customer (id int, services int, minutes int)")
    desk.write(
        {
            "job.yaml": job_text(DEEP_UNIT),
            "steps/10_a/new.customer.sql": """
                select unit_key, id, (select count(*) from legacy.services s where s.unit_key = c.unit_key) as services,
                  (select sum(minutes) from legacy.usage u where u.unit_key = c.unit_key)::int as minutes
                from legacy.customers c""",
        }
    )
    summary = desk.run()
    assert desk.rows("new", "select * from customer order by 1") == [(1, 3, 6), (2, 1, 8), (3, 0, None)]
    assert balanced(summary)


def test_case_56_orphans_and_the_rows_below_them_are_counted_and_stay_behind(desk, job_text, balanced):
    desk.database(
        "legacy",
        DEEP + "insert into contracts values (91,9),(92,null); insert into subscriptions values (911,91),(999,99);"
        "insert into services values (9111,911); insert into usage values (null,5),(9111,6);",
    )
    desk.database("new", "create table usage (minutes int)")
    desk.write(
        {
            "job.yaml": job_text(DEEP_UNIT, chunk=2),
            "steps/10_a/new.usage.sql": "select unit_key, minutes from legacy.usage",
        }
    )
    summary = desk.run()
    orphans = summary.run.notes["orphans"]
    told = {name: (found["count"], found["direct"]) for name, found in orphans.items()}
    # direct: the very parent is missing; the others hang below an orphan
    assert told == {"contracts": (2, 2), "subscriptions": (2, 1), "services": (1, 0), "usage": (2, 1)}
    assert {line.table: line.orphans for line in summary.source} == {
        "customers": 0, "contracts": 2, "subscriptions": 2, "services": 1, "usage": 2,
    }  # fmt: skip
    assert sorted(desk.rows("new", "select * from usage")) == [(1,), (2,), (3,), (4,), (4,)]
    assert summary.run.state is RunState.COMPLETED
    assert balanced(summary)


def test_case_62_a_customer_with_twenty_thousand_rows_moves_whole(desk, job_text, balanced):
    desk.database(
        "legacy",
        """
        create table customers (id integer primary key);
        create table usage (id integer primary key, cid int, minutes int);
        insert into customers values (1),(2),(3);
        with recursive n(i) as (select 1 union all select i + 1 from n where i < 20003)
        insert into usage select i, case when i <= 20000 then 2 else i - 20000 end, i % 60 from n;
        """,
    )
    desk.database("new", "create table usage (id integer primary key, cid int, minutes int)")
    desk.write(
        {
            "job.yaml": job_text(
                "\n  root: legacy.customers\n  key: id\n  tables:\n    usage: {parent: customers, on: {cid: id}}"
            ),
            "steps/10_a/new.usage.sql": "select unit_key, id, cid, minutes from legacy.usage",
        }
    )
    summary = desk.run()
    ours, theirs = (
        desk.rows(name, "select cid, count(*), sum(minutes) from usage group by 1") for name in ("legacy", "new")
    )
    assert ours == theirs
    assert balanced(summary)


# -- reference tables, uniqueness -------------------------------------------------------------------------------------------


def test_a_reference_table_is_read_once_when_the_run_starts(shop):
    shop.database(
        "legacy",
        "create table tariffs (amount decimal(10,2), label text); insert into tariffs values (10.5,'old'),(3,'old');",
    )
    text = (shop.job / "job.yaml").read_text().replace("key: id\n", "key: id\n  reference: [legacy.tariffs]\n")
    (shop.job / "job.yaml").write_text(text)
    shop.database("billing", "alter table charge add column label text")
    shop.write(
        {
            "steps/20_order/billing.charge.sql": """
                select o.unit_key, oid, a.id as account, o.amount, label
                from legacy.orders o join billing.account a using (unit_key)
                left join ref.tariffs t on t.amount = o.amount"""
        }
    )
    started = start(shop.site, shop.job, {})
    shop.database("legacy", "update tariffs set label = 'new'")
    try:
        run_worker(shop.site, started.run.id)
    finally:
        started.lock.release()
    assert summarize(shop.site, started.run.id).run.state is RunState.COMPLETED
    assert shop.rows("billing", "select oid, label from charge order by 1") == [(1, "old"), (2, "old"), (3, None)]


def phones(desk, job_text, rule: str, chunk: int) -> None:
    desk.database(
        "legacy",
        """
        create table customers (id integer primary key);
        create table phones (cid int, msisdn text);
        insert into customers values (1),(2),(3),(4),(5);
        insert into phones values (3,'0170'),(1,'0171'),(2,'0170'),(4,null),(5,null),(1,'0171'),(5,'0172');
        """,
    )
    desk.database("new", "create table phone (msisdn text)")
    desk.write(
        {
            "job.yaml": job_text(
                f"""
  root: legacy.customers
  key: id
  tables:
    phones: {{parent: customers, on: {{cid: id}}}}
  unique_across_units: {{phones.msisdn: {rule}}}
""",
                chunk=chunk,
            ),
            "steps/10_a/new.phone.sql": "select unit_key, msisdn from legacy.phones",
        }
    )


@pytest.mark.parametrize("chunk", [1, 5])
@pytest.mark.parametrize(("rule", "rejected"), [("reject_later", {"3"}), ("reject_all", {"2", "3"})])
def test_a_number_that_two_customers_hold_is_decided_by_list_order_and_not_by_chance(
    desk, rule, rejected, chunk, job_text, balanced
):
    phones(desk, job_text, rule, chunk)
    summary = desk.run()
    found = desk.set_aside(summary.run.id)
    assert found.keys() == rejected
    assert all(unit.reason.startswith("phones.msisdn is also held by another unit") for unit in found.values())
    assert balanced(summary)


# -- gone -------------------------------------------------------------------------------------------------------------------


def test_case_62_a_customer_deleted_after_the_list_was_frozen_is_gone_and_nothing_of_it_moves(shop):
    started = start(shop.site, shop.job, {})
    shop.database("legacy", "delete from orders where cid = 3; delete from customers where id = 3")
    try:
        run_worker(shop.site, started.run.id)
    finally:
        started.lock.release()
    summary = summarize(shop.site, started.run.id)
    counters = summary.counters
    assert (counters.total, counters.done, counters.gone, counters.pending) == (3, 2, 1, 0)
    assert summary.run.state is RunState.EXCEPTIONS
    assert shop.set_aside(summary.run.id)["3"].state == "gone"
    assert shop.rows("billing", "select name from account order by id") == [("Ann",), ("Bo",)]
    assert {line.table for line in summary.source if not line.balances} == {"customers", "orders"}
