"""Tables in files, read in file order: CSV as text, Parquet as typed, JSON lines with every digit."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from ludb.dialects.files import dump_json
from ludb.dialects.files_csv import csv_batches, header
from ludb.dialects.files_records import TableFile, fixed, records
from ludb.dialects.types import EXACT_FLOAT, INT64, from_text, to_decimal
from ludb.errors import ConfigError
from ludb.model.unit import Fetched, Refusal

BATCH = 50_000
"""Rows that are handed over at a time."""


def schema_of(file: TableFile) -> pa.Schema:
    """The file's own columns: text for CSV, as stored for Parquet, as the values need it for JSON lines (one
    reading).
    """
    if file.format == "csv":
        return pa.schema([(name, pa.string()) for name in header(file)])
    if file.format == "fixed":
        return pa.schema([(name, pa.string()) for name in file.options.widths])
    if file.format == "parquet":
        fields = _parquet(file).schema_arrow
        return pa.schema([(field.name, _decoded(field.type)) for field in fields])
    kinds: dict[str, pa.DataType] = {}
    for record in records(file):
        for name, value in record.items():
            kinds[name] = widened(kinds.get(name, pa.null()), value)
    try:
        return pa.schema([(name, pa.string() if pa.types.is_null(kind) else kind) for name, kind in kinds.items()])
    except UnicodeEncodeError as error:
        raise file.wrong("a name holds half a surrogate pair, which no text can hold") from error


def own_schema(files: Sequence[TableFile]) -> pa.Schema:
    """The columns of a table in one file or several; `ConfigError` with both file names where columns differ."""
    found = []
    for file in files:
        with whole(file):
            found.append((file, schema_of(file)))
    first, *others = found
    kept = first[1]
    for file, own in others:
        if own.names != kept.names or (file.format == "parquet" and own.types != kept.types):
            raise file.wrong(f"its columns are not those of {first[0].path}")
        fields = []
        for one, two in zip(kept, own, strict=True):
            fields.append(one if one.type == two.type else one.with_type(pa.string()))
        kept = pa.schema(fields)
    return kept


@contextlib.contextmanager
def whole(file: TableFile) -> Iterator[None]:
    """Within it, bytes that are not of the file's compression are a `ConfigError`, not a disk that is away."""
    try:
        yield
    except OSError as error:
        if file.compression is None or error.errno is not None or "AWS Error" in str(error):
            raise
        raise file.wrong(f"not a whole {file.compression} file") from error


def read_all(files: Sequence[TableFile], own: pa.Schema, wanted: pa.Schema) -> Iterator[Fetched]:
    """The rows of all files, one after another. `row_id` is the row's number over all of them, for staging finds the
    unit by it; with several files the reason says <file>:<row>.
    """
    before = 0
    for file in files:
        name, count = file.path.rpartition("/")[2], 0
        with whole(file):
            for fetched in read(file, own, wanted):
                count += fetched.rows.num_rows
                yield (
                    fetched
                    if len(files) == 1
                    else Fetched(
                        fetched.rows,
                        [
                            replace(
                                one, reason=f"{one.reason} ({name}:{one.row_id})", row_id=str(before + int(one.row_id))
                            )
                            for one in fetched.refused
                        ],
                    )
                )
        before += count


def read(file: TableFile, own: pa.Schema, wanted: pa.Schema) -> Iterator[Fetched]:
    """The file's rows as `wanted`, a choice of columns with perhaps other types; `own` is `schema_of(file)`.

    A value that is not of its wanted type is NULL in the rows, and refused; `row_id` is the row's number, from 1 on. At
    least one `Fetched`. Raises `ConfigError` with file and line for a malformed file.
    """
    first = 1
    for batch in _batches(file, own):
        arrays: list[pa.Array] = []
        refused: list[Refusal] = []
        for field in wanted:
            array, faults = _converted(
                batch.column(field.name).combine_chunks(), field.type, file.options.decimal_comma
            )
            arrays.append(array)
            refused.extend(
                Refusal((), file.table, field.name, reason, detail, str(first + row), row)
                for row, reason, detail in faults
            )
        yield Fetched(pa.Table.from_arrays(arrays, schema=wanted), refused)
        first += batch.num_rows
    if first == 1:
        yield Fetched(wanted.empty_table())


def _batches(file: TableFile, own: pa.Schema) -> Iterator[pa.Table]:
    if file.format == "csv":
        yield from csv_batches(file, own)
    elif file.format == "parquet":
        try:
            for batch in _parquet(file).iter_batches(BATCH):
                yield pa.Table.from_batches([batch])
        except (pa.ArrowInvalid, OSError) as error:
            if "AWS Error" in str(error):
                raise
            raise ConfigError(f"not a whole Parquet file: {error}", file=file.path) from error
    elif file.format == "fixed":
        yield from fixed(file, BATCH)
    else:
        found = records(file)
        while some := list(itertools.islice(found, BATCH)):
            columns = [
                _column([_json_value(record.get(field.name), field.type) for record in some], field.type)
                for field in own
            ]
            yield pa.Table.from_arrays(columns, names=own.names)


def _column(values: list[Any], kind: pa.DataType) -> pa.Array:
    """The values as Arrow; texts with half a surrogate pair, which JSON can write and UTF-8 cannot, as bytes that are refused
    by row later.
    """
    try:
        return pa.array(values, kind)
    except UnicodeEncodeError:
        return pa.array(
            [None if value is None else value.encode("utf-8", "surrogatepass") for value in values], pa.binary()
        )


