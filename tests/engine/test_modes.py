"""A job that is run again over what it has written: upsert and replace_unit, from the job file to the target."""

from __future__ import annotations

import re
from contextlib import closing
from urllib.parse import urlsplit

import psycopg
import pymysql
import pytest

from ludb.errors import ConfigError, ConfigErrors
from ludb.model.run import RunState
from ludb.project.folder import read_job
from ludb.service.dry_run import start_dry
from ludb.service.planning import plan_run
from ludb.service.runs import start, try_again
from ludb.service.selection import EVERYTHING, Selection
from ludb.service.summary import summarize
from ludb.service.worker_process import run_worker

LEGACY = """
create table customers (id integer primary key, name text not null);
create table orders (oid integer primary key, cid int not null references customers(id), amount int);
create table lines (lid integer primary key, oid int not null references orders(oid), what text);
"""
NEW = """
create table account (id integer primary key, name text not null, note text);
create table charge (oid integer primary key, account int not null references account(id), amount int check (amount >= 0));
create table part (lid integer primary key, charge int not null references charge(oid), what text);
"""
OUTPUTS = """
outputs:
  new.account: {mode: upsert}
  new.charge:  {mode: replace_unit, by: {account: keys.account}}
  new.part:    {mode: replace_unit, by: {charge: new.charge.oid}}
"""
UNIT = """
  root: legacy.customers
  key: id
  tables:
    orders: {parent: customers, on: {cid: id}}
    lines:  {parent: orders, on: oid}
"""
MORE = f"""
keys:
  account: {{for: customers.id, kind: sequence, start: 100}}
parameters: {{round: {{type: integer, default: 1}}}}
{OUTPUTS}
"""
STEPS = {
    # Children first, so that nothing depends on the order of the files.
    "steps/10_a/new.part.sql": "select unit_key, lid, oid as charge, what from legacy.lines",
    "steps/20_b/new.charge.sql": """
        select o.unit_key, oid, k.new as account, amount from legacy.orders o join keys.account k using (unit_key)""",
    "steps/30_c/new.account.sql": """
        select c.unit_key, k.new as id, name from legacy.customers c join keys.account k using (unit_key)""",
}


@pytest.fixture
def shop(desk, job_text):
    """20 customers with up to 3 orders of up to 2 lines, moved once."""
    desk.database("legacy", LEGACY)
    desk.database("new", NEW)
    rows = []
    for key in range(1, 21):
        rows.append(f"insert into customers values ({key}, 'c{key}')")
        for oid in range(key * 10, key * 10 + key % 4):
            rows.append(f"insert into orders values ({oid}, {key}, {oid})")
            lines = range(oid * 10, oid * 10 + oid % 10 + key % 2)
            rows += [f"insert into lines values ({line}, {oid}, 'l{line}')" for line in lines]
    change(desk, "begin", *rows, "commit")
    desk.write({"job.yaml": job_text(UNIT, more=MORE, chunk=7), **STEPS})
    return desk


def change(desk, *statements: str, name: str = "legacy") -> None:
    desk.database(name, ";".join(statements) + ";")


def differences(desk) -> list[str]:
    """Customers of whom the target does not hold exactly what the source does, by name."""
    source = desk.rows("legacy", "select c.name, o.oid, amount, lid, what from customers c"
                       " left join orders o on o.cid = c.id left join lines l on l.oid = o.oid")  # fmt: skip
    target = desk.rows("new", "select a.name, o.oid, amount, lid, what from account a"
                       " left join charge o on o.account = a.id left join part l on l.charge = o.oid")  # fmt: skip
    return sorted({str(row[0]) for row in set(source) ^ set(target)})


def test_a_changed_source_is_moved_again_by_another_instance_and_the_target_equals_it(shop, balanced):
    assert shop.run().run.state is RunState.COMPLETED
    assert differences(shop) == []
    assert shop.rows("new", "select count(*) from part") > [(0,)]
    change(shop, "update account set note = 'by hand'", name="new")
    change(shop, "update customers set name = 'New ' || name where id % 2 = 0", "delete from lines where lid % 3 = 0",
           "delete from lines where oid in (select oid from orders where cid in (3, 7))",
           "delete from orders where cid in (3, 7)", "insert into orders values (999, 4, 1)",
           "insert into customers values (21, 'c21')", "update orders set amount = amount + 1 where oid < 100")  # fmt: skip
    assert len(differences(shop)) > 10
    summary = shop.run(round="2")
    assert summary.run.state is RunState.COMPLETED
    assert (summary.counters.done, summary.run.notes["moved_before"]) == (21, 0)
    assert balanced(summary)
    assert differences(shop) == []
    assert shop.rows("new", "select count(*) from account where note = 'by hand'") == [(20,)]
    assert shop.rows("new", "select id from account order by id") == [(number,) for number in range(100, 121)]


