"""One private in-memory DuckDB: the only place where the SQL engine is spoken to."""

from __future__ import annotations

import errno
import json
import os
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import chain
from types import TracebackType
from typing import Any, Self

import duckdb
import pyarrow as pa

from ludb.errors import ConfigError, FatalError, UnitError
from ludb.sql.library import called_in
from ludb.unitdb.cleansing import complaint, provide

_ABOVE = re.compile(r"(?:\s+|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*", re.DOTALL)
"""Blanks and comments above a statement."""
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_PLACE = re.compile(r"\n\nLINE (\d+): (.*)\n( *\^)", re.DOTALL)
_JOB_ERRORS = (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException)
_FULL = ("failed to offload data block", "No space left on device", "Disk quota exceeded")
"""What the SQL engine says where it cannot put aside what memory does not hold."""
_UNORDERED = frozenset({"list", "array_agg", "string_agg", "group_concat", "listagg", "first", "last", "any_value"})


def quote(name: str) -> str:
    """A name as an SQL identifier, whatever it holds."""
    return '"' + name.replace('"', '""') + '"'


def identifier(name: str) -> str:
    """A name as SQL needs it: in quotes only where it has to be."""
    return name if _PLAIN_NAME.fullmatch(name) and name.lower() not in _keywords() else quote(name)


@cache
def _keywords() -> frozenset[str]:
    with _PARSING:
        rows = _parser().execute("SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category <> 'unreserved'")
        return frozenset(name for (name,) in rows.fetchall())


def literal(value: object) -> str:
    """A parameter value as an SQL literal; text is quoted, everything else is written by its own rules."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return f"{value!r}::DOUBLE"  # bare, its type would depend on its digits
    if isinstance(value, int):
        return repr(value)
    return "'" + str(value).replace("'", "''") + "'"


class UnitDatabase:
    """A private DuckDB without files, network or extensions: a step can see what it was given, and nothing else.

    One thread, because row order and results must not depend on timing; workers are the parallelism.
    """

    def __init__(self, *, memory_limit: str = "1GB", spill: str | None = None, threads: int = 1) -> None:
        """Open the database; more `threads` are for texts of ours that order all they ask for. `spill` names a folder for
        data beyond `memory_limit` (staging), else none is used. Where its disk is full, every method that reads or writes
        rows raises OSError.
        """
        self._spill = spill
        settings: dict[str, Any] = {"threads": threads, "memory_limit": memory_limit}
        settings["temp_directory"] = spill or ""
        self._connection = duckdb.connect(":memory:", config=settings)
        self._provided: set[str] = set()
        self._connection.execute("CREATE SCHEMA ludb")
        self._connection.execute("SET search_path='main,ludb'")  # what is not in `main` may be a cleansing function

    def seal(self) -> None:
        """Forbid files, network and extensions from now on."""
        self._connection.execute("SET autoinstall_known_extensions=false")
        self._connection.execute("SET autoload_known_extensions=false")
        self._connection.execute("SET enable_external_access=false")
        self._connection.execute("SET lock_configuration=true")

    def execute(self, sql: str, *, file: str = "") -> None:
        """Run statements that return nothing. `file` is named in errors."""
        self._provide(sql)
        try:
            self._connection.execute(sql)
        except duckdb.Error as error:
            raise self._meaning(error, file) from error

    def query(self, sql: str, *, file: str = "") -> pa.Table:
        """Run one SELECT and hand over its rows as Arrow. Raises `ConfigError` if the text is wrong, `UnitError` if the
        data are.
        """
        self._provide(sql)
        try:
            relation = self._connection.sql(sql)
            if relation is None:
                raise ConfigError("the statement returns no rows", file=file, remedy="Write one SELECT")
            table: pa.Table = relation.to_arrow_table()
        except duckdb.Error as error:
            raise self._placed(error, file, sql) from error
        return table

    def _meaning(self, error: duckdb.Error, file: str, sql: str = "") -> Exception:
        """As `translate`, but for a disk without room for what memory does not hold."""
        if self._spill and any(told in str(error) for told in _FULL):
            return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self._spill)
        return translate(error, file, sql)

    def pieces(self, sql: str, rows: int = 50_000) -> Iterator[pa.Table]:
        """Run one SELECT of ours and hand over its rows in pieces, at least one. Nothing else may be run meanwhile."""
        try:
            with self._connection.sql(sql).to_arrow_reader(rows) as reader:
                empty = True
                for batch in reader:
                    empty = False
                    yield pa.Table.from_batches([batch])
                if empty:
                    yield reader.schema.empty_table()
        except duckdb.Error as error:
            raise self._meaning(error, "") from error

    def count_exactly(self) -> None:
        """Have functions computed for rows alone: the planner would try them on columns that hold one value everywhere, and
        that would count too. To be called before `seal`.
        """
        self._connection.execute("SET disabled_optimizers='statistics_propagation'")

    def _provide(self, sql: str) -> None:
        """Make the cleansing functions that the text calls."""
        for name in sorted(called_in(sql) - self._provided):
            provide(self._connection, name)
            self._provided.add(name)

    def _placed(self, error: duckdb.Error, file: str, sql: str) -> Exception:
        """The error with its line: relations are bound without it. Nothing runs, as the binding fails again. The SQL engine
        counts lines from the first word on, so what stands above it is left out and added again.
        """
        if isinstance(error, duckdb.BinderException | duckdb.CatalogException) and "\n\nLINE " not in str(error):
            above = _ABOVE.match(sql)
            lead = above[0] if above else ""
            try:
                self._connection.execute(sql[len(lead) :])
            except duckdb.Error as told:
                found = translate(told, file, sql[len(lead) :])
                if isinstance(found, ConfigError) and found.line is not None and found.column is not None:
                    found.column += len(lead) - lead.rfind("\n") - 1 if found.line == 1 else 0
                    found.line += lead.count("\n")
                return found
        return self._meaning(error, file, sql)

    def put(self, name: str, rows: pa.Table | pa.RecordBatchReader, columns: str = "*") -> None:
        """Create table `name` (already quoted) from Arrow rows; `columns` is a SELECT list over them."""
        self._connection.register("ludb_incoming", rows)
        try:
            self._connection.execute(f"CREATE TABLE {name} AS SELECT {columns} FROM ludb_incoming")
        except duckdb.OutOfMemoryException as error:
            raise self._meaning(error, name) from error
        finally:
            self._connection.unregister("ludb_incoming")

    def add(self, name: str, rows: pa.Table) -> None:
        """Append Arrow rows to table `name` by column name."""
        self._connection.register("ludb_incoming", rows)
        try:
            self._connection.execute(f"INSERT INTO {name} BY NAME SELECT * FROM ludb_incoming")
        except duckdb.Error as error:
            raise self._meaning(error, name) from error
        finally:
            self._connection.unregister("ludb_incoming")

    def stream(self, name: str, batches: Iterable[pa.Table]) -> None:
        """Create table `name` (already quoted) from a stream of Arrow tables of one schema (at least one). What the stream
        raises is raised here.
        """
        pieces = iter(batches)
        first = next(pieces)
        failed: list[BaseException] = []

        def pulled() -> Iterator[pa.RecordBatch]:
            try:
                for rows in chain((first,), pieces):
                    yield from rows.to_batches()
            except BaseException as error:  # the SQL engine would make a text of it
                failed.append(error)
                raise

        try:
            # One statement: an insert for each piece takes six times as long.
            self.put(name, pa.RecordBatchReader.from_batches(first.schema, pulled()))
        except Exception:
            if failed:
                raise failed[0] from None
            raise

    def variables(self, values: Mapping[str, object]) -> None:
        """Make values readable by `getvariable('name')`."""
        for name, value in values.items():
            self._connection.execute(f"SET VARIABLE {quote(name)} = {literal(value)}")

    def close(self) -> None:
        """Free the memory; safe to repeat."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def translate(error: duckdb.Error, file: str, sql: str = "") -> ConfigError | UnitError | FatalError:
    """Sort DuckDB's errors by what happens next: mistakes in the text are the job's, the rest is the data's.

    DuckDB quotes values in data errors, so their text goes into `detail`.
    """
    text = str(error)
    if isinstance(error, _JOB_ERRORS):
        line, column = _place(text, sql)
        return ConfigError(text.split("\n\nLINE", 1)[0].replace("\n", " "), file=file or None, line=line, column=column)
    told = complaint(text, file)
    if told is not None:
        return told
    if isinstance(error, duckdb.OutOfMemoryException):
        return FatalError(f"{file}: out of memory; lower settings.chunk_units or raise settings.memory_limit")
    kind = type(error).__name__.removesuffix("Exception")
    line, _ = _place(text, sql)
    place = f", line {line}" if line else ""
    return UnitError(f"{file}: {_words(kind)} in the data{place}", detail=text)