def _parquet(file: TableFile) -> pq.ParquetFile:
    try:
        return pq.ParquetFile((file.store or pafs.LocalFileSystem()).open_input_file(file.path))
    except (pa.ArrowInvalid, OSError) as error:
        if "AWS Error" in str(error):
            raise
        raise ConfigError(f"table {file.table}: not a Parquet file: {error}", file=file.path) from error


def widened(kind: pa.DataType, value: Any) -> pa.DataType:
    """The type that holds what was seen before and this value too; text where nothing else does."""
    if value is None:
        return kind
    new = _kind(value)
    if pa.types.is_null(kind) or kind == new:
        return new
    if {str(kind), str(new)} == {"string"} or not (_numeric(kind) and _numeric(new)):
        return pa.string()
    scales = [one.scale if pa.types.is_decimal(one) else 0 for one in (kind, new)]
    wholes = [one.precision - one.scale if pa.types.is_decimal(one) else 19 for one in (kind, new)]
    digits = max(scales) + max(wholes)
    return pa.decimal128(digits, max(scales)) if digits <= 38 else pa.string()


def _kind(value: Any) -> pa.DataType:
    if isinstance(value, bool):
        return pa.bool_()
    if isinstance(value, int) and value in INT64:
        return pa.int64()
    if isinstance(value, int | Decimal):
        _, digits, exponent = Decimal(value).as_tuple()
        assert isinstance(exponent, int)
        scale = max(-exponent, 0)
        precision = max(len(digits) + max(exponent, 0), scale + 1)
        return pa.decimal128(precision, scale) if precision <= 38 else pa.string()
    return pa.string()


def _numeric(kind: pa.DataType) -> bool:
    return bool(pa.types.is_int64(kind) or pa.types.is_decimal(kind))


def _json_value(value: Any, kind: pa.DataType) -> Any:
    """Values of mixed kinds, and nested ones, travel as their JSON text; plain text as itself."""
    if value is None or isinstance(value, str) or not pa.types.is_string(kind):
        return value if not isinstance(value, int) or not pa.types.is_decimal(kind) else Decimal(value)
    return dump_json(value)


def _decoded(kind: pa.DataType) -> pa.DataType:
    """Parquet types as the engine knows them: dictionaries and views of text are text."""
    if pa.types.is_dictionary(kind):
        return _decoded(kind.value_type)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    return pa.binary() if pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind) else kind


def _converted(array: pa.Array, kind: pa.DataType, comma: bool = False) -> tuple[pa.Array, list[tuple[int, str, str]]]:
    """The array as another type, value by value where it must be: no value changes, and none is lost without a
    fault.
    """
    if array.type == kind:
        return array, []
    textual = pa.types.is_binary(array.type) and pa.types.is_string(kind)
    if textual or pa.types.is_dictionary(array.type) or pa.types.is_large_string(array.type):
        try:
            return array.cast(kind), []
        except pa.ArrowInvalid:
            pass
    values: list[Any] = []
    faults = []
    for row, value in enumerate(array.to_pylist()):
        try:
            values.append(None if value is None else _convert(_pointed(value, kind) if comma else value, kind))
        except ValueError as error:
            values.append(None)
            faults.append((row, str(error), repr(value)))
    return pa.array(values, kind), faults


def _pointed(value: Any, kind: pa.DataType) -> Any:
    """A number written with a decimal comma, as one with a point; one with a point already is no number."""
    if not (pa.types.is_decimal(kind) or pa.types.is_floating(kind)) or not isinstance(value, bytes | str):
        return value
    text = value.decode(errors="surrogateescape") if isinstance(value, bytes) else value
    if "." in text:
        raise ValueError("is not a number with a decimal comma")
    return text.replace(",", ".")


def _convert(value: Any, kind: pa.DataType) -> Any:
    if isinstance(value, bytes) and not pa.types.is_binary(kind):
        try:
            return from_text(value.decode(), kind)
        except UnicodeDecodeError:
            raise ValueError("holds text that is not UTF-8") from None
    if isinstance(value, str):
        return from_text(value, kind)
    for test, convert in _CONVERSIONS:
        if test(kind):
            return convert(value, kind)
    if type(value) is _PYTHON.get(kind):
        return value
    raise ValueError(f"is not a {kind}")


def _to_text(value: Any, _: pa.DataType) -> str:
    if isinstance(value, int | float | bool):
        return str(value).lower() if isinstance(value, bool) else repr(value)
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _to_integer(value: Any, _: pa.DataType) -> int:
    if not _is_number(value) or value != value // 1:
        raise ValueError("is not an integer")
    if int(value) not in INT64:
        raise ValueError("is not an integer of 64 bits")
    return int(value)


def _to_float(value: Any, _: pa.DataType) -> float:
    if not _is_number(value):
        raise ValueError("is not a number")
    if not isinstance(value, float) and Decimal(repr(float(value))) != value and abs(value) > EXACT_FLOAT:
        raise ValueError("has more digits than a number can hold")
    return float(value)


def _to_decimal(value: Any, kind: pa.DataType) -> Decimal:
    if not _is_number(value):
        raise ValueError("is not a number")
    return to_decimal(Decimal(repr(value)) if isinstance(value, float) else Decimal(value), kind)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


_PYTHON: Mapping[pa.DataType, type] = {
    pa.bool_(): bool,
    pa.binary(): bytes,
    pa.date32(): dt.date,
    pa.timestamp("us"): dt.datetime,
}

_CONVERSIONS: Sequence[tuple[Callable[[pa.DataType], bool], Callable[[Any, pa.DataType], Any]]] = (
    (pa.types.is_string, _to_text),
    (pa.types.is_integer, _to_integer),
    (pa.types.is_floating, _to_float),
    (pa.types.is_decimal, _to_decimal),
)
