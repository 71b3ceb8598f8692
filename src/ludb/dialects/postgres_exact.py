"""Values of types whose parts have a length or digits: the server itself is asked which of them it would keep.

PostgreSQL rounds the elements of `numeric(10,2)[]` and of a composite type's fields, and the seconds of `interval(0)`, without a
word. Before they are copied, each different text is cast to the column's type and compared with what it stands for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.compute as pc

from ludb.dialects.postgres import is_misfit
from ludb.dialects.postgres_schema import Type

Connection = psycopg.Connection[tuple[Any, ...]]

_LOSE = ("varchar", "bpchar", "numeric", "timestamp", "timestamptz", "time", "timetz")
_REASON = "has a part that the server would round, cut, or write in another form ({})"


def changed(connection: Connection, values: pa.Array, kind: Type, native: str) -> Mapping[int, tuple[str, str]]:
    """Rows whose value would not stay as it is: row number -> (reason without the value, detail with it).

    What the server refuses is not among them: it speaks when the row is copied. `native` is the type in SQL. Costs one
    statement for such a column, nothing for others; the connection must be in a transaction.
    """
    test = _test(kind, native)
    if test is None or not pa.types.is_string(values.type):
        return {}
    held = pc.unique(values.drop_null()).to_pylist()
    lost = set(_ask(connection, held, test))
    if not lost:
        return {}
    rows = pc.indices_nonzero(pc.is_in(values, value_set=pa.array(sorted(lost), pa.string()))).to_pylist()
    return {row: (_REASON.format(native), repr(values[row].as_py())) for row in rows}


def _test(kind: Type, native: str) -> str | None:
    """The condition under which the text `v` would change; None for types that keep what they take."""
    element = kind.element.lstrip("_")
    if kind.category == "C":
        return f"v::{native}::text IS DISTINCT FROM v"
    if "interval" in (kind.name, element) and kind.modifier != -1:
        bare = "interval[]" if kind.category == "A" else "interval"
        return f"v::{bare}::text IS DISTINCT FROM v::{native}::text"
    if element in ("float4", "float8"):
        return f"v::numeric[] IS DISTINCT FROM v::{native}::text::numeric[]"
    if element in _LOSE and kind.modifier != -1:
        return f"v::{element}[] IS DISTINCT FROM v::{native}"
    return None


def _ask(connection: Connection, held: Sequence[str], test: str) -> list[str]:
    """The texts that fail, by halves around those that the server does not take at all."""
    if not held:
        return []
    connection.execute("SAVEPOINT ludb_exact")
    try:
        found = connection.execute(
            f"SELECT v FROM unnest(%s::text[]) AS v WHERE {test}".encode(), (list(held),)
        ).fetchall()
    except psycopg.Error as error:
        if not is_misfit(error):
            raise
        connection.execute("ROLLBACK TO SAVEPOINT ludb_exact")
        middle = len(held) // 2
        return [*_ask(connection, held[:middle], test), *_ask(connection, held[middle:], test)] if middle else []
    finally:
        if connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS:
            connection.execute("RELEASE SAVEPOINT ludb_exact")
    return [text for (text,) in found]
