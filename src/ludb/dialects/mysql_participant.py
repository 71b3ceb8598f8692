"""One chunk's part in a MySQL database: one transaction from the ledger row to COMMIT, or to nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import pyarrow as pa

from ludb.dialects import mysql_ledger as ledger_table
from ludb.dialects.mysql import Session
from ludb.dialects.mysql_writer import MysqlWriter
from ludb.errors import FatalError, Fault, LudbError, TransientError, UnitError
from ludb.model.data import Removal, WriteSet
from ludb.model.run import Txn


class MysqlParticipant:
    """One chunk's part in a MySQL database, on a connection of its own; see `ludb.ports.target.Participant`.

    After any error it is broken: the server may have rolled back part of the transaction (1205) or all of it (1213), so
    that nothing more may be done in it but ROLLBACK.
    """

    def __init__(self, writer: MysqlWriter, txn: Txn, schema: str | None, reopen: Callable[[], Session]) -> None:
        """The transaction is open and holds the ledger row in `schema`; None: a rehearsal, which has none and cannot
        commit. `reopen` gives another session.
        """
        self._writer, self._txn, self._schema, self._reopen = writer, txn, schema, reopen
        self._session = writer.session
        self._broken = self._committed = False

    def write(self, table: str, rows: pa.Table) -> None:
        """Insert the rows; values that do not fit and constraints speak here, circular foreign keys in `prepare`."""
        self._guarded(lambda: self._writer.insert(table, rows))

    def remove(self, removals: Mapping[str, Removal]) -> None:
        """Delete the rows of the units; what keeps one speaks here, circular foreign keys in `prepare`."""
        self._guarded(lambda: self._writer.remove(removals))

    def merge(self, table: str, rows: pa.Table, key: Sequence[str]) -> None:
        """Insert the rows, or update those of the same key."""
        self._guarded(lambda: self._writer.insert(table, rows, key))

    def prepare(self) -> None:
        """Look up the foreign keys that were put off, and read the own ledger row back."""
        self._guarded(self._prepare)

    def attempt(self, writes: WriteSet, positions: Sequence[int]) -> Mapping[int, Fault]:
        """Write and check everything for the units at these positions, or nothing: the units at fault, after which the
        transaction is as before.
        """
        self._txn = replace(self._txn, positions=tuple(positions))
        self._session.run("SAVEPOINT ludb_attempt", "set a savepoint")
        self._writer.forget()
        try:
            self._writer.carry_out(writes)
            self._prepare()
        except UnitError as error:
            if not error.faults:
                raise FatalError(f"system {self._writer.system}: a decided chunk cannot be applied: {error}") from error
            self._session.run("SET foreign_key_checks = 1", "put the foreign keys back")
            self._session.run("ROLLBACK TO SAVEPOINT ludb_attempt", "undo an attempt")
            return error.faults
        return {}

    def commit(self) -> None:
        """COMMIT, and close the connection. Where the answer is lost, the ledger tells; `TransientError` if it does not
        (yet): recovery waits behind the transaction, should it still be alive.
        """
        if self._committed:
            return
        if self._schema is None:
            self.rollback()
            return
        system = self._writer.system
        if self._broken:
            raise TransientError(f"system {system}: the transaction was lost before COMMIT", system=system)
        try:
            self._session.run("COMMIT", "commit")
        except UnitError as error:
            self._broken = True
            raise FatalError(f"system {system}: COMMIT was refused after prepare: {error}") from error
        except LudbError as error:
            self._broken = True
            self._look_up(error)
        self._committed = True
        self._session.close()

    def rollback(self) -> None:
        """Undo what is not committed and close the connection, whatever state it is in."""
        if not self._committed:
            self._end()

    def _end(self) -> None:
        self._broken = True
        with contextlib.suppress(LudbError):  # closing the connection rolls back as well, a moment later
            self._session.run("ROLLBACK", "roll back")
        self._session.close()

    def _look_up(self, error: LudbError) -> None:
        other = self._reopen()
        try:
            assert self._schema is not None
            if not ledger_table.present(other, self._schema, self._txn.id):
                system = self._writer.system
                raise TransientError(f"system {system}: COMMIT was not answered: {error}", system=system) from error
        finally:
            other.close()

    def _prepare(self) -> None:
        self._writer.check_links()
        if self._schema is not None and not ledger_table.seal(
            self._session, self._schema, self._txn, self._writer.rows
        ):
            raise FatalError(f"system {self._writer.system}: the ledger row of {self._txn.id} cannot be read back")

    def _guarded(self, work: Callable[[], None]) -> None:
        system = self._writer.system
        if self._broken:
            raise TransientError(f"system {system}: the transaction was given up after an error", system=system)
        try:
            work()
        except BaseException:
            self._end()
            raise
