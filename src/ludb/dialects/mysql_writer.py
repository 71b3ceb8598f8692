"""Writing a chunk into MySQL: many rows a statement, the units that a constraint refuses, foreign keys that lead in a circle.

Rows go in by INSERT with literals made by Arrow. LOAD DATA LOCAL was as fast [measured], but it turns errors into warnings,
needs a right that many servers withhold, and lets the server ask for any file of ours.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ludb.dialects.merging import key_columns, key_faults
from ludb.dialects.mysql import Session, conjunction, placed, quote
from ludb.dialects.mysql_bind import bind
from ludb.dialects.mysql_rewrite import Links, Remover, both_keys, merge_tail
from ludb.dialects.mysql_schema import Detail, ForeignKey, Reflected
from ludb.errors import ConfigError, Fault, UnitError
from ludb.model.data import Removal, WriteSet
from ludb.model.unit import POSITION

STATEMENT = 1 << 20
"""Bytes of rows per statement: more made none faster [measured]."""
HEAD_ROOM = 64 << 10
"""Bytes of a packet that are kept for the statement's head."""
LOOK_UPS = 500
"""Foreign keys looked up per statement."""


class _Batch:
    """The rows of one table as SQL: `(1,'a')` each."""

    def __init__(self, head: str, rows: pa.Array, positions: Sequence[int], most: int, tail: str = "") -> None:
        self.head, self.positions, self.most, self.tail = head.encode(), positions, most, tail.encode()
        self._text = rows

    def statements(self, rows: Sequence[int] | None = None) -> Iterator[bytes]:
        """INSERTs of all rows, or of those at these places, in this order."""
        text = self._text if rows is None else self._text.take(pa.array(rows, pa.int64()))
        offsets = memoryview(text.buffers()[1]).cast("q")
        data = memoryview(text.buffers()[2]) if text.buffers()[2] else memoryview(b"")
        start, first, end = 0, text.offset, text.offset + len(text)
        start = first
        while start < end:
            stop = max(start + 1, bisect_right(offsets, offsets[start] + self.most, start, end + 1) - 1)
            yield self.head + bytes(data[offsets[start] : offsets[stop] - 1]) + self.tail
            start = stop

    def sizes(self) -> list[int]:
        """Bytes per row."""
        sizes: list[int] = pc.binary_length(self._text).to_pylist()
        return sizes


