"""Moves every case from one system into another, through the real engine, and says what became of each."""

from __future__ import annotations

import datetime as dt
import re
import sqlite3
import struct
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal, InvalidOperation
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pymysql

from ludb.testing.fidelity.cases import CASES, COLUMNS, Case

GOOD = 10_000
"""The unit key of the good neighbour: it has a row in no case's table but its own, and must always move."""


def cases_of(source: str) -> list[Case]:
    return [case for case in CASES if source in case.held]


class Place:
    """One database (or folder) of one kind, as source or target."""

    def __init__(self, kind: str, place: str, folder: Path) -> None:
        self.kind, self.place, self.folder = kind, place, folder

    def run(self, statement: str, *, read: bool = False) -> list[tuple]:
        with closing(self._connect()) as connection:
            cursor = connection.cursor()
            cursor.execute(statement)
            rows = cursor.fetchall() if read else []
            connection.commit()
            return list(rows)

    def _connect(self):
        if self.kind == "postgres":
            return psycopg.connect(self.place)
        if self.kind == "sqlite":
            connection = sqlite3.connect(self.place)
            connection.text_factory = bytes
            return connection
        port, database = re.search(r":(\d+)/(\w+)", self.place).groups()
        # As lax as a legacy server: it must be able to hold what is nasty.
        return pymysql.connect(host="127.0.0.1", port=int(port), user="root", database=database, charset="utf8mb4",
                               init_command="SET sql_mode = '', time_zone = '+00:00'",
                               conv=dict(pymysql.converters.encoders))  # fmt: skip

    def fill(self, cases: list[Case]) -> None:
        """The units, and a table for each case with the one value."""
        keys = [*range(len(cases)), GOOD]
        if self.kind == "files":
            pq.write_table(pa.table({"id": pa.array(keys, pa.int64())}), self.folder / "units.parquet")
            for number, case in enumerate(cases):
                held = case.held["files"].value
                pq.write_table(
                    pa.table({"id": pa.array([number], pa.int64()), "v": held}), self.folder / f"{case.name}.parquet"
                )
            return
        self.run("create table units (id int not null primary key)")
        self.run(f"insert into units values {', '.join(f'({key})' for key in keys)}")
        for number, case in enumerate(cases):
            held = case.held[self.kind]
            self.run(f"create table {case.name} (id int not null primary key, v {held.column})")
            value = str(held.value)
            if self.kind != "mysql":
                value = value.replace("\\\\", "\\")  # only MySQL's texts know escapes
            self.run(f"insert into {case.name} values ({number}, {value})")

    def empty(self, cases: list[Case]) -> None:
        """The target's tables."""
        if self.kind == "files":
            return
        self.run("create table units (id int not null primary key)")
        for case in cases:
            self.run(f"create table {case.name} (id int not null primary key, v {COLUMNS[case.kind][self.kind]})")

    def value(self, case: Case) -> object:
        """What stands in the case's table, in the system's own text form; None for no row."""
        if self.kind == "files":
            found = self._files(case)
            return found[0] if found else None
        form = {"bytes": {"postgres": "encode(v, 'hex')", "mysql": "hex(v)", "sqlite": "hex(v)"}}.get(case.kind, {}).get(
            self.kind, {"postgres": "v::text", "mysql": "cast(v as char)", "sqlite": "v"}[self.kind]
        )  # fmt: skip
        if self.kind == "mysql" and case.kind in ("double", "float"):
            form = "v"
        if case.held.get(self.kind) and self.kind == "mysql" and case.held["mysql"].column.startswith("bit"):
            form = "v + 0"
        if case.kind == "bytes" and self.kind == "postgres" and self._kind_of(case) != "bytea":
            form = "v::text"
        rows = self.run(f"select {form} from {case.name}", read=True)
        return rows[0][0] if rows else None

    def _kind_of(self, case: Case) -> str:
        ((name,),) = self.run(f"select format_type(atttypid, null) from pg_attribute where attrelid = '{case.name}'::regclass"
                              " and attname = 'v'", read=True)  # fmt: skip
        return name

    def _files(self, case: Case) -> list[object]:
        single = self.folder / f"{case.name}.parquet"
        if single.exists():
            return pq.read_table(single).column("v").to_pylist()
        parts = [str(path) for path in (self.folder / case.name).glob("*.parquet")]
        return ds.dataset(parts).to_table().column("v").to_pylist() if parts else []


