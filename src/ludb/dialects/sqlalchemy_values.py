"""Values as a driver hands them over become Arrow columns of exactly the planned type; what does not fit is refused by row.

SQLAlchemy's own conversions are left out (they make decimals of SQLite by way of ten digits): columns are asked for as they are,
or as the server's text where drivers are known to turn what they cannot hold into something near it.
"""

from __future__ import annotations

import datetime as dt
import math
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from ludb.dialects.sqlalchemy import MYSQL
from ludb.dialects.sqlalchemy_schema import Detail, Reflected
from ludb.dialects.types import EXACT_DIGITS, EXACT_FLOAT, arrow_type, from_text, to_decimal
from ludb.model.keys import key_text
from ludb.model.unit import MATCH, Column, Refusal

Faults = Mapping[int, tuple[str, str]]
"""Row number -> (reason without the value, detail with it)."""
_MOMENTS = ("date", "timestamp", "time")
_NATURAL = ((pa.types.is_int64, int), (pa.types.is_float64, float), (pa.types.is_binary, bytes), (pa.types.is_string, str),
            (pa.types.is_boolean, bool), (pa.types.is_decimal, Decimal))  # fmt: skip
NO_MEMBER = "\0"
"""What MySQL's error value of an ENUM is asked for as: it would look like an empty member."""
_TIME = re.compile(r"[0-2][0-9]:[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Carriage:
    """How one column travels. `chosen` is true where the job names the type."""

    column: Column
    detail: Detail
    chosen: bool = False


def plan(table: Reflected, types: Sequence[tuple[str, str]], system: str) -> tuple[Carriage, ...]:
    """The carriage of every column in its order; `types` are the job's overrides. `ConfigError` for an unknown column."""
    chosen = {table.get(name, system).name: arrow_type(text) for name, text in types}
    return tuple(
        Carriage(replace(detail.column, type=chosen[detail.name], refused=None), detail, chosen=True)
        if detail.name in chosen
        else Carriage(detail.column, detail)
        for detail in table.details
    )


def asked(detail: Detail, column: sa.ColumnElement[Any], dialect: str) -> sa.ColumnElement[Any]:
    """The SQL that a value is asked for by, without any conversion by SQLAlchemy."""
    if str(detail.type.__visit_name__).upper() == "INET":
        return sa.func.abbrev(sa.type_coerce(column, sa.types.NullType()))  # a cast to text adds a netmask
    if isinstance(detail.type, sa.Enum) and dialect in MYSQL:
        given: sa.ColumnElement[Any] = sa.type_coerce(column, sa.types.NullType())
        return sa.case((given.op("+")(sa.literal_column("0")) == 0, sa.literal_column("'\\0'")), else_=given)
    if detail.kind == "other" or (detail.kind in _MOMENTS and dialect in {*MYSQL, "postgresql"}):
        return sa.cast(column, sa.Text())
    if detail.kind == "money":
        return sa.cast(column, sa.Numeric())
    if detail.kind == "bits" or (detail.kind == "single" and dialect in MYSQL):
        # A bit string as its number; a FLOAT with all its digits, of which MySQL prints six.
        plain: sa.ColumnElement[Any] = sa.type_coerce(column, sa.types.NullType())
        return plain.op("+")(sa.literal_column("0" if detail.kind == "bits" else "0e0"))
    return sa.type_coerce(column, sa.types.NullType())


def typed(
    rows: Sequence[Sequence[Any]],
    keyed: Sequence[Carriage],
    plans: Sequence[Carriage],
    table: Reflected,
    *,
    ids: int,
    start: int = 0,
) -> tuple[pa.Table, list[Refusal]]:
    """Rows as (match..., column..., primary key...) become an Arrow table; what does not fit is NULL, and refused. Rows are
    named by `ids` values of their primary key or, where `start` is given, by their number, which begins there.
    """
    every = [*keyed, *plans]
    values: Sequence[Sequence[Any]] = list(zip(*rows, strict=True)) if rows else [()] * len(every)
    arrays: list[pa.Array] = []
    faults: list[tuple[int, str, str, str]] = []
    for how, column in zip(every, values, strict=False):
        array, found = carry(column, how)
        arrays.append(array)
        faults.extend((row, how.column.name, *fault) for row, fault in found.items())
    names = [f"{MATCH}{number}" for number in range(len(keyed))] + [how.column.name for how in plans]
    schema = pa.schema([(name, how.column.type) for name, how in zip(names, every, strict=True)])
    refused = []
    for row, name, reason, detail in faults:
        match = tuple(array[row].as_py() for array in arrays[: len(keyed)])
        key = key_text([plain(value) for value in rows[row][len(every) : len(every) + ids]])
        shown = f"{detail}, primary key {key}" if start and key else detail
        refused.append(Refusal(match, table.name, name, reason, shown, str(start + row) if start else key, row))
    return pa.Table.from_arrays(arrays, schema=schema), refused


def carry(values: Sequence[Any], how: Carriage) -> tuple[pa.Array, Faults]:
    """One column's values as an Arrow array, and the rows that do not fit (NULL in the array)."""
    kind = how.column.type
    classes = set(map(type, values)) - {type(None)}
    natural = next((own for test, own in _NATURAL if test(kind)), None)
    if not classes or (classes == {natural} and not (isinstance(how.detail.type, sa.Enum) and NO_MEMBER in values)):
        try:
            return pa.array(values, kind), {}
        except (pa.ArrowInvalid, ValueError, OverflowError):
            pass  # the slow way tells which row
    carried: list[Any] = []
    faults: dict[int, tuple[str, str]] = {}
    for row, value in enumerate(values):
        try:
            carried.append(None if value is None else pa.scalar(_carry_one(value, how), kind).as_py())
        except (pa.ArrowInvalid, pa.ArrowTypeError, ValueError, OverflowError) as error:
            carried.append(None)
            told = str(error) if type(error) is ValueError else "holds a value that cannot be carried"
            faults[row] = (f"{told} ({how.detail.column.native})", repr(plain(value)))
    return pa.array(carried, kind), faults


def plain(value: Any) -> Any:
    """A value as a person knows it, and as `types:` reads it: text wherever there is one text for it."""
    if isinstance(value, bytes | bytearray | memoryview):
        try:
            return bytes(value).decode()
        except UnicodeDecodeError:
            return bytes(value)
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, Decimal) and value.is_finite():
        return format(value, "f")
    return repr(value) if isinstance(value, float) else str(value)