class MysqlWriter:
    """Rows into tables of one open transaction. `knotted` tells the tables whose foreign keys lead back to themselves:
    their keys are looked up in `check_links`, all others speak at once.
    """

    def __init__(
        self, session: Session, reflect: Callable[[str], Reflected], knotted: Callable[[Reflected], bool], links: Links
    ) -> None:
        """The session is in a transaction."""
        self.session, self.system = session, session.system
        self._reflect, self._knotted = reflect, knotted
        self._packet = session.number("SELECT @@max_allowed_packet", "ask for the size of a packet") - HEAD_ROOM
        self._touched: dict[ForeignKey, tuple[Reflected, dict[tuple[str, ...], list[int]]]] = {}
        self.rows: dict[str, int] = {}
        self._remover = Remover(session, reflect, knotted, links)

    def remove(self, removals: Mapping[str, Removal]) -> None:
        """Delete the rows of units; `UnitError` with every unit whose rows something keeps."""
        self._remover.remove(removals)

    def carry_out(self, writes: WriteSet) -> None:
        """All of a write-set, in its order."""
        self.remove(writes.removals)
        for table, rows in writes.tables.items():
            self.insert(table, rows, writes.keys.get(table, ()))

    def insert(self, table: str, rows: pa.Table, key: Sequence[str] = ()) -> None:
        """Insert the rows, merged by `key` if there is one; `UnitError` with every unit that a column cannot hold or a
        constraint refuses.
        """
        reflected = self._reflect(table)
        names = [name for name in rows.column_names if name != POSITION]
        details = [self._column(reflected, table, name) for name in names]
        positions: list[int] = rows.column(POSITION).to_pylist()
        if not positions:
            return
        own = key_columns(names, key, f"{self.system}.{table}")
        literals, faults = self._literals(rows, names, details, table, positions)
        if key:
            faults = key_faults(rows, key, f"{self.system}.{table}") | faults
        tail = merge_tail(self.session, reflected, names, key) if key else ""
        batch = self._batch(reflected, details, literals, positions, tail)
        for row, size in enumerate(batch.sizes()):
            if size > self._packet:
                reason = f"{self.system}.{table}: the row is larger than max_allowed_packet of the server"
                faults.setdefault(positions[row], Fault(reason, f"{size} bytes, {self._packet} have room"))
        knotted = bool(reflected.foreign_keys) and self._knotted(reflected)
        if knotted:
            self.session.run("SET foreign_key_checks = 0", "put off the foreign keys")
        shown = lambda row: {name: rows.column(name)[row].as_py() for name in names}  # noqa: E731
        refused = self._place_all(batch, faults.keys(), table, shown)
        for columns in [own] if key else _unique(reflected, names):
            told = [names[at] for at in columns]
            self._explain(refused, reflected, told, [literals[at] for at in columns], positions)
        faults |= refused
        if knotted:
            self.session.run("SET foreign_key_checks = 1", "put the foreign keys back")
            self._note_links(reflected, details, literals, positions)
        if faults:
            raise UnitError(f"{len(faults)} units cannot be written to {self.system}.{table}", faults=faults)
        self.rows[table] = self.rows.get(table, 0) + len(positions)

    def check_links(self) -> None:
        """`UnitError` with every unit whose foreign keys lead nowhere, or to whose removed rows others lead; only rows of
        knotted tables are looked at, and what they point to stays locked.
        """
        self._remover.check()
        faults: dict[int, Fault] = {}
        for key, (table, seen) in self._touched.items():
            held = list(seen.items())
            for start in range(0, len(held), LOOK_UPS):
                some = held[start : start + LOOK_UPS]
                for number in self._lost(key, [values for values, _ in some]):
                    values, positions = some[number]
                    where = f"no row of {key.parent[1]} for ({', '.join(key.columns)})"
                    fault = Fault(
                        f"{self.system}.{table.name}: foreign key {key.name}: {where}", f"values {', '.join(values)}"
                    )
                    for position in positions:
                        faults.setdefault(position, fault)
        if faults:
            raise UnitError(f"{len(faults)} units name rows that are not in system {self.system}", faults=faults)

    def forget(self) -> None:
        """Start anew after a rollback to the state before the first insert."""
        self._touched.clear()
        self._remover.forget()
        self.rows.clear()

    def _column(self, reflected: Reflected, table: str, name: str) -> Detail:
        detail = reflected.find(name)
        if detail is None:
            known = ", ".join(detail.name for detail in reflected.details)
            raise ConfigError(
                f"output {self.system}.{table} has column {name!r}, the table has not",
                remedy=f"Its columns are: {known}",
            )
        if detail.column.generated:
            raise ConfigError(
                f"output {self.system}.{table} has column {name!r}, which the database generates",
                remedy="Leave it out of the step",
            )
        return detail

    def _literals(
        self, rows: pa.Table, names: Sequence[str], details: Sequence[Detail], table: str, positions: Sequence[int]
    ) -> tuple[list[pa.Array], dict[int, Fault]]:
        literals: list[pa.Array] = []
        faults: dict[int, Fault] = {}
        for name, detail in zip(names, details, strict=True):
            place = f"{self.system}.{table}, column {name}"
            texts, refused = bind(rows.column(name), detail, place)
            literals.append(texts)
            for row, (reason, value) in refused.items():
                faults.setdefault(positions[row], Fault(f"{place}: {reason}", value))
        return literals, faults

    def _batch(
        self,
        table: Reflected,
        details: Sequence[Detail],
        literals: Sequence[pa.Array],
        positions: Sequence[int],
        tail: str,
    ) -> _Batch:
        columns = ", ".join(quote(detail.name) for detail in details)
        head = f"INSERT INTO {placed(table.schema, table.name)} ({columns}) VALUES "
        wide = [column.cast(pa.large_string()) for column in literals]
        body = pc.binary_join_element_wise(*wide, pa.scalar(",", pa.large_string())) if wide else None
        if body is None:
            text = pa.array(["(),"] * len(positions), pa.large_string())
        else:
            left, right, none = (pa.scalar(mark, pa.large_string()) for mark in ("(", "),", ""))
            text = pc.binary_join_element_wise(left, body, right, none)
        return _Batch(head, text, positions, min(STATEMENT, self._packet), tail)

    def _explain(
        self,
        faults: dict[int, Fault],
        table: Reflected,
        key: Sequence[str],
        texts: Sequence[pa.Array],
        rows: Sequence[int],
    ) -> None:
        """Say of a refused unit that a row has its key but for its bytes, where that is the reason."""
        for *values, position in zip(*(column.to_pylist() for column in texts), rows, strict=True):
            if position in faults and "NULL" not in values:
                both = both_keys(self.session, table, dict(zip(key, values, strict=True)))
                if both:
                    what = f"key ({', '.join(key)}) equals that of another row but for its bytes (collation)"
                    faults[position] = Fault(f"{self.system}.{table.name}: {what}", both)

    def _place_all(
        self, batch: _Batch, refused: Any, table: str, shown: Callable[[int], dict[str, Any]]
    ) -> dict[int, Fault]:
        """Insert what is not refused already: all at once, and where that fails unit by unit, halving."""
        faults: dict[int, Fault] = {}
        if not refused and self._try(batch.statements()) is None:
            return faults
        units: dict[int, list[int]] = {}
        for row, position in enumerate(batch.positions):
            if position not in refused:
                units.setdefault(position, []).append(row)
        self._place(batch, list(units.values()), table, shown, faults)
        return faults

    def _place(
        self,
        batch: _Batch,
        units: list[list[int]],
        table: str,
        shown: Callable[[int], dict[str, Any]],
        faults: dict[int, Fault],
    ) -> None:
        """Insert these units' rows, in order, and name those that fail: as if each had been inserted by itself."""
        if not units:
            return
        error = self._try(batch.statements([row for rows in units for row in rows]))
        if error is None:
            return
        if len(units) > 1:
            half = len(units) // 2
            self._place(batch, units[:half], table, shown, faults)
            self._place(batch, units[half:], table, shown, faults)
            return
        (rows,) = units
        row = rows[0]
        if len(rows) > 1:
            row, error = self._first_bad(batch, rows, error)
        faults[batch.positions[row]] = Fault(f"{self.system}.{table}: {error}", f"{error.detail}; row: {shown(row)!r}")

    def _first_bad(self, batch: _Batch, rows: list[int], error: UnitError) -> tuple[int, UnitError]:
        """The row of one unit that fails, with what the server says of it; nothing stays written."""
        self.session.run("SAVEPOINT ludb_rows", "set a savepoint")
        try:
            for row in rows:
                found = self._try(batch.statements([row]))
                if found is not None:
                    return row, found
        finally:
            self.session.run("ROLLBACK TO SAVEPOINT ludb_rows", "undo the rows of a unit")
        return rows[0], error

    def _try(self, statements: Iterator[bytes]) -> UnitError | None:
        """Run the statements, all or none; what was wrong with the data, if something was. A note of the server is wrong
        enough: it says that a value was changed.
        """
        run = self.session.run
        run("SAVEPOINT ludb_table", "set a savepoint")
        try:
            for statement in statements:
                _, warnings = run(statement, "write rows")
                if warnings:
                    raise self._warned()
        except UnitError as error:
            run("ROLLBACK TO SAVEPOINT ludb_table", "undo rows")
            return error
        run("RELEASE SAVEPOINT ludb_table", "release a savepoint")
        return None

    def _warned(self) -> UnitError:
        found = self.session.texts("SHOW WARNINGS LIMIT 1", "read warnings")
        number, text = (found[0][1], found[0][2]) if found else ("0", "")
        return UnitError(f"the server would change a value (warning {number})", detail=text)

    def _note_links(
        self, table: Reflected, details: Sequence[Detail], literals: Sequence[pa.Array], positions: Sequence[int]
    ) -> None:
        columns = {detail.name: column for detail, column in zip(details, literals, strict=True)}
        for key in table.foreign_keys:
            if not set(key.columns) <= columns.keys():
                continue
            _, seen = self._touched.setdefault(key, (table, {}))
            held = zip(*(columns[name].to_pylist() for name in key.columns), strict=True)
            for values, position in zip(held, positions, strict=True):
                if "NULL" not in values:
                    seen.setdefault(values, []).append(position)

    def _lost(self, key: ForeignKey, wanted: Sequence[tuple[str, ...]]) -> list[int]:
        """Which of the values no row of the parent has."""
        parent = placed(*key.parent)
        asked = []
        for number, values in enumerate(wanted):
            same = [f"{quote(name)} = {value}" for name, value in zip(key.parent_columns, values, strict=True)]
            there = f"SELECT 1 FROM {parent} WHERE {conjunction(same)} LIMIT 1 LOCK IN SHARE MODE"
            asked.append(f"SELECT {number}, EXISTS({there})")
        found = self.session.texts(" UNION ALL ".join(asked), "look foreign keys up")
        return [int(number) for number, there in found if there == "0"]


def _unique(table: Reflected, names: Sequence[str]) -> list[list[int]]:
    """The places, among `names`, of the columns of each key of the table that is written in full."""
    places = {name.lower(): at for at, name in enumerate(names)}
    return [sorted(places[name] for name in key) for key in table.unique if key <= places.keys()]
