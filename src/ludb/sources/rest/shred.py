"""Documents taken apart: each becomes a row of its table, and its arrays become rows of other tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ludb.dialects.http.tables import ApiTable

Record = dict[str, Any]
Keep = Callable[[str, Record], None]
"""Takes a row of a table."""

VALUE = "value"
"""Column of array elements that are no objects."""


def at_path(document: Any, path: str) -> Any:
    """What stands at `a.b`, None where nothing does. A member whose own name is `a.b` goes first."""
    if isinstance(document, dict) and path in document:
        return document[path]
    for name in path.split("."):
        document = document.get(name) if isinstance(document, dict) else None
    return document


class Shredder:
    """Takes documents of one `get:` table apart, with all tables below it."""

    def __init__(self, name: str, tables: Mapping[str, ApiTable]) -> None:
        """`name` is the table of the documents."""
        self._name, self._tables = name, tables
        self._below = {one: [child for child, table in tables.items() if table.from_ == one] for one in tables}

    def shred(self, document: Mapping[str, Any], keep: Keep) -> None:
        """Hand over every row of the document; ValueError where a carried column is there already."""
        self._row(self._name, document, {}, keep)

    def _row(self, name: str, document: Mapping[str, Any], carried: Record, keep: Keep) -> None:
        table = self._tables[name]
        twice = next((column for column in carried if column in document), None)
        if twice is not None:
            raise ValueError(
                f"table {name}: its rows have a member {twice!r} of their own; call the carried column otherwise"
            )
        record = {**carried, **document, **{column: at_path(document, path) for column, path in table.fields.items()}}
        keep(name, record)
        for child in self._below[name]:
            below = self._tables[child]
            for number, element in enumerate(_elements(at_path(document, below.rows or "")), 1):
                more = {column: at_path(record, path) for column, path in below.carry.items()}
                if below.number is not None:
                    more[below.number] = number
                self._row(child, element if isinstance(element, dict) else {VALUE: element}, more, keep)


def _elements(found: Any) -> Sequence[Any]:
    """An array's elements; an object alone is one row, and what is missing is none."""
    if found is None:
        return ()
    return found if isinstance(found, list) else (found,)


def below(name: str, tables: Mapping[str, ApiTable]) -> Iterator[str]:
    """The table and all that are made from its documents."""
    yield name
    for child, table in tables.items():
        if table.from_ == name:
            yield from below(child, tables)


def top(name: str, tables: Mapping[str, ApiTable]) -> str:
    """The `get:` table whose documents hold a table's rows."""
    while (parent := tables[name].from_) is not None:
        name = parent
    return name
