"""What is compared with: `sqlite3` programs that copy the same rows into the same tables and files, and do nothing else.

They clean nothing, check nothing, keep no journal and cannot go on where they stopped. Their only transformation is what
SQL needs to say so that the target's own constraints accept the rows.
"""

from __future__ import annotations

import argparse
import csv
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

FETCH = 10_000
"""Rows per fetchmany and executemany."""

_STATUS = "CASE {0}.status WHEN 'A' THEN 'active' WHEN 'S' THEN 'suspended' ELSE 'terminated' END"

TABLES: dict[str, tuple[str, str]] = {
    "account": (
        (
            "SELECT c.customer_id, c.customer_id, 'legacy-' || c.customer_id, "
            "CASE c.kind WHEN 'B' THEN 'business' ELSE 'person' END, "
            "CASE c.kind WHEN 'B' THEN c.company_name ELSE coalesce(c.first_name || ' ', '') || coalesce(c.last_name, '') END, "
            f"c.born_on, {_STATUS.format('c')}, c.credit_limit, c.created_on FROM customers c WHERE true"
        ),
        "c.customer_id",
    ),
    "address": (
        (
            "SELECT a.address_id, a.customer_id, a.kind, coalesce(a.street || ' ', '') || coalesce(a.house_no, ''), "
            "a.postcode, a.city, "
            "coalesce(a.country, 'DE') FROM addresses a WHERE true"
        ),
        "a.customer_id",
    ),
    "contract": (
        (
            "SELECT c.new_id, c.customer_id, c.contract_no, c.signed_on, c.ends_on, c.term_months, "
            f"{_STATUS.format('c')} FROM contracts c WHERE true"
        ),
        "c.customer_id",
    ),
    "subscription": (
        (
            "SELECT s.new_id, c.new_id, s.tariff_code, t.name, s.started_on, "
            f"s.monthly_fee, t.monthly_fee - s.monthly_fee, {_STATUS.format('s')} "
            "FROM contracts c CROSS JOIN subscriptions s USING (contract_id) CROSS JOIN tariffs t USING (tariff_code) "
            "WHERE true"
        ),
        "c.customer_id",
    ),
    "charge": (
        (
            "SELECT i.customer_id, i.invoice_no, l.line_no, i.issued_on, l.kind, l.description, l.amount "
            "FROM invoices i CROSS JOIN invoice_lines l USING (invoice_id) WHERE true"
        ),
        "i.customer_id",
    ),
    "payment": (
        (
            "SELECT p.payment_id, p.customer_id, i.invoice_no, p.paid_on, p.amount, p.method "
            "FROM payments p LEFT JOIN invoices i ON i.invoice_id = p.invoice_id WHERE true"
        ),
        "p.customer_id",
    ),
    "usage_summary": (
        (
            "SELECT s.new_id, u.period, u.kind, count(*), sum(u.quantity), sum(u.charge) "
            "FROM contracts c CROSS JOIN subscriptions s USING (contract_id) CROSS JOIN services v USING (subscription_id) "
            "CROSS JOIN usage_records u USING (service_id) WHERE true"
        ),
        "c.customer_id",
    ),
}
"""Target table -> the SELECT of its rows, parents before children, and the column that says whose they are. Each ends in
a condition, so that one customer's rows are the same SELECT `AND` that column `= ?`.
"""
FILES: dict[str, tuple[str, str]] = {
    "contact": (
        "SELECT k.contact_id, k.customer_id, k.kind, k.preferred, k.value FROM contacts k WHERE trim(k.value) <> ''",
        "k.customer_id",
    ),
    "service": (
        (
            "SELECT v.service_id, s.new_id, v.kind, v.msisdn, v.iccid, v.ont_serial, v.activated_on, v.status "
            "FROM contracts c CROSS JOIN subscriptions s USING (contract_id) CROSS JOIN services v USING (subscription_id) "
            "WHERE true"
        ),
        "c.customer_id",
    ),
}
"""The same for the files, by name."""
GROUPED = {"usage_summary": " GROUP BY 1, u.period, u.kind"}
"""What follows the condition of a SELECT."""


def copy(legacy: sqlite3.Connection, billing: sqlite3.Connection, archive: Path) -> None:
    """Everything, table by table, a transaction per table: the least that a program can do."""
    for table, (select, _) in TABLES.items():
        billing.execute("BEGIN IMMEDIATE")
        for rows in _fetched(legacy.execute(select + GROUPED.get(table, ""))):
            billing.executemany(_insert(table, len(rows[0])), rows)
        billing.execute("COMMIT")
    for name, (select, _) in FILES.items():
        with _synced(archive / f"{name}.csv") as writer:
            cursor = legacy.execute(select)
            writer.writerow([column for column, *_ in cursor.description])
            for rows in _fetched(cursor):
                writer.writerows(rows)


