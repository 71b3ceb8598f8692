"""Writing a chunk into SQLite: inserts, the units that a constraint refuses, foreign keys of the rows just written."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from ludb.dialects import sqlite_ledger as ledger_table
from ludb.dialects.sqlite import file_of, is_busy, is_full, quote, translate
from ludb.dialects.sqlite_bind import bind
from ludb.dialects.sqlite_schema import Reflected
from ludb.errors import ConfigError, FatalError, Fault, LudbError, TransientError, UnitError
from ludb.model.data import WriteSet
from ludb.model.run import Txn
from ludb.model.shape import ForeignKey
from ludb.model.unit import POSITION

COMMIT_TRIES = 5
"""How often a COMMIT that is refused as busy is repeated, each after the connection's own time-out."""

Row = tuple[Any, ...]


class SqliteWriter:
    """Rows into tables of one open transaction. `reflect` gives a table's columns and keys, whatever connection it
    uses.
    """

    def __init__(self, connection: sqlite3.Connection, system: str, reflect: Callable[[str], Reflected]) -> None:
        """The connection is in a transaction with deferred foreign keys."""
        self.connection, self.system = connection, system
        self._reflect = reflect
        self._touched: dict[tuple[str, ForeignKey], dict[Row, list[int]]] = {}
        self.rows: dict[str, int] = {}

    def insert(self, table: str, rows: pa.Table) -> None:
        """Insert the rows; `UnitError` with every unit that a column cannot hold or a constraint refuses."""
        reflected = self._reflect(table)
        names = [name for name in rows.column_names if name != POSITION]
        columns = [self._column(reflected, table, name) for name in names]
        positions: list[int] = rows.column(POSITION).to_pylist()
        bound: list[list[Any]] = []
        faults: dict[int, Fault] = {}
        for name, column in zip(names, columns, strict=True):
            values, refused = bind(rows.column(name), column, f"{self.system}.{table}, column {name}")
            bound.append(values)
            for row, (reason, detail) in refused.items():
                faults.setdefault(positions[row], Fault(f"{self.system}.{table}, column {name}: {reason}", detail))
        if faults:
            raise UnitError(f"{len(faults)} units hold values that {self.system}.{table} cannot hold", faults=faults)
        if not positions:
            return
        held = list(zip(*bound, strict=True)) if bound else [()] * len(positions)
        sql = _insert_sql(reflected.name, [column.name for column in columns])
        self._insert_all(sql, held, positions, table, names)
        self.rows[table] = self.rows.get(table, 0) + len(positions)
        self._note_links(reflected, [column.name.lower() for column in columns], held, positions)

    def check_links(self) -> None:
        """`UnitError` with every unit whose foreign keys lead nowhere; only rows written here are looked at."""
        faults: dict[int, Fault] = {}
        for (table, key), seen in self._touched.items():
            on = " AND ".join(f"a.{quote(name)} = ?" for name in key.parent_columns)
            sql = f"SELECT 1 FROM main.{quote(key.parent)} AS a WHERE {on} LIMIT 1"
            for values, positions in seen.items():
                if self.connection.execute(sql, values).fetchone() is None:
                    names = ", ".join(key.columns)
                    reason = (
                        f"{self.system}.{table}: FOREIGN KEY constraint failed: no row of {key.parent} for ({names})"
                    )
                    for position in positions:
                        faults.setdefault(position, Fault(reason, f"({names}) = {values!r}"))
        if faults:
            raise UnitError(f"{len(faults)} units name rows that are not in system {self.system}", faults=faults)

    def forget(self) -> None:
        """Start anew after a rollback to the state before the first insert."""
        self._touched.clear()
        self.rows.clear()

    def _column(self, reflected: Reflected, table: str, name: str) -> Any:
        column = reflected.column(name)
        if column is None:
            known = ", ".join(column.name for column in reflected.columns)
            raise ConfigError(
                f"output {self.system}.{table} has column {name!r}, the table has not",
                remedy=f"Its columns are: {known}",
            )
        if column.generated:
            raise ConfigError(
                f"output {self.system}.{table} has column {name!r}, which the database generates",
                remedy="Leave it out of the step",
            )
        return column

    def _insert_all(
        self, sql: str, held: Sequence[Row], positions: Sequence[int], table: str, names: Sequence[str]
    ) -> None:
        run = self.connection.execute
        run("SAVEPOINT ludb_table")
        try:
            self.connection.executemany(sql, held)
        except (sqlite3.IntegrityError, sqlite3.DataError) as error:
            if not self.connection.in_transaction:
                # A trigger's RAISE(ROLLBACK) took the whole transaction: the chunk must be taken apart to find the unit.
                raise UnitError(
                    f"{self.system}.{table}: a trigger rolled back the transaction", detail=str(error)
                ) from error
            run("ROLLBACK TO ludb_table")
            faults = self._scan(sql, held, positions, table, names)
            message = f"{len(faults)} units break a constraint of {self.system}.{table}"
            raise UnitError(message, faults=faults, detail=str(error)) from error
        run("RELEASE ludb_table")

    def _scan(
        self, sql: str, held: Sequence[Row], positions: Sequence[int], table: str, names: Sequence[str]
    ) -> dict[int, Fault]:
        """Insert unit by unit, in order, each under a savepoint, and keep what the failing ones did wrong."""
        run = self.connection.execute
        by_unit: dict[int, list[Row]] = {}
        for position, row in zip(positions, held, strict=True):
            by_unit.setdefault(position, []).append(row)
        faults: dict[int, Fault] = {}
        for position, rows in by_unit.items():
            run("SAVEPOINT ludb_unit")
            for row in rows:
                try:
                    run(sql, row)
                except (sqlite3.IntegrityError, sqlite3.DataError) as error:
                    shown = dict(zip(names, row, strict=True))
                    reason = f"{self.system}.{table}: {_told(error)}"
                    faults[position] = Fault(reason, f"{error}; row: {shown!r}")
                    if not self.connection.in_transaction:
                        return faults
                    run("ROLLBACK TO ludb_unit")
                    break
            run("RELEASE ludb_unit")
        return faults

    def _note_links(
        self, reflected: Reflected, columns: Sequence[str], held: Sequence[Row], positions: Sequence[int]
    ) -> None:
        for key in reflected.foreign_keys:
            at = [columns.index(name.lower()) for name in key.columns if name.lower() in columns]
            if len(at) < len(key.columns):
                continue
            seen = self._touched.setdefault((reflected.name, key), {})
            for row, position in zip(held, positions, strict=True):
                values = tuple(row[number] for number in at)
                if None not in values:
                    seen.setdefault(values, []).append(position)


