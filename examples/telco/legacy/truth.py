"""What a right migration of the estate must come to, counted from the finished database: `expected.json`."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from legacy.estate import TABLES

LINKS = (
    ("addresses", "customers", "customer_id"),
    ("contacts", "customers", "customer_id"),
    ("contracts", "customers", "customer_id"),
    ("subscriptions", "contracts", "contract_id"),
    ("services", "subscriptions", "subscription_id"),
    ("usage_records", "services", "service_id"),
    ("invoices", "customers", "customer_id"),
    ("invoice_lines", "invoices", "invoice_id"),
    ("payments", "customers", "customer_id"),
)
"""Child, parent, column: parents stand before their children."""

OUTPUTS: Mapping[str, str] = {
    "crm.customer": "SELECT count(*) FROM moved_customers",
    "inventory.service": "SELECT count(*) FROM moved_services",
    "billing.account": "SELECT count(*) FROM moved_customers",
    "billing.address": "SELECT count(*) FROM moved_addresses",
    "billing.contract": "SELECT count(*) FROM moved_contracts",
    "billing.subscription": "SELECT count(*) FROM moved_subscriptions",
    "billing.charge": "SELECT count(*) FROM moved_invoice_lines",
    "billing.payment": "SELECT count(*) FROM moved_payments",
    "billing.usage_summary": """SELECT count(*) FROM (SELECT DISTINCT s.subscription_id, u.period, u.kind
        FROM moved_usage_records u JOIN moved_services s USING (service_id))""",
}
"""Rows that each output must hold in the end."""

SUMS: Mapping[str, str] = {
    "billing.charge.amount": "SELECT sum(CAST(round(amount * 100) AS INTEGER)) FROM moved_invoice_lines",
    "billing.payment.amount": "SELECT sum(CAST(round(amount * 100) AS INTEGER)) FROM moved_payments",
    "billing.usage_summary.charge": "SELECT sum(CAST(round(charge * 100) AS INTEGER)) FROM moved_usage_records",
}
"""Money that must arrive, in cents."""


def expected(db: sqlite3.Connection, defects: Mapping[int, str]) -> dict:
    """The whole truth. Works in temporary tables of the open connection; the file stays as it is."""
    _tag(db, defects)
    units = _one(db, "SELECT count(*) FROM customers")
    rows = {table: _one(db, f"SELECT count(*) FROM in_{table}") for table in TABLES if table != "tariffs"}
    return {
        "units": units,
        "moved": units - len(defects),
        "quarantined": {str(number): {"reason": code} for number, code in sorted(defects.items())},
        "orphans": _orphans(db),
        "rows": rows,
        "outputs": {name: _one(db, sql) for name, sql in OUTPUTS.items()},
        "cents": {name: _one(db, sql) or 0 for name, sql in SUMS.items()},
    }


def _one(db: sqlite3.Connection, sql: str) -> int:
    return db.execute(sql).fetchone()[0]


def _tag(db: sqlite3.Connection, defects: Mapping[int, str]) -> None:
    """Temporary tables `in_<table>` (rows of units) and `moved_<table>` (rows of clean units)."""
    db.execute("CREATE TEMP TABLE bad (customer_id INTEGER PRIMARY KEY)")
    db.executemany("INSERT INTO bad VALUES (?)", [(number,) for number in defects])
    for prefix, where in (("in", ""), ("moved", " WHERE customer_id NOT IN (SELECT customer_id FROM bad)")):
        db.execute(f"CREATE TEMP TABLE {prefix}_customers AS SELECT * FROM customers{where}")
        for child, parent, column in LINKS:
            inside = f"{column} IN (SELECT {column} FROM {prefix}_{parent})"
            db.execute(f"CREATE TEMP TABLE {prefix}_{child} AS SELECT * FROM {child} WHERE {inside}")
            db.execute(f"CREATE INDEX temp.{prefix}_{child}_key ON {prefix}_{child} ({_key(child)})")


def _key(table: str) -> str:
    return {"addresses": "address_id", "usage_records": "usage_id", "invoice_lines": "line_id"}.get(
        table, f"{table.removesuffix('s')}_id"
    )


def _orphans(db: sqlite3.Connection) -> dict:
    """Per table: rows whose very parent is missing (`direct`), rows whose parent is an orphan itself (`indirect`)."""
    found = {}
    for child, parent, column in LINKS:
        outside = f"SELECT count(*) FROM {child} WHERE {column} NOT IN (SELECT {column} FROM {{}})"
        direct, every = _one(db, outside.format(parent)), _one(db, outside.format(f"in_{parent}"))
        if every:
            found[child] = {"direct": direct, "indirect": every - direct}
    return found
