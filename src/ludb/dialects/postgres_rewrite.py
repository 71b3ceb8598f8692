"""Writing over what is there in PostgreSQL: rows copied into a temporary table, from there merged or used to delete."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from ludb.dialects.postgres import quote
from ludb.dialects.postgres_schema import Reflected
from ludb.errors import ConfigError
from ludb.model.data import Removal

Connection = psycopg.Connection[tuple[Any, ...]]
Reflect = Callable[[str], Reflected]

INCOMING = "pg_temp.ludb_incoming"
"""The temporary table that a statement's rows stand in; it is there for that statement only."""
# Values of these types are equal only if they are the same; all others are compared as text, by bytes.
_PLAIN = frozenset(
    {"int2", "int4", "int8", "numeric", "float4", "float8", "bool", "bytea", "date", "timestamp", "timestamptz", "uuid"}
)
_RIGHTS = (
    "SELECT has_table_privilege(%s, 'SELECT'), has_table_privilege(%s, 'DELETE'), has_table_privilege(%s, 'UPDATE')"
)
_ARBITERS = """
SELECT ARRAY(SELECT a.attname::text FROM unnest(i.indkey[:i.indnkeyatts - 1]) k(num)
  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.num), i.indimmediate
FROM pg_index i WHERE i.indrelid = %s::regclass AND i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL
  AND i.indisvalid
"""
_TAKING = """
SELECT n.nspname, c.relname, k.confdeltype FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE k.confrelid = %s::regclass AND k.contype = 'f' AND k.confdeltype IN ('c', 'n', 'd') ORDER BY 1, 2
"""
_RULES = {"c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}


class Clash(psycopg.errors.UniqueViolation):
    """A row has a key that the database takes for another row's, which differs in its bytes; `keys` shows both."""

    def __init__(self, key: Sequence[str], keys: str) -> None:
        """The text names the columns only."""
        super().__init__(f"key ({', '.join(key)}) equals that of another row but for its bytes (collation)")
        self.keys = keys


@dataclass(frozen=True, slots=True)
class Link:
    """A removal's way from a table to the one that tells the unit: `pairs` of (column here, column of `parent`)."""

    parent: Reflected
    pairs: tuple[tuple[str, str], ...]


def way(table: str, removals: Mapping[str, Removal], reflect: Reflect) -> tuple[tuple[Link, ...], str, Removal]:
    """The links from a table, and the table and removal at their end, which has values."""
    links = []
    removal = removals[table]
    while removal.parent is not None:
        links.append(Link(reflect(removal.parent), removal.through))
        table, removal = removal.parent, removals[removal.parent]
    return tuple(links), table, removal


def make_incoming(connection: Connection, table: Reflected, names: Sequence[str]) -> None:
    """An empty temporary table with these columns as the table has them, but without constraints."""
    columns = ", ".join(quote(name) for name in names)
    connection.execute(
        f"CREATE TEMPORARY TABLE ludb_incoming ON COMMIT DROP AS SELECT {columns} FROM {table.sql} WITH NO DATA".encode()
    )


def drop_incoming(connection: Connection) -> None:
    """Nothing of it is left."""
    connection.execute(f"DROP TABLE {INCOMING}".encode())


def merge(connection: Connection, table: Reflected, names: Sequence[str], key: Sequence[str], count: int) -> None:
    """Merge the `count` incoming rows; `Clash` if one met a row whose key is the same to the database only."""
    columns = ", ".join(quote(name) for name in names)
    rest = [name for name in names if name not in key] or key[:1]
    changes = ", ".join(f"{quote(name)} = EXCLUDED.{quote(name)}" for name in rest)
    same = " AND ".join(_same(table, name, "there", "EXCLUDED") for name in key)
    try:
        done = connection.execute(
            f"INSERT INTO {table.sql} AS there ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM {INCOMING}"
            f" ON CONFLICT ({', '.join(quote(name) for name in key)}) DO UPDATE SET {changes} WHERE {same}".encode()
        )
    except psycopg.errors.CardinalityViolation as error:  # two incoming rows met: each of them is tried alone
        raise Clash(key, str(error)) from error
    if done.rowcount != count:
        raise Clash(key, _both_keys(connection, table, key, same.replace("EXCLUDED.", "here.")))


def _both_keys(connection: Connection, table: Reflected, key: Sequence[str], same: str) -> str:
    """Incoming keys beside those in the table that are equal but not the `same`."""
    equal = " AND ".join(f"there.{quote(name)} = here.{quote(name)}" for name in key)
    shown = ", ".join(f"{alias}.{quote(name)}::text" for alias in ("here", "there") for name in key)
    rows = connection.execute(
        f"SELECT {shown} FROM {INCOMING} AS here JOIN {table.sql} AS there ON {equal} WHERE NOT ({same}) LIMIT 3".encode()
    ).fetchall()
    found = "; ".join(f"{row[: len(key)]!r} here, {row[len(key) :]!r} in the table" for row in rows)
    return found or "a trigger left rows out"


def remove(connection: Connection, table: Reflected, links: Sequence[Link], names: Sequence[str]) -> None:
    """Delete the rows whose values, at the end of the links, are among the incoming ones."""
    using = [f"{link.parent.sql} AS t{at}" for at, link in enumerate(links, start=1)]
    tests = [
        f"t{at}.{quote(here)} = t{at + 1}.{quote(there)}" for at, link in enumerate(links) for here, there in link.pairs
    ]
    last, alias = (links[-1].parent if links else table), f"t{len(links)}"
    for name in names:
        # The plain comparison may use an index; the other one is by bytes.
        tests += [f"{alias}.{quote(name)} = here.{quote(name)}", _same(last, name, alias, "here")]
    connection.execute(
        f"DELETE FROM {table.sql} AS t0 USING {', '.join([*using, f'{INCOMING} AS here'])} WHERE {' AND '.join(tests)}".encode()
    )


def check_merge(connection: Connection, system: str, table: Reflected, key: Sequence[str]) -> None:
    """See `CanRewrite.check_merge`."""
    found = {
        frozenset(columns): immediate for columns, immediate in connection.execute(_ARBITERS, (table.sql,)).fetchall()
    }
    if not found.get(frozenset(key)):
        late = "is deferrable, which ON CONFLICT does not take" if frozenset(key) in found else "is missing"
        raise ConfigError(
            f"{system}.{table.label}: upsert needs a unique constraint on exactly ({', '.join(key)}); it {late}",
            remedy=f"CREATE UNIQUE INDEX ON {table.sql} ({', '.join(map(quote, key))}), or name another `key:`",
        )
    _check_rights(connection, system, table, ("SELECT", "UPDATE"))


def check_removal(
    connection: Connection, system: str, table: Reflected, columns: Sequence[str], removed: Sequence[Reflected]
) -> None:
    """See `CanRewrite.check_removal`."""
    for name in columns:
        if table.column(name) is None:
            raise ConfigError(f"{system}.{table.label} has no column {name!r}", remedy="Correct `by`")
    ours = {(one.schema, one.name) for one in removed}
    for schema, name, rule in connection.execute(_TAKING, (table.sql,)).fetchall():
        if (schema, name) not in ours:
            raise ConfigError(
                f"{system}.{table.label}: replacing its rows would change those of {name} (ON DELETE {_RULES[rule]})",
                remedy=f"Give the output of {name} mode: replace_unit too, or use upsert",
            )
    _check_rights(connection, system, table, ("SELECT", "DELETE"))


def _check_rights(connection: Connection, system: str, table: Reflected, needed: Sequence[str]) -> None:
    row = connection.execute(_RIGHTS, (table.sql,) * 3).fetchone() or (False,) * 3
    may = dict(zip(("SELECT", "DELETE", "UPDATE"), row, strict=True))
    database = connection.execute(
        "SELECT quote_ident(current_database()), has_database_privilege(current_database(), 'TEMPORARY')"
    ).fetchone()
    if database and not database[1]:
        raise ConfigError(
            f"system {system}: the role may not make temporary tables, which upsert and replace_unit need",
            remedy=f"GRANT TEMPORARY ON DATABASE {database[0]} TO the role",
        )
    missing = [right for right in needed if not may[right]]
    if missing:
        raise ConfigError(
            f"system {system}: the role has no right to {' and '.join(missing)} {table.label}",
            remedy=f"GRANT {', '.join(missing)} ON {table.sql} TO the role",
        )


def _same(table: Reflected, name: str, one: str, other: str) -> str:
    """That two values are equal byte by byte."""
    if table.types[name].name in _PLAIN:
        return f"{one}.{quote(name)} = {other}.{quote(name)}"
    return f'{one}.{quote(name)}::text COLLATE "C" = {other}.{quote(name)}::text COLLATE "C"'