class SqliteParticipant:
    """One chunk's part in a SQLite database, on a connection of its own; see `ludb.ports.target.Participant`."""

    def __init__(
        self, writer: SqliteWriter, txn: Txn, reopen: Callable[[], sqlite3.Connection], sleep: Callable[[float], None]
    ) -> None:
        """The transaction is open and holds the ledger row. `reopen` gives a connection that sees only what is
        committed.
        """
        self._writer, self._txn, self._reopen, self._sleep = writer, txn, reopen, sleep
        self._connection = writer.connection
        self._committed = False

    def write(self, table: str, rows: pa.Table) -> None:
        """Insert the rows; values that do not fit and constraints speak here, foreign keys in `prepare`."""
        self._guarded(f"write {self._writer.system}.{table}", lambda: self._writer.insert(table, rows))

    def prepare(self) -> None:
        """Look up the foreign keys of the rows written, and read the own ledger row back."""
        self._guarded("prepare", self._prepare)

    def attempt(self, writes: WriteSet, positions: Sequence[int]) -> Mapping[int, Fault]:
        """Write and check everything for the units at these positions, or nothing: the units at fault, after which the
        transaction is as before.
        """
        self._txn = replace(self._txn, positions=tuple(positions))
        self._connection.execute("SAVEPOINT ludb_attempt")
        self._writer.forget()
        try:
            for table, rows in writes.tables.items():
                self.write(table, rows)
            self.prepare()
        except UnitError as error:
            if not error.faults or not self._connection.in_transaction:
                raise FatalError(f"system {self._writer.system}: a decided chunk cannot be applied: {error}") from error
            self._connection.execute("ROLLBACK TO ludb_attempt")
            self._connection.execute("RELEASE ludb_attempt")
            return error.faults
        self._connection.execute("RELEASE ludb_attempt")
        return {}

    def commit(self) -> None:
        """COMMIT, repeated while it is refused as busy (the transaction is alive then); closes the connection.

        `TransientError` if it stays busy, or if nobody can say what became of it: the ledger row tells.
        """
        if self._committed:
            return
        system = self._writer.system
        for number in range(COMMIT_TRIES):
            try:
                if not self._connection.in_transaction:
                    self._look_up()
                    break
                self._connection.execute("COMMIT")
                break
            except sqlite3.IntegrityError as error:
                raise FatalError(f"system {system}: COMMIT was refused after prepare: {error}") from error
            except sqlite3.Error as error:
                if not is_busy(error) or number + 1 == COMMIT_TRIES:
                    path = file_of(self._connection)
                    if is_full(error, path):
                        raise translate(error, system, "commit", path) from error
                    raise TransientError(f"system {system}: COMMIT failed: {error}", system=system) from error
                self._sleep(0.05 * 2**number)
        self._committed = True
        self._close()

    def rollback(self) -> None:
        """Undo what is not committed and close the connection, whatever state it is in."""
        if not self._committed:
            with contextlib.suppress(sqlite3.Error):  # closing the connection rolls back as well
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
        self._close()

    def _prepare(self) -> None:
        self._writer.check_links()
        if not ledger_table.seal(self._connection, self._txn, self._writer.rows):
            raise FatalError(f"system {self._writer.system}: the ledger row of {self._txn.id} cannot be read back")

    def _look_up(self) -> None:
        """The transaction is over without our COMMIT being answered: only the ledger can tell how."""
        connection = self._reopen()
        try:
            if ledger_table.present(connection, self._txn.id):
                return
        finally:
            connection.close()
        system = self._writer.system
        raise TransientError(f"system {system}: the transaction was lost before COMMIT", system=system)

    def _guarded(self, doing: str, work: Callable[[], None]) -> None:
        try:
            work()
        except LudbError:
            raise
        except sqlite3.Error as error:
            raise translate(error, self._writer.system, doing, file_of(self._connection)) from error

    def _close(self) -> None:
        with contextlib.suppress(sqlite3.Error):  # nothing is left to be saved
            self._connection.close()


class SqliteRehearsal(SqliteParticipant):
    """A participant without a ledger row, whose transaction is always rolled back."""

    def commit(self) -> None:
        """Roll back: everything that could be learnt has been."""
        self.rollback()

    def _prepare(self) -> None:
        self._writer.check_links()


def _insert_sql(table: str, columns: Sequence[str]) -> str:
    if not columns:
        return f"INSERT INTO main.{quote(table)} DEFAULT VALUES"
    names = ", ".join(quote(name) for name in columns)
    return f"INSERT INTO main.{quote(table)} ({names}) VALUES ({', '.join('?' * len(columns))})"


def _told(error: sqlite3.Error) -> str:
    """What the driver says of a constraint: names only. A trigger's own words may hold values, so they are left out."""
    name = getattr(error, "sqlite_errorname", "")
    return "a trigger refused the row" if name == "SQLITE_CONSTRAINT_TRIGGER" else str(error)
