"""Tables as the catalog has them: a peer that makes a table anew, without its keys or its log, has done less than the others."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

_SHAPE = """
SELECT (SELECT string_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), attnotnull), ', ' ORDER BY attname)
        FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND starts_with(attname, %s)),
       relpersistence::text,
       ARRAY(SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = c.oid AND indisvalid)
FROM pg_class AS c WHERE c.oid = %s::regclass
"""


@dataclass(frozen=True, slots=True)
class Shape:
    """The table's own columns with types and NOT NULL, whether writes are logged, and its indexes."""

    columns: str
    logged: str
    indexes: frozenset[str]

    def keeps(self, made: Shape) -> bool:
        """Whether all of what was made is still there; a peer may have added columns and indexes of its own."""
        return (self.columns, self.logged) == (made.columns, made.logged) and self.indexes >= made.indexes


def shape(url: str, table: str, prefix: str) -> Shape | None:
    """A table whose own columns have names that begin with `prefix`; None where it is not there."""
    try:
        with psycopg.connect(url, autocommit=True) as session:
            row = session.execute(_SHAPE, (prefix, table)).fetchone()
    except psycopg.errors.UndefinedTable:
        return None
    return None if row is None else Shape(row[0], row[1], frozenset(row[2]))