def copy_each(legacy: sqlite3.Connection, billing: sqlite3.Connection, archive: Path, limit: int) -> None:
    """The first `limit` customers, one at a time: a transaction per customer, and its lines synced before it."""
    with open(archive / "contact.csv", "a") as contacts, open(archive / "service.csv", "a") as services:  # noqa: PTH123
        files = {"contact": contacts, "service": services}
        for (customer,) in legacy.execute(
            "SELECT customer_id FROM customers ORDER BY customer_id LIMIT ?", (limit,)
        ).fetchall():
            billing.execute("BEGIN IMMEDIATE")
            for table, (select, whose) in TABLES.items():
                rows = legacy.execute(f"{select} AND {whose} = ?{GROUPED.get(table, '')}", (customer,)).fetchall()
                if rows:
                    billing.executemany(_insert(table, len(rows[0])), rows)
            for name, (select, whose) in FILES.items():
                csv.writer(files[name]).writerows(legacy.execute(f"{select} AND {whose} = ?", (customer,)))
                files[name].flush()
                os.fsync(files[name].fileno())
            billing.execute("COMMIT")


def _fetched(cursor: sqlite3.Cursor) -> Iterator[list[Any]]:
    while rows := cursor.fetchmany(FETCH):
        yield rows


def _insert(table: str, width: int) -> str:
    return f"INSERT INTO {table} VALUES ({', '.join('?' * width)})"


@contextmanager
def _synced(path: Path) -> Iterator[Any]:
    """A CSV writer whose file is on the disk afterwards, with its name."""
    with path.open("w", newline="", encoding="utf-8") as file:
        yield csv.writer(file)
        file.flush()
        os.fsync(file.fileno())
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


MONEY = {"charge": "amount", "payment": "amount", "usage_summary": "charge"}
"""Columns whose sums must arrive, in cents."""


def found(billing: Path, archive: Path) -> dict[str, int]:
    """What is in the targets of either side: rows by table and file, and sums of money."""
    with closing(sqlite3.connect(billing)) as connection:
        held = {table: _one(connection, f"SELECT count(*) FROM {table}") for table in TABLES}
        for table, column in MONEY.items():
            held[f"{table}.{column}"] = _one(
                connection, f"SELECT sum(CAST(round({column} * 100) AS INTEGER)) FROM {table}"
            )
    for name in FILES:
        parts = (
            [archive / f"{name}.csv"] if (archive / f"{name}.csv").exists() else list((archive / name).glob("*.csv"))
        )
        held[name] = sum(_lines(part) - 1 for part in parts)  # each part has a header
    return held


def wanted(clean: Path) -> dict[str, int]:
    """What must be in the targets, by asking the source of what moves."""
    with closing(sqlite3.connect(clean)) as connection:
        selects = {name: select + GROUPED.get(name, "") for name, (select, _) in {**TABLES, **FILES}.items()}
        held = {name: _one(connection, f"SELECT count(*) FROM ({select})") for name, select in selects.items()}
        for name, query in {
            "charge.amount": "SELECT sum(CAST(round(total * 100) AS INTEGER)) FROM invoices",
            "payment.amount": "SELECT sum(CAST(round(amount * 100) AS INTEGER)) FROM payments",
            "usage_summary.charge": "SELECT sum(CAST(round(charge * 100) AS INTEGER)) FROM usage_records",
        }.items():
            held[name] = _one(connection, query)
    return held


def _one(connection: sqlite3.Connection, query: str) -> int:
    return int(connection.execute(query).fetchone()[0])


def _lines(path: Path) -> int:
    with path.open(newline="", encoding="utf-8") as file:
        return sum(1 for _ in csv.reader(file))


def main(arguments: Sequence[str] | None = None) -> None:
    """Copy, in a process of its own: its whole life is what is timed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("legacy", type=Path)
    parser.add_argument("billing", type=Path)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--each", type=int, default=0, help="one customer at a time, this many of them")
    options = parser.parse_args(arguments)
    options.archive.mkdir()
    legacy = sqlite3.connect(f"{options.legacy.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    billing = sqlite3.connect(options.billing, isolation_level=None)
    billing.execute("PRAGMA foreign_keys=ON")
    billing.execute("PRAGMA synchronous=FULL")
    if options.each:
        copy_each(legacy, billing, options.archive, options.each)
    else:
        copy(legacy, billing, options.archive)
    billing.close()
    legacy.close()


if __name__ == "__main__":
    main()
