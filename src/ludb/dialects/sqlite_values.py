"""SQLite values become Arrow columns of exactly the planned type; a value that does not fit is refused by row.

SQLite types each value, not each column. Connections that read rows hand TEXT over as `bytearray` and BLOB as `bytes`
(`TEXT_FACTORY`), so that the two stay apart and bytes that are no UTF-8 are a value like any other; or TEXT as `str`, where a
driver's error about such bytes is understood.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ludb.dialects.sqlite_schema import Reflected, text_length
from ludb.dialects.types import EXACT_FLOAT, arrow_type, from_text, to_decimal
from ludb.errors import ConfigError
from ludb.model.unit import Column
from ludb.wording import plural

TEXT_FACTORY: Any = bytearray
"""What a reading connection's `text_factory` must be."""

Faults = Mapping[int, tuple[str, str]]
"""Row number -> (reason without the value, detail with it)."""

_TEXT_CLASSES = (bytearray, str)
_KINDS = {bytearray: "text", str: "text", bytes: "a blob", int: "an integer", float: "a number", type(None): "NULL"}


@dataclass(frozen=True, slots=True)
class Carriage:
    """How one column travels. `chosen` is true where the job names the type: then text, integers and numbers may become
    that type as long as the value stays the same. `length` is the number of characters that the declared type allows.
    """

    column: Column
    chosen: bool = False
    length: int | None = None


def plan(table: Reflected, types: Sequence[tuple[str, str]], system: str) -> tuple[Carriage, ...]:
    """The carriage of every column in its order; `types` are the job's overrides. `ConfigError` for an unknown
    column.
    """
    chosen: dict[str, pa.DataType] = {}
    for name, text in types:
        column = table.column(name)
        if column is None:
            known = ", ".join(column.name for column in table.columns)
            raise ConfigError(
                f"types: names column {name!r}, which {system}.{table.name} has not",
                remedy=f"Columns that are there: {known}",
            )
        chosen[column.name] = arrow_type(text)
    return tuple(
        Carriage(_as(column, chosen[column.name]), chosen=True)
        if column.name in chosen
        else Carriage(column, length=text_length(column.native) if pa.types.is_string(column.type) else None)
        for column in table.columns
    )


def carry(values: Sequence[Any], how: Carriage) -> tuple[pa.Array, Faults]:
    """One column's values as an Arrow array, and the rows that do not fit (NULL in the array).

    The quick way is taken only where every value has the storage class of the type, so that it cannot differ from the
    slow way, value by value.
    """
    quick = _quick(values, set(map(type, values)), how.column.type)
    if quick is not None and (how.length is None or _longest(quick) <= how.length):
        return quick, {}
    carried: list[Any] = []
    faults: dict[int, tuple[str, str]] = {}
    for row, value in enumerate(values):
        try:
            carried.append(None if value is None else _carry_one(value, how))
        except ValueError as error:
            carried.append(None)
            faults[row] = (str(error), repr(plain(value)))
    return pa.array(carried, how.column.type), faults


def plain(value: Any) -> Any:
    """A value as a person knows it: TEXT as `str` where it is UTF-8, else as `bytes`."""
    if isinstance(value, bytearray):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return bytes(value)
    return value


def _as(column: Column, kind: pa.DataType) -> Column:
    return Column(
        column.name, kind, column.native, column.nullable, column.key, column.required, column.generated, refused=None
    )


def _longest(array: pa.Array) -> int:
    return int(pc.max(pc.utf8_length(array)).as_py() or 0)


