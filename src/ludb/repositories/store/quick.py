"""Statements that run for every row of a chunk: compiled once, then given to the driver without SQLAlchemy's work on each row.

For one row SQLAlchemy's own part costs as much as SQLite's: it makes a dictionary of parameters, looks up a processor for each
and expands every list anew. What is said to the driver is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Connection, Dialect, Select, bindparam
from sqlalchemy.sql.dml import Insert, Update

LIST = 128
"""Parameters of a list of ids; a shorter list repeats its last one, so that one statement serves all."""
Change = Callable[[Any], Any]


NEW = "new_"
"""What the parameters of an UPDATE start with: SQLAlchemy keeps the columns' own names for itself."""


class _Compiled:
    """One statement for one dialect: its text, the order of its parameters, and what turns values into the driver's."""

    def __init__(
        self, statement: Any, dialect: Dialect, types: Mapping[str, Any], inserted: Sequence[str] = ()
    ) -> None:
        compiled = statement.compile(dialect=dialect, column_keys=list(inserted) or None)
        self.text = str(compiled)
        names = compiled.positiontup if compiled.positional else list(types)
        self._keys = [name.removeprefix(NEW) for name in names]
        self._names = None if compiled.positional else names
        found = {name: kind.dialect_impl(dialect).bind_processor(dialect) for name, kind in types.items()}
        self._changes: dict[str, Change] = {name.removeprefix(NEW): change for name, change in found.items() if change}

    def rows(self, rows: Sequence[dict[str, Any]]) -> list[Any]:
        """The rows as the driver takes them; changes the dictionaries."""
        for key, change in self._changes.items():
            for row in rows:
                row[key] = change(row[key])
        values = [tuple([row[key] for key in self._keys]) for row in rows]
        return values if self._names is None else [dict(zip(self._names, one, strict=True)) for one in values]


class Many:
    """One INSERT or UPDATE for many rows. `columns` says for each parameter which column's type it has."""

    def __init__(self, statement: Insert | Update, columns: Mapping[str, Column[Any]]) -> None:
        """The statement, not yet compiled. Parameters of an UPDATE's new values start with `NEW`."""
        self._statement, self._types = statement, {name: column.type for name, column in columns.items()}
        self._made: dict[str, _Compiled] = {}

    def run(self, connection: Connection, rows: Sequence[dict[str, Any]]) -> int:
        """Run it for these rows, each with a value for every parameter by its name without `NEW`, and change them on the way.
        Returns how many rows of the table were changed.
        """
        dialect = connection.dialect
        made = self._made.get(dialect.name)
        if made is None:
            inserted = list(self._types) if isinstance(self._statement, Insert) else ()
            made = self._made[dialect.name] = _Compiled(self._statement, dialect, self._types, inserted)
        return connection.exec_driver_sql(made.text, made.rows(rows)).rowcount


class Listed:
    """A SELECT of rows whose `column` is one of many values."""

    def __init__(self, statement: Select[Any], column: Column[Any]) -> None:
        """The statement without the list."""
        names = [f"value_{number}" for number in range(LIST)]
        self._statement = statement.where(column.in_([bindparam(name, type_=column.type) for name in names]))
        self._names, self._types = names, dict.fromkeys(names, column.type)
        self._made: dict[str, _Compiled] = {}

    def run(self, connection: Connection, values: Sequence[Any]) -> Iterator[Any]:
        """The rows for these values, as the driver gives them."""
        dialect = connection.dialect
        made = self._made.get(dialect.name)
        if made is None:
            made = self._made[dialect.name] = _Compiled(self._statement, dialect, self._types)
        for start in range(0, len(values), LIST):
            some = list(values[start : start + LIST])
            some += some[-1:] * (LIST - len(some))
            (row,) = made.rows([dict(zip(self._names, some, strict=True))])
            yield from connection.exec_driver_sql(made.text, row)
