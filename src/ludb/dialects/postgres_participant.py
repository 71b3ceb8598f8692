"""One chunk's part in a PostgreSQL database: its transaction from the ledger row to COMMIT, or to nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import psycopg
import pyarrow as pa
from psycopg.pq import TransactionStatus

from ludb.dialects.postgres import errors
from ludb.dialects.postgres_ledger import Ledger
from ludb.dialects.postgres_writer import Connection, Piece, PostgresWriter
from ludb.errors import FatalError, Fault, TransientError, UnitError
from ludb.model.data import Removal, WriteSet
from ludb.model.run import Txn


class PostgresParticipant:
    """One chunk's part in a PostgreSQL database, on a connection of its own; see `ludb.ports.target.Participant`."""

    def __init__(self, writer: PostgresWriter, txn: Txn, ledger: Ledger, reopen: Callable[[], Connection]) -> None:
        """The transaction is open and holds the ledger row. `reopen` gives a connection that sees only what is committed."""
        self._writer, self._txn, self._ledger, self._reopen = writer, txn, ledger, reopen
        self._connection = writer.connection
        self._system = writer.system
        self._committed = False

    def write(self, table: str, rows: pa.Table) -> None:
        """Copy the rows; values that would not stay as they are, and constraints, speak here or in `prepare`."""
        self._writer.insert(table, rows)

    def remove(self, removals: Mapping[str, Removal]) -> None:
        """Delete the rows of the units; what keeps one speaks here or in `prepare`."""
        self._writer.remove(removals)

    def merge(self, table: str, rows: pa.Table, key: Sequence[str]) -> None:
        """Copy the rows aside and merge them from there."""
        self._writer.insert(table, rows, key)

    def prepare(self) -> None:
        """Let deferred constraints speak, move sequences, and read the own ledger row back."""
        self._writer.check()
        with errors(self._system, "prepare"):
            self._writer.move_sequences()
            sealed = self._ledger.seal(self._connection, self._txn, self._writer.rows)
        if not sealed:
            raise FatalError(f"system {self._system}: the ledger row of {self._txn.id} cannot be read back")

    def attempt(self, writes: WriteSet) -> dict[int, Fault]:
        """Write every unit that fits, and prepare; the others are returned. The transaction is ready for `commit`."""
        failed: dict[int, Fault] = {}
        while True:
            kept = writes.only(writes.positions - failed.keys()) if failed else writes
            try:
                pieces: list[Piece] = self._writer.pieces(kept)
            except UnitError as error:
                failed.update(error.faults)
                continue
            with errors(self._system, "apply a decided chunk"):
                failed.update(self._writer.sift(pieces))
            break
        self._txn = replace(self._txn, positions=tuple(at for at in self._txn.positions if at not in failed))
        self.prepare()
        return failed

    def commit(self) -> None:
        """COMMIT and close the connection. `TransientError` if nobody can say what became of it: the ledger row tells."""
        if self._committed:
            return
        try:
            if self._connection.closed or self._connection.info.transaction_status == TransactionStatus.IDLE:
                self._look_up()
            elif self._connection.execute("COMMIT").statusmessage != "COMMIT":
                raise TransientError(
                    f"system {self._system}: the transaction was lost before COMMIT", system=self._system
                )
        except psycopg.IntegrityError as error:
            raise FatalError(f"system {self._system}: COMMIT was refused after prepare: {error.sqlstate}") from error
        except psycopg.Error as error:
            raise TransientError(
                f"system {self._system}: COMMIT failed: {error.sqlstate or error}", system=self._system
            ) from error
        self._committed = True
        self._close()

    def rollback(self) -> None:
        """Undo what is not committed and close the connection, whatever state it is in."""
        self._close()  # the server rolls back what its client leaves open

    def _look_up(self) -> None:
        """The transaction is over without our COMMIT being answered: only the ledger can tell how."""
        with self._reopen() as connection:
            if self._ledger.present(connection, self._txn.id):
                return
        raise TransientError(f"system {self._system}: the transaction was lost before COMMIT", system=self._system)

    def _close(self) -> None:
        with contextlib.suppress(psycopg.Error):
            if not self._connection.closed and not self._committed:
                self._connection.execute("ROLLBACK")
        with contextlib.suppress(psycopg.Error):
            self._connection.close()


class PostgresRehearsal(PostgresParticipant):
    """A participant without a ledger row, whose transaction is always rolled back; sequences stay where they are."""

    def prepare(self) -> None:
        """Let deferred constraints speak."""
        self._writer.check()

    def commit(self) -> None:
        """Roll back: everything that could be learnt has been."""
        self.rollback()
