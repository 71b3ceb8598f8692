"""A job whose source and target are named by their SQLAlchemy addresses: whole units, and the bad one set aside."""

from __future__ import annotations

import pytest

from ludb.errors import ConfigErrors
from ludb.model.run import RunState

JOB = """
name: shop
systems:
  legacy: {{type: sqlalchemy, url: "sqlite:///${{LEGACY}}"}}
  new:    {{type: sqlalchemy, url: "sqlite:///${{NEW}}"}}
unit:
  root: legacy.customers
  key: id
  tables:
    orders: {{parent: customers, on: {{cid: id}}}}
outputs:
  new.account: {mode}
  new.charge:  {mode}
settings: {{chunk_units: 5, workers: 1, extract: {extract}}}
"""
STEPS = {
    "steps/10_account/new.account.sql": "select unit_key, id, name from legacy.customers",
    "steps/20_charge/new.charge.sql": "select unit_key, oid, cid as account, amount from legacy.orders",
}


@pytest.fixture
def shop(desk):
    """20 customers with two orders each; one of customer 7 costs less than nothing."""
    desk.database(
        "legacy",
        "create table customers (id integer primary key, name text);"
        "create table orders (oid integer primary key, cid int, amount int);"
        + "".join(
            f"insert into customers values ({key}, 'c{key}');"
            f"insert into orders values ({key * 2}, {key}, {key - 8 if key == 7 else key}), ({key * 2 + 1}, {key}, 1);"
            for key in range(1, 21)
        ),
    )
    desk.database(
        "new",
        "create table account (id integer primary key, name text not null);"
        "create table charge (oid integer primary key, account int not null references account(id),"
        "  amount int check (amount >= 0));",
    )
    return desk


@pytest.mark.parametrize("extract", ["direct", "staged"])
def test_every_customer_moves_whole_and_the_bad_one_is_set_aside(shop, extract):
    """Direct and staged alike."""
    shop.write({"job.yaml": JOB.format(mode="{mode: insert}", extract=extract), **STEPS})
    first = shop.run()
    assert first.run.state is RunState.EXCEPTIONS
    assert [found.unit_key for found in shop.set_aside(first.run.id).values()] == ["7"]
    moved = [(key,) for key in range(1, 21) if key != 7]
    assert shop.rows("new", "select id from account order by id") == moved
    assert shop.rows("new", "select count(*), count(distinct account) from charge") == [(38, 19)]


def test_a_mode_that_it_has_not_is_a_mistake_of_the_job(shop):
    """Before anything moves, and by name."""
    shop.write({"job.yaml": JOB.format(mode="{mode: upsert}", extract="direct"), **STEPS})
    with pytest.raises(ConfigErrors, match="upsert"):
        shop.run()
    assert shop.rows("new", "select count(*) from account") == [(0,)]
