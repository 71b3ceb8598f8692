"""How each PostgreSQL column is asked for, so that what arrives is exact or is refused by row.

ADBC reads numbers, texts, bytes and moments as binary, but an infinite or very late moment becomes another one without a
word, and decimals take it four times as long as their text does. Rows are asked for in one of two ways. `bare` asks for the
values alone: what arrives is whole if `whole` can see that nothing was beyond Arrow, and else it is thrown away. `select`
asks for a moment where Arrow can hold it, and for one more column, nearly always NULL, with the texts of what a row has that
Arrow cannot hold, and the row's name.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ludb.dialects.postgres import quote
from ludb.dialects.postgres_schema import Reflected, Type
from ludb.dialects.types import arrow_type, from_text
from ludb.errors import ConfigError
from ludb.model.keys import key_text
from ludb.model.unit import MATCH, Column, Refusal

_MOMENTS = {
    "date": ("'0001-01-01'", "'9999-12-31'", "an infinite date, or one beyond the years 1 to 9999"),
    "timestamp": (
        "'0001-01-01'",
        "'9999-12-31 23:59:59.999999'",
        "an infinite moment, or one beyond the years 1 to 9999",
    ),
    "timestamptz": (
        "'0001-01-01 00:00+00'",
        "'9999-12-31 23:59:59.999999+00'",
        "an infinite moment, or one beyond the years 1 to 9999",
    ),
    "time": ("'00:00'", "'23:59:59.999999'", "24:00:00, which is no time of day elsewhere"),
}
_DAY = 86_400_000_000
_DAYS = (
    dt.date.min.toordinal() - dt.date(1970, 1, 1).toordinal(),
    dt.date.max.toordinal() - dt.date(1970, 1, 1).toordinal(),
)
_INSTANTS = (_DAYS[0] * _DAY, (_DAYS[1] + 1) * _DAY - 1)
_HELD = {"date": _DAYS, "timestamp": _INSTANTS, "timestamptz": _INSTANTS, "time": (0, _DAY - 1)}
_TEXTS = ("text", "varchar", "bpchar", "name", "citext")


@dataclass(frozen=True, slots=True)
class Carriage:
    """How one column travels. `chosen` is true where the job names the type: then its text becomes a value of it."""

    column: Column
    type: Type
    chosen: bool = False


def plan(table: Reflected, types: Sequence[tuple[str, str]], system: str) -> tuple[Carriage, ...]:
    """The carriage of every column in its order; `types` are the job's overrides. `ConfigError` for an unknown column."""
    chosen: dict[str, pa.DataType] = {}
    for name, text in types:
        if table.column(name) is None:
            known = ", ".join(column.name for column in table.columns)
            raise ConfigError(
                f"types: names column {name!r}, which {system}.{table.label} has not",
                remedy=f"Columns that are there: {known}",
            )
        chosen[name] = arrow_type(text)
    return tuple(
        Carriage(_as(column, chosen[column.name]), table.types[column.name], chosen=True)
        if column.name in chosen
        else Carriage(column, table.types[column.name])
        for column in table.columns
    )


def select(plans: Sequence[Carriage], table: Reflected, alias: str = "a") -> tuple[str, ...]:
    """The expressions that read these columns: values, then what is doubtful of the row as a JSON list (the texts of refused
    values, then the row's name), where there can be doubts; where values are converted here, the row's name alone.

    `typed` takes the columns in this order.
    """
    values = [_value(how, alias) for how in plans]
    ids = row_id(table, alias)
    always = any(_converts(how) for how in plans)
    bad = [_bad(how, alias) for how in plans if _bad(how, alias)]
    texts = [_doubt(how, alias) for how in plans if _bad(how, alias)]
    told = ", ".join([*texts, *(() if always else ids)])
    doubts = [f"CASE WHEN {' OR '.join(bad)} THEN json_build_array({told})::text END"] if bad else []
    return (*values, *doubts, *(ids if always else ()))


def bare(plans: Sequence[Carriage], alias: str = "a") -> tuple[str, ...] | None:
    """The expressions of values that `whole` can judge; None where a column is converted here, or is an amount of money."""
    if any(_converts(how) or how.type.name == "money" for how in plans):
        return None
    return tuple(f"{alias}.{quote(how.column.name)}" if _is_moment(how) else _value(how, alias) for how in plans)


