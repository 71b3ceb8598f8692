"""CSV in any dialect and encoding: fast through Arrow, with comments and skipped lines taken out before."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.csv

from ludb.dialects.files_records import TableFile, undecodable
from ludb.errors import ConfigError


def csv_batches(file: TableFile, own: pa.Schema) -> Iterator[pa.Table]:
    """CSV values as bytes: whether they are UTF-8 is asked value by value later."""
    bad: list[int | None] = []

    def keep(row: Any) -> str:
        bad.append(row.number)
        return "error"

    options = file.options
    try:
        reader = pyarrow.csv.open_csv(
            _bytes(file),
            read_options=pyarrow.csv.ReadOptions(
                encoding="utf8" if options.comment else options.encoding,
                block_size=8 << 20,
                column_names=own.names,
                skip_rows=0 if options.comment else options.skip_lines,
                skip_rows_after_names=0 if options.columns else 1,
            ),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=options.delimiter,
                quote_char=options.quote or False,
                escape_char=options.escape or False,
                newlines_in_values=True,
                ignore_empty_lines=len(own) > 1,
                invalid_row_handler=keep,
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types={name: pa.binary() for name in own.names},
                null_values=list(options.null),
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
        for batch in reader:
            if batch.num_rows:
                yield pa.Table.from_batches([batch])
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        if bad:
            raise _wrong_width(file, len(own)) from None
        if isinstance(error, UnicodeDecodeError):
            raise undecodable(file) from error
        raise ConfigError(
            f"table {file.table}: cannot be read as CSV in {options.encoding}",
            file=file.path,
            remedy="Mend the file, or its delimiter or encoding in job.yaml",
        ) from error


def _wrong_width(file: TableFile, width: int) -> ConfigError:
    """Where the first row with too few or too many values stands; the values stay out of the message."""
    with _lines(file) as text:
        reader = _reader(file, text)
        for row in reader:
            if row and len(row) != width:
                found = f"table {file.table}: a row has {len(row)} values, the header {width}"
                return ConfigError(found, file=file.path, line=reader.line_num, remedy="Mend the file")
    return ConfigError(f"table {file.table}: a row has too few or too many values", file=file.path)


def _reader(file: TableFile, lines: Iterable[str]) -> Any:
    how = file.options
    return csv.reader(
        lines,
        delimiter=how.delimiter,
        quotechar=how.quote or None,
        escapechar=how.escape,
        quoting=csv.QUOTE_MINIMAL if how.quote else csv.QUOTE_NONE,
    )


def _lines(file: TableFile) -> Any:
    """The text without skipped lines and comments, but with their line ends, so that lines keep their numbers."""
    return contextlib.nullcontext(_kept(file, "surrogateescape"))


def _kept(file: TableFile, errors: str) -> Iterator[str]:
    """Lines of data; a comment is a line that starts so outside of quotes."""
    how, quoted = file.options, False
    with file.text(errors) as text:
        for number, line in enumerate(text, 1):
            if number <= how.skip_lines or (how.comment and not quoted and line.startswith(how.comment)):
                continue
            if how.quote:
                bare = line.replace(how.escape + how.quote, "") if how.escape else line
                quoted ^= bare.count(how.quote) % 2 == 1
            yield line


class _Encoded(io.RawIOBase):
    """Lines of text as a stream of UTF-8."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines, self._left = lines, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while len(self._left) < len(buffer) and (some := list(itertools.islice(self._lines, 1000))):
            self._left += "".join(some).encode()
        size = min(len(buffer), len(self._left))
        buffer[:size], self._left = self._left[:size], self._left[size:]
        return size


def _bytes(file: TableFile) -> Any:
    return io.BufferedReader(_Encoded(_kept(file, "strict"))) if file.options.comment else file.stream()


def header(file: TableFile) -> list[str]:
    """The columns' names, from the job or the first line; `ConfigError` if there is none, or one twice."""
    if file.options.columns:
        return list(file.options.columns)
    try:
        with _lines(file) as text:
            names: list[str] = next(_reader(file, text), [])
            "".join(names).encode()
    except (UnicodeError, LookupError) as error:
        raise ConfigError(
            f"table {file.table}: the header is not {file.options.encoding}", file=file.path, line=1
        ) from error
    twice = next((name for name in names if names.count(name) > 1), None)
    if not names or twice is not None:
        what = "has no header" if not names else f"names column {twice!r} twice"
        raise ConfigError(f"table {file.table}: the file {what}", file=file.path, line=1, remedy="Mend the header")
    return names