def test_waves_with_a_limit_reach_every_unit_before_any_moves_again(shop):
    for _ in range(3):
        started = start(shop.site, shop.job, {}, Selection(limit=8))
        run_worker(shop.site, started.run.id)
        started.lock.release()
        assert summarize(shop.site, started.run.id).counters.done == 8
    assert shop.rows("new", "select count(*) from account") == [(20,)]
    assert differences(shop) == []


def test_a_quarantined_unit_keeps_what_the_last_run_wrote(shop, balanced):
    """One falls by a rule, one by a constraint of the target, and neither loses or gains a row."""
    shop.run()
    before = shop.rows("new", "select * from account join charge on account = id where id in (104, 105)")
    change(shop, "update customers set name = 'x'", "update orders set amount = -1 where cid = 6", "delete from lines")
    shop.write({"rules/nobody.sql": "select unit_key, 'no' as reason from legacy.customers where id = 5"})
    summary = shop.run(round="2")
    assert balanced(summary)
    assert shop.set_aside(summary.run.id).keys() == {"5", "6"}
    assert shop.rows("new", "select * from account join charge on account = id where id in (104, 105)") == before
    assert shop.rows("new", "select count(distinct name) from account") == [(3,)]


def test_a_dry_run_over_what_is_there_changes_nothing(shop):
    shop.run()
    before = [shop.rows("new", f"select * from {table}") for table in ("account", "charge", "part")]
    change(shop, "update customers set name = 'x'", "delete from lines")
    shop.write({"rules/nobody.sql": "select unit_key, 'no' as reason from legacy.customers where id = 5"})
    place, started = start_dry(shop.site, shop.job, {"round": "2"}, EVERYTHING)
    try:
        run_worker(place, started.run.id)
    finally:
        started.lock.release()
    counters = summarize(place, started.run.id).counters
    place.repository.close()
    assert (counters.done, counters.quarantined) == (19, 1)
    assert [shop.rows("new", f"select * from {table}") for table in ("account", "charge", "part")] == before


def test_the_plan_says_how_each_output_is_written(shop):
    planned = plan_run(shop.site, shop.job, {})
    planned.migration.close()
    assert planned.preflight.modes == {
        "new.account": "upsert by id", "new.charge": "replace_unit by account", "new.part": "replace_unit by charge",
    }  # fmt: skip


def test_two_customers_with_one_key_are_set_aside_by_name(shop, balanced):
    shop.write(
        {
            "steps/30_c/new.account.sql": """
                select unit_key, case when id in (2, 3) then 1 else id end as id, name from legacy.customers""",
            "steps/20_b/new.charge.sql": "select unit_key, oid, 1 as account, amount from legacy.orders where false",
            "steps/10_a/new.part.sql": "select unit_key, lid, oid as charge, what from legacy.lines where false",
        }
    )
    summary = shop.run()
    assert balanced(summary)
    found = shop.set_aside(summary.run.id)
    assert found.keys() == {"1", "2", "3"}
    assert "two units of the chunk write the same one" in found["2"].reason
    assert len(shop.rows("new", "select id from account")) == 17


def test_a_customer_never_overwrites_another_ones_row_from_a_later_chunk(shop, balanced):
    """An upsert takes both without a word: the later one would win, and both would count as done."""
    text = (shop.job / "job.yaml").read_text()
    (shop.job / "job.yaml").write_text(text.replace("chunk_units: 7", "chunk_units: 1"))
    shop.write(
        {
            "steps/30_c/new.account.sql": """
                select unit_key, case when id in (2, 9) then 1 else id end as id, name from legacy.customers""",
            "steps/20_b/new.charge.sql": "select unit_key, oid, 1 as account, amount from legacy.orders where false",
            "steps/10_a/new.part.sql": "select unit_key, lid, oid as charge, what from legacy.lines where false",
        }
    )
    summary = shop.run()
    assert balanced(summary)
    found = shop.set_aside(summary.run.id)
    assert found.keys() == {"2", "9"}
    assert found["9"].reason == "another unit of the run has written the same key"
    assert shop.rows("new", "select name from account where id = 1") == [("c1",)]
    again = shop.run(round="2")
    assert (again.counters.done, again.counters.quarantined) == (18, 2)  # its own rows are no other unit's


