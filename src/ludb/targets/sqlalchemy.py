"""Any database with a SQLAlchemy dialect as a target: rows and ledger row in one transaction, values exact or refused by unit."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import ClassVar

import pyarrow as pa

from ludb.dialects import sqlalchemy_inspect as server
from ludb.dialects import sqlalchemy_rewrite as rewrite
from ludb.dialects.settings import Surroundings
from ludb.dialects.sqlalchemy import MYSQL, Connection, Database, SqlalchemySystem
from ludb.dialects.sqlalchemy_ledger import Ledger
from ludb.dialects.sqlalchemy_order import ordered
from ludb.dialects.sqlalchemy_participant import SqlalchemyParticipant
from ludb.dialects.sqlalchemy_reader import read_back
from ludb.dialects.sqlalchemy_schema import Reflected, reflect
from ludb.dialects.sqlalchemy_script import check_script, run_script
from ludb.dialects.sqlalchemy_writer import SqlalchemyWriter
from ludb.errors import ConfigError, FatalError, TransientError, UnitError
from ludb.model.data import MISFIT, Applied, WriteSet
from ludb.model.findings import Finding
from ludb.model.run import Txn
from ludb.model.unit import Column

_DURABLE = {
    "postgresql": ("SELECT string_agg(name || ' = off', ', ') FROM pg_settings WHERE setting = 'off'"
                   " AND name IN ('fsync', 'full_page_writes', 'synchronous_commit')"),
    **dict.fromkeys(MYSQL, "SELECT if(@@innodb_flush_log_at_trx_commit = 1, NULL, 'innodb_flush_log_at_trx_commit is not 1')"),
}  # fmt: skip
"""What a server says that may lose a commit, by dialect; NULL from one that does not. Others are not asked."""


class SqlalchemyTarget:
    """A database by its SQLAlchemy address that rows are written into. Implements `Target`, `CanRead`, `CanRehearse`,
    `CanRewrite`, `CanInspect`, `HasLedger` and, for hooks, `CanExecute`.

    Each participant has a connection of its own. The dialect must have savepoints: they find the unit that is refused.
    """

    Settings: ClassVar[type[SqlalchemySystem]] = SqlalchemySystem

    def __init__(
        self,
        name: str,
        settings: SqlalchemySystem,
        surroundings: Surroundings,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Nothing is opened yet. `clock` dates ledger rows."""
        self._name, self._settings, self._clock = name, settings, clock
        self._database = Database(name, settings, surroundings, write=True)
        self._reading = Database(name, settings, surroundings, write=False)
        self._ledger = Ledger(self._database)
        self._tables: dict[str, Reflected] = {}

    def columns(self, table: str) -> Sequence[Column]:
        """The table's columns; `ConfigError` naming the tables that are there, or for a table that cannot roll back."""
        return self._reflect(table).columns

    def order(self, tables: Sequence[str]) -> Sequence[str]:
        """Parents before children by foreign keys that speak at once. `ConfigError` for a circle of them that is nowhere open."""
        known = {name: self._reflect(name) for name in tables}
        return ordered(known, self._name, self._settings.in_schema, self._reflect)

    def check_merge(self, table: str, key: Sequence[str], written: Sequence[str]) -> None:
        """Refuse a key that no unique constraint holds exactly or that may be NULL, columns that others point to, and missing
        rights.
        """
        with self._session() as connection:
            rewrite.check_merge(connection, self._database, self._reflect(table), key, written)

    def check_removal(self, table: str, columns: Sequence[str], removed: Sequence[str]) -> None:
        """Refuse unknown columns, a table without a primary key, one whose rows would take others with them, and missing
        rights.
        """
        found = [self._reflect(name) for name in removed]
        with self._session() as connection:
            rewrite.check_removal(connection, self._database, self._reflect(table), columns, found)

    def begin(self, txn: Txn) -> SqlalchemyParticipant:
        """Start a transaction and insert the ledger row; `TransientError` while the server or a lock is in the way."""
        connection = self._database.connect()
        try:
            self._ledger.insert(connection, txn, self._clock())
        except UnitError as error:
            _let_go(connection)
            raise FatalError(f"system {self._name}: transaction {txn.id} was committed before") from error
        except BaseException:
            _let_go(connection)
            raise
        return self._participant(connection, txn, self._ledger)

    def rehearse(self, txn: Txn) -> SqlalchemyParticipant:
        """A transaction without a ledger row, which can only be rolled back."""
        return self._participant(self._database.connect(), txn, None)

    def apply(self, txn: Txn, writes: WriteSet) -> Applied:
        """Write a decided chunk again, in one transaction; units that no longer fit are left out, the others committed, and
        the ledger row remembers which. `TransientError` while another session holds this transaction's ledger row.
        """
        connection = self._database.connect()
        try:
            self._ledger.insert(connection, txn, self._clock())
        except UnitError as error:
            _let_go(connection)
            return self._already(txn, writes, error)
        except BaseException:
            _let_go(connection)
            raise
        participant = self._participant(connection, txn, self._ledger)
        try:
            failed = participant.attempt(writes)
            participant.commit()
        finally:
            participant.rollback()
        return Applied(already=False, failed=failed)

    def _already(self, txn: Txn, writes: WriteSet, error: UnitError) -> Applied:
        with self._session() as connection:
            left_out = self._ledger.left_out(connection, txn.id, writes.positions)
        if left_out is None:
            raise TransientError(
                f"system {self._name}: the ledger row was refused: {error}", system=self._name
            ) from error
        return Applied(already=True, failed=dict.fromkeys(left_out, MISFIT))

    def ledger(self, repository: str) -> pa.Table:
        """What this database says was committed for the repository."""
        with self._session() as connection:
            return self._ledger.of_repository(connection, repository)

    def ledger_ddl(self) -> str:
        """`CREATE TABLE` of the ledger in the dialect's words; needs the driver, opens nothing."""
        return self._ledger.ddl()

    def ledger_entries(self) -> dict[str, int]:
        """Entries by repository."""
        with self._session() as connection:
            return self._ledger.entries(connection)

    def drop_ledger(self) -> None:
        """Drop the table; `TransientError` while somebody writes into it."""
        with contextlib.closing(self._database.connect()) as connection:
            self._ledger.drop(connection)

    def prepare_schema(self) -> None:
        """Create `ludb_ledger` if it is missing. `ConfigError` for a server that says that it may lose a commit, and for a
        dialect without savepoints.
        """
        with contextlib.closing(self._database.connect()) as connection:
            self._check_durable(connection)
            try:
                with self._database.errors("set a savepoint"):
                    connection.begin_nested().rollback()
                    connection.rollback()
            except ConfigError as error:
                raise ConfigError(
                    f"system {self._name}: its dialect has no savepoints: {error.message}",
                    remedy="Use another type of target",
                ) from error
            self._ledger.create(connection)

    def inspect(self, tables: Sequence[str]) -> Sequence[Finding]:
        """Durability, rights and emptiness, without a trace."""
        reflected = {name: self._reflect(name) for name in tables}
        with self._session() as connection:
            self._check_durable(connection)
            return list(server.inspect(connection, self._database, self._ledger, reflected))

    def _check_durable(self, connection: Connection) -> None:
        asked = _DURABLE.get(self._database.dialect)
        if not asked or self._settings.allow_not_durable:
            return
        with self._database.errors("ask for durability"):
            off = connection.exec_driver_sql(asked).scalar()
        if off:
            raise ConfigError(
                f"system {self._name}: the server may lose what it has committed ({off})",
                remedy="Switch it on; for tests say allow_not_durable: true",
            )

    def read(self, table: str) -> pa.Table:
        """All rows by primary key, else in the order in which they lie. A column with values that have no Arrow form
        arrives as text.
        """
        found = self._reflect(table)
        with self._session() as connection:
            return read_back(connection, self._reading, found)

    check_script = staticmethod(check_script)

    def execute(self, script: str, values: Mapping[str, object]) -> None:
        """Run a hook's statements, on a connection of their own."""
        run_script(self._database, script, values)

    def close(self) -> None:
        """Nothing stays open between calls; participants close their own connection."""

    @contextmanager
    def _session(self) -> Iterator[Connection]:
        with contextlib.closing(self._reading.connect()) as connection:
            yield connection

    def _participant(self, connection: Connection, txn: Txn, ledger: Ledger | None) -> SqlalchemyParticipant:
        try:
            writer = SqlalchemyWriter(connection, self._database, self._reflect)
        except BaseException:
            _let_go(connection)
            raise
        return SqlalchemyParticipant(writer, txn, ledger, self._reading)

    def _reflect(self, table: str) -> Reflected:
        if table not in self._tables:
            with self._session() as connection:
                found = reflect(connection, self._reading, table)
            self._check(found)
            self._tables[table] = found
        return self._tables[table]

    def _check(self, table: Reflected) -> None:
        """Refuse tables that would break the promise of all or nothing."""
        engine = next((value for key, value in table.options.items() if key.endswith("_engine")), None)
        if self._database.dialect in MYSQL and engine != "InnoDB":
            what = f"a table of the engine {engine}" if engine else "a view"
            raise ConfigError(
                f"{self._name}.{table.name} is {what}, which cannot roll back", remedy="Use a table of InnoDB"
            )
        if self._database.dialect == "sqlite" and any(key.late for key in table.foreign_keys):
            raise ConfigError(
                f"{self._name}.{table.name} has foreign keys that SQLite looks at only when it commits",
                remedy="Say type: sqlite, which looks at them before",
            )


def _let_go(connection: Connection) -> None:
    with contextlib.suppress(Exception):  # it may be lost, and is let go of in any case
        connection.rollback()
    with contextlib.suppress(Exception):
        connection.close()
