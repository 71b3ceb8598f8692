"""Keys to look up, as conditions over a table: a range where whole numbers fill it, else lists.

A key's value is made one of the column's kind first, since servers disagree about texts beside numbers; one that cannot be such a
value is the key of no row.
"""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from ludb.dialects.sqlalchemy import MYSQL
from ludb.dialects.sqlalchemy_schema import Detail
from ludb.dialects.sqlalchemy_values import Carriage
from ludb.dialects.types import INT64, from_text
from ludb.model.keys import key_text
from ludb.model.unit import MATCH, KeySet

LIST = 500
"""Keys in one list: SQL Server takes 2,100 parameters, Oracle 1,000 in one list."""
DENSITY = 0.5
"""The share of numbers between the first and the last key that must be asked for, so that a range is worth it."""
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)", re.ASCII)

Key = tuple[Any, ...]
Columns = Sequence[sa.ColumnElement[Any]]


def conditions(by: KeySet, keyed: Sequence[Carriage], dialect: str) -> Iterator[tuple[Callable[[Columns], Any], Asked]]:
    """Conditions that together ask for every key once, and which keys each of them is meant for."""
    details = [how.detail for how in keyed]
    columns = [by.values.column(name).to_pylist() for name in by.columns]
    found = dict.fromkeys(
        tuple(as_key(value, detail, dialect) for value, detail in zip(key, details, strict=True))
        for key in zip(*columns, strict=True)
    )
    keys = [key for key in found if None not in key]
    if len(details) == 1 and details[0].kind == "integer" and len(keys) > 1:
        low, high = min(keys)[0], max(keys)[0]
        if (high - low + 1) * DENSITY <= len(keys):
            yield _range(low, high), Asked(keys, keyed)
            return
    for start in range(0, len(keys), LIST):
        some = keys[start : start + LIST]
        yield listed(some), Asked(some, keyed)


class Asked:
    """Which rows carry one of the keys that a statement asked for: a range lets others through, and a collation may hold two
    texts equal that are asked for by two statements, though a row must come once. Only whole numbers and texts are looked at.
    """

    def __init__(self, keys: Sequence[Key], keyed: Sequence[Carriage]) -> None:
        """Keep the keys."""
        self._keys = keys
        self._exact = all(how.detail.kind in ("integer", "text") and not how.chosen for how in keyed)
        self._set: frozenset[Key] | None = None

    def only(self, rows: pa.Table) -> pa.Table:
        """The rows that were asked for."""
        if not self._exact:
            return rows
        marks = [rows.column(f"{MATCH}{at}") for at in range(len(self._keys[0]))]
        if len(marks) == 1 and marks[0].type in (pa.int64(), pa.string()):
            return rows.filter(pc.is_in(marks[0], value_set=pa.array([key[0] for key in self._keys], marks[0].type)))
        keep = [self.has(key) for key in zip(*(mark.to_pylist() for mark in marks), strict=True)]
        return rows.filter(pa.array(keep, pa.bool_()))

    def has(self, key: Key) -> bool:
        """Whether the key was asked for, as far as that can be told."""
        if self._set is None:
            self._set = frozenset(self._keys)
        return not self._exact or key in self._set


def _range(low: int, high: int) -> Callable[[Columns], Any]:
    return lambda columns: columns[0].between(_bound(low), _bound(high))


def listed(keys: Sequence[Key]) -> Callable[[Columns], Any]:
    """The condition that columns hold one of these keys, which are at most `LIST`."""
    if len(keys[0]) == 1:
        return lambda columns: columns[0].in_([_bound(key[0]) for key in keys])
    return lambda columns: sa.or_(
        *(sa.and_(*(column == _bound(value) for column, value in zip(columns, key, strict=True))) for key in keys)
    )


def _bound(value: Any) -> sa.ColumnElement[Any]:
    """A value as the driver takes it; the server gives it the column's type."""
    return sa.bindparam(None, value, type_=sa.types.NullType(), unique=True)


def as_key(value: Any, detail: Detail, dialect: str) -> Any:  # noqa: PLR0911  (one way out per kind)
    """The value as one of the column's kind; None where it can be none."""
    if value is None:
        return None
    if detail.kind in ("text", "other"):
        return key_text([value]) if not isinstance(value, str) else value
    if detail.kind == "uuid":
        try:
            return str(uuid.UUID(str(value)))
        except ValueError:
            return None
    if detail.kind in ("integer", "bits"):
        number = _whole(value)
        return number if number is None or number in INT64 or not pa.types.is_int64(detail.column.type) else None
    if detail.kind in ("decimal", "money", "float", "single"):
        return _number(value, dialect)
    if detail.kind == "boolean":
        return value if isinstance(value, bool) else None
    if detail.kind == "binary":
        return value if isinstance(value, bytes) else None
    return _moment(value, detail, dialect)


def _whole(value: Any) -> int | None:
    if isinstance(value, str):
        return int(value) if _INTEGER.fullmatch(value) else None
    return int(value) if isinstance(value, int | Decimal | float) and value == int(value) else None


def _number(value: Any, dialect: str) -> Any:
    try:
        found = value if isinstance(value, int | float) else Decimal(value)
    except (InvalidOperation, TypeError, ValueError):
        return None
    return float(found) if dialect == "sqlite" and isinstance(found, Decimal) else found


def _moment(value: Any, detail: Detail, dialect: str) -> Any:
    if isinstance(value, str):
        try:
            value = from_text(value, pa.date32() if detail.kind == "date" else pa.timestamp("us"))
        except ValueError:
            return None
    if not isinstance(value, dt.date | dt.time):
        return None
    if isinstance(value, dt.datetime) and value.tzinfo is not None and dialect in {*MYSQL, "sqlite"}:
        value = value.astimezone(dt.UTC).replace(tzinfo=None)
    if dialect != "sqlite":
        return value
    return value.isoformat(sep=" ") if isinstance(value, dt.datetime) else value.isoformat()
