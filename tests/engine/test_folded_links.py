"""A server joins `A` and `a`, or `a` and `a `; what is staged is joined by bytes. No customer loses rows by the difference."""

from __future__ import annotations

import pytest

from ludb.errors import ConfigError
from ludb.model.run import RunState
from ludb.service.runs import start
from ludb.service.selection import EVERYTHING, Selection

TABLES = {
    "sqlite": """
        create table customers (id text primary key collate nocase, name text);
        create table orders (oid integer primary key, cid text collate nocase)""",
    "mysql": """
        create table customers (id varchar(9) collate utf8mb4_general_ci primary key, name varchar(9));
        create table orders (oid integer primary key, cid varchar(9) collate utf8mb4_general_ci, key (cid))""",
    "postgres": """
        create table customers (id char(3) primary key, name text);
        create table orders (oid integer primary key, cid varchar(9))""",
}
ROWS = """
insert into customers values ('A', 'Ada'), ('B', 'Bo');
insert into orders values (1, 'B'), (2, '{other}')"""
OTHER = {"sqlite": "a", "mysql": "a", "postgres": "A "}
UNIT = """
  root: legacy.customers
  key: id
  tables:
    orders: {parent: customers, on: {cid: id}}
"""


@pytest.fixture(params=["sqlite", "mysql", "postgres"])
def estate(request, desk, job_text):
    """A customer whose order is linked by the server's own comparison only; gives the desk and a way to change the source."""
    kind = request.param
    script = TABLES[kind].replace(";\n", ";\n").strip() + ";" + ROWS.format(other=OTHER[kind]) + ";\n"
    text = job_text(UNIT, chunk=10)
    if kind == "sqlite":
        desk.database("legacy", script)
    else:
        url = request.getfixturevalue("postgres_database" if kind == "postgres" else "mariadb_database")(script)
        desk.environment["LEGACY"] = url
        text = text.replace("legacy: {type: sqlite", f"legacy: {{type: {kind}")
    desk.database(
        "new", "create table person (id text primary key); create table item (oid integer primary key, id text)"
    )
    desk.write(
        {
            "job.yaml": text,
            "steps/1/new.person.sql": "select unit_key, rtrim(id) as id from legacy.customers",
            "steps/1/new.item.sql": "select unit_key, oid, rtrim(cid) as id from legacy.orders",
        }
    )
    return desk


def test_read_directly_the_row_is_its_customers_and_staged_it_is_refused_by_name_and_not_lost(estate, balanced):
    text = (estate.job / "job.yaml").read_text()
    (estate.job / "job.yaml").write_text(text.replace("chunk_units: 10", "chunk_units: 10, extract: staged"))
    with pytest.raises(ConfigError, match=r"legacy.orders to legacy.customers \(cid = id\): [12] pairs") as caught:
        start(estate.site, estate.job, {}, EVERYTHING)
    assert "extract: direct" in caught.value.remedy
    (estate.job / "job.yaml").write_text(text)
    summary = estate.run()
    assert (summary.run.state, summary.counters.done) == (RunState.COMPLETED, 2)
    assert balanced(summary)
    assert estate.rows("new", "select oid from item order by oid") == [(1,), (2,)]


def test_a_pilot_does_not_call_such_a_row_an_orphan(estate):
    with pytest.raises(ConfigError, match=r"legacy\.orders to legacy\.customers"):
        start(estate.site, estate.job, {}, Selection(limit=1))