def _carry_one(value: Any, how: Carriage) -> Any:
    kind = how.column.type
    if value == NO_MEMBER and isinstance(how.detail.type, sa.Enum):
        raise ValueError("holds the error value of an ENUM, which is none of its members")
    if how.chosen:
        return _as_chosen(value, kind)
    for test, carry_one in _CARRIERS:
        if test(kind):
            return carry_one(value, kind)
    raise ValueError(f"holds {_name(value)}")


def _as_chosen(value: Any, kind: pa.DataType) -> Any:
    if pa.types.is_binary(kind):
        return bytes(value) if isinstance(value, bytes | bytearray | memoryview) else plain(value).encode()
    text = plain(value)
    if not isinstance(text, str):
        raise ValueError("holds bytes that are not UTF-8")  # noqa: TRY004  (a fault of the row)
    if pa.types.is_date(kind) and not text[10:].strip(" 0:.T"):
        text = text[:10]
    elif pa.types.is_timestamp(kind) and len(text) == 10:
        text += " 00:00:00"
    return from_text(_known(text), kind)


def _text(value: Any, _: pa.DataType) -> str:
    if isinstance(value, str):
        return _known(value)
    if isinstance(value, Decimal):
        return format(value, "f") if value.is_finite() else str(value)
    if isinstance(value, uuid.UUID):
        return str(value)
    if type(value) is int:  # a decimal without limits whose value is whole
        return str(value)
    raise ValueError(f"holds {_name(value)} in a text column")


