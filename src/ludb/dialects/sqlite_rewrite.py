"""Writing over what is there in SQLite: rows merged by a key, rows of units deleted, and what still points to them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ludb.dialects.sqlite import quote
from ludb.dialects.sqlite_bind import bind
from ludb.dialects.sqlite_schema import Reflected
from ludb.errors import ConfigError, Fault, UnitError
from ludb.model.data import Removal
from ludb.model.shape import ForeignKey
from ludb.model.unit import POSITION

Reflect = Callable[[str], Reflected]


class Clash(sqlite3.IntegrityError):
    """A row has a key that the database takes for another row's, which differs in its bytes."""


def merge_sql(table: str, columns: Sequence[str], key: Sequence[str]) -> str:
    """An INSERT that updates the row of the same key, if the key is the same byte by byte; else it changes nothing."""
    names = ", ".join(quote(name) for name in columns)
    rest = [name for name in columns if name not in key] or key[:1]
    changes = ", ".join(f"{quote(name)} = excluded.{quote(name)}" for name in rest)
    same = " AND ".join(f"{quote(table)}.{quote(name)} COLLATE BINARY = excluded.{quote(name)}" for name in key)
    return (
        f"INSERT INTO main.{quote(table)} ({names}) VALUES ({', '.join('?' * len(columns))})"
        f" ON CONFLICT ({', '.join(quote(name) for name in key)}) DO UPDATE SET {changes} WHERE {same}"
    )


def clash(connection: sqlite3.Connection, table: str, key: Sequence[str], values: Sequence[Any]) -> Clash:
    """The error of a row that `merge_sql` left as it was; its text names the columns, `args[1]` both keys."""
    names = ", ".join(quote(name) for name in key)
    same = " AND ".join(f"{quote(name)} = ?" for name in key)
    found = connection.execute(f"SELECT {names} FROM main.{quote(table)} WHERE {same} LIMIT 1", values).fetchone()
    return Clash(
        f"key ({', '.join(key)}) equals that of another row but for its bytes (collation)",
        f"{tuple(values)!r} here, {found!r} in the table",
    )


def referrers(connection: sqlite3.Connection, reflect: Reflect, table: str) -> list[tuple[Reflected, ForeignKey]]:
    """All foreign keys of this database that lead to the table."""
    names = connection.execute(
        "SELECT DISTINCT m.name FROM main.sqlite_master AS m, pragma_foreign_key_list(m.name, 'main') AS f"
        " WHERE m.type = 'table' AND lower(f.\"table\") = lower(?) ORDER BY m.name",
        (table,),
    ).fetchall()
    return [
        (child, key)
        for child in (reflect(name) for (name,) in names)
        for key in child.foreign_keys
        if key.parent.lower() == table.lower() and len(key.columns) == len(key.parent_columns)
    ]


