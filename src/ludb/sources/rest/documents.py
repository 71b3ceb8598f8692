"""The documents of one path on the local disk: each key once, as it came last; merged with those of the reading before."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, Self

from ludb.dialects.durable import file_name
from ludb.dialects.files import dump_json, parse_json
from ludb.dialects.http.tables import ApiTable
from ludb.errors import ConfigError
from ludb.sources.rest.shred import at_path
from ludb.wording import plural


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest moment of change that a reading has met: text, or a number."""

    value: str
    is_number: bool

    def later(self, other: Newest) -> Newest:
        """The later of two."""
        if self.is_number:
            return max(self, other, key=lambda one: Decimal(one.value))
        return max(self, other, key=lambda one: one.value)


class Documents:
    """Takes documents of one table in and keeps them in a file of JSON lines. Used in a `with`, then `finish`ed."""

    def __init__(self, system: str, name: str, table: ApiTable, folder: Path, before: Path | None) -> None:
        """`before` is the folder of an earlier reading: its documents come first, and are replaced by key."""
        self._system, self._name, self._table = system, name, table
        self._stem = file_name(name)
        self._path = folder / f"{self._stem}.jsonl"
        self._file: BinaryIO = self._path.open("w+b")
        self._places: dict[str, tuple[int, int]] = {}
        self._end, self._count, self._replaced = 0, 0, 0
        self._now: set[str] = set()
        self.newest: Newest | None = None
        if before is not None and table.changed is not None:
            self._take_over(before)

    @property
    def since(self) -> str | None:
        """From where on changes are to be asked for; None for everything."""
        return None if self.newest is None else self.newest.value

    @property
    def distinct(self) -> int:
        """How many documents have come, each key once."""
        return len(self._now) if self._table.key else self._count

    def keep(self, document: Mapping[str, Any]) -> None:
        """Take one in; `ConfigError` where its key or its moment of change is missing."""
        self._count += 1
        self._put(document)
        if self._table.changed is not None:
            self._note(at_path(document, self._table.changed.field))

    def __enter__(self) -> Self:
        """Documents may come."""
        return self

    def __exit__(self, *_: object) -> None:
        """All have come, or something was in the way."""
        self._file.close()

    def finish(self, folder: Path) -> list[str]:
        """Make the file whole, write what is to be known for the next reading, and tell what was remarkable."""
        if len(self._places) and self._end != sum(size for _, size in self._places.values()):
            self._without_replaced()
        if self.newest is not None:
            told = {"value": self.newest.value, "is_number": self.newest.is_number}
            (folder / f"{self._stem}.newest.json").write_text(json.dumps(told), encoding="utf-8")
        if not self._replaced:
            return []
        came = f"{plural(self._replaced, 'document')} came more than once, differing: what came last was kept"
        return [f"{self._name}: {came}"]

    def _put(self, document: Mapping[str, Any]) -> None:
        # Half a surrogate pair is written as JSON escapes it: the reader refuses it by row.
        line = dump_json(document).encode("utf-8", "backslashreplace") + b"\n"
        if self._table.key:
            key = self._key(document)
            held = self._places.get(key)
            if held is not None:
                self._file.seek(held[0])
                if self._file.read(held[1]) == line:
                    self._now.add(key)
                    self._file.seek(self._end)
                    return
                self._replaced += key in self._now
                self._file.seek(self._end)
            self._now.add(key)
            self._places[key] = (self._end, len(line))
        self._file.write(line)
        self._end += len(line)

    def _key(self, document: Mapping[str, Any]) -> str:
        values = [at_path(document, path) for path in self._table.key]
        missing = next((path for path, value in zip(self._table.key, values, strict=True) if value is None), None)
        if missing is not None:
            raise ConfigError(
                f"system {self._system}, table {self._name}: document {self._count} has no {missing!r}, which is its key",
                field=f"systems.{self._system}.tables.{self._name}.key", remedy="Name what every document has",
            )  # fmt: skip
        return dump_json(values)

    def _note(self, value: Any) -> None:
        if value is None:
            return
        number = isinstance(value, int | Decimal) and not isinstance(value, bool)
        if not number and not isinstance(value, str):
            self._refuse("is neither a text nor a number")
        found = Newest(str(value), number)
        if self.newest is not None and self.newest.is_number != number:
            self._refuse("is a text in one document and a number in another")
        self.newest = found if self.newest is None else self.newest.later(found)

    def _refuse(self, why: str) -> None:
        assert self._table.changed is not None
        raise ConfigError(
            f"system {self._system}, table {self._name}: {self._table.changed.field} {why}: no order tells what is newer",
            field=f"systems.{self._system}.tables.{self._name}.changed", remedy="Leave changed: out, or name another field",
        )  # fmt: skip

    def _take_over(self, before: Path) -> None:
        """The documents of an earlier reading, if it was whole."""
        told = before / f"{self._stem}.newest.json"
        if not told.exists():
            return
        for document in documents(before / f"{self._stem}.jsonl"):
            self._put(document)
        self._now.clear()
        self._replaced = 0
        self.newest = Newest(**json.loads(told.read_text(encoding="utf-8")))

    def _without_replaced(self) -> None:
        """Leave out what a later document has replaced; it keeps the place of the first."""
        fresh = self._path.with_suffix(".fresh")
        with self._path.open("rb") as old, fresh.open("wb") as new:
            for at, size in self._places.values():
                old.seek(at)
                new.write(old.read(size))
        fresh.replace(self._path)


def documents(path: Path) -> Iterator[Mapping[str, Any]]:
    """The documents of a file, in their order."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield parse_json(line)
