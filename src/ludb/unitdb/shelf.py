"""Tables that stand ready for a unit database, and are put into it when a text first names them."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from ludb.unitdb.database import UnitDatabase, quote


class Shelf:
    """Tables by name (`schema.table`, quoted). Putting a table in copies all its rows, and most outputs are never read again.

    A table counts as named where its schema's name and its own stand anywhere in a text, whatever their case: too often is
    slow, never wrong. (Names without a schema lead to none of these tables.)
    """

    def __init__(self, database: UnitDatabase) -> None:
        """Nothing stands here yet."""
        self._database = database
        self._waiting: dict[str, tuple[tuple[str, str], bool, Callable[[], pa.Table]]] = {}
        self._inside: dict[str, bool] = {}

    def place(self, schema: str, table: str, rows: Callable[[], pa.Table], *, shared: bool = False) -> None:
        """Have a table ready, in the place of one of the same name; `rows` is asked for when it is put in. A `shared` one
        holds rows of no unit.
        """
        name = f"{quote(schema)}.{quote(table)}"
        if name in self._inside:
            self._database.execute(f"DROP TABLE {name}")
            del self._inside[name]
        self._waiting[name] = (_written(schema), _written(table)), shared, rows

    def put_named(self, text: str) -> None:
        """Put in what a text names."""
        lowered = text.lower()
        for name, (words, _, _) in list(self._waiting.items()):
            if all(word in lowered for word in words):
                self._put(name)

    def put_rest(self) -> bool:
        """Put in whatever still waits; whether anything did."""
        waited = list(self._waiting)
        for name in waited:
            self._put(name)
        return bool(waited)

    def holds(self, schema: str, table: str) -> bool:
        """Whether the table has been put in."""
        return f"{quote(schema)}.{quote(table)}" in self._inside

    def of_units(self) -> list[str]:
        """Names of the tables with rows of units that have been put in."""
        return [name for name, shared in self._inside.items() if not shared]

    def clear(self) -> None:
        """Forget what still waits, and with it whoever would have been asked for the rows."""
        self._waiting.clear()

    def _put(self, name: str) -> None:
        _, shared, rows = self._waiting.pop(name)
        self._database.put(name, rows())
        self._inside[name] = shared


def _written(name: str) -> str:
    """The name as it stands in a text in small letters, within quotes or without."""
    return name.replace('"', '""').lower()
