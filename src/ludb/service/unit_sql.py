"""Somebody's SQL on the rows of one unit: its rows in the source and as written, in a locked database of its own process."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ludb.errors import ConfigError
from ludb.service.units import Rows


@dataclass(frozen=True, slots=True)
class BoxLimits:
    """What a query may use: seconds of time, megabytes of memory, rows of an answer."""

    seconds: float = 10.0
    memory: int = 256
    rows: int = 1000


@dataclass(frozen=True, slots=True)
class Answered:
    """The columns (name and type) of a query, its first rows, and whether there are more."""

    columns: list[dict[str, str]]
    rows: list[list[Any]]
    more: bool


def ask_rows(source: Rows, outputs: Rows, sql: str, limits: BoxLimits | None = None) -> Answered:
    """Answer a query on the rows of a unit: tables of the source by name (schema `source`, which may be left out), outputs as
    `<target>.<table>`. `ConfigError` for what is refused, wrong, or takes more than it may; its words may hold row values,
    so it is for nobody who may not see them.
    """
    from ludb.unitdb.box import packed  # noqa: PLC0415  (only who asks needs it)

    limits = limits or BoxLimits()
    tables = packed({name: _table(rows) for name, rows in {**source, **outputs}.items() if rows})
    asked = {
        "sql": sql, "tables": tables, "seconds": int(limits.seconds), "memory": limits.memory, "rows": limits.rows,
    }  # fmt: skip
    told = _boxed(json.dumps(asked).encode(), limits.seconds)
    if "refused" in told:
        raise ConfigError(str(told["refused"]), field="sql", remedy="Change the query")
    return Answered(told["columns"], told["rows"], bool(told["more"]))


def _boxed(asked: bytes, seconds: float) -> Mapping[str, Any]:
    """The answer of a box that lives no longer than this. It gets no variable of ours."""
    command = [sys.executable, "-I", "-m", "ludb.unitdb.box"]
    process = subprocess.Popen(  # noqa: S603  (our own interpreter and module)
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=os.sep,
        env={"OMP_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}, start_new_session=True,
    )  # fmt: skip
    with process:
        try:
            text, _ = process.communicate(asked, timeout=seconds + _START)
        except subprocess.TimeoutExpired:
            return {"refused": f"it took more than {seconds:.0f} seconds"}
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
    try:
        told = json.loads(text)
    except ValueError:
        return {"refused": "it was ended: it took too much time or memory"}
    return told if isinstance(told, dict) else {}


_START = 5.0
"""Seconds that the box needs before it can answer."""


def _table(rows: list[dict[str, Any]]) -> pa.Table:
    """Rows as a table; values of a column that do not go together become texts."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {}
    for name in names:
        values = [row.get(name) for row in rows]
        try:
            columns[name] = pa.array(values)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            columns[name] = pa.array([None if value is None else str(value) for value in values])
        if pa.types.is_null(columns[name].type):
            columns[name] = columns[name].cast(pa.string())
    return pa.table(columns)
