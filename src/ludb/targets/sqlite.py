"""SQLite as a target: rows and ledger row in one transaction, values exact or refused by unit."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pyarrow as pa

from ludb.dialects import sqlite_inspect as server
from ludb.dialects import sqlite_ledger as ledger_table
from ludb.dialects import sqlite_rewrite as rewrite
from ludb.dialects.settings import Surroundings
from ludb.dialects.sqlite import SqliteSystem, connect, database_path, quote, translate
from ludb.dialects.sqlite_bind import bind
from ludb.dialects.sqlite_participant import SqliteParticipant, SqliteRehearsal
from ludb.dialects.sqlite_schema import Reflected, reflect
from ludb.dialects.sqlite_script import check_script, run_script
from ludb.dialects.sqlite_values import TEXT_FACTORY, carry, plain, plan
from ludb.dialects.sqlite_writer import SqliteWriter
from ludb.errors import ConfigError, FatalError, Fault, LudbError, TransientError
from ludb.model.data import MISFIT, Applied, WriteSet
from ludb.model.findings import Finding
from ludb.model.run import Txn
from ludb.model.unit import Column

P = TypeVar("P", bound=SqliteParticipant)


class SqliteTarget:
    """A SQLite database that rows are written into. Implements `Target`, `CanRead`, `CanRehearse`, `CanRewrite`,
    `CanExecute`, `CanInspect`, `HasRoom` and `HasLedger`.

    Each participant has a connection of its own (WAL or not is the user's choice, `synchronous` is FULL on ours),
    holds the database's one write lock from `prepare` to `commit`, and waits up to `busy_timeout` for it.
    """

    Settings: ClassVar[type[SqliteSystem]] = SqliteSystem

    def __init__(
        self,
        name: str,
        settings: SqliteSystem,
        surroundings: Surroundings,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Nothing is opened yet. `clock` dates ledger rows, `sleep` waits between two tries of COMMIT."""
        self._name, self._settings = name, settings
        self._path = database_path(settings, surroundings)
        self._clock, self._sleep = clock, sleep
        self._tables: dict[str, Reflected] = {}
        self._refused: set[str] = set()

    def columns(self, table: str) -> Sequence[Column]:
        """The table's columns as declared; `ConfigError` naming the tables that are there."""
        return self._reflect(table).columns

    def misfits(self, table: str, made: pa.Schema) -> Sequence[ConfigError]:
        """Columns whose type holds no value of the type that a step gives them."""
        known = {column.name: column for column in self._reflect(table).columns}
        place = f"{self._name}.{table}, column"
        errors: list[ConfigError] = []
        for field in made:
            kind = known.get(field.name)
            try:
                if kind is not None:
                    bind(pa.chunked_array([], field.type), kind, f"{place} {field.name}")
            except ConfigError as error:
                errors.append(error)
        return errors

    def order(self, tables: Sequence[str]) -> Sequence[str]:
        """Parents before children by foreign keys; tables that do not depend on each other, and cycles, by name."""
        parents = {
            name: {key.parent.lower() for key in self._reflect(name).foreign_keys} - {name.lower()} for name in tables
        }
        ordered: list[str] = []
        left = sorted(tables)
        while left:
            waiting = {name.lower() for name in left}
            free = next((name for name in left if not parents[name] & waiting), left[0])
            ordered.append(free)
            left.remove(free)
        return ordered

    def check_merge(self, table: str, key: Sequence[str], written: Sequence[str]) -> None:
        """Refuse a key that no unique index has exactly, and columns that others point to."""
        connection = self._connect()
        try:
            with self._errors(f"look at {self._name}.{table}"):
                rewrite.check_merge(connection, self._name, self._reflect, table, key, written)
        finally:
            connection.close()

    def check_removal(self, table: str, columns: Sequence[str], removed: Sequence[str]) -> None:
        """Refuse unknown columns, and tables whose rows would go or change with these."""
        connection = self._connect()
        try:
            with self._errors(f"look at {self._name}.{table}"):
                rewrite.check_removal(connection, self._name, self._reflect, table, columns, removed)
        finally:
            connection.close()

    def begin(self, txn: Txn) -> SqliteParticipant:
        """A participant that takes the write lock when its rows are ready (`TransientError` then, while another writer
        holds it); `TransientError` here if the file is not there (it was when the run started).
        """
        connection = self._reach()
        try:
            with self._errors("read the ledger"):
                known = ledger_table.present(connection, txn.id)
            if known:
                raise FatalError(f"system {self._name}: transaction {txn.id} was committed before")
        except LudbError:
            connection.close()
            raise
        return self._participant(connection, txn, SqliteParticipant)

    def rehearse(self, txn: Txn) -> SqliteRehearsal:
        """A participant that takes the write lock in `prepare`, and gives it back with everything undone; errors as for
        `begin`.
        """
        return self._participant(self._reach(), txn, SqliteRehearsal)

    def apply(self, txn: Txn, writes: WriteSet) -> Applied:
        """Write a decided chunk again, in one transaction; units that no longer fit are left out, the others
        committed, and the ledger row remembers which. `TransientError` while another writer holds the lock, or the file
        is away.
        """
        connection = self._reach()
        failed: dict[int, Fault] = {}
        participant = self._participant(connection, txn, SqliteParticipant)
        try:
            if not participant.open():
                with self._errors("read the ledger row"):
                    left_out = ledger_table.left_out(connection, txn.id, writes.positions)
                return Applied(already=True, failed=dict.fromkeys(left_out, MISFIT))
            while True:
                kept = [at for at in txn.positions if at not in failed]
                faults = participant.attempt(writes.only(writes.positions - failed.keys()) if failed else writes, kept)
                if not faults:
                    break
                failed.update(faults)
            participant.commit()
        finally:
            participant.rollback()
        return Applied(already=False, failed=failed)

    def ledger(self, repository: str) -> pa.Table:
        """What this database says was committed for the repository."""
        connection = self._connect()
        try:
            with self._errors("read the ledger"):
                return ledger_table.of_repository(connection, repository)
        finally:
            connection.close()

    def prepare_schema(self) -> None:
        """Create `ludb_ledger` if it is missing; `ConfigError` if the file is missing or cannot be written."""
        connection = self._connect()
        try:
            with self._errors("create the ledger"):
                connection.execute(ledger_table.DDL)
        finally:
            connection.close()

    def inspect(self, tables: Sequence[str]) -> Sequence[Finding]:
        """Whether the file can be written, and tables that hold rows, without a trace."""
        reflected = {name: self._reflect(name) for name in tables}
        connection = connect(self._path, self._name, write=False, busy_timeout=self._settings.busy_timeout)
        try:
            with self._errors("look at the target"):
                return list(server.inspect(connection, self._name, self._path, reflected))
        finally:
            connection.close()

    def room(self) -> tuple[Path, int]:
        """Of the disk that the file is on."""
        return self._path.parent, shutil.disk_usage(self._path.parent).free

    def ledger_ddl(self) -> str:
        """`CREATE TABLE` of the ledger, for this database's file."""
        return ledger_table.DDL_TEXT.format(system=self._name)

    def ledger_entries(self) -> dict[str, int]:
        """Entries by repository."""
        connection = self._connect()
        try:
            with self._errors("count the ledger"):
                return ledger_table.entries(connection)
        finally:
            connection.close()

    def drop_ledger(self) -> None:
        """Drop the table; `TransientError` while somebody else writes."""
        connection = self._connect()
        try:
            with self._errors("drop the ledger"):
                connection.execute("DROP TABLE IF EXISTS main.ludb_ledger")
        finally:
            connection.close()

    def read(self, table: str) -> pa.Table:
        """All rows by primary key, else in the order they were written. A column with values that its declared type
        does not hold (somebody else wrote them) arrives as text.
        """
        reflected = self._reflect(table)
        order = ", ".join(f"a.{quote(name)}" for name in reflected.primary_key or reflected.row_id)
        names = ", ".join(f"a.{quote(column.name)}" for column in reflected.columns)
        sql = f"SELECT {names} FROM main.{quote(reflected.name)} AS a" + (f" ORDER BY {order}" if order else "")
        connection = self._connect()
        try:
            connection.text_factory = TEXT_FACTORY
            with self._errors(f"read {self._name}.{table}"):
                rows = connection.execute(sql).fetchall()
        finally:
            connection.close()
        values = list(zip(*rows, strict=True)) or [()] * len(reflected.columns)
        arrays = [_carried(column, how) for column, how in zip(values, plan(reflected, (), self._name), strict=True)]
        return pa.table(arrays, names=[column.name for column in reflected.columns])

    check_script = staticmethod(check_script)

    def execute(self, script: str, values: Mapping[str, object]) -> None:
        """Run a hook's statements, on a connection of their own that may write."""
        connection = self._connect()
        run_script(connection, self._name, script, values)

    def close(self) -> None:
        """Nothing stays open between calls; participants close their own connection."""

    def _connect(self) -> sqlite3.Connection:
        return connect(self._path, self._name, write=True, busy_timeout=self._settings.busy_timeout)

    def _reach(self) -> sqlite3.Connection:
        """A connection in the middle of a run: a database that was there at its start is away, not misspelt."""
        if not self._path.is_file():
            raise TransientError(f"system {self._name}: the database is away ({self._path})", system=self._name)
        return self._connect()

    def _participant(self, connection: sqlite3.Connection, txn: Txn, kind: type[P]) -> P:
        writer = SqliteWriter(connection, self._name, self._reflect, self._refused)
        return kind(writer, txn, self._connect, self._clock, self._sleep)

    def _reflect(self, table: str) -> Reflected:
        if table not in self._tables:
            connection = self._connect()
            try:
                with self._errors(f"read the columns of {self._name}.{table}"):
                    self._tables[table] = reflect(connection, self._name, table)
            finally:
                connection.close()
        return self._tables[table]

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError:
            raise
        except sqlite3.Error as error:
            raise translate(error, self._name, doing, self._path) from error


def _carried(values: Sequence[Any], how: Any) -> pa.Array:
    array, faults = carry(values, how)
    if not faults:
        return array
    return pa.array([None if value is None else str(plain(value)) for value in values], pa.string())
