"""Rows as the bytes of one file, with no value changed; a unit whose value the format cannot hold is refused."""

from __future__ import annotations

import bz2
import gzip
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from ludb.dialects.files import COMPRESSIONS, FilesSystem, FileTable, dump_json
from ludb.dialects.files_csv import header
from ludb.dialects.files_csv_writer import PLAIN, Dialect, write_csv
from ludb.dialects.files_reader import read, schema_of
from ludb.dialects.files_records import TableFile
from ludb.errors import ConfigError, Fault, UnitError
from ludb.model.unit import POSITION


@dataclass(frozen=True, slots=True)
class Output:
    """How parts are written; the same rows always become the same bytes, so that a part can be written again."""

    form: str
    compression: str | None = None
    dialect: Dialect = PLAIN

    @classmethod
    def of(cls, settings: FilesSystem) -> Output:
        """As the system's settings say."""
        dialect = Dialect(
            settings.delimiter, settings.quote, settings.null, settings.header,
            {"lf": "\n", "crlf": "\r\n"}[settings.line_end], settings.encoding,
        )  # fmt: skip
        return cls(settings.format, settings.compression, dialect)

    @property
    def ending(self) -> str:
        """The ending of a part's name: `csv`, `jsonl.gz`, ..."""
        endings = {value: f".{ending}" for ending, value in COMPRESSIONS.items()}
        return self.form + ("" if self.form == "parquet" else endings.get(self.compression or "", ""))

    def part(self, table: str, path: str, store: Any = None) -> TableFile:
        """A part that is to be read back; format and compression by its own ending, for settings may have changed."""
        *_, last_but_one, last = ["", *path.split(".")]
        form = last_but_one if last in COMPRESSIONS else last
        how = self.dialect
        options = FileTable(delimiter=how.delimiter, quote=how.quote, null=(how.null,), encoding=how.encoding)
        found = TableFile(table, path, form, options, store, COMPRESSIONS.get(last))
        if form == "csv" and not how.header:
            names = tuple(f"column_{number}" for number in range(1, len(header(found)) + 1))
            return replace(found, options=options.model_copy(update={"columns": names}))
        return found

    def packed(self, content: bytes) -> bytes:
        """The content in this compression, without a time stamp."""
        if self.compression == "gzip":
            return gzip.compress(content, mtime=0)
        if self.compression == "bz2":
            return bz2.compress(content)
        return pa.Codec("zstd").compress(content, asbytes=True) if self.compression == "zstd" else content


def encode(rows: pa.Table, output: Output, place: str) -> bytes:
    """The rows as one file of the format, without the column `ludb_position`, in the order given.

    CSV: header, NULL as nothing, empty text as `""`, decimals with all digits. `UnitError` names the units (where the
    position is there) with values that the format cannot hold; `ConfigError` for types that it cannot hold at all.
    """
    plain = rows.drop_columns([POSITION]) if POSITION in rows.column_names else rows
    if output.form == "jsonl":
        return output.packed(_json_lines(rows, plain, place))
    sink = pa.BufferOutputStream()
    if output.form == "parquet":
        # one layout, so that a rewrite is the same
        pq.write_table(plain.combine_chunks(), sink, compression=output.compression or "zstd")
        return bytes(sink.getvalue())
    if output.dialect != Dialect(output.dialect.delimiter):
        positions = rows.column(POSITION).to_pylist() if POSITION in rows.column_names else []
        return output.packed(write_csv(_flat(plain, place), output.dialect, positions, place))
    how = pyarrow.csv.WriteOptions(delimiter=output.dialect.delimiter)
    pyarrow.csv.write_csv(_flat(plain, place), sink, how)
    return output.packed(bytes(sink.getvalue()))


def read_parts(paths: Sequence[Path], output: Output, table: str) -> pa.Table:
    """The rows of several files of one table, one after another; an empty table without columns if there is no file."""
    tables: list[pa.Table] = []
    for path in paths:
        file = output.part(table, str(path))
        own = schema_of(file)
        tables.extend(fetched.rows for fetched in read(file, own, own))
    return pa.concat_tables(tables, promote_options="permissive") if tables else pa.table({})


def _json_lines(rows: pa.Table, plain: pa.Table, place: str) -> bytes:
    lines = []
    faults: dict[int, Fault] = {}
    positions = rows.column(POSITION).to_pylist() if POSITION in rows.column_names else []
    for number, record in enumerate(plain.to_pylist()):
        try:
            lines.append(dump_json(record) + "\n")
        except ValueError as error:
            if not positions:
                raise UnitError(f"{place}: a value {error}") from error
            names = [name for name, value in record.items() if not _sound(value)]
            faults.setdefault(positions[number], Fault(f"{place}, column {', '.join(names)}: {error}", repr(record)))
    if faults:
        raise UnitError(f"{len(faults)} units hold values that {place} cannot hold", faults=faults)
    return "".join(lines).encode()


def _sound(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_sound, value.values()))
    if isinstance(value, list):
        return all(map(_sound, value))
    return not isinstance(value, float) or math.isfinite(value)


def _flat(table: pa.Table, place: str) -> pa.Table:
    """Columns as CSV can hold them; small decimals are spelled out, where Arrow would write an exponent."""
    columns = []
    for field, column in zip(table.schema, table.columns, strict=True):
        kind = field.type
        if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            raise ConfigError(
                f"{place}, column {field.name}: {kind} has no place in a CSV file",
                remedy="Turn it into text in the step (to_json, base64), or write parquet",
            )
        if pa.types.is_decimal(kind):
            digits = [None if value is None else format(value, "f") for value in column.to_pylist()]
            columns.append(pa.chunked_array([pa.array(digits, pa.string())]))
        else:
            columns.append(column)
    return pa.Table.from_arrays(columns, names=table.column_names)
