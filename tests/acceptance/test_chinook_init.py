"""Chinook on the servers: `ludb init` proposes a job that moves every row, also from one kind of database into another."""

from __future__ import annotations

import os
import re
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import psycopg
import pyarrow.dataset as ds
import pymysql
import pytest

CHINOOK = Path(__file__).parents[3] / "shared" / "data" / "chinook"
SHOP = """
create table "Customer" ("CustomerId" int primary key, "FirstName" varchar(40) not null, "LastName" varchar(20) not null,
  "Company" varchar(80), "Address" varchar(70), "City" varchar(40), "State" varchar(40), "Country" varchar(40),
  "PostalCode" varchar(10), "Phone" varchar(24), "Fax" varchar(24), "Email" varchar(60) not null, "SupportRepId" int);
create table "Invoice" ("InvoiceId" int primary key, "CustomerId" int not null references "Customer",
  "InvoiceDate" timestamp not null, "BillingAddress" varchar(70), "BillingCity" varchar(40), "BillingState" varchar(40),
  "BillingCountry" varchar(40), "BillingPostalCode" varchar(10), "Total" numeric(10,2) not null);
create table "InvoiceLine" ("InvoiceLineId" int primary key, "InvoiceId" int not null references "Invoice",
  "TrackId" int not null, "UnitPrice" numeric(10,2) not null, "Quantity" int not null);
"""
TABLES = ("Customer", "Invoice", "InvoiceLine")


def script(kind: str) -> str:
    path = CHINOOK / {"postgres": "Chinook_PostgreSql.sql", "mariadb": "Chinook_MySql.sql"}[kind]
    if not path.exists():
        message = f"NOT TESTED: {path.name} is not beside the repository"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    lines = path.read_text(encoding="utf-8-sig").splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith(("\\c", "CREATE DATABASE", "DROP DATABASE", "USE "))]
    return ("SET NAMES utf8mb4;\n" if kind == "mariadb" else "") + "".join(kept)


def rows_of(url: str, table: str) -> list[tuple]:
    if url.startswith("postgresql"):
        name = table if url.endswith("#shop") else re.sub(r"(?<!^)(?=[A-Z])", "_", table).lower()
        with psycopg.connect(url.removesuffix("#shop")) as connection:
            return connection.execute(f'select * from "{name}" order by 1').fetchall()
    port, database = re.search(r":(\d+)/(\w+)", url).groups()
    connection = pymysql.connect(host="127.0.0.1", port=int(port), user="root", database=database)
    with closing(connection), connection.cursor() as cursor:
        cursor.execute(f"select * from {table} order by 1")
        return list(cursor.fetchall())


@pytest.fixture
def bench(shop, ready, tmp_path):
    """A desk with nothing on it."""
    (tmp_path / "desk").mkdir()
    made = type(shop)(tmp_path / "desk", ready)
    yield made
    made.close()


@pytest.mark.parametrize("kind", ["postgres", pytest.param("mariadb", marks=pytest.mark.long)])
def test_the_proposed_job_moves_every_customer_of_a_server_row_by_row(request, bench, kind):
    url = request.getfixturevalue(f"{kind}_database")(script(kind))
    said = bench.ludb("init", "shop", "--from", url)
    assert said.code == 0, said.err
    assert "taking customer;" in said.err.lower()
    bench.environment["LEGACY_URL"] = url
    assert bench.ludb("check", "shop").code == 0
    looked = bench.ludb("check", "shop", "--connect")
    assert looked.code == 0, looked.out
    moved = bench.ludb("run", "shop", "--json")
    assert (moved.code, moved.json["counters"]["done"]) == (0, 59), moved.err
    for table in TABLES:
        name = next(path.name for path in (bench.folder / "shop/out").iterdir() if path.name.replace("_", "") == table.lower()
                    or path.name == table)  # fmt: skip
        parts = (bench.folder / "shop/out" / name).glob("part-*")
        found = ds.dataset([str(path) for path in parts]).to_table().to_pylist()
        assert sorted((tuple(row.values()) for row in found), key=lambda row: row[0]) == rows_of(url, table)


@pytest.mark.long
def test_customers_go_from_mariadb_into_postgres_with_every_row_and_cent(bench, postgres_database, mariadb_database):
    legacy, shop = mariadb_database(script("mariadb")), postgres_database(SHOP)
    said = bench.ludb("init", "shop", "--from", legacy, "--to", shop)
    assert said.code == 0, said.err
    bench.environment |= {"LEGACY_URL": legacy, "NEW_URL": shop}
    moved = bench.ludb("run", "shop", "--json")
    assert (moved.code, moved.json["counters"]["done"]) == (0, 59), moved.err + moved.out
    for table in TABLES:
        assert rows_of(f"{shop}#shop", table) == rows_of(legacy, table)
    assert sum(row[-1] for row in rows_of(f"{shop}#shop", "Invoice")) == Decimal("2328.60")
    assert spent(shop) == spent(legacy)
    assert len(spent(shop)) == 59


def spent(url: str) -> dict[int, Decimal]:
    """What each customer's invoices, and the lines of them, say that was paid: both must agree."""
    invoices = {row[0]: (row[1], row[-1]) for row in rows_of(f"{url}#shop" if "postgresql" in url else url, "Invoice")}
    lines = rows_of(f"{url}#shop" if "postgresql" in url else url, "InvoiceLine")
    total: dict[int, Decimal] = {}
    by_line: dict[int, Decimal] = {}
    for customer, amount in invoices.values():
        total[customer] = total.get(customer, Decimal(0)) + amount
    for _, invoice, _, price, quantity in lines:
        customer = invoices[invoice][0]
        by_line[customer] = by_line.get(customer, Decimal(0)) + price * quantity
    assert total == by_line
    return total


def test_the_proposed_job_of_the_sqlite_file_passes_its_look_and_moves_everybody(bench):
    path = CHINOOK / "Chinook_Sqlite.sqlite"
    if not path.exists():
        message = f"NOT TESTED: {path.name} is not beside the repository"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    said = bench.ludb("init", "shop", "--from", str(path))
    assert said.code == 0, said.err
    bench.environment["LEGACY_URL"] = str(path)
    looked = bench.ludb("check", "shop", "--connect")
    assert looked.code == 0, looked.out
    moved = bench.ludb("run", "shop", "--json")
    assert (moved.code, moved.json["counters"]["done"]) == (0, 59), moved.err
