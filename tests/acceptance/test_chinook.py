"""Real input: Chinook's customers arrive in the shop and the CRM, every row and every cent."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from ludb.model.run import RunState

ROOT = Path(__file__).parents[2]
CHINOOK = ROOT.parent / "shared" / "data" / "chinook" / "Chinook_Sqlite.sqlite"


@pytest.fixture
def chinook() -> Path:
    if not CHINOOK.exists():
        message = f"the Chinook database is not at {CHINOOK.name}: the test of real input cannot run"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    return CHINOOK


@pytest.fixture
def crm(tmp_path):
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "examples/telco/simulator.py"), "crm", "--store", str(tmp_path / "crm.sqlite")],
        stdout=subprocess.PIPE,
        text=True,
    )
    line = process.stdout.readline()
    yield line.split("listening on ")[1].strip()
    process.terminate()
    process.wait()
    process.stdout.close()


def rows(path: Path, query: str) -> list[tuple]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def test_every_chinook_customer_arrives_with_every_row_and_the_same_sums(desk, chinook, crm):
    shop = desk.database("shop", (ROOT / "examples/chinook/shop_schema.sql").read_text(encoding="utf-8"))
    desk.environment |= {
        "CHINOOK_URL": str(chinook),
        "SHOP_URL": str(shop),
        "CRM_URL": f"{crm}/tmf-api/customerManagement/v4",
    }
    shutil.copytree(ROOT / "examples/chinook/job", desk.job)
    summary = desk.run()
    assert summary.run.state is RunState.COMPLETED
    assert summary.counters.done == 59
    assert all(line.balances for line in summary.source)

    assert rows(shop, "select customer_id, first_name, last_name, company, email from customer order by 1") == rows(
        chinook, "select CustomerId, FirstName, LastName, Company, Email from Customer order by 1"
    )
    assert rows(shop, "select invoice_no, customer_id, ordered_on, total from orders order by 1") == rows(
        chinook, "select InvoiceId, CustomerId, date(InvoiceDate), Total from Invoice order by 1"
    )
    assert rows(
        shop,
        "select line_id, invoice_no, track, artist, unit_price, quantity from order_line join orders using (order_id) order by 1",
    ) == rows(
        chinook,
        "select InvoiceLineId, InvoiceId, t.Name, r.Name, l.UnitPrice, Quantity from InvoiceLine l join Track t using (TrackId) "
        "left join Album a using (AlbumId) left join Artist r using (ArtistId) order by 1",
    )
    per_customer = "select customer_id, count(*), cast(round(sum(unit_price * quantity) * 100) as int) from order_line "
    per_customer += "join orders using (order_id) group by 1 order by 1"
    assert rows(shop, per_customer) == rows(
        chinook,
        "select CustomerId, count(*), cast(round(sum(UnitPrice * Quantity) * 100) as int) from InvoiceLine "
        "join Invoice using (InvoiceId) group by 1 order by 1",
    )
    with urllib.request.urlopen(f"{crm}/control/dump") as answer:
        alive = {one["id"]: one["name"] for one in json.load(answer)}
    linked = rows(shop, "select crm_id, first_name || ' ' || last_name from customer")
    assert alive == dict(linked)