def whole(rows: pa.Table, keyed: Sequence[Carriage], plans: Sequence[Carriage]) -> pa.Table | None:
    """Columns as `match` and `bare` asked for them as the planned table; None if any value is one that Arrow cannot hold.

    Every moment beyond the years 1 to 9999, also one that has become another on its way (it wraps around in 32 or 64
    bits), arrives outside of them.
    """
    everything = [*keyed, *plans]
    arrays = []
    for number, how in enumerate(everything):
        values = rows.column(number).combine_chunks()
        if number >= len(keyed) and _is_moment(how) and not _is_held(values, how):
            return None
        try:
            arrays.append(values if values.type == how.column.type else values.cast(how.column.type))
        except pa.ArrowInvalid:
            return None
    names = [f"{MATCH}{number}" for number in range(len(keyed))] + [how.column.name for how in plans]
    schema = pa.schema([(name, how.column.type) for name, how in zip(names, everything, strict=True)])
    return pa.Table.from_arrays(arrays, schema=schema)


def _is_moment(how: Carriage) -> bool:
    return not how.chosen and how.type.name in _MOMENTS


def _is_held(values: pa.Array, how: Carriage) -> bool:
    """Whether all moments lie where `_MOMENTS` says, counted from 1970 or midnight in Arrow's units."""
    low, high = _HELD[how.type.name]
    found = pc.min_max(values.cast(pa.int32() if how.type.name == "date" else pa.int64()))
    return found["min"].as_py() is None or (found["min"].as_py() >= low and found["max"].as_py() <= high)


def row_id(table: Reflected, alias: str = "a") -> tuple[str, ...]:
    """What names a row of the table, as texts: its primary key, else where it lies; nothing for a view."""
    if table.primary_key:
        return tuple(f"{alias}.{quote(name)}::text" for name in table.primary_key)
    return (f"{alias}.ctid::text",) if table.kind in ("r", "m") else ()


def match(plans: Sequence[Carriage], alias: str = "a") -> tuple[str, ...]:
    """The expressions of a key; texts byte by byte, so that DISTINCT keeps keys apart that a collation takes as equal."""
    return tuple(f"{_matched(how, alias)}{_exact(how)}" for how in plans)


def _matched(how: Carriage, alias: str) -> str:
    """The value of a key; NaN is no key, and nobody looks at what is doubtful of keys."""
    value = _value(how, alias)
    if how.chosen or not pa.types.is_decimal(how.column.type):
        return value
    return f"CASE WHEN NOT ({_bad(how, alias)}) THEN {value} END"


def typed(
    rows: pa.Table, keyed: Sequence[Carriage], plans: Sequence[Carriage], table: Reflected
) -> tuple[pa.Table, list[Refusal]]:
    """Columns as `match` and `select` asked for them become the planned table; what does not fit is NULL, and refused."""
    everything = [*keyed, *plans]
    doubtful = [number for number, how in enumerate(everything) if number >= len(keyed) and _bad(how, "a")]
    texts = _told(rows.column(len(everything))) if doubtful else {}
    arrays: list[Any] = []
    faults: list[tuple[int, str, str, str]] = []
    for number, how in enumerate(everything):
        at = doubtful.index(number) if number in doubtful else None
        refused = {row: told[at] for row, told in texts.items() if at is not None and told[at] is not None}
        array, found = _converted(_without(rows.column(number), refused), how)
        arrays.append(array)
        faults += [(row, how.column.name, reason, detail) for row, reason, detail in found]
        why = f"holds {_why(how)} (carry it as text: types: {{{how.column.name}: text}})" if refused else ""
        faults += [(row, how.column.name, why, text or "") for row, text in refused.items()]
    names = [f"{MATCH}{number}" for number in range(len(keyed))] + [how.column.name for how in plans]
    schema = pa.schema([(name, how.column.type) for name, how in zip(names, everything, strict=True)])
    ids = [rows.column(number) for number in range(len(everything) + bool(doubtful), rows.num_columns)]
    refusals = []
    for row, column, reason, detail in faults:
        key = tuple(array[row].as_py() for array in arrays[: len(keyed)])
        named = [part[row].as_py() for part in ids] if ids else texts.get(row, [])[len(doubtful) :]
        name = key_text(named) if named else ""
        refusals.append(Refusal(key, table.label, column, reason, detail, name, row))
    return pa.Table.from_arrays(arrays, schema=schema), refusals


