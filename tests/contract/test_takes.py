"""A take shows one moment of a server, however long its tables take to read."""

from __future__ import annotations

from contextlib import closing

import psycopg
import pymysql
import pytest

from ludb.dialects.mysql import MysqlSystem
from ludb.dialects.postgres import PostgresSystem
from ludb.dialects.settings import Surroundings
from ludb.model.unit import TableRef, UnitTable
from ludb.sources.mysql import MysqlSource
from ludb.sources.postgres import PostgresSource
from ludb.unitdb.takes import Scan, write_take

TABLES = """
create table customers (id int primary key, name varchar(20));
create table orders (oid int primary key, cid int);
insert into customers values (1, 'a'), (2, 'b');
insert into orders values (10, 1), (11, 2);
"""
ROOT = UnitTable("customers", TableRef("legacy", "customers"))
CHILD = UnitTable("orders", TableRef("legacy", "orders"), "customers", (("cid", "id"),))


@pytest.fixture(params=["postgres", "mariadb"])
def server(request, tmp_path):
    """A source on a real server, and a way to change the server behind its back."""
    around = Surroundings(tmp_path, tmp_path, {})
    url = request.getfixturevalue(f"{request.param}_database")(TABLES)
    if request.param == "postgres":
        source = PostgresSource("legacy", PostgresSystem(type="postgres", url=url), around)
        connection = psycopg.connect(url, autocommit=True)
    else:
        source = MysqlSource("legacy", MysqlSystem(type="mysql", url=url), around)
        place = url.rsplit("/", 1)[1].split("?")[0]
        port = int(url.rsplit(":", 1)[1].split("/")[0])
        connection = pymysql.connect(host="127.0.0.1", port=port, user="root", database=place, autocommit=True)
    with closing(connection), connection.cursor() as cursor:
        yield source, cursor.execute
    source.close()


def test_what_others_commit_while_a_take_is_written_is_not_in_it(server, tmp_path):
    source, change = server

    def scans():
        yield Scan(ROOT, source.columns(ROOT), source.scan(ROOT))
        change("insert into customers values (3, 'c')")
        change("insert into orders values (12, 3)")
        change("delete from orders where oid = 10")
        yield Scan(CHILD, source.columns(CHILD), source.scan(CHILD))

    with source.snapshot():
        take = write_take(tmp_path / "take", "legacy", scans(), source.keys(ROOT, ["id"]), taken_at=0.0)
    (orders,) = take.scan(CHILD)
    assert sorted(orders.rows.column("oid").to_pylist()) == [10, 11]
    (keys,) = take.keys(ROOT, ["id"])
    assert keys.column("id").to_pylist() == [1, 2]
    (now,) = source.scan(CHILD)
    assert sorted(now.rows.column("oid").to_pylist()) == [11, 12]
