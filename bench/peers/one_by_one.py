"""One customer at a time with psycopg: `one_by_one.py SOURCE HOW_MANY CRM BILLING LOGISTICS`. Prints its rows and seconds.

For each customer three selects, the transformations of the job's five steps in Python, and one transaction per target.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import psycopg

STATUS = {"F": "settled", "O": "open", "P": "part"}
LINE_STATUS = {"F": "shipped", "O": "open"}
Row = tuple[Any, ...]


def customer(row: Row) -> Row:
    """As steps/10_customer/crm.customer.sql."""
    return (*row[:4], row[4].replace("-", " "), row[5], row[6].lower(), row[7].strip(" "))


def order(row: Row) -> Row:
    """As the steps of billing.orders."""
    return (*row[:2], STATUS[row[2]], *row[3:5], row[5][:1], *row[6:8], row[8].strip(" "))


def line(row: Row) -> Row:
    """As the steps of logistics.lineitem."""
    return (*row[:9], LINE_STATUS[row[9]], *row[10:13], row[13].lower(), row[14], row[15].strip(" "))


def main(source: str, many: int, targets: list[str]) -> None:
    """Move the first customers, one after the other."""
    began, moved = time.monotonic(), 0
    with psycopg.connect(source, autocommit=True) as reader:
        crm, billing, logistics = (psycopg.connect(url) for url in targets)
        keys = [key for (key,) in reader.execute("SELECT c_custkey FROM customer ORDER BY 1 LIMIT %s", (many,))]
        for key in keys:
            people = reader.execute("SELECT * FROM customer WHERE c_custkey = %s", (key,)).fetchall()
            orders = reader.execute("SELECT * FROM orders WHERE o_custkey = %s", (key,)).fetchall()
            lines = reader.execute(
                "SELECT l.* FROM lineitem AS l JOIN orders ON o_orderkey = l_orderkey WHERE o_custkey = %s", (key,)
            ).fetchall()
            write(crm, "customer", [customer(row) for row in people])
            write(billing, "orders", [order(row) for row in orders])
            write(logistics, "lineitem", [line(row) for row in lines])
            for target in (crm, billing, logistics):
                target.commit()
            moved += len(people) + len(orders) + len(lines)
    print(moved, time.monotonic() - began)  # noqa: T201  (a program)


def write(connection: psycopg.Connection[Row], table: str, rows: list[Row]) -> None:
    """Insert the rows."""
    if rows:
        marks = ", ".join(["%s"] * len(rows[0]))
        connection.cursor().executemany(f"INSERT INTO {table} VALUES ({marks})", rows)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
