"""PostgreSQL as a target: rows and ledger row in one transaction, values unchanged or refused by unit."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import psycopg
import pyarrow as pa

from ludb.dialects import postgres_inspect as server
from ludb.dialects import postgres_rewrite as rewrite
from ludb.dialects.postgres import PostgresSystem, connect, errors, quote, translate
from ludb.dialects.postgres_bind import bind
from ludb.dialects.postgres_ledger import Ledger
from ludb.dialects.postgres_participant import PostgresParticipant, PostgresRehearsal
from ludb.dialects.postgres_schema import Reflected, reflect
from ludb.dialects.postgres_script import check_script, run_script
from ludb.dialects.postgres_stream import Stream
from ludb.dialects.postgres_values import plan, select, typed
from ludb.dialects.postgres_writer import Connection, PostgresWriter, open_units
from ludb.dialects.settings import Surroundings
from ludb.errors import ConfigError, FatalError, LudbError
from ludb.model.data import MISFIT, Applied, WriteSet
from ludb.model.findings import Finding
from ludb.model.run import Txn
from ludb.model.unit import Column

_RIGHTS = """SELECT current_user, has_table_privilege(%s, 'INSERT') OR has_any_column_privilege(%s, 'INSERT')"""


class PostgresTarget:
    """A PostgreSQL database that rows are written into. Implements `Target`, `CanRead`, `CanRehearse`, `CanRewrite`,
    `CanInspect`, `CanExecute` and `HasLedger`.

    Each participant has a connection of its own, called `ludb:<txn>`, in a READ COMMITTED transaction. Deferrable
    constraints are deferred until `prepare`, all others speak at once.
    """

    Settings: ClassVar[type[PostgresSystem]] = PostgresSystem

    def __init__(
        self,
        name: str,
        settings: PostgresSystem,
        surroundings: Surroundings,  # noqa: ARG002  (every adapter is made with it)
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Nothing is opened yet. `clock` dates ledger rows."""
        self._name, self._settings, self._clock = name, settings, clock
        self._schema = settings.ledger.in_schema if settings.ledger else settings.in_schema
        self._ledger = Ledger(self._schema)
        self._tables: dict[str, Reflected] = {}

    def columns(self, table: str) -> Sequence[Column]:
        """The table's columns as declared; `ConfigError` naming the tables that are there, for a table whose rows a crash
        would empty (UNLOGGED), and where the role may not insert.
        """
        return self._reflect(table).columns

    def misfits(self, table: str, made: pa.Schema) -> Sequence[ConfigError]:
        """Columns whose type holds no value of the type that a step gives them."""
        found = self._reflect(table)
        place = f"{self._name}.{table}, column"
        errors: list[ConfigError] = []
        for field in made:
            kind = found.types.get(field.name)
            try:
                if kind is not None:
                    bind(pa.chunked_array([], field.type), kind, f"{place} {field.name}")
            except ConfigError as error:
                errors.append(error)
        return errors

    def order(self, tables: Sequence[str]) -> Sequence[str]:
        """Parents before children by foreign keys that speak at once; deferrable ones need no order. `ConfigError` for a
        circle of the others.
        """
        known = {name: self._reflect(name) for name in tables}
        places = {(table.schema, table.name): name for name, table in known.items()}
        parents = {
            name: {places[key.parent] for key in table.foreign_keys if key.parent in places and not key.deferrable}
            - {name}
            for name, table in known.items()
        }
        ordered: list[str] = []
        left = sorted(tables)
        while left:
            free = next((name for name in left if not parents[name] & set(left)), None)
            if free is None:
                raise self._circle(left[0], parents, known)
            ordered.append(free)
            left.remove(free)
        return ordered

    def _circle(self, start: str, parents: Mapping[str, set[str]], known: Mapping[str, Reflected]) -> ConfigError:
        """The error of tables that wait for each other: the circle, and the command that opens it."""
        path = [start]
        while (following := min(parents[path[-1]] & parents.keys())) not in path:
            path.append(following)
        circle = path[path.index(following) :]
        last, first = known[circle[-1]], known[circle[0]]
        key = next(k for k in last.foreign_keys if k.parent == (first.schema, first.name) and not k.deferrable)
        return ConfigError(
            f"system {self._name}: the foreign keys of {', '.join(circle)} form a circle, so that no table can be first",
            remedy=f"ALTER TABLE {last.sql} ALTER CONSTRAINT {quote(key.name)} DEFERRABLE",
        )

    def check_merge(self, table: str, key: Sequence[str], written: Sequence[str]) -> None:  # noqa: ARG002  (the port)
        """Refuse a key that no unique constraint holds exactly and at once, and missing rights. What others point to
        speaks by itself.
        """
        with self._connect() as connection, errors(self._name, f"look at {self._name}.{table}"):
            rewrite.check_merge(connection, self._name, self._reflect(table), key)

    def check_removal(self, table: str, columns: Sequence[str], removed: Sequence[str]) -> None:
        """Refuse unknown columns, missing rights, and tables whose rows would go or change with these."""
        found = [self._reflect(name) for name in removed]
        with self._connect() as connection, errors(self._name, f"look at {self._name}.{table}"):
            rewrite.check_removal(connection, self._name, self._reflect(table), columns, found)

    def begin(self, txn: Txn) -> PostgresParticipant:
        """Open a transaction and insert the ledger row; `FatalError` if it was committed before."""
        connection = self._start(txn)
        try:
            self._ledger_row(connection, txn)
        except psycopg.errors.UniqueViolation as error:
            connection.close()
            raise FatalError(f"system {self._name}: transaction {txn.id} was committed before") from error
        return self._participant(connection, txn)

    def rehearse(self, txn: Txn) -> PostgresRehearsal:
        """Open a transaction that leaves nothing: no ledger row, and no sequence is moved."""
        connection = self._start(txn)
        try:
            with errors(self._name, "begin a transaction"):
                open_units(connection)
        except LudbError:
            connection.close()
            raise
        return PostgresRehearsal(self._writer(connection), txn, self._ledger, self._connect)

    def apply(self, txn: Txn, writes: WriteSet) -> Applied:
        """Write a decided chunk again, in one transaction; units that no longer fit are left out, the others committed,
        and the ledger row remembers which. What the dead worker's connection still holds is ended first, by its name.
        """
        self._end_predecessors(txn)
        connection = self._start(txn)
        try:
            self._ledger_row(connection, txn)
        except psycopg.errors.UniqueViolation:
            with errors(self._name, "read the ledger row"):
                connection.execute("ROLLBACK")
                left_out = self._ledger.left_out(connection, txn.id, writes.positions)
            connection.close()
            return Applied(already=True, failed=dict.fromkeys(left_out, MISFIT))
        participant = self._participant(connection, txn)
        try:
            failed = participant.attempt(writes)
            participant.commit()
        finally:
            participant.rollback()
        return Applied(already=False, failed=failed)

    def ledger(self, repository: str) -> pa.Table:
        """What this database says was committed for the repository."""
        with self._connect() as connection, errors(self._name, "read the ledger"):
            return self._ledger.of_repository(connection, repository)

    def ledger_ddl(self) -> str:
        """`CREATE TABLE` of the ledger, and of its schema."""
        return self._ledger.ddl(self._name)

    def ledger_entries(self) -> dict[str, int]:
        """Entries by repository."""
        with self._connect() as connection, errors(self._name, "count the ledger"):
            return self._ledger.entries(connection)

    def drop_ledger(self) -> None:
        """Drop the table; `TransientError` while somebody writes into it."""
        with self._connect() as connection, errors(self._name, "drop the ledger"):
            self._ledger.drop(connection)

    def prepare_schema(self) -> None:
        """Create the ledger if it is missing; `ConfigError` for a server that may lose what it has confirmed."""
        with self._connect() as connection:
            self._check_durable(connection)
            with errors(self._name, "create the ledger"):
                self._ledger.create(connection)

    def inspect(self, tables: Sequence[str]) -> Sequence[Finding]:
        """Durability, rights and emptiness, without a trace."""
        reflected = {name: self._reflect(name) for name in tables}
        with self._connect() as connection:
            self._check_durable(connection)
            with errors(self._name, "look at the target"):
                return list(server.inspect(connection, self._name, reflected, self._schema))

    def _check_durable(self, connection: Connection) -> None:
        with errors(self._name, "read the server's settings"):
            off = server.not_durable(connection)
        if off and not self._settings.allow_not_durable:
            raise ConfigError(
                f"system {self._name}: the server may lose what it has committed ({', '.join(off)} = off)",
                remedy="Switch it on; for tests say allow_not_durable: true",
            )

    def read(self, table: str) -> pa.Table:
        """All rows by primary key, else in the order in which they lie. A column with values that Arrow has no exact type
        for (infinite dates) arrives as text.
        """
        reflected = self._reflect(table)
        order = ", ".join(f"a.{quote(name)}" for name in reflected.primary_key)
        as_text: set[str] = set()
        stream = Stream(self._settings, self._name)
        try:
            while True:
                plans = plan(reflected, tuple((name, "text") for name in sorted(as_text)), self._name)
                query = f"SELECT {', '.join(select(plans, reflected))} FROM {reflected.sql} AS a"
                pieces = [
                    typed(rows, (), plans, reflected)
                    for rows in stream.query(query + (f" ORDER BY {order}" if order else ""))
                ]
                again = {refusal.column for _, refused in pieces for refusal in refused}
                if not again:
                    return pa.concat_tables(rows for rows, _ in pieces)
                as_text |= again
        finally:
            stream.close()

    check_script = staticmethod(check_script)

    def execute(self, script: str, values: Mapping[str, object]) -> None:
        """Run a hook's statements, on a connection of their own that may write."""
        connection = self._connect()
        run_script(connection, self._name, script, values)

    def close(self) -> None:
        """Nothing stays open between calls; participants close their own connection."""

    def _connect(self, application: str = "ludb") -> Connection:
        return connect(self._settings, self._name, write=True, application=application)

    def _start(self, txn: Txn) -> Connection:
        connection = self._connect(f"ludb:{txn.id}")
        try:
            with errors(self._name, "begin a transaction"):
                connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
        except LudbError:
            connection.close()
            raise
        return connection

    def _ledger_row(self, connection: Connection, txn: Txn) -> None:
        try:
            self._ledger.insert(connection, txn, self._clock())
            open_units(connection)
        except psycopg.errors.UniqueViolation:
            raise
        except psycopg.Error as error:
            connection.close()
            raise translate(error, self._name, "write the ledger row") from error

    def _participant(self, connection: Connection, txn: Txn) -> PostgresParticipant:
        return PostgresParticipant(self._writer(connection), txn, self._ledger, self._connect)

    def _writer(self, connection: Connection) -> PostgresWriter:
        return PostgresWriter(connection, self._name, self._reflect)

    def _end_predecessors(self, txn: Txn) -> None:
        """End the connections of this very transaction; a role that may not waits for the server's time-out instead."""
        asked = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            # Another database of this server may be another participant of the same transaction.
            " WHERE application_name = %s AND datname = current_database() AND pid <> pg_backend_pid()"
        )
        with self._connect() as connection:
            try:
                connection.execute(asked, (f"ludb:{txn.id}"[:63],))
            except psycopg.errors.InsufficientPrivilege:
                return
            except psycopg.Error as error:
                raise translate(error, self._name, "end the connection of a dead worker") from error

    def _reflect(self, table: str) -> Reflected:
        if table not in self._tables:
            with self._connect() as connection, errors(self._name, f"read the columns of {self._name}.{table}"):
                found = reflect(connection, self._name, self._settings.in_schema, table)
                row = connection.execute(_RIGHTS, (found.sql, found.sql)).fetchone()
            role, may = row or ("", False)
            if not may:
                raise ConfigError(
                    f"system {self._name}: role {role} may not insert into {found.label}",
                    remedy=f"GRANT INSERT ON {found.sql} TO {quote(role)}",
                )
            if found.persistence == "u" and not self._settings.allow_not_durable:
                raise ConfigError(
                    f"system {self._name}: table {found.label} is UNLOGGED: a crash of the server empties it",
                    remedy=f"ALTER TABLE {found.sql} SET LOGGED; for tests say allow_not_durable: true",
                )
            self._tables[table] = found
        return self._tables[table]