def test_a_key_that_is_taken_while_a_chunk_is_at_work_is_found_at_the_decision(shop, balanced, monkeypatch):
    """Two workers that look at the same moment would both find nobody, and one customer would lose a row."""
    shop.write(
        {
            "steps/30_c/new.account.sql": """
                select unit_key, case when id = 9 then 1 else id end as id, name from legacy.customers""",
            "steps/20_b/new.charge.sql": "select unit_key, oid, 1 as account, amount from legacy.orders where false",
            "steps/10_a/new.part.sql": "select unit_key, lid, oid as charge, what from legacy.lines where false",
        }
    )
    monkeypatch.setattr("ludb.engine.commit.refuse_taken", lambda *_: None)
    summary = shop.run()
    assert balanced(summary)
    assert summary.counters.done == 19
    found = shop.set_aside(summary.run.id)
    assert found.keys() == {"9"}
    assert "another unit of the run has written the same key" in found["9"].reason
    assert shop.rows("new", "select name from account where id = 1") == [("c1",)]


def test_a_row_that_the_next_run_would_not_find_is_refused(shop, balanced):
    """It would stay for ever: `by` says account, and the step writes another one."""
    shop.write(
        {
            "steps/20_b/new.charge.sql": """
                select o.unit_key, oid, amount, case when o.cid = 2 then 100 else k.new end as account
                from legacy.orders o join keys.account k using (unit_key)"""
        }
    )
    summary = shop.run()
    assert balanced(summary)
    assert shop.set_aside(summary.run.id).keys() == {"2"}


def test_recovery_writes_parents_first_and_does_what_the_mode_says(shop, monkeypatch, balanced):
    """The participants are lost between decide and commit, in every chunk, twice: recovery does it all from the journal."""

    def lost(chunk, ready, at):
        for participant in ready.participants.values():
            participant.rollback()
        return False

    monkeypatch.setattr("ludb.engine.pipeline.commit", lost)
    shop.run()
    change(shop, "update customers set name = 'New ' || name", "delete from lines where lid % 2 = 0")
    summary = shop.run(round="2")
    assert balanced(summary)
    assert summary.counters.done == 20
    assert differences(shop) == []


def test_an_inserting_job_still_leaves_out_what_was_moved(shop):
    """One output that is only added to, and moving a unit again would double its rows."""
    (shop.job / "job.yaml").write_text(
        (shop.job / "job.yaml").read_text().replace("new.account: {mode: upsert}", "new.account: {mode: insert}")
    )
    shop.run()
    assert shop.run(round="2").counters.total == 0


# -- what cannot work is said before any unit moves ----------------------------------------------------------------------

WRONG = {
    "new.account: {mode: upsert, key: name}": "unique",
    "new.account: {mode: upsert, key: nme}": "no column 'nme'",
    "new.account: {mode: upsert, key: note}": "no step fills 'note'",
    "new.account: {mode: replace_unit}": "replace_unit needs `by`",
    "new.account: {mode: insert, key: id}": "only upsert has `key`",
    "new.account: {mode: upsert, by: {id: id}}": "only replace_unit has `by`",
    "new.account: {mode: replace_unit, by: {id: keys.acount}}": "no key map 'acount'",
    "new.account: {mode: replace_unit, by: {id: nobody}}": "nothing that every unit has",
    "new.account: {mode: replace_unit, by: {nope: keys.account}}": "no column 'nope'",
    "new.account: {mode: replace_unit, by: {id: new.part.charge}, }": "lead to each other|nothing",
}


@pytest.mark.parametrize("output", WRONG)
def test_a_mode_that_cannot_work_is_refused_with_a_remedy(shop, output):
    text = (shop.job / "job.yaml").read_text()
    if "part" in output:
        text = text.replace("by: {account: keys.account}", "by: {account: new.account.id}")
    (shop.job / "job.yaml").write_text(text.replace("new.account: {mode: upsert}", output))
    with pytest.raises(ConfigError) as caught:
        plan_run(shop.site, shop.job, {}).migration.close()
    told = [caught.value, *(caught.value.errors if isinstance(caught.value, ConfigErrors) else [])]
    assert any(re.search(WRONG[output], str(error)) and error.remedy for error in told), told


