"""A locked box: somebody's SQL on the rows of one unit, in a process that can do nothing else.

Started as `python -m ludb.unitdb.box`, it takes one document from standard input (the query, limits, and tables as Arrow in
base64) and answers with one on standard output. No file, no network, no setting, no further process; what it may use of
processor and memory is bounded by DuckDB, and by the system should DuckDB fail. Whoever starts it bounds the time.
"""

from __future__ import annotations

import base64
import contextlib
import json
import math
import os
import resource
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa

MEGABYTE = 1024 * 1024
ROOM = 512 * MEGABYTE
"""Bytes of address space beyond what the libraries take, and what DuckDB may use: the system's bound lies above DuckDB's."""
LONGEST = 10_000
"""Characters of a value that are shown."""
MOST_TEXT = 2 * MEGABYTE
"""Characters of an answer."""
NOBODY = 65534
_AS_THEY_ARE = {
    "BOOLEAN",
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
    "FLOAT",
    "DOUBLE",
}
"""Types that JSON has; all others are told as DuckDB writes them."""


def main() -> None:
    """Answer one query."""
    asked = json.loads(sys.stdin.buffer.read())
    connection = _filled(asked["tables"], int(asked["memory"]))
    answer(connection, "SELECT 1, 1.5, 'what is imported late is imported now'", 1)
    _lock_in(int(asked["seconds"]))
    try:
        told = answer(connection, str(asked["sql"]), int(asked["rows"]))
    except duckdb.OutOfMemoryException:
        told = {"refused": f"it needs more than {asked['memory']} MB of memory"}
    except duckdb.Error as error:
        told = {"refused": str(error)[:2000]}
    except MemoryError:
        told = {"refused": "it needs too much memory"}
    sys.stdout.write(json.dumps(told))
    sys.stdout.flush()
    os._exit(0)


def answer(connection: duckdb.DuckDBPyConnection, sql: str, most: int) -> dict[str, Any]:
    """The columns and first rows of a query; `refused` for anything that is not one query."""
    statements = duckdb.extract_statements(sql)
    if len(statements) != 1 or statements[0].type is not duckdb.StatementType.SELECT:
        return {"refused": "only one query is answered: SELECT, FROM, WITH or VALUES"}
    found = connection.sql(_bare(sql))
    if found is None:
        return {"refused": "this is no query"}
    names, types = list(found.columns), [str(one) for one in found.types]
    shown = ", ".join(
        f"#{at}" if kind in _AS_THEY_ARE else f"left(CAST(#{at} AS VARCHAR), {LONGEST})"
        for at, kind in enumerate(types, start=1)
    )
    rows: list[list[Any]] = []
    length, more = 0, False
    for row in found.limit(most + 1).project(shown).fetchall():
        length += sum(len(str(value)) for value in row)
        if len(rows) == most or length > MOST_TEXT:
            more = True
            break
        rows.append([_plain(value) for value in row])
    columns = [{"name": name, "type": kind} for name, kind in zip(names, types, strict=True)]
    return {"columns": columns, "rows": rows, "more": more}


def packed(tables: Mapping[str, pa.Table]) -> dict[str, str]:
    """Tables as the box takes them."""
    found = {}
    for name, table in tables.items():
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        found[name] = base64.b64encode(sink.getvalue()).decode()
    return found


def _filled(tables: Mapping[str, str], memory: int) -> duckdb.DuckDBPyConnection:
    """A database of these tables (`schema.table`, or a table of `source`), whose settings nobody changes any more."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "enable_external_access": "false", "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false", "allow_community_extensions": "false", "threads": "1",
        "memory_limit": f"{memory}MB", "temp_directory": "", "python_enable_replacements": "false",
    }  # fmt: skip
    connection = duckdb.connect(":memory:", config=config)
    schemas: dict[str, None] = {}
    for name, text in tables.items():
        schema, _, table = name.rpartition(".")
        rows = pa.ipc.open_stream(base64.b64decode(text)).read_all()
        connection.register("arriving", rows)
        where = _quoted(schema or "source")
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {where}")
        connection.execute(f"CREATE TABLE {where}.{_quoted(table)} AS SELECT * FROM arriving")
        connection.unregister("arriving")
        schemas[schema or "source"] = None
    path = ",".join(_quoted(one) for one in schemas)
    if path:
        connection.execute(f"SET search_path = '{path.replace(chr(39), chr(39) * 2)}'")
    connection.execute("SET lock_configuration = true")
    return connection


def _lock_in(seconds: int) -> None:
    """Give up every right that is not needed to think: other users' files, new files, new processes, more memory, more time."""
    room = _used() + ROOM
    if os.geteuid() == 0:
        with contextlib.suppress(OSError):
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
    bounds: Sequence[tuple[int, int]] = [
        (resource.RLIMIT_AS, room), (resource.RLIMIT_CPU, seconds + 1), (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_NOFILE, 0),
    ]  # fmt: skip
    for what, most in bounds:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (most, most))


def _used() -> int:
    """Bytes of address space in use."""
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123  (nothing more is imported for it)
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 4096 * MEGABYTE


def _bare(sql: str) -> str:
    """One statement without the semicolon behind it, and what follows that."""
    text = sql.encode()  # places are counted in bytes
    ends = [at for at, _ in duckdb.tokenize(sql) if text[at : at + 1] == b";"]
    return text[: ends[-1]].decode() if ends else sql + "\n"


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


if __name__ == "__main__":
    main()
