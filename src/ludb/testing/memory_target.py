"""A target in memory with real transactions: unique keys, locks, a ledger, crashes. Fast enough for state machines."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa

from ludb.dialects.merging import key_faults
from ludb.errors import ConfigError, FatalError, Fault, TransientError, UnitError
from ludb.model.data import MISFIT, Applied, Removal, WriteSet
from ludb.model.run import Txn
from ludb.model.unit import POSITION, Column
from ludb.ports.target import write_all

Row = dict[str, object]

_LEDGER = pa.schema([("txn", pa.string()), ("seq", pa.int64()), ("run", pa.string()), ("chunk", pa.string())])


@dataclass(slots=True)
class MemoryStore:
    """What survives a crash: committed rows and ledger. `open` are transactions that hold locks until they end or die.

    `unique` names per table the sets of columns that no two rows may share; `columns` the columns of each table;
    `folded` the (table, column) pairs whose collation takes A for a.
    """

    columns: Mapping[str, Sequence[Column]]
    unique: Mapping[str, Sequence[tuple[str, ...]]] = field(default_factory=dict)
    tables: dict[str, list[Row]] = field(default_factory=dict)
    ledger: dict[str, Txn] = field(default_factory=dict)
    open: dict[str, MemoryParticipant] = field(default_factory=dict)
    folded: Collection[tuple[str, str]] = ()

    def key(self, table: str, columns: Sequence[str], row: Row) -> tuple[object, ...]:
        """The row's values in these columns, as the store compares them."""
        values = ((name, row.get(name)) for name in columns)
        return tuple(
            value.casefold() if isinstance(value, str) and (table, name) in self.folded else value
            for name, value in values
        )

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

    def check_merge(self, table: str, key: Sequence[str], written: Sequence[str]) -> None:  # noqa: ARG002  (the port)
        """Refuse a key that the store does not declare unique."""
        if tuple(key) not in self._store.unique.get(table, ()):
            raise ConfigError(
                f"{self._name}.{table}: no unique constraint holds {', '.join(key)}", remedy="Name another key"
            )

    def check_removal(self, table: str, columns: Sequence[str], removed: Sequence[str]) -> None:  # noqa: ARG002
        """Refuse columns that are not there; the store knows no foreign keys."""
        unknown = [name for name in columns if name not in {column.name for column in self.columns(table)}]
        if unknown:
            raise ConfigError(f"{self._name}.{table} has no column {unknown[0]!r}", remedy="Correct `by`")

    def apply(self, txn: Txn, writes: WriteSet) -> Applied:
        """Write a decided chunk again; waits (`TransientError`) while its first owner still holds the ledger row."""
        positions = writes.positions
        if txn.id in self._store.ledger:
            left_out = positions - set(self._store.ledger[txn.id].positions)
            return Applied(already=True, failed=dict.fromkeys(sorted(left_out), MISFIT))
        participant = self.begin(txn)
        failed: dict[int, Fault] = {}
        try:
            participant.remove(writes.removals)
            for table, rows in writes.tables.items():
                failed |= participant.faults(table, rows, writes.keys.get(table, ()))
            participant.forget()
            participant.leave_out(failed)
            write_all(participant, writes.only(positions - failed.keys()))
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
        self._gone: dict[int, Row] = {}
        self.keys: dict[tuple[str, tuple[str, ...], tuple[object, ...]], int] = {}
        self._prepared = self._committed = self._ended = False
        store.open[txn.id] = self

    def remove(self, removals: Mapping[str, Removal]) -> None:
        """Committed rows of the units are gone from here on, for this transaction; their keys are locked."""
        for table in removals:
            for row in self._owned(table, removals):
                for key in self._keys_of(table, row):
                    self.keys[key] = -1
                self._gone[id(row)] = row
        for key in [key for key, position in self.keys.items() if position < 0]:
            del self.keys[key]

    def _owned(self, table: str, removals: Mapping[str, Removal]) -> list[Row]:
        removal, rows = removals[table], self._store.tables.get(table, [])
        if removal.parent is not None:
            here, there = zip(*removal.through, strict=True)
            parents = {tuple(row.get(name) for name in there) for row in self._owned(removal.parent, removals)}
            return [row for row in rows if tuple(row.get(name) for name in here) in parents]
        names = [name for name in removal.units.column_names if name != POSITION]
        wanted = {tuple(unit[name] for name in names) for unit in removal.units.to_pylist()}
        return [row for row in rows if tuple(row.get(name) for name in names) in wanted]

    def merge(self, table: str, rows: pa.Table, key: Sequence[str]) -> None:
        """Write rows over those of the same key."""
        self.write(table, rows, key)

    def forget(self) -> None:
        """Nothing was removed or written so far."""
        self._gone.clear()
        self._rows.clear()
        self.keys.clear()

    def write(self, table: str, rows: pa.Table, key: Sequence[str] = ()) -> None:
        """Keep the rows and lock their keys; `UnitError` names every unit that breaks a constraint."""
        faults = self.faults(table, rows, key)
        if faults:
            raise UnitError(f"{len(faults)} units break a constraint of {self._system}.{table}", faults=faults)
        for written in rows.to_pylist():
            position = written.pop(POSITION)
            old = self._same(table, written, key)
            row = {**(old or {}), **written}
            if old is not None:
                self._gone[id(old)] = old
            self._rows.append((table, row))
            for held in self._keys_of(table, row):
                self.keys[held] = position

    def _same(self, table: str, row: Row, key: Sequence[str]) -> Row | None:
        """The committed row that the store takes for the one of this key."""
        if not key:
            return None
        wanted = self._store.key(table, key, row)
        there = (old for old in self._store.tables.get(table, []) if id(old) not in self._gone)
        return next((old for old in there if self._store.key(table, key, old) == wanted), None)

    def faults(self, table: str, rows: pa.Table, key: Sequence[str] = ()) -> dict[int, Fault]:
        """The units whose rows do not fit beside what is committed, what is written here and each other."""
        self._alive()
        known = {column.name: column for column in self._target.columns(table)}
        unknown = [name for name in rows.column_names if name not in known and name != POSITION]
        if unknown:
            raise ConfigError(
                f"output {self._system}.{table} has column {unknown[0]!r}, the table has not",
                remedy=f"Its columns are: {', '.join(known)}",
            )
        there = [row for row in self._store.tables.get(table, []) if id(row) not in self._gone]
        taken = {held for row in there for held in self._keys_of(table, row)} | self.keys.keys()
        found = key_faults(rows, key, f"{self._system}.{table}") if key else {}
        units: dict[int, list[Row]] = {}
        for row in rows.to_pylist():
            if row[POSITION] not in found:
                units.setdefault(row.pop(POSITION), []).append(row)
        for position, unit in units.items():
            own: set[tuple[str, tuple[str, ...], tuple[object, ...]]] = set()
            for row in unit:
                empty = [column.name for column in known.values() if column.required and row.get(column.name) is None]
                keys, old = self._keys_of(table, row), self._same(table, row, key)
                if old is not None:
                    here, other = tuple(row[name] for name in key), tuple(old[name] for name in key)
                    if here != other:
                        found[position] = Fault(
                            f"{self._system}.{table}: key of another row but for its bytes", f"{here} {other}"
                        )
                        break
                    taken -= set(self._keys_of(table, old))
                    empty = [name for name in empty if name in row]
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
        for table in {
            table for table, rows in self._store.tables.items() if any(id(row) in self._gone for row in rows)
        }:
            self._store.tables[table] = [row for row in self._store.tables[table] if id(row) not in self._gone]
        for table, row in self._rows:
            self._store.tables.setdefault(table, []).append(row)
        self._store.ledger[self._txn.id] = self._txn
        self._committed = True
        self._end()

    def rollback(self) -> None:
        """Forget the rows and free the locks; nothing after `commit`."""
        if not self._committed:
            self._rows.clear()
            self._gone.clear()
            self._end()

    def _keys_of(self, table: str, row: Row) -> list[tuple[str, tuple[str, ...], tuple[object, ...]]]:
        """The row's unique keys; `TransientError` if another open transaction holds one of them."""
        keys = []
        for columns in self._store.unique.get(table, ()):
            values = self._store.key(table, columns, row)
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