def _words(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", " ", name).lower() + " error"


def _place(text: str, sql: str) -> tuple[int | None, int | None]:
    """Line and column, from 1 on. Of a long line the SQL engine shows a part between dots, which is looked up."""
    found = _PLACE.search(text)
    if found is None:
        return None, None
    line, shown, column = int(found[1]), found[2], found[3].index("^") - len(f"LINE {found[1]}: ")
    if shown.startswith("..."):
        lines = sql.split("\n")
        start = lines[line - 1].find(shown.strip(".")) if line <= len(lines) else -1
        column = start + column - 3 if start >= 0 else 0
    return line, max(1, column + 1)


_PARSING = threading.Lock()


@cache
def _parser() -> duckdb.DuckDBPyConnection:
    """One empty database for looking at texts: opening one costs more than all the parsing of a job."""
    return duckdb.connect(":memory:", config={"threads": 1})


def check_select(sql: str, *, file: str) -> None:
    """Refuse a text that is not exactly one SELECT that parses; `ConfigError` names line and column."""
    try:
        with _PARSING:
            statements = _parser().extract_statements(sql)
    except duckdb.Error as error:
        raise translate(error, file) from error
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise ConfigError("a step or rule is exactly one SELECT", file=file, remedy="Remove the other statements")


def unordered_aggregates(sql: str) -> list[str]:
    """Names of list-like aggregates without ORDER BY: their order may change between two attempts (PROTOCOL R10)."""
    with _PARSING:
        row = _parser().execute("SELECT json_serialize_sql(?)", [sql]).fetchone()
    found: list[str] = []
    if row is not None:
        _walk(json.loads(row[0]), found)
    return found


def _walk(node: Any, found: list[str]) -> None:
    if isinstance(node, list):
        for item in node:
            _walk(item, found)
    elif isinstance(node, dict):
        name = str(node.get("function_name", "")).lower()
        if node.get("class") == "FUNCTION" and name in _UNORDERED and not (node.get("order_bys") or {}).get("orders"):
            found.append(name)
        for item in node.values():
            _walk(item, found)