def plain(value: object, kind: str) -> object:
    """A value in one form for all systems, so that what is equal is the same."""
    if isinstance(value, bytes):
        value = (
            value.hex()
            if kind == "bytes" and not re.fullmatch(rb"[0-9A-Fa-f]*", value)
            else value.decode("utf-8", "replace")
        )
    if value is None:
        return None
    if kind == "bytes":
        return str(value).lower()
    if kind in ("number", "exact", "small", "unsigned"):
        try:
            number = Decimal(re.sub(r"[$,]", "", str(value)))
        except InvalidOperation:
            return str(value)
        return number if number.is_finite() else str(number)
    if kind in ("double", "float"):
        number = float(str(value))
        return struct.pack("<f" if kind == "float" else "<d", number).hex()
    if kind == "bool":
        return {"true": "1", "false": "0", "t": "1", "f": "0"}.get(str(value).lower(), str(value))
    if kind in ("timestamp", "instant", "date", "time"):
        return _moment(value)
    if kind == "text" and re.fullmatch(r"[0-9A-Fa-f-]{36}", str(value)):
        return str(value).lower()
    return str(value).rstrip(" ") if kind == "padded" else str(value)


def _moment(value: object) -> str:
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        value = value.astimezone(dt.UTC).replace(tzinfo=None)
    text = str(value).replace("T", " ")
    return re.sub(r"(\.\d*?)0+$", r"\1", re.sub(r"[+-]00(:00)?$", "", text)).rstrip(".")


def outcomes(desk, source: Place, target: Place, *, move: Callable) -> dict[str, str]:
    """`arrives` or `refused` for every case that the source can hold; anything else fails."""
    cases = cases_of(source.kind)
    source.fill(cases)
    target.empty(cases)
    tables = "\n".join(
        f"                    {case.name}: {{parent: units, on: id{_types(case, source.kind)}}}" for case in cases
    )
    desk.write({
        "job.yaml": f"""
            name: fidelity
            systems:
              old: {_system(source)}
              new: {_system(target, writes=True)}
            unit:
              root: old.units
              key: id
              tables:
{tables}
            settings: {{chunk_units: 100}}
        """,
        "steps/10/new.units.sql": "select unit_key, id from old.units",
        **{f"steps/20/new.{case.name}.sql": f"select unit_key, id, v from old.{case.name}" for case in cases},
    })  # fmt: skip
    summary = move()
    aside = desk.set_aside(summary.run.id)
    assert str(GOOD) not in aside, aside[str(GOOD)].message
    found = {}
    for number, case in enumerate(cases):
        exception = aside.get(str(number))
        if exception is not None:
            assert case.name in exception.reason + exception.step, exception.message
            assert re.search(r"\bv\b|_pkey", exception.reason), exception.message
            assert target.value(case) is None, f"{case.name}: a refused unit has left something"
            found[case.title] = "refused"
            continue
        one, two = plain(source.value(case), case.kind), plain(target.value(case), case.kind)
        assert two == one, f"case {case.number}, {case.title}: {one!r} became {two!r}"
        found[case.title] = "arrives"
    return found


def _types(case: Case, source: str) -> str:
    carried = case.held[source].carried
    return f", types: {{v: {carried}}}" if carried else ""


def _system(place: Place, *, writes: bool = False) -> str:
    if place.kind == "files":
        return f"{{type: files, path: {place.folder}{', format: parquet' if writes else ''}}}"
    return f'{{type: {place.kind}, url: "{place.place}"}}'
