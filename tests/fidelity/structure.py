"""A unit of difficult shape and names, in any system, and what of it must be in any other afterwards."""

from __future__ import annotations

import json
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq

from ludb.dialects.durable import file_name

ROOT = 'Quoted_"" . Schema\nx'
"""Case 57: quotes, a dot, blanks and a line break in a table's name."""
LONG = ("l" * 63 + "a", "l" * 63 + "b")
"""Two columns equal in their first 63 letters, which MySQL, SQLite and files can have; PostgreSQL's names end there."""
COLUMNS = ("select", "dbz5743中文", 'a"b`c')
"""Column names of every kind."""
BAD, CHILDREN = 3, 10_000
"""Case 59: the unit with so many children, one of which is no number."""
UNITS = [(1, "x"), (2, "x"), (3, "ä"), (4, "x"), (4, "X")]
"""Composite keys; (2, x) has no children (case 62), the last two differ in case alone (case 39)."""
LINES = [(1, "x", "1.50"), (1, "x", "1.50"), (1, "x", None), (4, "x", "7.00"), (4, "X", "8.00")]
"""Case 58: no key, and two equal rows."""
TREE = [(10, 1, "x", None), (11, None, None, 10), (12, None, None, 11), (13, 4, "x", 13)]
"""A self reference of three levels, and one that is its own parent."""


def long_names(kind):
    return tuple(name[:-2] + name[-1] for name in LONG) if kind == "postgres" else LONG


def rows_of(kind):
    """Every table's columns and rows, as the source has them."""
    names = ("a", "b", *COLUMNS, *long_names(kind))
    children = [(BAD, "ä", "n/a" if number == 5_000 else f"{number}.25") for number in range(CHILDREN)]
    return {
        ROOT: (names, [(*key, "s", "中", "q", "first", "second") for key in UNITS]),
        "lines": (("a", "b", "amount"), [*LINES, *children]),
        "tree": (("node", "a", "b", "up"), TREE),
    }


def quoted(store, name):
    mark = "`" if store.settings["type"] == "mysql" else '"'
    return mark + name.replace(mark, mark * 2) + mark


def native(store, name, role):
    if name in ("a", "node", "up"):
        return "bigint"
    if name == "amount":
        return "decimal(10,2)" if role == "new" else "varchar(20)"
    binary = " COLLATE utf8mb4_bin" if store.settings["type"] == "mysql" and name == "b" else ""
    return f"varchar(20){binary}"


def literal(value):
    return "NULL" if value is None else str(value) if isinstance(value, int) else f"'{value}'"


def fill(store):
    """The source's tables and rows; gives what a job must say of its tables."""
    kind = store.settings["type"]
    for number, (table, (names, rows)) in enumerate(rows_of(kind).items()):
        if kind == "files":
            columns = {name: pa.array(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
            pq.write_table(pa.table(columns), store.folder / f"{number}.parquet")
            store.tables[table] = {"file": f"{number}.parquet"}
            continue
        columns = ", ".join(f"{quoted(store, name)} {native(store, name, 'old')}" for name in names)
        store.run(f"CREATE TABLE {quoted(store, table)} ({columns})")
        for at in range(0, len(rows), 500):
            values = ", ".join(f"({', '.join(map(literal, row))})" for row in rows[at : at + 500])
            store.run(f"INSERT INTO {quoted(store, table)} VALUES {values}")


def empty(store):
    """The target's tables: the same names, a key where the source has none, a foreign key to itself."""
    if store.settings["type"] == "files":
        return
    for table, (names, _) in rows_of(store.settings["type"]).items():
        columns = [f"{quoted(store, name)} {native(store, name, 'new')}" for name in names]
        columns += {
            ROOT: ["PRIMARY KEY (a, b)"],
            "tree": ["PRIMARY KEY (node)", "FOREIGN KEY (up) REFERENCES tree (node)"],
        }.get(table, [])
        store.run(f"CREATE TABLE {quoted(store, table)} ({', '.join(columns)})")


def job(old, new):
    """The job's files; where the target has no types, the step has."""
    here, there = long_names(old.settings["type"]), long_names(new.settings["type"])
    same = ", ".join('"' + name.replace('"', '""') + '"' for name in COLUMNS)
    renamed = ", ".join(f'"{ours}" as "{theirs}"' for ours, theirs in zip(here, there, strict=True))
    amount = "cast(amount as decimal(10,2)) as amount" if new.settings["type"] == "files" else "amount"
    document = {
        "name": "structure",
        "systems": {"old": old.settings, "new": new.settings},
        "unit": {
            "root": f"old.{ROOT}",
            "name": "heads",
            "key": ["a", "b"],
            "tables": {
                "lines": {"parent": "heads", "on": ["a", "b"]},
                "tree": {"parent": "heads", "on": ["a", "b"], "recursive": {"up": "node"}},
            },
        },
        "settings": {"chunk_units": 10},
    }
    return {
        "job.yaml": json.dumps(document, ensure_ascii=False),
        f"steps/10/new.{ROOT}.sql": f"select unit_key, a, b, {same}, {renamed} from old.heads",
        "steps/20/new.lines.sql": f"select unit_key, a, b, {amount} from old.lines",
        "steps/20/new.tree.sql": "select unit_key, node, a, b, up from old.tree",
    }


def there(store, table):
    """The rows in a target, numbers as decimals, in any order."""
    names, _ = rows_of(store.settings["type"])[table]
    if store.settings["type"] == "files":
        parts = sorted((store.folder / file_name(table)).glob("part-*.parquet"))
        rows = [tuple(row[name] for name in names) for part in parts for row in pq.read_table(part).to_pylist()]
    else:
        rows = store.run(f"SELECT {', '.join(quoted(store, name) for name in names)} FROM {quoted(store, table)}")
        rows = [tuple(row) for row in (rows if isinstance(rows, list | tuple) else rows.fetchall())]
    if table == "lines":
        rows = [(a, b, None if amount is None else Decimal(str(amount))) for a, b, amount in rows]
    return sorted(rows, key=str)


def wanted(kind, table):
    """What must be there: everything but the unit with the bad child."""
    _, rows = rows_of(kind)[table]
    if table == "lines":
        rows = [(a, b, None if amount is None else Decimal(amount)) for a, b, amount in rows if a != BAD]
    elif table == ROOT:
        rows = [row for row in rows if row[0] != BAD]
    return sorted(rows, key=str)
