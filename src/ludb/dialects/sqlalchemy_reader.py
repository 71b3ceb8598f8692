"""Reading through SQLAlchemy: the one connection of a source with its transactions, and what is asked on it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from ludb.dialects.sqlalchemy import Database
from ludb.dialects.sqlalchemy_schema import Reflected, reflect, shapes
from ludb.dialects.sqlalchemy_script import escaped
from ludb.dialects.sqlalchemy_values import Carriage, asked, carry, plain
from ludb.errors import ConfigError, LudbError, UnitError
from ludb.model.shape import TableShape

Query = sa.Select[Any]


class Reader:
    """One connection, opened when it is first needed; one thread and one stream at a time. Each stream is a transaction of its
    own, unless a snapshot holds them together.
    """

    def __init__(self, database: Database) -> None:
        """Nothing is opened yet."""
        self._database = database
        self._open: sa.Connection | None = None
        self._inside = False

    def rows(self, query: Query, doing: str, *, stream: bool = True) -> Iterator[list[Any]]:
        """Rows in pieces; `stream` leaves the others with the server meanwhile. A connection that failed is given up: the next
        reader opens another.
        """
        connection, some = self._connection(), self._database.settings.fetch_rows
        options = {"stream_results": True, "max_row_buffer": some} if stream else {}
        try:
            with self._database.errors(doing), connection.execute(query, execution_options=options) as result:
                for rows in result.partitions(some):
                    yield list(rows)
        except UnitError as error:
            self.close()
            raise ConfigError(
                f"system {self._database.name}: could not {doing}: the driver cannot hand over a value, or a condition meets one"
                f" that it cannot compare: {error}",
                remedy="Mend the condition, or read the table by a view that turns such values into text",
            ) from error
        except LudbError:
            self.close()
            raise
        finally:
            self._end(connection)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """One transaction for all that is read inside it. Not nested."""
        connection = self._connection()
        self._inside = True
        try:
            yield
        finally:
            self._inside = False
            self._end(connection)

    @contextmanager
    def connected(self) -> Iterator[sa.Connection]:
        """The connection, for questions about tables."""
        connection = self._connection()
        try:
            yield connection
        finally:
            self._end(connection)

    def table(self, name: str) -> Reflected:
        """What the database says of a table."""
        with self.connected() as connection:
            return reflect(connection, self._database, name)

    def tables(self) -> list[TableShape]:
        """What the database says of all tables."""
        with self.connected() as connection:
            return shapes(connection, self._database)

    def close(self) -> None:
        """Close the connection; safe to repeat."""
        if self._open is not None:
            with contextlib.suppress(Exception):  # it may be lost, and is let go of in any case
                self._open.close()
            self._open = None

    def _connection(self) -> sa.Connection:
        if self._open is None:
            self._open = self._database.connect()
        return self._open

    def _end(self, connection: sa.Connection) -> None:
        """End the transaction, so that the next one sees what has happened meanwhile."""
        if self._inside or self._open is not connection:
            return
        try:
            with self._database.errors("end a transaction"):
                connection.rollback()
        except LudbError:
            self.close()


def whole(table: Reflected, plans: Sequence[Carriage], dialect: str, *, keys: bool = False) -> Query:
    """All rows in the server's order, with the values of the primary key behind them where `keys`."""
    details = [how.detail for how in plans]
    if keys:
        named = {detail.name: detail for detail in table.details}
        details += [named[name] for name in table.primary_key]
    rows = table.sql.alias("a")
    columns = [asked(detail, rows.c[detail.name], dialect) for detail in details] or [sa.literal_column("1")]
    return sa.select(*(column.label(f"c{at}") for at, column in enumerate(columns))).select_from(rows)


def in_order(table: Reflected, plans: Sequence[Carriage], dialect: str) -> Query:
    """Keys in the order of the columns' own collation; those that it holds equal by the primary key."""
    names = [how.detail.name for how in plans]
    ties = [] if table.is_unique(names) else [name for name in table.primary_key if name not in names]
    query = whole(table, plans, dialect)
    (rows,) = query.get_final_froms()
    return query.order_by(*(rows.c[name] for name in (*names, *ties)))


def chosen(table: Reflected, plans: Sequence[Carriage], dialect: str, where: str) -> Query:
    """Keys of rows that meet a condition, in which columns are bare or behind the table's name."""
    rows = table.sql.alias(table.name)
    columns = [asked(how.detail, rows.c[how.detail.name], dialect).label(f"c{at}") for at, how in enumerate(plans)]
    return sa.select(*columns).select_from(rows).where(sa.text(f"(\n{escaped(where)}\n)"))


def counted(table: Reflected) -> Query:
    """How many rows there are."""
    return sa.select(sa.func.count()).select_from(table.sql)


def read_back(connection: sa.Connection, database: Database, table: Reflected) -> pa.Table:
    """All rows by primary key, else in the order in which they lie. A column with values that have no Arrow form arrives as
    text.
    """
    plans = [Carriage(detail.column, detail) for detail in table.details]
    query = whole(table, plans, database.dialect)
    (rows,) = query.get_final_froms()
    with database.errors(f"read {table.name}"):
        held = connection.execute(query.order_by(*(rows.c[name] for name in table.primary_key))).all()
    values = list(zip(*held, strict=True)) or [()] * len(plans)
    arrays = [_carried(column, how) for column, how in zip(values, plans, strict=False)]
    return pa.table(arrays, names=[how.column.name for how in plans])


def _carried(values: Sequence[object], how: Carriage) -> pa.Array:
    array, faults = carry(values, how)
    return (
        array
        if not faults
        else pa.array([None if value is None else str(plain(value)) for value in values], pa.string())
    )
