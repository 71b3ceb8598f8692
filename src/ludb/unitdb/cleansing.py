"""The functions of `ludb.sql` in a unit database: made when a text first calls them, in the schema `ludb`.

A job's own macros are in `main`, which is searched first: a name that both have means the job's.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from duckdb.func import FunctionNullHandling, PythonUDFType
from duckdb.sqltypes import DuckDBPyType

from ludb.errors import ConfigError, UnitError
from ludb.sql.counting import Remembered
from ludb.sql.library import FUNCTIONS, Function

_ARROW = {
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us"),
    "VARCHAR": pa.string(),
    "BOOLEAN": pa.bool_(),
    "DECIMAL(38, 9)": pa.decimal128(38, 9),
}
_TOLD = re.compile(r"executing the UDF: (UnreadableError|MisuseError): ([^\n]*)(?:\n(.*))?", re.DOTALL)


def provide(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Make one function: a vectorised Python function, and a macro that casts its first argument and knows the defaults.
    `ConfigError` if a package that it needs is missing.
    """
    function = FUNCTIONS[name]
    types: list[Any] = [DuckDBPyType(kind) for kind in ("VARCHAR", *(kind for _, kind, _ in function.arguments))]
    connection.create_function(
        f"ludb_{name}",
        _by_column(function),
        types,
        function.returns,
        type=PythonUDFType.ARROW,
        null_handling=FunctionNullHandling.SPECIAL,
    )
    parameters = ["v", *(f"{arg}{f' := {default}' if default else ''}" for arg, _, default in function.arguments)]
    given = ["CAST(v AS VARCHAR)", *(f"CAST({arg} AS {kind})" for arg, kind, _ in function.arguments)]
    connection.execute(f"CREATE MACRO ludb.{name}({', '.join(parameters)}) AS ludb_{name}({', '.join(given)})")


def _by_column(function: Function) -> Callable[..., pa.Array]:
    try:
        call = Remembered(function.load())  # as long as the chunk's database, so that memory does not grow with chunks
        bincount = import_module("numpy").bincount  # the SQL engine makes functions in Python with it, too
    except ImportError as error:
        raise ConfigError(f"{function.name} needs the package {error.name}", remedy="Install ludb again") from error
    kind = _arrow(function.returns)

    def by_column(*columns: pa.ChunkedArray) -> pa.Array:
        if any(len(pc.unique(given)) > 1 for given in columns[1:]):
            values: list[list[Any]] = [column.to_pylist() for column in columns]
            return pa.array([call(*row) for row in zip(*values, strict=True)], kind)
        # Legacy values repeat (dates, blanks, names): each is asked for once, with the arguments that all rows share.
        found = columns[0].combine_chunks().dictionary_encode(null_encoding="encode")
        rest = [given[0].as_py() for given in columns[1:]] if len(found) else []
        asked = found.dictionary.to_pylist()
        counts = bincount(found.indices.to_numpy(), minlength=len(asked)).tolist()
        return pa.array(call.column(asked, counts, *rest), kind).take(found.indices)

    names = ["v", *(name for name, _, _ in function.arguments)]
    # The SQL engine counts parameters, and takes *columns for one.
    parameters = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_ONLY) for name in names]
    by_column.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # known to `inspect` alone
    return by_column


def _arrow(returns: str) -> pa.DataType:
    if returns in _ARROW:
        return _ARROW[returns]
    fields = returns.removeprefix("STRUCT(").removesuffix(")").split(", ")
    return pa.struct([(name, _ARROW[kind]) for name, kind in (field.split(" ", 1) for field in fields)])


def complaint(text: str, file: str) -> ConfigError | UnitError | None:
    """What a function of the library said about a value or an argument; None if the error is not one of theirs."""
    found = _TOLD.search(text)
    if found is None:
        return None
    if found[1] == "MisuseError":
        return ConfigError(found[2], file=file or None, remedy="See docs/reference/sql.md")
    return UnitError(f"{file}: {found[2]}", detail=found[3] or "")
