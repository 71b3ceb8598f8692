"""One chunk's part in a SQLite database: one transaction, ledger row first, open from `prepare` to `commit`."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import pyarrow as pa

from ludb.dialects import sqlite_ledger as ledger_table
from ludb.dialects.sqlite import file_of, is_busy, is_full, translate
from ludb.dialects.sqlite_writer import SqliteWriter
from ludb.errors import FatalError, Fault, LudbError, TransientError, UnitError
from ludb.model.data import Removal, WriteSet
from ludb.model.run import Txn
from ludb.ports.target import write_all

COMMIT_TRIES = 5
"""How often a COMMIT that is refused as busy is repeated, each after the connection's own time-out."""


class SqliteParticipant:
    """One chunk's part in a SQLite database, on a connection of its own; see `ludb.ports.target.Participant`.

    The database has one writer at a time, so its lock is taken when all rows are ready: in `prepare`.
    """

    def __init__(
        self,
        writer: SqliteWriter,
        txn: Txn,
        reopen: Callable[[], sqlite3.Connection],
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        """Nothing is locked yet. `reopen` gives a connection that sees only what is committed."""
        self._writer, self._txn, self._reopen = writer, txn, reopen
        self._clock, self._sleep = clock, sleep
        self._connection = writer.connection
        self._committed = False

    def write(self, table: str, rows: pa.Table) -> None:
        """Make the rows ready; values that do not fit speak here, constraints in `prepare`."""
        self._guarded(f"write {self._writer.system}.{table}", lambda: self._writer.bind(table, rows))

    def remove(self, removals: Mapping[str, Removal]) -> None:
        """Remember what is deleted in `prepare`, before anything is written."""
        self._writer.take(removals)

    def merge(self, table: str, rows: pa.Table, key: Sequence[str]) -> None:
        """Make the rows ready to be merged; keys that are none speak here."""
        self._guarded(f"write {self._writer.system}.{table}", lambda: self._writer.bind(table, rows, key))

    def prepare(self) -> None:
        """Take the write lock, insert the ledger row and the rows, look up their foreign keys, and read the own ledger
        row back.
        """
        if not self.open():
            raise FatalError(f"system {self._writer.system}: transaction {self._txn.id} was committed before")
        self._guarded("prepare", self._insert)

    def open(self) -> bool:
        """Take the write lock and insert the ledger row; False if the transaction was committed before."""
        self._guarded("begin a transaction", lambda: _start(self._connection))
        try:
            enter = partial(ledger_table.insert, self._connection, self._txn, self._clock())
            self._guarded("write the ledger row", enter)
        except sqlite3.IntegrityError:
            return False
        return True

    def attempt(self, writes: WriteSet, positions: Sequence[int]) -> Mapping[int, Fault]:
        """Write and check everything for the units at these positions, or nothing: the units at fault, after which the
        transaction, which is open, is as before.
        """
        self._txn = replace(self._txn, positions=tuple(positions))
        self._connection.execute("SAVEPOINT ludb_attempt")
        self._writer.forget()
        try:
            write_all(self, writes)
            self._guarded("prepare", self._insert)
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

    def _insert(self) -> None:
        self._writer.insert()
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
        except (LudbError, sqlite3.IntegrityError):
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

    def open(self) -> bool:
        """Take the write lock; there is no ledger row."""
        self._guarded("begin a transaction", lambda: _start(self._connection))
        return True

    def _insert(self) -> None:
        self._writer.insert()
        self._writer.check_links()


def _start(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    # Until COMMIT, so that the rows of a chunk may come in any order; `prepare` looks the touched ones up.
    connection.execute("PRAGMA defer_foreign_keys=ON")
