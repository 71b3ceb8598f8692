"""Where nasty values lie and arrive, seen by the system's own client and not by the adapter under test."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import sqlite3
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pymysql

from ludb.testing.fidelity import from_mysql, from_postgres
from ludb.testing.fidelity.forms import arrow_text, python_text
from ludb.testing.fidelity.from_arrow import array_of

BYTES = ("blob", "binary", "bytea", "point", "varbinary", "longblob")


def filled(rows):
    """Rows of (uid, literal) as one VALUES list."""
    return ", ".join(f"({uid}, {literal})" for uid, literal in rows)


class Postgres:
    """A database of its own; `options` of the system are its URL."""

    def __init__(self, server, name):
        self.name, self._server = f"fidelity_{name}_{os.getpid()}", server
        with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {self.name} TEMPLATE template0")
        self.url = server.url(self.name)
        self.settings = {"type": "postgres", "url": self.url}
        self.db = psycopg.connect(self.url, autocommit=True, options="-c timezone=UTC")
        for statement in from_postgres.SETUP:
            self.db.execute(statement)

    def create(self, table, native, rows=()):
        self.db.execute(f"CREATE TABLE {table} (uid bigint PRIMARY KEY, v {native})")
        if rows:
            self.db.execute(f"INSERT INTO {table} VALUES {filled(rows)}")

    def run(self, statement):
        return self.db.execute(statement)

    def units(self, keys):
        self.run("CREATE TABLE units (id bigint PRIMARY KEY)")
        self.run(f"INSERT INTO units VALUES {', '.join(f'({key})' for key in keys)}")

    def texts(self, table, native):
        column = "v::text"
        if native.startswith("char("):
            column = "v"  # a cast to text would cut its blanks
        elif native == "bytea":
            column = "encode(v, 'hex')"
        elif native == "inet":
            column = "abbrev(v)"  # a cast to text adds a netmask that was not there
        elif native == "money":
            column = "v::numeric::text"
        return dict(self.db.execute(f"SELECT uid, {column} FROM {table}").fetchall())

    def close(self):
        self.db.close()
        with psycopg.connect(self._server.url("postgres"), autocommit=True) as admin:
            admin.execute(f"DROP DATABASE {self.name} WITH (FORCE)")


class Mysql:
    """A database of its own, written in the lax mode of old systems."""

    def __init__(self, server, name):
        self.name = f"fidelity_{name}_{os.getpid()}"
        self.url = server.url(self.name)
        self.settings = {"type": "mysql", "url": self.url}
        port = urlsplit(self.url).port
        self.db = pymysql.connect(host="127.0.0.1", port=port, user="root", charset="utf8mb4", autocommit=True)
        for statement in (f"CREATE DATABASE {self.name} CHARACTER SET utf8mb4", f"USE {self.name}", *from_mysql.SETUP):
            self.run(statement)

    def run(self, statement):
        with self.db.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()

    def units(self, keys):
        self.run("CREATE TABLE units (id bigint PRIMARY KEY)")
        self.run(f"INSERT INTO units VALUES {', '.join(f'({key})' for key in keys)}")

    def create(self, table, native, rows=()):
        self.run(f"CREATE TABLE {table} (uid bigint PRIMARY KEY, v {native})")
        if rows:
            self.run(f"INSERT INTO {table} VALUES {filled(rows)}")

    def texts(self, table, native):
        column = "CAST(v AS CHAR CHARACTER SET utf8mb4)"
        if native.startswith(BYTES):
            column = "lower(hex(v))"
        elif native.startswith("bit"):
            column = "CAST(v + 0 AS CHAR)"
        elif native == "float":
            column = "CAST(v + 0e0 AS CHAR)"
        elif native.startswith("year"):
            column = "CAST(v + 0 AS CHAR)"
        return dict(self.run(f"SELECT uid, {column} FROM {table}"))

    def close(self):
        self.run(f"DROP DATABASE {self.name}")
        self.db.close()


class Sqlite:
    """One file."""

    def __init__(self, path):
        self.path = Path(path)
        self.url = str(path)
        self.settings = {"type": "sqlite", "url": self.url}
        self.path.touch()

    def run(self, statement):
        connection = sqlite3.connect(self.path)
        connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
        try:
            with connection:
                return connection.execute(statement).fetchall()
        finally:
            connection.close()

    def units(self, keys):
        self.run("CREATE TABLE units (id integer PRIMARY KEY)")
        self.run(f"INSERT INTO units VALUES {', '.join(f'({key})' for key in keys)}")

    def create(self, table, native, rows=()):
        self.run(f"CREATE TABLE {table} (uid integer PRIMARY KEY, v {native})")
        if rows:
            self.run(f"INSERT INTO {table} VALUES {filled(rows)}")

    def texts(self, table, native):
        return {uid: python_text(value) for uid, value in self.run(f"SELECT uid, v FROM {table}")}

    def close(self):
        pass


class Files:
    """A folder: CSV, JSON lines and Parquet files as a source, files of one format as a target."""

    def __init__(self, folder, form="parquet"):
        self.folder, self.form, self._texts = Path(folder), form, {}
        self.folder.mkdir(parents=True, exist_ok=True)
        self.tables = {}

    @property
    def settings(self):
        return {"type": "files", "path": str(self.folder), "format": self.form, "tables": self.tables}

    def units(self, keys):
        pq.write_table(pa.table({"id": pa.array(keys, pa.int64())}), self.folder / "units.parquet")

    def create(self, table, native, rows=()):
        if not rows:
            return
        if native == "csv":
            lines = [b"uid,v\n", *(b"%d,%s\n" % (uid, raw_field(value)) for uid, value in rows)]
            (self.folder / f"{table}.csv").write_bytes(b"".join(lines))
            self.tables[table] = {"types": {"uid": "integer"}}
            self._texts[table] = {uid: csv_text(value) for uid, value in rows}
        elif native == "jsonl":
            lines = [f'{{"uid": {uid}, "v": {value}}}\n' for uid, value in rows]
            (self.folder / f"{table}.jsonl").write_text("".join(lines), encoding="utf-8")
            self._texts[table] = {uid: json_text(value) for uid, value in rows}
        else:
            values = array_of(native, [value for _, value in rows])
            numbers = pa.array([uid for uid, _ in rows], pa.int64())
            pq.write_table(pa.table({"uid": numbers, "v": values}), self.folder / f"{table}.parquet")
            self._texts[table] = {uid: arrow_text(value) for (uid, _), value in zip(rows, values, strict=True)}

    def texts(self, table, native):
        if table in self._texts:
            return self._texts[table]
        found = {}
        for part in sorted((self.folder / table).glob(f"part-*.{self.form}")):
            found |= self._part(part)
        return found

    def _part(self, path):
        if self.form == "parquet":
            rows = pq.read_table(path)
            texts = [arrow_text(value) for column in rows.column("v").chunks for value in column]
            return dict(zip(rows.column("uid").to_pylist(), texts, strict=True))
        if self.form == "jsonl":
            records = [json.loads(line, parse_float=Decimal) for line in path.read_text().splitlines()]
            return {record["uid"]: json_read(record["v"]) for record in records}
        text = path.read_bytes().decode()
        records = csv.reader(io.StringIO(text, newline=""))
        next(records)
        empty = dict(line.split(",", 1) for line in text.splitlines() if line.endswith((",", ',""')))
        return {int(uid): (None if not value and empty.get(uid) == "" else value) for uid, value in records}

    def close(self):
        pass


def raw_field(value):
    return value if isinstance(value, bytes) else value.encode()


def csv_text(field):
    """What a CSV field says: nothing is NULL, quotes are taken off."""
    if isinstance(field, bytes):
        return field.decode(errors="surrogateescape")
    return next(csv.reader([field]))[0] if field else None


def json_text(value):
    """What a JSON value says: text without its quotes, numbers with every digit."""
    return python_text(json.loads(value, parse_float=Decimal))


def json_read(value):
    """What was read from a line of JSON says; bytes are marked base64."""
    if isinstance(value, dict):
        (value,) = (base64.b64decode(text) for key, text in value.items() if key == "$base64")
    return python_text(value)
