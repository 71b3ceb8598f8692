"""Writing a chunk into PostgreSQL: COPY, the units that a constraint refuses, sequences, and the transaction's end."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from psycopg import sql

from ludb.dialects.merging import key_columns, key_faults
from ludb.dialects.postgres import condition, is_misfit, quote, translate
from ludb.dialects.postgres_bind import Faults, as_csv, bind
from ludb.dialects.postgres_copy import binary
from ludb.dialects.postgres_exact import changed
from ludb.dialects.postgres_rewrite import INCOMING, Clash, Link, drop_incoming, make_incoming, merge, remove, way
from ludb.dialects.postgres_schema import Reflected, Type
from ludb.errors import ConfigError, Fault, UnitError
from ludb.model.data import Removal, WriteSet
from ludb.model.unit import POSITION

Connection = psycopg.Connection[tuple[Any, ...]]

_COLUMN = re.compile(r"column ([^:\n]+)(?::|$)", re.MULTILINE)
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Piece:
    """The rows of one `write` or `merge` (then with its `key`), as COPY takes them; `positions` tell their units.

    Of a removal they are values of `names` in the table at the end of the `links` from `table`.
    """

    table: Reflected
    names: tuple[str, ...]
    rows: pa.Table
    positions: pa.Array
    key: tuple[str, ...] = ()
    links: tuple[Link, ...] | None = None

    def only(self, units: pa.Array | None) -> pa.Table:
        """The rows of these units; None: of all."""
        return self.rows if units is None else self.rows.filter(pc.is_in(self.positions, value_set=units))


class PostgresWriter:
    """Rows into tables of one open transaction, which holds its ledger row and the savepoint `ludb_start` after it."""

    def __init__(self, connection: Connection, system: str, reflect: Callable[[str], Reflected]) -> None:
        """Nothing is written yet. `reflect` gives a table's columns and keys, whatever connection it uses."""
        self.connection, self.system = connection, system
        self._reflect = reflect
        self._pieces: list[Piece] = []
        self._now: Piece | None = None
        self.rows: dict[str, int] = {}

    def insert(self, table: str, rows: pa.Table, key: Sequence[str] = ()) -> None:
        """Write the rows, merged by `key` if there is one; `UnitError` with every unit whose values a column would change
        or a constraint refuses.
        """
        self._pieces.append(self.bound(table, rows, key))
        self._attempt(lambda: self._copy(self._pieces[-1], None))
        self.rows[table] = self.rows.get(table, 0) + rows.num_rows

    def remove(self, removals: Mapping[str, Removal]) -> None:
        """Delete the rows of units; `UnitError` with every unit whose rows something keeps."""
        for piece in self.removing(removals):
            self._pieces.append(piece)
            self._attempt(lambda: self._copy(self._pieces[-1], None))

    def pieces(self, writes: WriteSet) -> list[Piece]:
        """All of a write-set, in its order; `UnitError` as of `bound`."""
        rows = [self.bound(table, rows, writes.keys.get(table, ())) for table, rows in writes.tables.items()]
        return [*self.removing(writes.removals), *rows]

    def removing(self, removals: Mapping[str, Removal]) -> list[Piece]:
        """Removals as they are carried out; `UnitError` for values that the column which tells the unit cannot hold."""
        found = []
        for table in removals:
            links, last, removal = way(table, removals, self._reflect)
            held = self.bound(last, removal.units)
            found.append(replace(held, table=self._reflect(table), links=links))
        return found

    def check(self) -> None:
        """Let deferred constraints speak: `UnitError` with every unit that they refuse."""
        self._attempt(lambda: self.connection.execute("SET CONSTRAINTS ALL IMMEDIATE"))

    def bound(self, table: str, rows: pa.Table, key: Sequence[str] = ()) -> Piece:
        """The rows as COPY takes them; `UnitError` naming every unit with a value that would not stay as it is."""
        reflected = self._reflect(table)
        names = [name for name in rows.column_names if name != POSITION]
        positions = rows.column(POSITION).combine_chunks()
        faults: dict[int, Fault] = {}
        if key:
            key_columns(names, key, f"{self.system}.{reflected.label}")
            faults = key_faults(rows, key, f"{self.system}.{reflected.label}")
        columns = []
        for name in names:
            place = f"{self.system}.{reflected.label}, column {name}"
            self._expect(reflected, name)
            values, refused = bind(rows.column(name), reflected.types[name], place)
            columns.append(values)
            refused = {**self._changed(values, reflected, name), **refused}
            for row, (reason, detail) in refused.items():
                faults.setdefault(positions[row].as_py(), Fault(f"{place}: {reason}", detail))
        if faults:
            raise UnitError(
                f"{len(faults)} units hold values that {self.system}.{reflected.label} cannot hold", faults=faults
            )
        return Piece(reflected, tuple(names), pa.table(columns, names=names), positions, tuple(key))

    def sift(self, pieces: Sequence[Piece]) -> dict[int, Fault]:
        """Write all units that can be written, by halves, in order, and leave out the others, each with its fault.

        A unit whose foreign key leads nowhere is tried again after the others.
        """
        self._pieces = list(pieces)
        order = dict.fromkeys(at for piece in pieces for at in piece.positions.to_pylist())
        run = self.connection.execute
        run("ROLLBACK TO SAVEPOINT ludb_start")
        run("SET CONSTRAINTS ALL DEFERRED")
        faults = self._halve(sorted(order))
        while lost := [at for at, (_, state) in faults.items() if state == psycopg.errors.ForeignKeyViolation.sqlstate]:
            again = self._halve(lost)
            for at in lost:
                del faults[at]
            faults |= again
            if len(again) == len(lost):
                break
        kept = pa.array(sorted(order.keys() - faults.keys()), pa.int64())
        self.rows = {}
        for piece in (piece for piece in pieces if piece.links is None):
            self.rows[piece.table.label] = self.rows.get(piece.table.label, 0) + piece.only(kept).num_rows
        return {at: fault for at, (fault, _) in sorted(faults.items())}

    def move_sequences(self) -> None:
        """Numbers written into columns that count by themselves are left behind by their sequences: no later insert
        gets one of them. Sequences know no transactions, so a rollback merely leaves a gap.
        """
        for piece in (piece for piece in self._pieces if piece.links is None):
            for name in set(piece.names) & piece.table.sequences.keys():
                highest = pc.max(piece.rows.column(name).cast(pa.int64())).as_py()
                if highest is not None:
                    self._move(piece.table.sequences[name], highest)

    def _move(self, sequence: str, highest: int) -> None:
        """Never backwards, so one at a time; only upwards, as all but the strangest sequences count."""
        run = self.connection.execute
        run("SELECT pg_advisory_lock(1819632738, hashtext(%s))", (sequence,))
        try:
            run(
                sql.SQL(
                    "SELECT setval(%s::regclass, least(%s::int8, p.seqmax)) FROM {} AS s, pg_sequence AS p"
                    " WHERE p.seqrelid = %s::regclass AND p.seqincrement > 0 AND %s::int8 >= p.seqmin"
                    " AND (s.last_value < %s::int8 OR (s.last_value = %s::int8 AND NOT s.is_called))"
                ).format(sql.SQL(sequence)),
                (sequence, highest, sequence, highest, highest, highest),
            )
        finally:
            if not self.connection.broken and self.connection.info.transaction_status != _FAILED:
                run("SELECT pg_advisory_unlock(1819632738, hashtext(%s))", (sequence,))

    def _attempt(self, work: Callable[[], object]) -> None:
        try:
            work()
        except psycopg.Error as error:
            if not is_misfit(error):
                where = f"{self.system}.{self._now.table.label}" if self._now else self.system
                raise translate(error, self.system, f"write {where}") from error
            faults = self.sift(self._pieces)
            message = f"{len(faults)} units break a constraint of system {self.system}"
            raise UnitError(message, faults=faults, detail=str(error)) from error

    def _halve(self, units: list[int]) -> dict[int, tuple[Fault, str]]:
        if not units:
            return {}
        run = self.connection.execute
        run("SAVEPOINT ludb_half")
        chosen = pa.array(units, pa.int64())
        try:
            for piece in self._pieces:
                self._copy(piece, chosen)
            self._now = None
            run("SET CONSTRAINTS ALL IMMEDIATE")
            run("SET CONSTRAINTS ALL DEFERRED")
        except psycopg.Error as error:
            if not is_misfit(error):
                raise translate(error, self.system, "write") from error
            run("ROLLBACK TO SAVEPOINT ludb_half")
            run("RELEASE SAVEPOINT ludb_half")
            if len(units) == 1:
                return {units[0]: (self._fault(error, chosen), error.sqlstate or "")}
            middle = len(units) // 2
            return self._halve(units[:middle]) | self._halve(units[middle:])
        run("RELEASE SAVEPOINT ludb_half")
        return {}

    def _copy(self, piece: Piece, units: pa.Array | None) -> None:
        self._now = piece
        rows = piece.only(units)
        if not rows.num_rows and piece.names:
            return
        if not piece.names:
            count = (
                len(piece.positions) if units is None else pc.sum(pc.is_in(piece.positions, value_set=units)).as_py()
            )
            for _ in range(count or 0):
                self.connection.execute(f"INSERT INTO {piece.table.sql} DEFAULT VALUES".encode())
            return
        if not piece.key and piece.links is None:
            self._send(piece.table.sql, piece.names, rows, piece.table.types)
            return
        like = piece.links[-1].parent if piece.links else piece.table
        make_incoming(self.connection, like, piece.names)
        self._send(INCOMING, piece.names, rows, like.types)
        if piece.links is not None:
            remove(self.connection, piece.table, piece.links, piece.names)
        else:
            merge(self.connection, piece.table, piece.names, piece.key, rows.num_rows)
        drop_incoming(self.connection)

    def _send(self, into: str, names: Sequence[str], rows: pa.Table, types: Mapping[str, Type]) -> None:
        found = binary(rows, types)
        order, pieces = found or (names, iter([as_csv(rows)]))
        columns = ", ".join(quote(name) for name in order)
        statement = f"COPY {into} ({columns}) FROM STDIN (FORMAT {'csv' if found is None else 'binary'})"
        with self.connection.cursor().copy(statement.encode()) as copy:
            for piece in pieces:
                copy.write(piece)

    def _changed(self, values: pa.Array, reflected: Reflected, name: str) -> Faults:
        column = reflected.column(name)
        assert column is not None
        try:
            return changed(self.connection, values, reflected.types[name], column.native)
        except psycopg.Error as error:
            raise translate(error, self.system, f"write {self.system}.{reflected.label}") from error

    def _expect(self, reflected: Reflected, name: str) -> None:
        column = reflected.column(name)
        if column is None:
            known = ", ".join(column.name for column in reflected.columns)
            raise ConfigError(
                f"output {self.system}.{reflected.label} has column {name!r}, the table has not",
                remedy=f"Its columns are: {known}",
            )
        if column.generated:
            raise ConfigError(
                f"output {self.system}.{reflected.label} has column {name!r}, which the database generates",
                remedy="Leave it out of the step",
            )

    def _fault(self, error: psycopg.Error, unit: pa.Array) -> Fault:
        """What the server said, by names only; its own words, which hold values, go into the detail."""
        said = error.diag
        table = self._now.table.label if self._now else (said.table_name or "a constraint")
        found = _COLUMN.search(said.context or "")
        column = said.column_name or (found[1] if found else None)
        place = f"{self.system}.{table}" + (f", column {column}" if column else "")
        reason = f"{place}: {condition(error.sqlstate or '')}"
        if isinstance(error, Clash):
            return Fault(f"{place}: {error}", error.keys)
        if said.constraint_name:
            reason += f" of {said.constraint_name}"
        shown = self._now.only(unit).slice(0, _SHOWN).to_pylist() if self._now else []
        return Fault(reason, f"{said.message_primary or error}; {said.message_detail or ''}; rows: {shown!r}")


def open_units(connection: Connection) -> None:
    """Mark the place to which `sift` goes back, with deferrable constraints deferred."""
    connection.execute("SAVEPOINT ludb_start")
    connection.execute("SET CONSTRAINTS ALL DEFERRED")


_FAILED = psycopg.pq.TransactionStatus.INERROR
