"""A target in memory with real transactions: unique keys, locks, a ledger, crashes. Fast enough for state machines."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa

from ludb.errors import ConfigError, FatalError, Fault, TransientError, UnitError
from ludb.model.data import MISFIT, Applied, WriteSet
from ludb.model.run import Txn
from ludb.model.unit import POSITION, Column

Row = dict[str, object]

_LEDGER = pa.schema([("txn", pa.string()), ("seq", pa.int64()), ("run", pa.string()), ("chunk", pa.string())])


@dataclass(slots=True)
class MemoryStore:
    """What survives a crash: committed rows and ledger. `open` are transactions that hold locks until they end or die.

    `unique` names per table the sets of columns that no two rows may share; `columns` the columns of each table.
    """

    columns: Mapping[str, Sequence[Column]]
    unique: Mapping[str, Sequence[tuple[str, ...]]] = field(default_factory=dict)
    tables: dict[str, list[Row]] = field(default_factory=dict)
    ledger: dict[str, Txn] = field(default_factory=dict)
    open: dict[str, MemoryParticipant] = field(default_factory=dict)

    def crash(self, txn: str | None = None) -> None:
        """The process of this transaction (of all, if None) dies: its rows are gone, its locks are free."""
        for name in list(self.open) if txn is None else [txn]:
            if (participant := self.open.get(name)) is not None:
                participant.rollback()


class MemoryTarget:
    """A `Target` over a `MemoryStore`; any number of them may share one store, as processes share a database.

    Keys that an open transaction holds are locked: who needs them gets a `TransientError`, as after a lock time-out.
    """

    def __init__(self, name: str, store: MemoryStore) -> None:
        """Nothing of the store is changed."""
        self._name, self._store = name, store

    def columns(self, table: str) -> Sequence[Column]:
        """The columns that the store declares; `ConfigError` naming its tables."""
        if table not in self._store.columns:
            known = ", ".join(sorted(self._store.columns))
            raise ConfigError(f"system {self._name} has no table {table!r}", remedy=f"Tables that are there: {known}")
        return self._store.columns[table]

    def order(self, tables: Sequence[str]) -> Sequence[str]:
        """By name: the store knows no foreign keys."""
        return sorted(tables)

    def begin(self, txn: Txn) -> MemoryParticipant:
        """Lock the ledger row; `FatalError` if the transaction is committed, `TransientError` if it is open
        elsewhere.
        """
        if txn.id in self._store.open:
            raise TransientError(f"system {self._name}: transaction {txn.id} is open elsewhere", system=self._name)
        if txn.id in self._store.ledger:
            raise FatalError(f"system {self._name}: transaction {txn.id} was committed before")
        return MemoryParticipant(self._name, self, self._store, txn)

    def apply(self, txn: Txn, writes: WriteSet) -> Applied:
        """Write a decided chunk again; waits (`TransientError`) while its first owner still holds the ledger row."""
        positions = {at for rows in writes.tables.values() for at in rows.column(POSITION).to_pylist()}
        if txn.id in self._store.ledger:
            left_out = positions - set(self._store.ledger[txn.id].positions)
            return Applied(already=True, failed=dict.fromkeys(sorted(left_out), MISFIT))
        participant = self.begin(txn)
        failed: dict[int, Fault] = {}
        try:
            for table, rows in writes.tables.items():
                failed |= participant.faults(table, rows)
            participant.leave_out(failed)
            for table, rows in writes.only(positions - failed.keys()).tables.items():
                participant.write(table, rows)
            participant.commit()
        finally:
            participant.rollback()
        return Applied(already=False, failed=failed)

    def ledger(self, repository: str) -> pa.Table:
        """The committed transactions of the repository, by sequence number."""
        mine = sorted((t for t in self._store.ledger.values() if t.repository == repository), key=lambda txn: txn.seq)
        rows = [{"txn": txn.id, "seq": txn.seq, "run": txn.run, "chunk": txn.chunk} for txn in mine]
        return pa.Table.from_pylist(rows, schema=_LEDGER)

    def prepare_schema(self) -> None:
        """There is nothing to prepare."""

    def read(self, table: str) -> pa.Table:
        """All committed rows, in the order of their commits."""
        schema = pa.schema([(column.name, column.type) for column in self.columns(table)])
        return pa.Table.from_pylist(self._store.tables.get(table, []), schema=schema)

    def close(self) -> None:
        """Nothing is held open."""


class MemoryParticipant:
    """An open transaction: rows of its own, and locks on the unique keys that they hold."""

    def __init__(self, system: str, target: MemoryTarget, store: MemoryStore, txn: Txn) -> None:
        """Hold the ledger row's lock from now on."""
        self._system, self._target, self._store, self._txn = system, target, store, txn
        self._rows: list[tuple[str, Row]] = []
        self.keys: dict[tuple[str, tuple[str, ...], tuple[object, ...]], int] = {}
        self._prepared = self._committed = self._ended = False
        store.open[txn.id] = self

    def write(self, table: str, rows: pa.Table) -> None:
        """Keep the rows and lock their keys; `UnitError` names every unit that breaks a constraint."""
        faults = self.faults(table, rows)
        if faults:
            raise UnitError(f"{len(faults)} units break a constraint of {self._system}.{table}", faults=faults)
        for row in rows.to_pylist():
            position = row.pop(POSITION)
            self._rows.append((table, row))
            for key in self._keys_of(table, row):
                self.keys[key] = position

    def faults(self, table: str, rows: pa.Table) -> dict[int, Fault]:
        """The units whose rows do not fit beside what is committed, what is written here and each other."""
        self._alive()
        known = {column.name: column for column in self._target.columns(table)}
        unknown = [name for name in rows.column_names if name not in known and name != POSITION]
        if unknown:
            raise ConfigError(
                f"output {self._system}.{table} has column {unknown[0]!r}, the table has not",
                remedy=f"Its columns are: {', '.join(known)}",
            )
        taken = {
            key for row in self._store.tables.get(table, []) for key in self._keys_of(table, row)
        } | self.keys.keys()
        found: dict[int, Fault] = {}
        units: dict[int, list[Row]] = {}
        for row in rows.to_pylist():
            units.setdefault(row.pop(POSITION), []).append(row)
        for position, unit in units.items():
            own: set[tuple[str, tuple[str, ...], tuple[object, ...]]] = set()
            for row in unit:
                empty = [column.name for column in known.values() if column.required and row.get(column.name) is None]
                keys = self._keys_of(table, row)
                twice = [key for key in keys if key in taken or key in own]
                own.update(keys)
                if empty or twice:
                    what = (
                        f"NOT NULL constraint on {empty[0]}"
                        if empty
                        else f"UNIQUE constraint on {', '.join(twice[0][1])}"
                    )
                    found[position] = Fault(f"{self._system}.{table}: {what} failed", repr(row))
                    break
            else:
                taken |= own
        return found

    def prepare(self) -> None:
        """From now on `commit` cannot fail for reasons of data."""
        self._alive()
        self._prepared = True

    def leave_out(self, positions: Collection[int]) -> None:
        """The ledger row will hold the transaction's units without these."""
        kept = tuple(at for at in self._txn.positions if at not in positions)
        self._txn = replace(self._txn, positions=kept)

    def commit(self) -> None:
        """Make rows and ledger row visible at once; does nothing when repeated."""
        if self._committed:
            return
        self._alive()
        for table, row in self._rows:
            self._store.tables.setdefault(table, []).append(row)
        self._store.ledger[self._txn.id] = self._txn
        self._committed = True
        self._end()

    def rollback(self) -> None:
        """Forget the rows and free the locks; nothing after `commit`."""
        if not self._committed:
            self._rows.clear()
            self._end()

    def _keys_of(self, table: str, row: Row) -> list[tuple[str, tuple[str, ...], tuple[object, ...]]]:
        """The row's unique keys; `TransientError` if another open transaction holds one of them."""
        keys = []
        for columns in self._store.unique.get(table, ()):
            values = tuple(row.get(name) for name in columns)
            if None not in values:
                keys.append((table, columns, values))
        for other in self._store.open.values():
            if other is not self and any(key in other.keys for key in keys):
                raise TransientError(f"system {self._system}: a row of {table} is locked", system=self._system)
        return keys

    def _alive(self) -> None:
        if self._ended:
            raise TransientError(f"system {self._system}: the transaction is over", system=self._system)

    def _end(self) -> None:
        self._ended = True
        self._store.open.pop(self._txn.id, None)