class Remover:
    """Deletes the rows of units, and finds out at the end whether somebody still points to one that is gone."""

    def __init__(self, connection: sqlite3.Connection, system: str, reflect: Reflect) -> None:
        """Used within one transaction whose foreign keys are deferred."""
        self._connection, self._system, self._reflect = connection, system, reflect
        self._gone: dict[tuple[Reflected, ForeignKey], dict[tuple[Any, ...], list[int]]] = {}
        self._removals: dict[str, Removal] = {}
        self._pointing: dict[str, list[tuple[Reflected, ForeignKey]]] = {}

    def take(self, removals: Mapping[str, Removal]) -> None:
        """Remember what is to be deleted, and read everything about the tables, which needs no lock."""
        self._removals |= removals
        for table in removals:
            self._pointing[table] = referrers(self._connection, self._reflect, self._reflect(table).name)

    def remove(self) -> None:
        """Delete table by table; `UnitError` with the units whose rows a RESTRICT or a trigger keeps."""
        faults: dict[int, Fault] = {}
        for table in self._removals:
            reflected = self._reflect(table)
            where, units = self._where(table, self._removals)
            pointing = self._pointing[table]
            sql = f"DELETE FROM main.{quote(reflected.name)} AS t0 WHERE {where}"
            for position, values in units:
                if position in faults:
                    continue
                self._note(reflected, pointing, where, values, position)
                try:
                    self._connection.execute(sql, values)
                except sqlite3.IntegrityError as error:
                    reason = f"{self._system}.{table}: its rows cannot be replaced: {_told(error)}"
                    faults[position] = Fault(reason, str(error))
                    if not self._connection.in_transaction:
                        raise UnitError(f"{self._system}.{table}: a trigger rolled back the transaction") from error
        if faults:
            raise UnitError(f"{len(faults)} units cannot be replaced in system {self._system}", faults=faults)

    def check(self) -> None:
        """`UnitError` with every unit that a row of somebody else still points to, though its row is gone."""
        faults: dict[int, Fault] = {}
        for (child, key), seen in self._gone.items():
            parent = " AND ".join(f"a.{quote(name)} = ?" for name in key.parent_columns)
            there = f"SELECT 1 FROM main.{quote(key.parent)} AS a WHERE {parent} LIMIT 1"
            points = " AND ".join(f"a.{quote(name)} = ?" for name in key.columns)
            pointing = f"SELECT 1 FROM main.{quote(child.name)} AS a WHERE {points} LIMIT 1"
            for values, positions in seen.items():
                if self._connection.execute(there, values).fetchone():
                    continue
                if self._connection.execute(pointing, values).fetchone():
                    reason = (
                        f"{self._system}.{key.parent}: rows of {child.name} still point to a row that would be gone"
                    )
                    for position in positions:
                        faults.setdefault(position, Fault(reason, f"({', '.join(key.columns)}) = {values!r}"))
        if faults:
            raise UnitError(f"{len(faults)} units cannot be replaced in system {self._system}", faults=faults)

    def forget(self) -> None:
        """Start anew after a rollback."""
        self._gone.clear()
        self._removals.clear()

    def _where(self, table: str, removals: Mapping[str, Removal]) -> tuple[str, list[tuple[int, tuple[Any, ...]]]]:
        """A condition on `t0` with one parameter per column of the unit's values, and these by unit."""
        removal, depth, opened = removals[table], 0, ""
        while removal.parent is not None:
            here = ", ".join(f"t{depth}.{quote(name)}" for name, _ in removal.through)
            there = ", ".join(f"t{depth + 1}.{quote(name)}" for _, name in removal.through)
            parent = self._reflect(removal.parent).name
            opened += f"({here}) IN (SELECT {there} FROM main.{quote(parent)} AS t{depth + 1} WHERE "
            table, depth = removal.parent, depth + 1
            removal = removals[table]
        reflected = self._reflect(table)
        names = [name for name in removal.units.column_names if name != POSITION]
        # The plain comparison may use an index; the other one is by bytes.
        tests = [
            f"t{depth}.{quote(name)} = ?{at} AND t{depth}.{quote(name)} COLLATE BINARY = ?{at}"
            for at, name in enumerate(names, start=1)
        ]
        bound = []
        for name in names:
            column = reflected.column(name)
            if column is None:
                raise ConfigError(f"{self._system}.{table} has no column {name!r}", remedy="Correct `by`")
            values, refused = bind(removal.units.column(name), column, f"{self._system}.{table}, column {name}")
            bound.append(values)
            if refused:
                positions = removal.units.column(POSITION).to_pylist()
                told = {
                    positions[row]: Fault(f"{self._system}.{table}, column {name}: {why}", what)
                    for row, (why, what) in refused.items()
                }
                raise UnitError(f"{self._system}.{table} cannot hold what `by` says of units", faults=told)
        units = zip(removal.units.column(POSITION).to_pylist(), zip(*bound, strict=True), strict=True)
        return opened + " AND ".join(tests) + ")" * depth, list(units)

    def _note(
        self,
        table: Reflected,
        pointing: Sequence[tuple[Reflected, ForeignKey]],
        where: str,
        values: Sequence[Any],
        position: int,
    ) -> None:
        for child, key in pointing:
            names = ", ".join(f"t0.{quote(name)}" for name in key.parent_columns)
            sql = f"SELECT DISTINCT {names} FROM main.{quote(table.name)} AS t0 WHERE {where}"
            seen = self._gone.setdefault((child, key), {})
            for row in self._connection.execute(sql, values).fetchall():
                seen.setdefault(tuple(row), []).append(position)


def check_merge(
    connection: sqlite3.Connection,
    system: str,
    reflect: Reflect,
    table: str,
    key: Sequence[str],
    written: Sequence[str],
) -> None:
    """See `CanRewrite.check_merge`."""
    reflected = reflect(table)
    if frozenset(name.lower() for name in key) not in reflected.unique:
        raise ConfigError(
            f"{system}.{table}: no unique constraint holds exactly ({', '.join(key)}), so that upsert cannot tell rows apart",
            remedy=f"CREATE UNIQUE INDEX ... ON {table} ({', '.join(key)}), or name another `key:`",
        )
    try:
        connection.execute(f"EXPLAIN {merge_sql(reflected.name, list(key), list(key))}", [None] * len(key))
    except sqlite3.OperationalError as error:
        raise ConfigError(
            f"{system}.{table}: the unique index of ({', '.join(key)}) has another collation than its columns",
            remedy="Give both the same one, or name another `key:`",
        ) from error
    for child, link in referrers(connection, reflect, reflected.name):
        moving = [name for name in link.parent_columns if name in written and name not in key]
        if moving:
            raise ConfigError(
                f"{system}.{table}: {child.name} points to {', '.join(moving)}, which an upsert by {', '.join(key)} may change",
                remedy="Leave it out of the step, or make it the `key:`",
            )


def check_removal(
    connection: sqlite3.Connection,
    system: str,
    reflect: Reflect,
    table: str,
    columns: Sequence[str],
    removed: Sequence[str],
) -> None:
    """See `CanRewrite.check_removal`."""
    reflected = reflect(table)
    for name in columns:
        if reflected.column(name) is None:
            raise ConfigError(f"{system}.{table} has no column {name!r}", remedy="Correct `by`")
    ours = {name.lower() for name in removed}
    for child, _ in referrers(connection, reflect, reflected.name):
        rules = connection.execute(
            "SELECT on_delete FROM pragma_foreign_key_list(?, 'main') WHERE lower(\"table\") = lower(?)",
            (child.name, reflected.name),
        ).fetchall()
        taking = {rule for (rule,) in rules} & {"CASCADE", "SET NULL", "SET DEFAULT"}
        if taking and child.name.lower() not in ours:
            raise ConfigError(
                f"{system}.{table}: replacing its rows would change those of {child.name} (ON DELETE {min(taking)})",
                remedy=f"Give the output of {child.name} mode: replace_unit too, or use upsert",
            )


def _told(error: sqlite3.Error) -> str:
    """What the driver says of a constraint; a trigger's own words may hold values."""
    name = getattr(error, "sqlite_errorname", "")
    return "a trigger refused it" if name == "SQLITE_CONSTRAINT_TRIGGER" else str(error)
