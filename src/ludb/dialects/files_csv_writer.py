"""Rows as CSV text in any dialect and encoding; a unit whose value the dialect cannot hold is refused, nothing is replaced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ludb.errors import ConfigError, Fault, UnitError


@dataclass(frozen=True, slots=True)
class Dialect:
    """How CSV is written. `null` stands bare where there is no value; a text that reads the same is quoted."""

    delimiter: str = ","
    quote: str = '"'
    null: str = ""
    header: bool = True
    line_end: str = "\n"
    encoding: str = "utf-8"


PLAIN = Dialect()
"""What is written where the job says nothing."""


def write_csv(rows: pa.Table, dialect: Dialect, positions: Sequence[int], place: str) -> bytes:
    """The rows as one text. `positions` are their units, empty where nobody knows them: then a `UnitError` names none."""
    faults: dict[int, Fault] = {}
    columns = [_fields(rows.column(name), dialect, f"{place}, column {name}", faults) for name in rows.column_names]
    lines = pc.binary_join_element_wise(*columns, dialect.delimiter).to_pylist() if rows.num_rows else []
    head = [dialect.delimiter.join(_name(name, dialect, place) for name in rows.column_names)] if dialect.header else []
    try:
        content = "".join(line + dialect.line_end for line in [*head, *lines]).encode(dialect.encoding)
    except UnicodeEncodeError:
        _unwritable(rows, lines, dialect, place, faults)
    if faults:
        units = {positions[row]: fault for row, fault in reversed(faults.items())} if positions else {}
        raise UnitError(f"{next(iter(faults.values())).reason} ({len(faults)} rows)", faults=units)
    return content


def _fields(column: pa.ChunkedArray, dialect: Dialect, place: str, faults: dict[int, Fault]) -> pa.Array:
    """The column as it stands between two delimiters."""
    is_text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    text = pa.chunked_array(column.cast(pa.string()).chunks or [pa.array([], pa.string())]).combine_chunks()
    unclear = pc.equal(text, dialect.null)
    for mark in (dialect.delimiter, "\n", "\r", *dialect.quote):
        unclear = pc.or_(unclear, pc.match_substring(text, mark))
    unclear = pc.fill_null(unclear, False)
    if dialect.quote:
        doubled = pc.replace_substring(text, dialect.quote, dialect.quote * 2)
        quoted = pc.binary_join_element_wise(dialect.quote, doubled, dialect.quote, "")
        text = quoted if is_text else pc.if_else(unclear, quoted, text)
    else:
        for row in pc.indices_nonzero(unclear).to_pylist():
            what = "holds a delimiter, a line end or the text of NULL, and CSV without quotes cannot tell it apart"
            faults.setdefault(row, Fault(f"{place}: {what}", repr(text[row].as_py())))
    return pc.fill_null(text, dialect.null)


def _name(name: str, dialect: Dialect, place: str) -> str:
    if dialect.quote:
        return dialect.quote + name.replace(dialect.quote, dialect.quote * 2) + dialect.quote
    if any(mark in name for mark in (dialect.delimiter, "\n", "\r")):
        raise ConfigError(
            f"{place}: the column name {name!r} needs quotes", remedy="Rename it in the step, or set quote:"
        )
    return name


def _unwritable(rows: pa.Table, lines: Sequence[str], dialect: Dialect, place: str, faults: dict[int, Fault]) -> None:
    """Find the rows that the encoding has no bytes for; `ConfigError` where it is a column's name."""
    for row, line in enumerate(lines):
        if not _is_writable(line, dialect):
            record: dict[str, Any] = rows.slice(row, 1).to_pylist()[0]
            bad = [name for name, value in record.items() if not _is_writable(str(value), dialect)]
            reason = f"{place}, column {', '.join(bad)}: {dialect.encoding} has no such character"
            faults.setdefault(row, Fault(reason, repr(record)))
    if not faults:
        raise ConfigError(f"{place}: {dialect.encoding} cannot hold the columns' names", remedy="Use encoding: utf-8")


def _is_writable(text: str, dialect: Dialect) -> bool:
    try:
        text.encode(dialect.encoding)
    except UnicodeEncodeError:
        return False
    return True
