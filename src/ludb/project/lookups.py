"""Lookup files become shared tables: `lookups/status_codes.csv` is `ref.status_codes`. CSV is text unless told."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.json
import pyarrow.parquet

from ludb.dialects.types import arrow_type, from_text
from ludb.errors import ConfigError
from ludb.model.unit import UnitSchema
from ludb.project.content import Content
from ludb.project.mistakes import Mistakes, did_you_mean
from ludb.project.settings import JobSettings


def check_lookups(content: Content, settings: JobSettings, unit: UnitSchema, mistakes: Mistakes) -> None:
    """Refuse a lookup that shares its name with a reference table, and types for a lookup that is not there."""
    references = {ref.name.lower() for ref in unit.reference}
    names = [name for _, name in content.lookups]
    for path, name in content.lookups:
        if name.lower() in references:
            mistakes.in_file(f"lookups/{path.name}", f"ref.{name} is a reference table already", "Rename the lookup")
    for name, lookup in settings.lookups.items():
        if name not in names:
            mistakes.at(
                ("lookups", name), f"there is no lookup {name!r}", did_you_mean(name, names, otherwise="Remove it")
            )
        for column, kind in lookup.types.items():
            try:
                arrow_type(kind)
            except ConfigError as error:
                mistakes.within(("lookups", name, "types", column), error)


def read_lookups(
    lookups: Sequence[tuple[Path, str]], types: Mapping[str, Mapping[str, str]] | None = None
) -> dict[str, pa.Table]:
    """The lookup tables by name. An empty CSV field is empty text, or NULL in a column that `types` gives another type.

    `ConfigError` names file and line of what cannot be read.
    """
    return {name: _read(path, (types or {}).get(name, {})) for path, name in lookups}


def _read(path: Path, types: Mapping[str, str]) -> pa.Table:
    file = f"lookups/{path.name}"
    try:
        if path.suffix == ".parquet":
            return pa.parquet.read_table(path)
        if path.suffix == ".jsonl":
            return pa.json.read_json(path)
        with path.open(encoding="utf-8-sig", newline="") as text:
            return _csv(csv.reader(text, strict=True), file, types)
    except UnicodeDecodeError:
        raise ConfigError("is not UTF-8 text", file=file, remedy="Save the file as UTF-8") from None
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, csv.Error, OSError) as error:
        what = path.suffix.removeprefix(".")
        raise ConfigError(
            f"cannot be read as {what}", file=file, remedy=f"Mend the file, or save it as {what} again"
        ) from error


def _csv(reader: Any, file: str, types: Mapping[str, str]) -> pa.Table:
    header = next(reader, None)
    if not header:
        raise ConfigError("is empty", file=file, line=1, remedy="Write the column names into the first line")
    if len(set(header)) != len(header) or not all(header):
        raise ConfigError("has a column name twice or an empty one", file=file, line=1, remedy="Name every column once")
    for column in types:
        if column not in header:
            raise ConfigError(f"has no column {column!r}", file=file, line=1, remedy=did_you_mean(column, header))
    kinds = [arrow_type(types.get(column, "text")) for column in header]
    values: list[list[object]] = [[] for _ in header]
    for row in reader:
        if not row:
            continue
        if len(row) != len(header):
            raise ConfigError(
                f"has {len(row)} fields where the header has {len(header)}",
                file=file,
                line=reader.line_num,
                remedy="Put fields that hold commas into quotes",
            )
        for column, kind, text, into in zip(header, kinds, row, values, strict=True):
            into.append(_value(text, kind, column, file, reader.line_num))
    return pa.table({column: pa.array(into, kind) for column, kind, into in zip(header, kinds, values, strict=True)})


def _value(text: str, kind: pa.DataType, column: str, file: str, line: int) -> object:
    if text == "" and not pa.types.is_string(kind):
        return None
    try:
        return from_text(text, kind)
    except ValueError as error:
        raise ConfigError(
            f"the value {error}", file=file, line=line, field=column, remedy=f"Mend it or the type of {column}"
        ) from None
