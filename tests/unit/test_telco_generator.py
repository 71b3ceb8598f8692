"""The demo's legacy database: the same for the same seed, as big and as dirty as it says."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

TELCO = Path(__file__).parents[2] / "examples" / "telco"
CUSTOMERS = 2_000


def generate(out: Path, customers: int, seed: int, *more: str) -> tuple[dict, str]:
    """Run the command line as a user would; returns the truth and what was printed."""
    command = [sys.executable, str(TELCO / "generate.py"), "--customers", str(customers), "--seed", str(seed)]
    done = subprocess.run([*command, "--out", str(out), *more], capture_output=True, text=True, check=True)
    return json.loads((out / "expected.json").read_text(encoding="utf-8")), done.stdout


@pytest.fixture(scope="module")
def estate(tmp_path_factory):
    out = tmp_path_factory.mktemp("estate")
    started = time.monotonic()
    truth, said = generate(out, CUSTOMERS, 7)
    took = time.monotonic() - started
    with closing(sqlite3.connect(out / "legacy.sqlite")) as db:
        yield {"db": db, "truth": truth, "said": said, "took": took, "out": out}


def column(db: sqlite3.Connection, sql: str) -> list:
    return [row[0] for row in db.execute(sql)]


def content(out: Path) -> str:
    """A digest of every row and of the truth, not of the file's bytes (they depend on SQLite's version)."""
    digest = hashlib.sha256((out / "expected.json").read_bytes())
    with closing(sqlite3.connect(out / "legacy.sqlite")) as db:
        for line in db.iterdump():
            digest.update(line.encode())
    return digest.hexdigest()


def test_the_same_seed_makes_the_same_estate_and_another_seed_another_one(tmp_path):
    for name, seed in (("one", 3), ("two", 3), ("three", 4)):
        generate(tmp_path / name, 120, seed)
    assert content(tmp_path / "one") == content(tmp_path / "two")
    assert content(tmp_path / "one") != content(tmp_path / "three")


def test_generating_again_into_the_same_folder_starts_from_nothing(tmp_path):
    generate(tmp_path, 100, 1)
    first = content(tmp_path)
    generate(tmp_path, 100, 1)
    assert content(tmp_path) == first


def test_two_thousand_customers_take_seconds_and_the_command_says_what_to_expect(estate):
    assert estate["took"] < 15
    truth = estate["truth"]
    rows, bad = sum(truth["rows"].values()), len(truth["quarantined"])
    assert estate["said"].strip() == (f"2000 customers, {rows} rows; {truth['moved']} will move, {bad} will not")


def test_a_customer_has_about_fifty_rows_most_few_and_some_thousands(estate):
    db, truth = estate["db"], estate["truth"]
    assert 35 < sum(truth["rows"].values()) / truth["units"] < 65
    per_customer = Counter(column(db, "SELECT customer_id FROM invoices JOIN invoice_lines USING (invoice_id)"))
    per_customer.update(
        column(
            db,
            """SELECT customer_id FROM usage_records JOIN services USING (service_id)
               JOIN subscriptions USING (subscription_id) JOIN contracts USING (contract_id)""",
        )
    )
    sizes = sorted(per_customer.values())
    assert sizes[len(sizes) // 2] < 40
    assert 2 <= sum(size > 1_000 for size in sizes) <= 20


def test_the_truth_counts_every_row_as_of_a_unit_or_as_an_orphan(estate):
    db, truth = estate["db"], estate["truth"]
    for table, rows in truth["rows"].items():
        orphans = sum(truth["orphans"].get(table, {}).values())
        assert column(db, f"SELECT count(*) FROM {table}") == [rows + orphans], table
    assert truth["orphans"]["contracts"]["direct"] == 10
    assert truth["orphans"]["subscriptions"]["indirect"] > 0
    assert truth["orphans"]["services"]["direct"] > 0
    assert truth["orphans"]["payments"]["direct"] > 0
    assert truth["moved"] == truth["units"] - len(truth["quarantined"])


def test_every_kind_of_dirt_is_there_a_handful_of_times_and_spread(estate):
    kinds = Counter(entry["reason"] for entry in estate["truth"]["quarantined"].values())
    assert set(kinds.values()) == {4}
    assert len(kinds) == 12
    spoilt = sorted(int(key) for key in estate["truth"]["quarantined"])
    known = column(estate["db"], "SELECT customer_id FROM customers ORDER BY customer_id")
    quarters = Counter(known.index(key) * 4 // len(known) for key in spoilt)
    assert min(quarters.values()) >= 6


def test_strays_point_to_another_customers_invoice_and_only_theirs_do(estate):
    sql = "SELECT p.customer_id FROM payments p JOIN invoices i USING (invoice_id) WHERE p.customer_id <> i.customer_id"
    assert sorted(column(estate["db"], sql)) == wanted(estate, "stray_payment")


def test_whoever_is_not_first_with_a_mobile_number_is_the_one_set_aside(estate):
    sql = """SELECT c.customer_id, s.msisdn FROM services s JOIN subscriptions USING (subscription_id)
             JOIN contracts c USING (contract_id) JOIN customers USING (customer_id)
             WHERE s.msisdn IS NOT NULL ORDER BY c.customer_id"""
    first: dict[str, int] = {}
    later = {key for key, number in estate["db"].execute(sql) if first.setdefault(number, key) != key}
    assert sorted(later) == wanted(estate, "duplicate_msisdn")
    holders = Counter(number for _, number in estate["db"].execute(sql))
    assert max(holders.values()) == 3, "one number is claimed by three customers"


def test_the_other_defects_are_where_the_truth_says_and_nowhere_else(estate):
    found = {
        "wrong_type": "SELECT customer_id FROM contracts WHERE typeof(term_months) = 'text'",
        "no_contact": """SELECT customer_id FROM customers WHERE customer_id NOT IN
            (SELECT customer_id FROM contacts WHERE trim(coalesce(value, '')) <> '')""",
        "unknown_tariff": """SELECT customer_id FROM subscriptions JOIN contracts USING (contract_id)
            WHERE tariff_code NOT IN (SELECT tariff_code FROM tariffs)""",
        "charges_differ": """SELECT customer_id FROM invoices i WHERE abs(total - coalesce(
            (SELECT sum(amount) FROM invoice_lines l WHERE l.invoice_id = i.invoice_id), 0)) > 0.001""",
        "nameless": """SELECT customer_id FROM customers WHERE kind = 'P'
            AND trim(coalesce(first_name, '')) = '' AND trim(coalesce(last_name, '')) = ''""",
        "name_too_long": "SELECT customer_id FROM customers WHERE length(company_name) > 80",
        "duplicate_contract": """SELECT customer_id FROM contracts GROUP BY contract_no HAVING count(*) > 1""",
        "service_without_kind": """SELECT customer_id FROM services s JOIN subscriptions USING (subscription_id)
            JOIN contracts USING (contract_id) WHERE s.kind = ''""",
        "unreadable_msisdn": """SELECT customer_id FROM services s JOIN subscriptions USING (subscription_id)
            JOIN contracts USING (contract_id) WHERE s.msisdn LIKE '%SIEHE%'""",
    }
    for code, sql in found.items():
        assert sorted(column(estate["db"], sql)) == wanted(estate, code), code


def wanted(estate, code: str) -> list[int]:
    return [int(key) for key, entry in estate["truth"]["quarantined"].items() if entry["reason"] == code]


def test_the_dirt_that_heals_is_there_too(estate):
    db = estate["db"]
    assert column(db, "SELECT count(*) FROM customers WHERE created_on LIKE '__.__.____'")[0] > 500
    assert column(db, "SELECT count(*) FROM customers WHERE created_on LIKE '____-__-__'")[0] > 500
    assert column(db, "SELECT count(*) FROM contracts WHERE ends_on = '0000-00-00'")[0] > 100
    assert column(db, "SELECT count(*) FROM contracts WHERE ends_on = ''")[0] > 100
    assert column(db, "SELECT count(*) FROM customers WHERE last_name LIKE '%Ã%' OR company_name LIKE '%Ã%'")[0] > 20
    empty = "SELECT count(*) FROM customers WHERE customer_id NOT IN (SELECT customer_id FROM contracts)"
    assert column(db, empty)[0] > 20


def test_links_are_indexed_and_money_has_its_type(estate):
    db = estate["db"]
    for table, link in {
        "contracts": "customer_id",
        "invoice_lines": "invoice_id",
        "usage_records": "service_id",
    }.items():
        (plan,) = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN SELECT * FROM {table} WHERE {link} = 1")]
        assert "USING INDEX" in plan
    declared = {row[1]: row[2] for row in db.execute("PRAGMA table_info(invoices)")}
    assert declared["total"] == "DECIMAL(12,2)"


def test_the_new_billing_database_is_empty_and_keeps_its_constraints(estate):
    with closing(sqlite3.connect(estate["out"] / "billing.sqlite")) as db:
        tables = column(db, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
        assert tables == ["account", "address", "charge", "contract", "payment", "subscription", "usage_summary"]
        assert not [table for table in tables if column(db, f"SELECT count(*) FROM {table}") != [0]]
        row = (1, 1, "c", "person", "x" * 81, None, "active", None, None)
        with pytest.raises(sqlite3.IntegrityError, match="account_name_fits"):
            db.execute("INSERT INTO account VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)


def test_too_few_customers_for_the_dirt_asked_for_is_said_plainly(tmp_path):
    command = [
        sys.executable,
        str(TELCO / "generate.py"),
        "--customers",
        "20",
        "--dirt-per-kind",
        "9",
        "--out",
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "too few customers for the defect" in done.stderr
    assert "Traceback" not in done.stderr
