"""Real input through the command line: Chinook's customers go from PostgreSQL into PostgreSQL, every row compared."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

CHINOOK = Path(__file__).parents[3] / "shared" / "data" / "chinook" / "Chinook_PostgreSql.sql"
TABLES = {
    "customer": "customer_id, first_name, last_name, company, address, city, state, country, postal_code, phone, fax, email",
    "invoice": "invoice_id, customer_id, invoice_date, billing_address, billing_city, billing_postal_code, total",
    "invoice_line": "invoice_line_id, invoice_id, track_id, unit_price, quantity",
}
SHOP = """
CREATE TABLE customer (customer_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, first_name varchar(40) NOT NULL,
  last_name varchar(20) NOT NULL, company varchar(80), address varchar(70), city varchar(40), state varchar(40),
  country varchar(40),
  postal_code varchar(10), phone varchar(24), fax varchar(24), email varchar(60) NOT NULL UNIQUE);
CREATE TABLE invoice (invoice_id int PRIMARY KEY, customer_id int NOT NULL REFERENCES customer, invoice_date timestamp NOT NULL,
  billing_address varchar(70), billing_city varchar(40), billing_postal_code varchar(10), total numeric(10,2) NOT NULL);
CREATE TABLE invoice_line (invoice_line_id int PRIMARY KEY, invoice_id int NOT NULL REFERENCES invoice, track_id int NOT NULL,
  unit_price numeric(10,2) NOT NULL, quantity int NOT NULL);
"""
JOB = """
    name: chinook
    systems:
      legacy: {type: postgres, url: "${LEGACY}"}
      shop:   {type: postgres, url: "${SHOP}", ledger: {schema: ludb}}
    unit:
      root: legacy.customer
      key: customer_id
      tables:
        invoice:      {parent: customer, on: customer_id}
        invoice_line: {parent: invoice, on: invoice_id}
    settings: {chunk_units: 20, workers: 2}
"""


@pytest.fixture
def chinook() -> str:
    if not CHINOOK.exists():
        message = f"{CHINOOK.name} is not here: the test of real input cannot run"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    script = CHINOOK.read_text(encoding="utf-8")
    return "".join(
        line
        for line in script.splitlines(keepends=True)
        if not line.startswith(("\\c", "CREATE DATABASE", "DROP DATABASE"))
    )


def test_every_chinook_customer_arrives_in_postgres_with_every_row(desk, chinook, postgres_database):
    legacy, shop = postgres_database(chinook), postgres_database(SHOP)
    steps = {
        f"steps/{number}0_{table}/shop.{table}.sql": f"select unit_key, {columns} from legacy.{table}"
        for number, (table, columns) in enumerate(TABLES.items(), 1)
    }
    desk.write({"job.yaml": JOB, **steps})
    environment = os.environ | {"LEGACY": legacy, "SHOP": shop}
    done = subprocess.run(
        [sys.executable, "-m", "ludb", "run", str(desk.job), "--state", str(desk.state)],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with psycopg.connect(legacy) as old, psycopg.connect(shop) as new:
        for table, columns in TABLES.items():
            asked = f"SELECT {', '.join(f'{name}::text' for name in columns.split(', '))} FROM {table} ORDER BY 1"
            assert new.execute(asked).fetchall() == old.execute(asked).fetchall()
        assert new.execute("SELECT count(*) FROM invoice_line").fetchone() == (2240,)
        assert new.execute("SELECT count(*) FROM ludb.ludb_ledger").fetchone() == (3,)
        assert new.execute("SELECT last_value FROM customer_customer_id_seq").fetchone() == (59,)
