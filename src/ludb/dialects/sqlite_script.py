"""A person's SQL statements for SQLite: told apart, checked without a database, and run in one transaction."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Iterator, Mapping

from ludb.dialects.sqlite import translate
from ludb.errors import ConfigError

_ENDS = frozenset({"begin", "commit", "end", "rollback"})
_SYNTAX = re.compile(r"syntax error|incomplete input|unrecognized token")
_ABOVE = re.compile(r"(?:\s+|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*", re.DOTALL)


def statements(script: str) -> Iterator[tuple[int, str]]:
    """The statements with the lines that they begin in; a trigger's body is part of its statement."""
    line, text = 1, ""
    for piece in [*re.findall(r"[^;]*;", script), script[script.rfind(";") + 1 :] + "\n;"]:
        text += piece
        if sqlite3.complete_statement(text):
            lead = _above(text)
            if text[len(lead) :].strip("; \n\t\r"):
                yield line + lead.count("\n"), text[len(lead) :]
            line, text = line + text.count("\n"), ""
    if text:
        begun = line + _above(text).count("\n")
        raise ConfigError("a statement does not end", line=begun, remedy="Close its quotes, its comment or its trigger")


def _above(text: str) -> str:
    """Blanks and comments before the first word."""
    found = _ABOVE.match(text)
    return found[0] if found else ""


def check_script(script: str) -> None:
    """`ConfigError` with the line of the first statement that is none, or that would end the transaction."""
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        for line, text in statements(script):
            if re.split(r"\W", text, maxsplit=1)[0].lower() in _ENDS:
                raise ConfigError(
                    "the statements run in one transaction of their own", line=line, remedy="Leave this statement out"
                )
            try:
                connection.execute(f"EXPLAIN {text}")
            except sqlite3.Error as error:  # tables that are not here, values that are not bound
                if _SYNTAX.search(str(error)):
                    raise ConfigError(str(error), line=line) from error


def run_script(connection: sqlite3.Connection, system: str, script: str, values: Mapping[str, object]) -> None:
    """Run the statements on a connection in autocommit mode, and close it."""
    with contextlib.closing(connection):
        line = 0
        try:
            connection.execute("BEGIN IMMEDIATE")
            for line, text in statements(script):  # noqa: B007  (told in the error)
                connection.execute(text, dict(values))
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise translate(error, system, f"run the statement in line {line}" if line else "begin") from error
