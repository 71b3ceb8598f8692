"""MySQL and MariaDB as a target: rows and ledger row in one InnoDB transaction, values exact or refused by unit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import ClassVar

import pyarrow as pa

from ludb.dialects import mysql_inspect as server
from ludb.dialects import mysql_ledger as ledger_table
from ludb.dialects import mysql_rewrite as rewrite
from ludb.dialects.mysql import MysqlSystem, Session, connect, placed, quote
from ludb.dialects.mysql_bind import bind
from ludb.dialects.mysql_errors import LOCKED
from ludb.dialects.mysql_participant import MysqlParticipant
from ludb.dialects.mysql_schema import ForeignKey, Reflected, foreign_keys, reflect
from ludb.dialects.mysql_script import check_script, run_script
from ludb.dialects.mysql_values import Carriage, asked, carry, exact, plain
from ludb.dialects.mysql_writer import MysqlWriter
from ludb.dialects.settings import Surroundings
from ludb.errors import ConfigError, FatalError, Fault, LudbError, TransientError, UnitError
from ludb.model.data import MISFIT, Applied, WriteSet
from ludb.model.findings import Finding
from ludb.model.run import Txn
from ludb.model.unit import Column

MODE = "STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO"
"""The SQL mode of writing sessions: errors instead of near values, and an id 0 stays 0."""
NO_ZERO_DATES = ",NO_ZERO_DATE,NO_ZERO_IN_DATE"
"""Added unless the system's settings let such dates in."""


