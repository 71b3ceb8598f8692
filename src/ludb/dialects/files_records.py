"""Records out of text files: JSON lines, JSON documents, XML by a row path, and lines of fixed width."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast
from xml.etree.ElementTree import Element, ParseError

import pyarrow as pa
import pyarrow.fs as pafs
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from ludb.dialects.files import FileTable, parse_json
from ludb.errors import ConfigError


@dataclass(frozen=True, slots=True)
class TableFile:
    """One file of a table and how to read it: `format` is known, `compression` is None for a plain file."""

    table: str
    path: str
    format: str
    options: FileTable
    store: Any = None
    compression: str | None = None

    def stream(self) -> Any:
        """The file's bytes from the start, decompressed; `OSError` where it cannot be opened."""
        store = self.store or pafs.LocalFileSystem()
        return store.open_input_stream(self.path, compression=self.compression)

    def text(self, errors: str = "strict") -> io.TextIOWrapper:
        """The file's text in its encoding, line ends as they are; a byte order mark of UTF-8 is not part of it."""
        plain = self.options.encoding.lower().replace("_", "-") in ("utf-8", "utf8")
        encoding = "utf-8-sig" if plain else self.options.encoding
        return io.TextIOWrapper(self.stream(), encoding=encoding, errors=errors, newline="")

    def wrong(self, what: str, line: int | None = None, column: int | None = None) -> ConfigError:
        """The mistake of this file, with its place."""
        return ConfigError(
            f"table {self.table}: {what}", file=self.path, line=line, column=column,
            remedy="Mend the file, or what job.yaml says of it",
        )  # fmt: skip


def records(file: TableFile) -> Iterator[Mapping[str, Any]]:
    """The records of a json, jsonl or xml file in file order; `ConfigError` with file and line for a malformed one."""
    reader = {"jsonl": _json_lines, "json": _json_document, "xml": _xml}[file.format]
    try:
        yield from reader(file)
    except UnicodeDecodeError as error:
        raise undecodable(file) from error


def undecodable(file: TableFile) -> ConfigError:
    """Where the first bytes stand that are not of the file's encoding."""
    line = 0
    try:
        with file.text() as text:
            text._CHUNK_SIZE = 1  # type: ignore[attr-defined]  # noqa: SLF001  (decode no further than the line asked for)
            for line, _ in enumerate(text, 1):  # noqa: B007
                pass
    except UnicodeDecodeError:
        pass
    return file.wrong(f"bytes that are not {file.options.encoding}", line + 1)


def fixed(file: TableFile, size: int) -> Iterator[pa.Table]:
    """Lines of fixed width as text: widths count characters, blanks at the end of a value are padding, and a value of
    blanks alone is NULL. A short line is padded; a long one is a `ConfigError` with its line.
    """
    widths = file.options.widths
    total = sum(widths.values())
    kept: list[list[str | None]] = []
    try:
        with file.text() as text:
            for number, raw in enumerate(text, 1):
                line = raw.rstrip("\r\n")
                if number <= file.options.skip_lines or not line or _is_comment(line, file):
                    continue
                if len(line.rstrip(" ")) > total:
                    raise file.wrong(f"a line has more than {total} characters", number, total + 1)
                at, values = 0, []
                for width in widths.values():
                    values.append(line[at : at + width].rstrip(" ") or None)
                    at += width
                kept.append(values)
                if len(kept) == size:
                    yield _texts(kept, list(widths))
                    kept = []
    except UnicodeDecodeError as error:
        raise undecodable(file) from error
    if kept:
        yield _texts(kept, list(widths))


def _texts(rows: list[list[str | None]], names: list[str]) -> pa.Table:
    return pa.table([pa.array(column, pa.string()) for column in zip(*rows, strict=True)], names=names)


def _is_comment(line: str, file: TableFile) -> bool:
    return file.options.comment is not None and line.startswith(file.options.comment)


def _json_lines(file: TableFile) -> Iterator[Mapping[str, Any]]:
    with file.text() as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                try:
                    yield _object(parse_json(line))
                except json.JSONDecodeError as error:
                    raise file.wrong("a line is no JSON object: not JSON", number, error.colno) from error
                except UnicodeDecodeError:
                    raise
                except ValueError as error:
                    raise file.wrong(f"a line is no JSON object: {error}", number) from error


def _json_document(file: TableFile) -> Iterator[Mapping[str, Any]]:
    with file.text() as text:
        content = text.read()
    try:
        found = parse_json(content)
    except json.JSONDecodeError as error:
        raise file.wrong("not a JSON document", error.lineno, error.colno) from error
    except ValueError as error:
        raise file.wrong(f"not a JSON document: {error}") from error
    for name in filter(None, (file.options.rows or "").split(".")):
        if not isinstance(found, dict) or name not in found:
            raise file.wrong(f"rows: leads to nothing at {name!r}")
        found = found[name]
    if not isinstance(found, list):
        raise file.wrong("the document's rows are no array: name its path with rows:")
    for number, record in enumerate(found, 1):
        try:
            yield _object(record)
        except ValueError as error:
            raise file.wrong(f"element {number} of the rows is {error}") from error


def _object(record: Any) -> Mapping[str, Any]:
    if not isinstance(record, dict):
        raise ValueError("not an object")  # noqa: TRY004  (a fault of the data, as all other ValueErrors here)
    return cast("Mapping[str, Any]", record)


def _xml(file: TableFile) -> Iterator[Mapping[str, Any]]:
    """Elements at the row path; a document type is refused, and with it every entity."""
    wanted = [name for name in (file.options.rows or "").split("/") if name]
    open_elements: list[Element] = []
    number = 0
    try:
        with file.stream() as stream:
            for event, element in iterparse(stream, events=("start", "end"), forbid_dtd=True):
                if event == "start":
                    open_elements.append(element)
                    continue
                here = [_name(one.tag) for one in open_elements]
                open_elements.pop()
                if here == wanted:
                    number += 1
                    yield _flat(file, element, number)
                if len(here) <= len(wanted):
                    element.clear()
                    if open_elements:
                        open_elements[-1].remove(element)
    except ParseError as error:
        raise file.wrong("not well-formed XML", *error.position) from error
    except DefusedXmlException as error:
        raise file.wrong("a document type (DTD) is not read: entities could be bombs") from error


def _flat(file: TableFile, element: Element, number: int) -> dict[str, str | None]:
    found: dict[str, str | None] = {}

    def add(name: str, value: str | None) -> None:
        if name in found:
            raise file.wrong(f"row {number}: {name} is there more than once")
        found[name] = value

    def walk(one: Element, prefix: str) -> None:
        for key, value in one.attrib.items():
            add(f"{prefix}@{_name(key)}", value)
        for child in one:
            name = prefix + _name(child.tag)
            if len(child):
                walk(child, f"{name}/")
            else:
                add(name, child.text or "")
                for key, value in child.attrib.items():
                    add(f"{name}/@{_name(key)}", value)

    walk(element, "")
    return found


def _name(tag: str) -> str:
    return tag.rpartition("}")[2]
