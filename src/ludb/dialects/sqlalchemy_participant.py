"""One chunk's part in a database behind SQLAlchemy: one transaction from the ledger row to COMMIT, or to nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import pyarrow as pa
import sqlalchemy as sa

from ludb.dialects.sqlalchemy import Database
from ludb.dialects.sqlalchemy_ledger import Ledger
from ludb.dialects.sqlalchemy_writer import SqlalchemyWriter
from ludb.errors import FatalError, Fault, LudbError, TransientError, UnitError
from ludb.model.data import Removal, WriteSet
from ludb.model.run import Txn


class SqlalchemyParticipant:
    """One chunk's part in a database, on a connection of its own; see `ludb.ports.target.Rewriting`.

    After any error it is broken: some servers have rolled back part of the transaction then, or all of it, so that nothing more
    may be done in it but ROLLBACK.
    """

    def __init__(self, writer: SqlalchemyWriter, txn: Txn, ledger: Ledger | None, database: Database) -> None:
        """The transaction is open and holds the ledger row; without a ledger it is a rehearsal, which cannot commit."""
        self._writer, self._txn, self._ledger, self._database = writer, txn, ledger, database
        self._connection: sa.Connection = writer.connection
        self._broken = self._committed = False

    def write(self, table: str, rows: pa.Table) -> None:
        """Insert the rows; values that do not fit and constraints speak here, those that are put off in `prepare`."""
        self._guarded(lambda: self._writer.insert(table, rows))

    def remove(self, removals: Mapping[str, Removal]) -> None:
        """Delete the units' rows; foreign keys that are put off speak in `prepare`."""
        self._guarded(lambda: self._writer.remove(removals))

    def merge(self, table: str, rows: pa.Table, key: Sequence[str]) -> None:
        """Write the rows over those of the same key."""
        self._guarded(lambda: self._writer.merge(table, rows, key))

    def prepare(self) -> None:
        """Let constraints speak that were put off, and read the own ledger row back."""
        self._guarded(self._prepare)

    def attempt(self, writes: WriteSet) -> Mapping[int, Fault]:
        """Write what can be written of a decided chunk, and seal the ledger row for it: the units at fault."""
        found: dict[int, Fault] = {}

        def work() -> None:
            deeds, unfit = self._writer.deeds(writes)
            found.update({**unfit, **self._writer.sift(deeds)})
            kept = tuple(at for at in self._txn.positions if at not in found)
            self._txn = replace(self._txn, positions=kept)
            self._prepare()

        self._guarded(work)
        return dict(sorted(found.items()))

    def commit(self) -> None:
        """COMMIT, and close the connection. Where the answer is lost, the ledger tells; `TransientError` if it does not
        (yet): recovery waits behind the transaction, should it still be alive.
        """
        if self._committed:
            return
        if self._ledger is None:
            self.rollback()
            return
        system = self._writer.system
        if self._broken:
            self._look_up(self._ledger, TransientError(f"system {system}: the transaction was lost before COMMIT"))
        else:
            try:
                with self._database.errors("commit"):
                    self._connection.commit()
            except UnitError as error:
                self._broken = True
                raise FatalError(f"system {system}: COMMIT was refused after prepare: {error}") from error
            except LudbError as error:
                self._end()
                self._look_up(self._ledger, error)
        self._committed = True
        self._close()

    def rollback(self) -> None:
        """Undo what is not committed and close the connection, whatever state it is in."""
        if not self._committed:
            self._end()

    def _prepare(self) -> None:
        self._writer.check()
        self._writer.release()
        if self._ledger is not None and not self._ledger.seal(self._connection, self._txn, self._writer.rows):
            raise TransientError(
                f"system {self._writer.system}: the transaction was lost: its ledger row is gone",
                system=self._writer.system,
            )

    def _look_up(self, ledger: Ledger, error: LudbError) -> None:
        """The transaction is over without our COMMIT being answered: only the ledger can tell how."""
        with contextlib.closing(self._database.connect()) as other:
            if not ledger.present(other, self._txn.id):
                system = self._writer.system
                raise TransientError(f"system {system}: COMMIT was not answered: {error}", system=system) from error

    def _guarded(self, work: Callable[[], None]) -> None:
        system = self._writer.system
        if self._broken:
            raise TransientError(f"system {system}: the transaction was given up after an error", system=system)
        try:
            work()
        except BaseException:
            self._end()
            raise

    def _end(self) -> None:
        self._broken = True
        with contextlib.suppress(Exception):  # closing the connection rolls back as well, a moment later
            self._connection.rollback()
        self._close()

    def _close(self) -> None:
        with contextlib.suppress(Exception):  # it may be lost, and is let go of in any case
            self._connection.close()
