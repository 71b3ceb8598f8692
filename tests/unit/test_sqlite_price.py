"""What a missing index costs on SQLite is told by the rows that are there, whatever numbers they carry."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from ludb.dialects import sqlite_inspect
from ludb.dialects.sqlite_inspect import price
from ludb.dialects.sqlite_schema import reflect


@pytest.fixture
def file():
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("create table orders (oid integer primary key, cid int)")
        connection.executemany("insert into orders values (?, ?)", [(10**12 + n * 1000, n % 7) for n in range(500)])
        yield connection


def rows(file) -> int:
    found = price(file, reflect(file, "legacy", "orders"), ["cid"])
    assert found is not None
    assert found.remedy == 'CREATE INDEX "orders_cid" ON "orders" ("cid")'
    return found.rows


def test_large_row_numbers_are_no_price(file):
    assert rows(file) == 500


def test_what_analyze_saw_is_believed_and_nothing_is_counted(file):
    file.execute("create index by_both on orders(oid, cid)")
    file.execute("analyze")
    file.execute("update sqlite_stat1 set stat = '70000000 1'")
    assert rows(file) == 70_000_000


def test_a_table_without_statistics_is_counted_up_to_a_limit(file, monkeypatch):
    file.execute("analyze")
    file.execute("delete from sqlite_stat1")
    monkeypatch.setattr(sqlite_inspect, "COUNTED", 100)
    assert rows(file) == 100


def test_an_index_that_leads_to_the_column_costs_nothing(file):
    file.execute("create index by_cid on orders(cid)")
    assert price(file, reflect(file, "legacy", "orders"), ["cid"]) is None