def _known(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("holds text that is no Unicode") from None
    return text


def _integer(value: Any, _: pa.DataType) -> int:
    if isinstance(value, int):
        return value
    if isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value():
        return int(value)
    raise ValueError(f"holds {_name(value)} in an integer column")


def _float(value: Any, kind: pa.DataType) -> float:
    if isinstance(value, float):
        return value
    if isinstance(value, int) and abs(value) <= EXACT_FLOAT:
        return float(value)
    if isinstance(value, Decimal) and (not value.is_finite() or Decimal(repr(float(value))) == value):
        return float(value)
    raise ValueError(f"holds {_name(value)} that {kind} cannot hold exactly")


def _decimal(value: Any, kind: pa.DataType) -> Decimal:
    if isinstance(value, Decimal):
        return to_decimal(value, kind)
    if isinstance(value, int):
        return to_decimal(Decimal(value), kind)
    if isinstance(value, float) and math.isfinite(value):
        exact = Decimal(repr(value))
        if len(exact.normalize().as_tuple().digits) <= EXACT_DIGITS:
            return to_decimal(exact, kind)
        raise ValueError(f"holds a number of more than {EXACT_DIGITS} digits, of which the database keeps no more")
    raise ValueError(f"holds {_name(value)} in a decimal column")


def _boolean(value: Any, _: pa.DataType) -> bool:
    if isinstance(value, int | Decimal) and value in (0, 1):
        return bool(value)
    raise ValueError(f"holds {_name(value)} other than 0 and 1 in a boolean column")


def _bytes(value: Any, _: pa.DataType) -> bytes:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    raise ValueError(f"holds {_name(value)} in a column of bytes")


def _moment(value: Any, kind: pa.DataType) -> Any:
    if isinstance(value, str):
        return _moment_of(value, kind)
    if pa.types.is_time(kind):
        if isinstance(value, dt.time) and value.tzinfo is None:
            return value
    elif isinstance(value, dt.datetime):
        if pa.types.is_date(kind) and value.time() == dt.time():
            return value.date()
        if pa.types.is_timestamp(kind) and (value.tzinfo is None) == (kind.tz is None):
            return value if kind.tz is None else value.astimezone(dt.UTC)
    elif isinstance(value, dt.date):
        return value if pa.types.is_date(kind) else dt.datetime.combine(value, dt.time())
    raise ValueError(f"holds {_name(value)} that is no {kind}")


def _moment_of(text: str, kind: pa.DataType) -> Any:
    if pa.types.is_time(kind):
        if not _TIME.fullmatch(text) or text >= "24":
            raise ValueError("holds what is no time of a day")
        return dt.time.fromisoformat(text)
    try:
        if not pa.types.is_timestamp(kind) or kind.tz is None:
            return from_text(text, kind)
        # The session's zone is UTC; PostgreSQL writes it behind, MySQL does not.
        return from_text(text.removesuffix("+00"), pa.timestamp("us")).replace(tzinfo=dt.UTC)  # type: ignore[attr-defined]
    except ValueError as error:
        raise ValueError(f"holds a moment that {error}, or is beyond the years 1 to 9999") from None


def _name(value: Any) -> str:
    names = {
        str: "text",
        bytes: "bytes",
        int: "a whole number",
        float: "a number",
        Decimal: "a number",
        bool: "a boolean",
    }
    return names.get(type(value), f"a value of type {type(value).__name__}")


_CARRIERS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[Any, pa.DataType], Any]], ...] = (
    (pa.types.is_string, _text),
    (pa.types.is_integer, _integer),
    (pa.types.is_floating, _float),
    (pa.types.is_decimal, _decimal),
    (pa.types.is_boolean, _boolean),
    (pa.types.is_binary, _bytes),
    (lambda kind: pa.types.is_date(kind) or pa.types.is_timestamp(kind) or pa.types.is_time(kind), _moment),
)