class MysqlTarget:
    """A database on a MySQL or MariaDB server that rows are written into. Implements `Target`, `CanRead`,
    `CanRehearse`, `CanRewrite`, `CanInspect`, `CanExecute` and `HasLedger`.

    Each participant has a connection of its own, at READ COMMITTED. Tables must be of an engine with transactions.
    """

    Settings: ClassVar[type[MysqlSystem]] = MysqlSystem

    def __init__(
        self,
        name: str,
        settings: MysqlSystem,
        surroundings: Surroundings,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Nothing is opened yet. `clock` dates ledger rows."""
        self._name, self._settings, self._surroundings, self._clock = name, settings, surroundings, clock
        self._ledger = settings.ledger.in_schema or settings.database
        self._tables: dict[str, Reflected] = {}
        self._links: dict[str, dict[tuple[str, str], tuple[ForeignKey, ...]]] = {}

    def columns(self, table: str) -> Sequence[Column]:
        """The table's columns; `ConfigError` naming the tables that are there, or for a table that cannot roll back."""
        return self._reflect(table).columns

    def misfits(self, table: str, made: pa.Schema) -> Sequence[ConfigError]:
        """Columns whose type holds no value of the type that a step gives them."""
        found = self._reflect(table)
        place = f"{self._name}.{table}, column"
        errors: list[ConfigError] = []
        for field in made:
            kind = found.find(field.name)
            try:
                if kind is not None:
                    bind(pa.chunked_array([], field.type), kind, f"{place} {field.name}")
            except ConfigError as error:
                errors.append(error)
        return errors

    def order(self, tables: Sequence[str]) -> Sequence[str]:
        """Parents before children by foreign keys; tables that do not depend on each other, and cycles, by name."""
        known = {name: self._reflect(name) for name in tables}
        places = {(found.schema, found.name): name for name, found in known.items()}
        parents = {
            name: {places[key.parent] for key in found.foreign_keys if key.parent in places} - {name}
            for name, found in known.items()
        }
        ordered: list[str] = []
        left = sorted(tables)
        while left:
            free = next((name for name in left if not parents[name] & set(left)), left[0])
            ordered.append(free)
            left.remove(free)
        return ordered

    def check_merge(self, table: str, key: Sequence[str], written: Sequence[str]) -> None:
        """Refuse a key that no unique constraint holds exactly, or that may be NULL, and columns that others point to."""
        with self._session() as session:
            rewrite.check_merge(session, self._reflect(table), key, written, self._links_of)

    def check_removal(self, table: str, columns: Sequence[str], removed: Sequence[str]) -> None:
        """Refuse unknown columns, and tables whose rows would go or change with these."""
        found = [self._reflect(name) for name in removed]
        with self._session() as session:
            rewrite.check_removal(session, self._reflect(table), columns, found)

    def begin(self, txn: Txn) -> MysqlParticipant:
        """Start a transaction and insert the ledger row; `TransientError` while the server or a lock is in the way."""
        participant, session = self._start(txn)
        try:
            ledger_table.insert(session, self._ledger, txn, self._clock())
        except UnitError as error:
            participant.rollback()
            raise FatalError(f"system {self._name}: transaction {txn.id} was committed before") from error
        except BaseException:
            participant.rollback()
            raise
        return participant

    def rehearse(self, txn: Txn) -> MysqlParticipant:
        """A transaction without a ledger row, which can only be rolled back."""
        return self._start(txn, rehearsal=True)[0]

    def apply(self, txn: Txn, writes: WriteSet) -> Applied:
        """Write a decided chunk again, in one transaction; units that no longer fit are left out, the others
        committed, and the ledger row remembers which. A session that still holds this transaction's ledger row, and says
        nothing, is ended; `TransientError` then, as for `begin`.
        """
        participant, session = self._start(txn)
        failed: dict[int, Fault] = {}
        try:
            try:
                ledger_table.insert(session, self._ledger, txn, self._clock())
            except UnitError:
                left_out = ledger_table.left_out(session, self._ledger, txn.id, writes.positions)
                return Applied(already=True, failed=dict.fromkeys(left_out, MISFIT))
            except TransientError as error:
                if f"(error {LOCKED})" in str(error):
                    self._end_holder(txn)
                raise
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
        with self._session() as session:
            return ledger_table.of_repository(session, self._ledger, repository)

    def ledger_ddl(self) -> str:
        """`CREATE TABLE` of the ledger."""
        return ledger_table.text(self._ledger, self._name)

    def ledger_entries(self) -> dict[str, int]:
        """Entries by repository."""
        with self._session() as session:
            return ledger_table.entries(session, self._ledger)

    def drop_ledger(self) -> None:
        """Drop the table; `TransientError` while somebody writes into it."""
        with self._session() as session:
            ledger_table.drop(session, self._ledger)

    def prepare_schema(self) -> None:
        """Create `ludb_ledger` if it is missing. `ConfigError` for a server that would lose a commit with its power, or
        that takes no writes.
        """
        with self._session() as session:
            self._check_server(session)
            ledger_table.create(session, self._ledger)

    def inspect(self, tables: Sequence[str]) -> Sequence[Finding]:
        """Durability, rights and emptiness, without a trace."""
        reflected = {name: self._reflect(name) for name in tables}
        with self._session() as session:
            self._check_server(session)
            return list(server.inspect(session, self._name, reflected, self._ledger))

    def _check_server(self, session: Session) -> None:
        flush = session.number("SELECT @@innodb_flush_log_at_trx_commit", "ask for durability")
        if flush != 1:
            raise ConfigError(
                f"system {self._name} is not durable: innodb_flush_log_at_trx_commit is {flush}",
                remedy="Set it to 1: what is committed must survive a loss of power",
            )
        if session.number("SELECT @@read_only + 0", "ask for writes"):
            raise ConfigError(
                f"system {self._name} takes no writes: read_only is on", remedy="Name the server that takes them"
            )

    def read(self, table: str) -> pa.Table:
        """All rows by primary key, else by all columns. A column with values that have no Arrow form (zero dates)
        arrives as text.
        """
        found = self._reflect(table)
        plans = [Carriage(detail.column, detail) for detail in found.details]
        order = [f"a.{quote(name)}" for name in found.primary_key] or [exact(detail, "a") for detail in found.details]
        select = ", ".join(asked(how, "a") for how in plans)
        sql = f"SELECT {select} FROM {placed(found.schema, found.name)} AS a ORDER BY {', '.join(order)}"
        with self._session() as session:
            rows = session.rows(sql, f"read {table}")
        values = list(zip(*rows, strict=True)) or [()] * len(plans)
        arrays = [_carried(column, how) for column, how in zip(values, plans, strict=True)]
        return pa.table(arrays, names=[how.column.name for how in plans])

    check_script = staticmethod(check_script)

    def execute(self, script: str, values: Mapping[str, object]) -> None:
        """Run a hook's statements, on a session of their own that may write."""
        run_script(self._connect(), script, values)

    def close(self) -> None:
        """Nothing stays open between calls; participants close their own connection."""

    def _connect(self, program: str = "ludb") -> Session:
        mode = MODE if self._settings.zero_dates else MODE + NO_ZERO_DATES
        return connect(
            self._settings, self._surroundings, self._name, mode=mode, isolation="READ COMMITTED", program=program
        )

    @contextmanager
    def _session(self) -> Iterator[Session]:
        session = self._connect()
        try:
            yield session
        finally:
            session.close()

    def _start(self, txn: Txn, *, rehearsal: bool = False) -> tuple[MysqlParticipant, Session]:
        session = self._connect(f"ludb:{txn.id}")
        try:
            # Without autocommit, what follows an unnoticed rollback (deadlock) is not committed by itself.
            session.run("SET autocommit = 0", "begin a transaction")
            session.run("START TRANSACTION", "begin a transaction")
            writer = MysqlWriter(session, self._reflect, self._is_knotted, self._links_of)
        except LudbError:
            session.close()
            raise
        return MysqlParticipant(writer, txn, None if rehearsal else self._ledger, self._connect), session

    def _end_holder(self, txn: Txn) -> None:
        """End the session that holds the transaction's uncommitted ledger row: its worker is gone or asleep, and the
        decision is ours to carry out. Either it had committed, and the ledger says so, or it is rolled back.
        """
        with self._session() as session:
            session.run("SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED", "look for a dead worker's session")
            holder = ledger_table.writer(session, self._ledger, txn.id)
            if holder is not None:
                session.run(f"KILL CONNECTION {holder}", "end a dead worker's session")

    def _reflect(self, table: str) -> Reflected:
        if table not in self._tables:
            with self._session() as session:
                found = reflect(session, self._settings.database, table)
            if not found.transactional:
                what = f"a table of the engine {found.engine}" if found.engine else "a view"
                raise ConfigError(
                    f"{self._name}.{table} is {what}, which cannot roll back", remedy="Use a table of InnoDB"
                )
            self._tables[table] = found
        return self._tables[table]

    def _links_of(self, schema: str) -> dict[tuple[str, str], tuple[ForeignKey, ...]]:
        if schema not in self._links:
            with self._session() as session:
                self._links[schema] = foreign_keys(session, schema)
        return self._links[schema]

    def _is_knotted(self, table: Reflected) -> bool:
        """Whether foreign keys lead from the table back to itself."""
        home = (table.schema, table.name)
        seen: set[tuple[str, str]] = set()
        frontier = [home]
        while frontier:
            place = frontier.pop()
            parents = {key.parent for key in self._links_of(place[0]).get(place, ())}
            if home in parents:
                return True
            frontier.extend(parents - seen)
            seen |= parents
        return False


def _carried(values: Sequence[bytes | None], how: Carriage) -> pa.Array:
    array, faults = carry(pa.array(values, pa.binary()), how)
    if not faults:
        return array
    return pa.array([None if value is None else str(plain(value)) for value in values], pa.string())