def _quick(  # noqa: PLR0911  (each way out is a storage class)
    values: Sequence[Any], classes: set[type], kind: pa.DataType
) -> pa.Array | None:
    classes.discard(type(None))
    if not classes:
        return pa.nulls(len(values), kind)
    try:
        if classes <= {int, float} and (pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
            floats = pa.array(values, pa.float64())  # raises for an integer that a double cannot hold
            return floats if pa.types.is_floating(kind) else _decimals(floats, kind)
        if len(classes) > 1:
            return None
        (only,) = classes
        if (
            (only is int and pa.types.is_int64(kind))
            or (only in _TEXT_CLASSES and pa.types.is_string(kind))
            or (only is bytes and pa.types.is_binary(kind))
        ):
            return pa.array(values, kind)
        if only is int and pa.types.is_boolean(kind) and set(values) <= {0, 1, None}:
            return pa.array(values, pa.int64()).cast(pa.bool_())
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return None
    return None


def _decimals(floats: pa.Array, kind: pa.DataType) -> pa.Array | None:
    """Doubles as decimals without a loop; None where the slow way must decide.

    With at most 15 digits, n / 10**scale gives back the double only if n at that scale is what `repr` prints.
    """
    if kind.scale > 15:
        return None
    step = float(10**kind.scale)
    whole = pc.round(pc.multiply(floats, step))
    limit = float(10 ** min(15, kind.precision))
    fits = pc.and_(pc.less(pc.abs(whole), limit), pc.equal(pc.divide(whole, step), floats))
    if pc.all(fits).as_py() is False:
        return None
    units = whole.cast(pa.int64()).cast(pa.decimal128(38, 0))
    return pa.Array.from_buffers(kind, len(units), units.buffers(), units.null_count, units.offset)


def _carry_one(value: Any, how: Carriage) -> Any:
    kind = how.column.type
    if isinstance(value, _TEXT_CLASSES):
        text = value if isinstance(value, str) else _text(value)
        if how.length is not None and len(text) > how.length:
            raise ValueError(f"is longer than {plural(how.length, 'character')}, as declared ({how.column.native})")
        if pa.types.is_string(kind):
            return text
        if how.chosen:
            return from_text(text, kind)
    elif isinstance(value, bytes):
        if pa.types.is_binary(kind):
            return value
        if how.chosen and pa.types.is_string(kind):
            return _text(value)
    else:
        for test, convert in _NUMBERS:
            if test(kind):
                return convert(value, how)
    declared = f" column ({how.column.native})" if how.column.native else " column without a declared type"
    wanted = f"{_name(kind)}, as types: says" if how.chosen else f"{_name(kind)}{declared}"
    raise ValueError(f"holds {_KINDS[type(value)]} in {'an' if wanted.startswith('integer') else 'a'} {wanted}")


def _text(value: bytes | bytearray) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise ValueError("holds text that is not UTF-8") from None


def _integer(value: float, how: Carriage) -> int:
    if isinstance(value, int):
        return value
    if how.chosen and value.is_integer() and abs(value) <= EXACT_FLOAT:
        return int(value)
    raise ValueError(f"holds a number in an integer column ({how.column.native or 'as types: says'})")


def _float(value: float, how: Carriage) -> float:
    if isinstance(value, int) and abs(value) > EXACT_FLOAT:
        raise ValueError(f"holds an integer beyond 2**53, which a double cannot hold ({how.column.native or 'number'})")
    return float(value)


def _boolean(value: float, how: Carriage) -> bool:
    if isinstance(value, int) and value in (0, 1):
        return bool(value)
    raise ValueError(f"holds a number other than 0 and 1 in a boolean column ({how.column.native or 'as types: says'})")


def _decimal(value: float, how: Carriage) -> Decimal:
    return to_decimal(Decimal(value) if isinstance(value, int) else Decimal(repr(value)), how.column.type)


def _number_as_text(value: float, how: Carriage) -> str:
    if not how.chosen:
        raise ValueError(f"holds {_KINDS[type(value)]} in a text column ({how.column.native or 'no declared type'})")
    return repr(value)


_NUMBERS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[float, Carriage], Any]], ...] = (
    (pa.types.is_integer, _integer),
    (pa.types.is_floating, _float),
    (pa.types.is_boolean, _boolean),
    (pa.types.is_decimal, _decimal),
    (pa.types.is_string, _number_as_text),
)


def _name(kind: pa.DataType) -> str:
    names = {
        pa.string(): "text",
        pa.int64(): "integer",
        pa.float64(): "number",
        pa.bool_(): "boolean",
        pa.binary(): "blob",
    }
    return names.get(kind, str(kind))
