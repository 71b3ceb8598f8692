"""Real input through the command line: Chinook's customers go from MariaDB into MariaDB, every row compared."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pymysql
import pytest

CHINOOK = Path(__file__).parents[3] / "shared" / "data" / "chinook" / "Chinook_MySql.sql"
TABLES = ("Customer", "Invoice", "InvoiceLine")
JOB = """
    name: chinook
    systems:
      legacy: {type: mysql, url: "${LEGACY}"}
      shop:   {type: mysql, url: "${SHOP}"}
    unit:
      root: legacy.Customer
      key: CustomerId
      tables:
        Invoice:     {parent: Customer, on: CustomerId}
        InvoiceLine: {parent: Invoice, on: InvoiceId}
    settings: {chunk_units: 20, workers: 2}
"""


@pytest.fixture
def chinook() -> str:
    if not CHINOOK.exists():
        message = f"{CHINOOK.name} is not here: the test of real input cannot run"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    script = CHINOOK.read_text(encoding="utf-8-sig")
    return "".join(
        line
        for line in script.splitlines(keepends=True)
        if not line.startswith(("DROP DATABASE", "CREATE DATABASE", "USE "))
    )


@pytest.mark.long
def test_every_chinook_customer_arrives_in_mariadb_with_every_row(desk, chinook, mariadb_database, mariadb_server):
    tables, _, _ = chinook.partition("INSERT INTO")
    legacy = mariadb_database(f"SET NAMES utf8mb4;\n{chinook}")
    wanted = [part for part in tables.split(";\n") if any(f"TABLE `{name}`\n" in part for name in TABLES)]
    shop = mariadb_database(";\n".join(part for part in wanted if "CREATE TABLE" in part))
    steps = {
        f"steps/{number}0_x/shop.{table}.sql": f"select unit_key, * exclude (unit_key) from legacy.{table}"
        for number, table in enumerate(TABLES, 1)
    }
    desk.write({"job.yaml": JOB, **steps})
    done = subprocess.run(
        [sys.executable, "-m", "ludb", "run", str(desk.job), "--state", str(desk.state)],
        env=os.environ | {"LEGACY": legacy, "SHOP": shop},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with (
        pymysql.connect(host="127.0.0.1", port=mariadb_server.port, user="root") as connection,
        connection.cursor() as look,
    ):
        old, new = legacy.rsplit("/", 1)[1], shop.rsplit("/", 1)[1]
        for table in TABLES:
            found = []
            for database in (old, new):
                look.execute(f"SELECT * FROM {database}.{table} ORDER BY 1")
                found.append(look.fetchall())
            assert found[0] == found[1]
        assert len(found[1]) == 2240
        look.execute(f"SELECT count(*) FROM {new}.ludb_ledger")
        assert look.fetchone() == (3,)
