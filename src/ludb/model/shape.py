"""What a database says of its tables: the raw material for proposing a unit."""

from __future__ import annotations

from dataclasses import dataclass

from ludb.model.unit import Column


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key: this table's `columns` point to `parent_columns` of `parent`."""

    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TableShape:
    """A table or view as it stands. `key` is its primary key, else columns that are unique and never NULL, else empty.

    `foreign_keys` name tables that are there, and columns as these spell them. `rows` may be an estimate; None: unknown.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    rows: int | None = None
    view: bool = False

    def column(self, name: str) -> Column | None:
        """The column of this name, whatever its case; None if there is none."""
        exact = next((column for column in self.columns if column.name == name), None)
        return exact or next((column for column in self.columns if column.name.lower() == name.lower()), None)
