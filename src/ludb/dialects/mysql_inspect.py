"""A MySQL or MariaDB server looked at before anything moves: sizes, the price of links, rights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ludb.dialects.mysql import Session, literal, placed, quote
from ludb.dialects.mysql_ledger import TABLE
from ludb.dialects.mysql_schema import Reflected
from ludb.errors import ConfigError
from ludb.model.findings import Finding, Price


def size(session: Session, table: Reflected) -> int:
    """Bytes of the table without its indexes, as the server estimates; `ConfigError` where the user may not read it."""
    place = placed(table.schema, table.name)
    session.rows(f"SELECT 1 FROM {place} LIMIT 0", f"read {table.name}")
    where = f"TABLE_SCHEMA = {literal(table.schema)} AND TABLE_NAME = {literal(table.name)}"
    return session.number(
        f"SELECT coalesce(sum(DATA_LENGTH), 0) FROM information_schema.TABLES WHERE {where}", "ask for sizes"
    )


def price(session: Session, table: Reflected, columns: Sequence[str]) -> Price | None:
    """None where an index leads to the columns (the server lists it for a join by them), else the rows that it expects to
    read.
    """
    place = placed(table.schema, table.name)
    on = " AND ".join(f"a.{quote(name)} = b.{quote(name)}" for name in columns)
    plan = session.texts(f"EXPLAIN SELECT 1 FROM {place} AS b STRAIGHT_JOIN {place} AS a ON {on}", "ask for a plan")
    # id, select_type, table, type, possible_keys, ..., rows; MySQL has `partitions` before `type`, and counts on from there.
    found = next((row for row in plan if row[2] == "a"), None)
    if not table.engine:
        # A view is told by the tables behind it, first those of `b`, then as many of `a`; the first of them is looked up.
        main = [row for row in plan if row[2] and row[0] == plan[0][0]]
        found = main[len(main) // 2] if main else None
    if found is None:  # an empty table: the server has not even looked for a way
        return None
    shift = 1 if not session.mariadb else 0
    if found[4 + shift]:
        return None
    names = ", ".join(quote(name) for name in columns)
    if not table.engine:  # a view
        return Price(int(found[8 + shift] or 0), f"Index {', '.join(columns)} in the tables behind {table.name}")
    return Price(int(found[8 + shift] or 0), f"CREATE INDEX {quote('_'.join(columns)[:60])} ON {place} ({names})")


def inspect(session: Session, system: str, tables: Mapping[str, Reflected], ledger: str) -> Iterator[Finding]:
    """Rights to insert (by EXPLAIN, which needs them and writes nothing), the ledger, tables that are not empty."""
    yield from _ledger(session, system, ledger)
    for name, table in tables.items():
        place = placed(table.schema, table.name)
        columns = ", ".join(quote(detail.name) for detail in table.details if not detail.column.generated)
        try:
            session.rows(
                f"EXPLAIN INSERT INTO {place} ({columns}) SELECT {columns} FROM {place} WHERE FALSE", f"write {name}"
            )
        except ConfigError as error:
            yield Finding("error", system, error.message, f"GRANT SELECT, INSERT ON {place} TO the user", name)
            continue
        if session.number(f"SELECT EXISTS (SELECT 1 FROM {place})", f"read {name}"):
            yield Finding("warning", system, "the table holds rows already", "Make sure that they belong there", name)


def _ledger(session: Session, system: str, schema: str) -> Iterator[Finding]:
    place = placed(schema, TABLE)
    where = f"TABLE_SCHEMA = {literal(schema)}"
    there = session.number(
        f"SELECT count(*) FROM information_schema.TABLES WHERE {where} AND TABLE_NAME = {literal(TABLE)}",
        "look for the ledger",
    )
    if there:
        asked = (
            f"EXPLAIN INSERT INTO {place} SELECT * FROM {place} WHERE FALSE",
            f"EXPLAIN UPDATE {place} SET txn = txn WHERE FALSE",
        )
        try:
            for statement in asked:
                session.rows(statement, "write the ledger")
        except ConfigError as error:
            yield Finding("error", system, error.message, f"GRANT SELECT, INSERT, UPDATE ON {place} TO the user")
        return
    grantee = "GRANTEE = concat('''', replace(current_user(), '@', '''@'''), '''')"
    may = session.number(
        f"SELECT (SELECT count(*) FROM information_schema.USER_PRIVILEGES WHERE {grantee} AND PRIVILEGE_TYPE = 'CREATE')"
        f" + (SELECT count(*) FROM information_schema.SCHEMA_PRIVILEGES WHERE {grantee} AND PRIVILEGE_TYPE = 'CREATE'"
        f" AND {literal(schema)} LIKE TABLE_SCHEMA)",
        "ask for rights",
    )
    if not may:
        # A right that comes with a role is not listed there, so this cannot be known for certain.
        yield Finding(
            "warning", system, f"the user seems not to have the right to make the ledger in {schema}",
            "If a start says so too, let a DBA make it: ludb ledger JOB --ddl",
        )  # fmt: skip