def _told(doubts: pa.ChunkedArray) -> dict[int, list[str | None]]:
    """What the server told of doubtful rows, by row number."""
    rows = pc.indices_nonzero(pc.is_valid(doubts)).to_pylist() if doubts.null_count < len(doubts) else []
    return {row: json.loads(doubts[row].as_py()) for row in rows}


def _without(values: pa.ChunkedArray, refused: Collection[int]) -> pa.ChunkedArray:
    """The values, NULL in these rows."""
    if not refused:
        return values
    kept = [row not in refused for row in range(len(values))]
    return pc.if_else(pa.array(kept), values, pa.scalar(None, values.type))


def _as(column: Column, kind: pa.DataType) -> Column:
    return Column(
        column.name, kind, column.native, column.nullable, column.key, column.required, column.generated, refused=None
    )


def _value(how: Carriage, alias: str) -> str:
    name = f"{alias}.{quote(how.column.name)}"
    if how.chosen:
        return name if how.type.name in ("bytea", "bpchar") else _text(how, name)
    if how.type.name in _MOMENTS:
        return f"CASE WHEN NOT ({_bad(how, alias)}) THEN {name} END"
    if pa.types.is_decimal(how.column.type):
        return f"{name}::numeric::text" if how.type.name == "money" else f"{name}::text"
    if pa.types.is_integer(how.column.type):
        return f"{name}::int8"
    if how.type.name in ("bool", "float4", "float8", "bytea", "text", "varchar", "bpchar"):
        return name
    return _text(how, name)


def _text(how: Carriage, name: str) -> str:
    """The value's text as the server shows it; a cast of `inet` alone would add a netmask of 32 or 128 bits."""
    return f"abbrev({name})" if how.type.name == "inet" else f"{name}::text"


def _exact(how: Carriage) -> str:
    return ' COLLATE "C"' if how.type.name in _TEXTS else ""


def _bad(how: Carriage, alias: str) -> str:
    """The condition under which Arrow cannot hold the value; empty where it always can."""
    name = f"{alias}.{quote(how.column.name)}"
    if how.chosen:
        return ""
    if how.type.name in _MOMENTS:
        low, high, _ = _MOMENTS[how.type.name]
        kind = how.type.name
        return f"{name} NOT BETWEEN {low}::{kind} AND {high}::{kind}"
    if how.type.name == "money":
        return f"{name}::numeric <> round({name}::numeric, 2)"
    return f"{name} = 'NaN'::numeric" if pa.types.is_decimal(how.column.type) else ""


def _doubt(how: Carriage, alias: str) -> str:
    return f"CASE WHEN {_bad(how, alias)} THEN {alias}.{quote(how.column.name)}::text END"


def _why(how: Carriage) -> str:
    if how.type.name in _MOMENTS:
        return _MOMENTS[how.type.name][2]
    return "an amount of more than two decimals" if how.type.name == "money" else "NaN, which is no decimal elsewhere"


def _converts(how: Carriage) -> bool:
    """Whether values become another type here, one by one, and may fail to."""
    return how.chosen and not (pa.types.is_string(how.column.type) and how.type.name != "bytea")


def _converted(values: pa.ChunkedArray, how: Carriage) -> tuple[Any, list[tuple[int, str, str]]]:
    kind = how.column.type
    plain = values.combine_chunks()
    if not _converts(how):
        return (plain if plain.type == kind else plain.cast(kind)), []
    carried: list[object] = []
    faults: list[tuple[int, str, str]] = []
    for row, value in enumerate(plain.to_pylist()):
        try:
            carried.append(None if value is None else _one(value, kind))
        except ValueError as error:
            carried.append(None)
            faults.append((row, str(error), repr(value)))
    return pa.array(carried, kind), faults


def _one(value: str | bytes, kind: pa.DataType) -> object:
    if isinstance(value, str):
        return from_text(value, kind)
    if pa.types.is_binary(kind):
        return value
    try:
        return from_text(value.decode(), kind)
    except UnicodeDecodeError:
        raise ValueError("holds bytes that are not UTF-8") from None
