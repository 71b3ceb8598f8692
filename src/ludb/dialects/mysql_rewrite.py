"""Writing over what is there in MySQL: rows merged by one key and no other, rows of units deleted, who still points to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pyarrow as pa

from ludb.dialects.mysql import Session, conjunction, literal, placed, quote
from ludb.dialects.mysql_bind import bind
from ludb.dialects.mysql_schema import BYTES, TEXTS, Detail, ForeignKey, Reflected
from ludb.dialects.mysql_values import exact
from ludb.errors import ConfigError, Fault, UnitError
from ludb.model.data import Removal
from ludb.model.unit import POSITION

AT_ONCE = 200
"""Units whose rows are deleted by one statement."""

Reflect = Callable[[str], Reflected]
Links = Callable[[str], Mapping[tuple[str, str], tuple[ForeignKey, ...]]]
"""All foreign keys of a database, by (database, table)."""


def merge_tail(session: Session, table: Reflected, names: Sequence[str], key: Sequence[str]) -> str:
    """What makes an INSERT update the row of the same key.

    ON DUPLICATE KEY UPDATE goes to the first row that any unique key finds. So the key's first column, which must not be
    NULL, is set to NULL unless the row found has this very key, byte by byte: an error, which names the row.
    """
    mariadb = "mariadb" in session.texts("SELECT VERSION()", "ask for the version")[0][0].lower()
    here = placed(table.schema, table.name)

    def new(name: str) -> str:
        return f"VALUES({quote(name)})" if mariadb else f"ludb_new.{quote(name)}"

    same = conjunction([_same(table.get(name, session.system), f"{here}.{quote(name)}", new(name)) for name in key])
    first = quote(key[0])
    changes = [f"{first} = IF({same}, {here}.{first}, NULL)"]
    changes += [f"{quote(name)} = {new(name)}" for name in names if name not in key]
    return f"{'' if mariadb else ' AS ludb_new'} ON DUPLICATE KEY UPDATE {', '.join(changes)}"


def _same(detail: Detail, one: str, other: str) -> str:
    if detail.kind in TEXTS:
        return f"CAST({one} AS BINARY) = CAST({other} AS BINARY)"
    return f"{one} = {other}"


def both_keys(session: Session, table: Reflected, values: Mapping[str, str]) -> str | None:
    """The key (literals by column) beside the one that the table has for it, if these differ in their bytes."""
    columns = list(values)
    same = [_equal(table.get(name, session.system), value) for name, value in values.items()]
    texts = [name for name in columns if table.get(name, session.system).kind in TEXTS]
    other = [f"{_exact(table, name, session.system)} <> CAST({values[name]} AS BINARY)" for name in texts]
    if not other:
        return None
    shown = ", ".join(f"a.{quote(name)}" for name in columns)
    found = session.texts(
        f"SELECT {shown} FROM {placed(table.schema, table.name)} AS a WHERE {conjunction(same)}"
        f" AND ({' OR '.join(other)}) LIMIT 1",
        "look a key up",
    )
    return f"({', '.join(values.values())}) here, {tuple(found[0])!r} in the table" if found else None


def _equal(detail: Detail, value: str) -> str:
    """That a column's value equals a literal as the column compares. A text that its character set has not equals nothing:
    the server would refuse to compare the two.
    """
    name = f"a.{quote(detail.name)}"
    if detail.kind not in TEXTS or detail.charset == "utf8mb4":
        return f"{name} = {value}"
    there = f"CONVERT({value} USING {detail.charset})"
    return (
        f"{name} = {there} COLLATE {detail.collation} AND CONVERT({there} USING utf8mb4) = {value} COLLATE utf8mb4_bin"
    )


def _exact(table: Reflected, name: str, system: str, alias: str = "a") -> str:
    return f"CAST({exact(table.get(name, system), alias)} AS BINARY)"


class Remover:
    """Deletes the rows of units. Where foreign keys lead in a circle they are put off meanwhile, and whoever still points
    to a row that is gone is found by `check`.
    """

    def __init__(self, session: Session, reflect: Reflect, knotted: Callable[[Reflected], bool], links: Links) -> None:
        """The session is in a transaction."""
        self._session, self._system = session, session.system
        self._reflect, self._knotted, self._links = reflect, knotted, links
        self._gone: dict[tuple[tuple[str, str], ForeignKey], dict[tuple[str, ...], list[int]]] = {}

    def remove(self, removals: Mapping[str, Removal]) -> None:
        """Delete table by table; `UnitError` with every unit whose rows something keeps."""
        faults: dict[int, Fault] = {}
        for table in removals:
            reflected = self._reflect(table)
            head, tests = self._statement(table, removals)
            units = {position: test for position, test in tests.items() if position not in faults}
            knotted = self._knotted(reflected)
            if knotted:
                self._note(reflected, head, units)
                self._session.run("SET foreign_key_checks = 0", "put off the foreign keys")
            places = list(units)
            for start in range(0, len(places), AT_ONCE):
                self._delete(head, {at: units[at] for at in places[start : start + AT_ONCE]}, table, faults)
            if knotted:
                self._session.run("SET foreign_key_checks = 1", "put the foreign keys back")
        if faults:
            raise UnitError(f"{len(faults)} units cannot be replaced in system {self._system}", faults=faults)

    def check(self) -> None:
        """`UnitError` with every unit that a row still points to, though what it points to is gone."""
        faults: dict[int, Fault] = {}
        for (child, key), seen in self._gone.items():
            for values, positions in seen.items():
                there = conjunction([f"{quote(n)} = {v}" for n, v in zip(key.parent_columns, values, strict=True)])
                points = conjunction([f"{quote(n)} = {v}" for n, v in zip(key.columns, values, strict=True)])
                ((lost,),) = self._session.texts(
                    f"SELECT NOT EXISTS(SELECT 1 FROM {placed(*key.parent)} WHERE {there})"
                    f" AND EXISTS(SELECT 1 FROM {placed(*child)} WHERE {points})",
                    "look for rows that point to what was replaced",
                )
                if lost == "1":
                    reason = (
                        f"{self._system}.{key.parent[1]}: rows of {child[1]} still point to a row that would be gone"
                    )
                    for position in positions:
                        faults.setdefault(position, Fault(reason, f"values {', '.join(values)}"))
        if faults:
            raise UnitError(f"{len(faults)} units cannot be replaced in system {self._system}", faults=faults)

    def forget(self) -> None:
        """Start anew after a rollback."""
        self._gone.clear()

    def _statement(self, table: str, removals: Mapping[str, Removal]) -> tuple[str, dict[int, str]]:
        """`FROM ... WHERE` about rows `t0`, and the condition of each unit."""
        removal, depth = removals[table], 0
        reflected = self._reflect(table)
        tables = f"{placed(reflected.schema, reflected.name)} AS t0"
        while removal.parent is not None:
            parent = self._reflect(removal.parent)
            on = [f"t{depth}.{quote(one)} = t{depth + 1}.{quote(other)}" for one, other in removal.through]
            tables += f" JOIN {placed(parent.schema, parent.name)} AS t{depth + 1} ON {conjunction(on)}"
            reflected, removal, depth = parent, removals[removal.parent], depth + 1
        names = [name for name in removal.units.column_names if name != POSITION]
        tests: list[list[str]] = []
        for name in names:
            texts = self._literals(reflected, name, removal.units)
            column, bytes_of = f"t{depth}.{quote(name)}", _exact(reflected, name, self._system, f"t{depth}")
            text = reflected.get(name, self._system).kind in TEXTS
            # The plain comparison may use an index; the other one is by bytes.
            tests.append([
                f"{column} = {value} AND {bytes_of} = CAST({value} AS BINARY)" if text else f"{column} = {value}"
                for value in texts
            ])  # fmt: skip
        units = removal.units.column(POSITION).to_pylist()
        return f"FROM {tables} WHERE ", dict(zip(units, map(conjunction, zip(*tests, strict=True)), strict=True))

    def _literals(self, table: Reflected, name: str, units: pa.Table) -> list[str]:
        place = f"{self._system}.{table.name}, column {name}"
        texts, refused = bind(units.column(name), table.get(name, self._system), place)
        if refused:
            positions = units.column(POSITION).to_pylist()
            faults = {positions[row]: Fault(f"{place}: {reason}", value) for row, (reason, value) in refused.items()}
            raise UnitError(f"{self._system}.{table.name} cannot hold what `by` says of units", faults=faults)
        found: list[str] = texts.to_pylist()
        return found

    def _delete(self, head: str, units: Mapping[int, str], table: str, faults: dict[int, Fault]) -> None:
        """All of them at once, and where that fails by halves."""
        run = self._session.run
        run("SAVEPOINT ludb_removal", "set a savepoint")
        try:
            run(f"DELETE t0 {head}({' OR '.join(f'({test})' for test in units.values())})", "delete rows")
        except UnitError as error:
            run("ROLLBACK TO SAVEPOINT ludb_removal", "undo a removal")
            places = list(units)
            if len(places) == 1:
                reason = f"{self._system}.{table}: its rows cannot be replaced: {error}"
                faults[places[0]] = Fault(reason, error.detail)
                return
            for half in (places[: len(places) // 2], places[len(places) // 2 :]):
                self._delete(head, {at: units[at] for at in half}, table, faults)

    def _note(self, table: Reflected, head: str, units: Mapping[int, str]) -> None:
        """What other rows may point to, of the rows that will be gone."""
        home = (table.schema, table.name)
        for child, keys in self._links(table.schema).items():
            for key in (key for key in keys if key.parent == home):
                seen = self._gone.setdefault((child, key), {})
                columns = ", ".join(_quoted(table.get(name, self._system)) for name in key.parent_columns)
                for position, test in units.items():
                    for values in self._session.texts(f"SELECT DISTINCT {columns} {head}{test}", "read keys"):
                        seen.setdefault(tuple(values), []).append(position)


def _quoted(detail: Detail) -> str:
    name = f"t0.{quote(detail.name)}"
    return f"CONCAT('x''', HEX({name}), '''')" if detail.kind in BYTES else f"QUOTE({name})"


def check_merge(session: Session, table: Reflected, key: Sequence[str], written: Sequence[str], links: Links) -> None:
    """See `CanRewrite.check_merge`."""
    system, home = session.system, (table.schema, table.name)
    if frozenset(name.lower() for name in key) not in table.unique:
        raise ConfigError(
            f"{system}.{table.name}: no unique constraint holds exactly ({', '.join(key)}): upsert cannot tell rows apart",
            remedy=f"ALTER TABLE {table.name} ADD UNIQUE ({', '.join(map(quote, key))}), or name another `key:`",
        )
    nullable = [name for name in key if table.get(name, system).column.nullable]
    if nullable:
        raise ConfigError(
            f"{system}.{table.name}: {', '.join(nullable)} may be NULL, so that it is no key to upsert by",
            remedy=f"ALTER TABLE {table.name} MODIFY ... NOT NULL, or name another `key:`",
        )
    for child, keys in links(table.schema).items():
        for link in (link for link in keys if link.parent == home):
            moving = [name for name in link.parent_columns if name in written and name not in key]
            if moving:
                raise ConfigError(
                    f"{system}.{table.name}: {child[1]} points to {', '.join(moving)}, which an upsert by"
                    f" {', '.join(key)} may change",
                    remedy="Leave it out of the step, or make it the `key:`",
                )


def check_removal(session: Session, table: Reflected, columns: Sequence[str], removed: Sequence[Reflected]) -> None:
    """See `CanRewrite.check_removal`."""
    for name in columns:
        table.get(name, session.system)
    ours = {(one.schema, one.name) for one in removed}
    for schema, name, rule in session.texts(
        "SELECT CONSTRAINT_SCHEMA, TABLE_NAME, DELETE_RULE FROM information_schema.REFERENTIAL_CONSTRAINTS"
        f" WHERE UNIQUE_CONSTRAINT_SCHEMA = {literal(table.schema)} AND REFERENCED_TABLE_NAME = {literal(table.name)}"
        " AND DELETE_RULE IN ('CASCADE', 'SET NULL', 'SET DEFAULT')",
        "read the rules of foreign keys",
    ):
        if (schema, name) not in ours:
            raise ConfigError(
                f"{session.system}.{table.name}: replacing its rows would change those of {name} (ON DELETE {rule})",
                remedy=f"Give the output of {name} mode: replace_unit too, or use upsert",
            )