def test_files_are_only_added_to(shop):
    text = (shop.job / "job.yaml").read_text().replace('type: sqlite, url: "${NEW}"', "type: files, path: out")
    (shop.job / "job.yaml").write_text(text)
    with pytest.raises(ConfigError, match="only added to"):
        read_job(shop.job, shop.environment)


def test_a_cascade_that_would_take_rows_of_others_is_refused(shop):
    change(
        shop,
        "create table remark (id integer primary key, charge int references charge(oid) on delete cascade)",
        name="new",
    )
    with pytest.raises(ConfigError, match="ON DELETE CASCADE"):
        plan_run(shop.site, shop.job, {})


# -- the same on servers ---------------------------------------------------------------------------------------------------


def on_server(shop, kind: str, url: str):
    """The shop's target on a server; gives a function that asks it."""
    text = (
        (shop.job / "job.yaml").read_text().replace('{type: sqlite, url: "${NEW}"}', f'{{type: {kind}, url: "{url}"}}')
    )
    (shop.job / "job.yaml").write_text(text)

    def ask(query: str) -> list[tuple[object, ...]]:
        parts = urlsplit(url)
        if kind == "postgres":
            with psycopg.connect(url) as connection:
                return connection.execute(query.encode()).fetchall()
        with closing(
            pymysql.connect(host=parts.hostname, port=parts.port, user=parts.username, database=parts.path[1:])
        ) as connection, connection.cursor() as cursor:  # fmt: skip
            cursor.execute(query)
            found = list(cursor.fetchall())
            connection.commit()
            return found

    return ask


@pytest.mark.parametrize("kind", ["postgres", pytest.param("mysql", marks=pytest.mark.long)])
def test_a_changed_source_is_moved_again_into_a_server(shop, kind, request, balanced):
    """Upserted, replaced and again replaced; a unit that a constraint refuses keeps what it had."""
    make = request.getfixturevalue("postgres_database" if kind == "postgres" else "mariadb_database")
    tables = [line.replace("text", "varchar(40)") for line in NEW.strip().splitlines()]
    for child, parent in (("account", "account(id)"), ("charge", "charge(oid)")):
        tables = [line.replace(f"{child} int not null references {parent}", f"{child} int not null") for line in tables]
    tables += [
        "alter table charge add foreign key (account) references account (id);",
        "alter table part add foreign key (charge) references charge (oid);",
    ]
    ask = on_server(shop, kind, make("\n".join(tables)))
    assert shop.run().run.state is RunState.COMPLETED
    change(shop, "update customers set name = 'New ' || name where id % 2 = 0", "delete from lines where lid % 3 = 0",
           "delete from lines where oid in (select oid from orders where cid in (3, 7))",
           "delete from orders where cid in (3, 7)", "update orders set amount = -1 where oid = 60")  # fmt: skip
    before = ask("select * from charge where account = 105 order by oid")
    summary = shop.run(round="2")
    assert balanced(summary)
    assert (summary.counters.done, shop.set_aside(summary.run.id).keys()) == (19, {"6"})
    assert ask("select * from charge where account = 105 order by oid") == before
    rows = (
        "select name, o.oid, amount, l.lid, what from {} a left join {} o on o.{} = a.id"
        " left join {} l on l.{} = o.oid where a.id <> {}"
    )
    source = shop.rows("legacy", rows.format("customers", "orders", "cid", "lines", "oid", 6))
    assert set(ask(rows.format("account", "charge", "account", "part", "charge", 105))) == set(source)


def test_a_retry_writes_over_what_another_run_has_moved_meanwhile(shop):
    shop.write({"rules/30_c/bad.sql": "select unit_key, 'bad' as reason from legacy.customers where id = 5"})
    first = shop.run()
    aside = shop.set_aside(first.run.id)["5"]
    (shop.job / "rules/30_c/bad.sql").unlink()
    assert shop.run(round="2").counters.done == 20
    change(shop, "update customers set name = 'New' where id = 5")
    started = try_again(shop.site, first.run.id, [aside.position], shop.job)
    run_worker(shop.site, first.run.id)
    started.lock.release()
    assert summarize(shop.site, first.run.id).counters.done == 20
    assert differences(shop) == []
