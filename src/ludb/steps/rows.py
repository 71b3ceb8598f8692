"""A unit as Python steps see it: an attribute per table, rows as light objects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from ludb.model.keys import key_bytes
from ludb.model.unit import POSITION
from ludb.unitdb.batch import UnitBatch


class Row:
    """A row whose columns are attributes; a column that is no Python name is read as `row["its name"]`."""

    def __init__(self, values: dict[str, Any]) -> None:
        """Share the dict: a row costs one object."""
        self.__dict__ = values

    def __getitem__(self, column: str) -> Any:
        return self.__dict__[column]

    def __repr__(self) -> str:
        return f"Row({', '.join(self.__dict__)})"


class Namespace:
    """The tables of one system, or `ref`: an attribute per table."""

    def __init__(self, tables: dict[str, list[Row]]) -> None:
        """Hold lists of rows by table name."""
        self._tables = tables

    def __getattr__(self, name: str) -> list[Row]:
        try:
            return self._tables[name]
        except KeyError:
            raise AttributeError(f"there is no table {name!r}; there are {', '.join(sorted(self._tables))}") from None

    __getitem__ = __getattr__


class KeyMaps:
    """The key maps of one unit: `unit.keys.account_id(old)` is the new key."""

    def __init__(self, maps: dict[str, dict[bytes, Any]]) -> None:
        """Hold new keys by map and old key bytes."""
        self._maps = maps

    def __getattr__(self, name: str) -> Any:
        if name not in self._maps:
            raise AttributeError(f"there is no key map {name!r}; there are {', '.join(sorted(self._maps))}")
        found = self._maps[name]

        def new_key(*old: Any) -> Any:
            try:
                return found[key_bytes(old)]
            except KeyError:
                raise LookupError(f"key map {name} has no such old key for this unit") from None

        return new_key


class Unit:
    """One unit. `unit.<table>` lists the rows of a source table, `unit.<system>.<table>` those of any table (outputs of
    earlier steps too), `unit.key` is the unit key, `unit.keys.<map>(old)` a new key, `unit.ref.<name>` shared rows,
    `unit.params` the run's values (with `run_clock`).
    """

    def __init__(
        self,
        key: Any,
        tables: dict[str, list[Row]],
        systems: dict[str, Namespace],
        keys: KeyMaps,
        shared: dict[str, Any],
    ) -> None:
        """Bind what `Units` has gathered."""
        self.key, self.keys = key, keys
        self.ref, self.params = shared["ref"], shared["params"]
        self._tables, self._systems = tables, systems

    def __getattr__(self, name: str) -> Any:
        if name in self._tables:
            return self._tables[name]
        if name in self._systems:
            return self._systems[name]
        raise AttributeError(f"the unit has no table or system {name!r}; tables are {', '.join(sorted(self._tables))}")


class Units:
    """The units of a batch one by one, in list order, as (position, Unit)."""

    def __init__(self, batch: UnitBatch) -> None:
        """Turn every table into rows by unit, once."""
        self._batch = batch
        alive = set(batch.alive)
        self._inputs = {name: _by_unit(rows, alive) for name, rows in batch.inputs.items()}
        self._outputs: dict[str, dict[int, list[Row]]] = {}
        for name in batch.outputs:
            rows = batch.output(name)
            self._outputs[name] = {} if rows is None else _by_unit(rows, alive)
        self._keys = {name: _keys_by_unit(rows) for name, rows in batch.key_maps.items()}
        ref = Namespace({name: [Row(row) for row in rows.to_pylist()] for name, rows in batch.reference.items()})
        self._shared = {"ref": ref, "params": dict(batch.params)}

    def __iter__(self) -> Iterator[tuple[int, Unit]]:
        batch = self._batch
        for position in batch.alive:
            tables = {name: rows.get(position, []) for name, rows in self._inputs.items()}
            by_system: dict[str, dict[str, list[Row]]] = {}
            for name, rows in tables.items():
                by_system.setdefault(batch.unit.table(name).table.system, {})[name] = rows
            for name, made in self._outputs.items():
                system, table = name.split(".", 1)
                by_system.setdefault(system, {})[table] = made.get(position, [])
            systems = {name: Namespace(found) for name, found in by_system.items()}
            keys = KeyMaps({name: found.get(position, {}) for name, found in self._keys.items()})
            yield position, Unit(batch.unit_key(position), tables, systems, keys, self._shared)


def _by_unit(rows: pa.Table, alive: set[int]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    positions = rows.column(POSITION).to_pylist()
    for position, row in zip(positions, rows.drop_columns([POSITION]).to_pylist(), strict=True):
        if position in alive:
            found.setdefault(position, []).append(Row(row))
    return found


def _keys_by_unit(rows: pa.Table) -> dict[int, dict[bytes, Any]]:
    found: dict[int, dict[bytes, Any]] = {}
    columns = (rows.column(POSITION).to_pylist(), rows.column("old").to_pylist(), rows.column("new").to_pylist())
    for position, old, new in zip(*columns, strict=True):
        parts = tuple(old.values()) if isinstance(old, dict) else (old,)
        found.setdefault(position, {})[key_bytes(parts)] = new
    return found
