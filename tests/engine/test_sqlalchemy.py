"""A job whose source and target are named by their SQLAlchemy addresses: whole units, and the bad one set aside."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from ludb.model.run import RunState

JOB = """
name: shop
systems:
  legacy: {{type: sqlalchemy, url: "${{LEGACY}}"}}
  new:    {{type: sqlalchemy, url: "${{NEW}}"}}
unit:
  root: legacy.customers
  key: id
  tables:
    orders: {{parent: customers, on: {{cid: id}}}}
parameters: {{round: {{type: integer, default: 1}}}}
outputs:
  new.account: {account}
  new.charge:  {charge}
settings: {{chunk_units: 5, workers: 1, extract: {extract}}}
"""
STEPS = {
    "steps/10_account/new.account.sql": "select unit_key, id, name from legacy.customers",
    "steps/20_charge/new.charge.sql": "select unit_key, oid, cid as account, amount from legacy.orders",
}
LEGACY = (
    "create table customers (id integer primary key, name varchar(20));\n"
    "create table orders (oid integer primary key, cid int, amount int);\n"
     "insert into customers values " + ", ".join(f"({key}, 'c{key}')" for key in range(1, 21)) + ";\n"
    + "insert into orders values "
    + ", ".join(f"({key * 2}, {key}, {key - 8 if key == 7 else key}), ({key * 2 + 1}, {key}, 1)" for key in range(1, 21))
)  # fmt: skip
"""20 customers with two orders each; one of customer 7 costs less than nothing."""
NEW = (
    "create table account (id integer primary key, name varchar(20) not null, note varchar(20) default 'kept');\n"
    "create table charge (oid integer primary key, account integer not null, amount int check (amount >= 0),"
    " foreign key (account) references account (id))"
)
CHANGES = (
    "update customers set name = 'new' where id = 3", "update orders set amount = 1 where cid = 7",
    "delete from orders where cid = 4", "insert into orders values (99, 5, 9)",
)  # fmt: skip
INSERT = "{mode: insert}"


@pytest.fixture(params=["sqlite", "postgresql+psycopg", "mysql+pymysql"])
def shop(request, desk):
    """Two databases of one kind."""
    if request.param == "sqlite":
        made = [f"sqlite:///{desk.database(name, script)}" for name, script in (("legacy", LEGACY), ("new", NEW))]
    else:
        name = "postgres_database" if request.param.startswith("postgresql") else "mariadb_database"
        make = request.getfixturevalue(name)
        tail = "?ssl_disabled=true" if "mysql" in request.param else ""  # a TLS context takes as long as a chunk
        made = [request.param + make(script)[len(request.param.partition("+")[0]) :] + tail for script in (LEGACY, NEW)]
    desk.environment |= dict(zip(("LEGACY", "NEW"), made, strict=True))
    return desk


def asked(desk, name, *statements):
    with sa.create_engine(desk.environment[name], poolclass=sa.pool.NullPool).begin() as connection:
        found = [connection.exec_driver_sql(statement) for statement in statements]
        return [tuple(row) for row in found[-1]] if found[-1].returns_rows else []


def test_every_customer_moves_whole_and_the_bad_one_is_set_aside(shop):
    shop.write({"job.yaml": JOB.format(account=INSERT, charge=INSERT, extract="direct"), **STEPS})
    first = shop.run()
    assert first.run.state is RunState.EXCEPTIONS
    assert [found.unit_key for found in shop.set_aside(first.run.id).values()] == ["7"]
    moved = [(key,) for key in range(1, 21) if key != 7]
    assert asked(shop, "NEW", "select id from account order by id") == moved
    assert asked(shop, "NEW", "select count(*), count(distinct account) from charge") == [(38, 19)]


@pytest.mark.parametrize("shop", ["sqlite"], indirect=True)
def test_a_staged_job_moves_the_same(shop):
    shop.write({"job.yaml": JOB.format(account=INSERT, charge=INSERT, extract="staged"), **STEPS})
    assert (shop.run().counters.done, len(asked(shop, "NEW", "select id from account"))) == (19, 19)


def test_a_job_that_runs_again_writes_over_what_it_wrote(shop):
    """Accounts are merged and keep what others wrote; charges of a customer are replaced, and stay where nothing is to say."""
    modes = {"account": "{mode: upsert}", "charge": "{mode: replace_unit, by: {account: id}}"}
    shop.write({"job.yaml": JOB.format(**modes, extract="direct"), **STEPS})
    assert shop.run().counters.quarantined == 1
    asked(shop, "NEW", "insert into account values (100, 'stranger', 'own')", "insert into charge values (500, 100, 5)")
    asked(shop, "LEGACY", *CHANGES)
    again = shop.run(round="2")
    assert (again.run.state, again.counters.done) == (RunState.COMPLETED, 20)
    names = [(key, "new" if key == 3 else f"c{key}", "kept") for key in range(1, 21)]
    assert asked(shop, "NEW", "select id, name, note from account order by id") == [*names, (100, "stranger", "own")]
    source = asked(shop, "LEGACY", "select oid, cid, amount from orders order by oid")
    assert asked(shop, "NEW", "select oid, account, amount from charge order by oid") == [*source, (500, 100, 5)]
