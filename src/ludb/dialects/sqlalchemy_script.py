"""A person's SQL for a database behind SQLAlchemy: statements of hooks, and conditions that choose units."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

import sqlalchemy as sa
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import TokenType

from ludb.dialects.script import Statement, check, statements
from ludb.dialects.sqlalchemy import Database
from ludb.errors import ConfigError, UnitError

WORDS = (
    "alter", "analyze", "call", "comment", "create", "declare", "delete", "drop", "exec", "execute", "explain", "grant", "insert",
    "lock", "merge", "refresh", "rename", "replace", "revoke", "select", "set", "table", "truncate", "update", "values", "with",
)  # fmt: skip
"""First words of statements that some server knows, but those of transactions."""
COMMITS = frozenset({"alter", "analyze", "comment", "create", "drop", "grant", "lock", "rename", "revoke", "truncate"})
"""First words of statements around which some servers commit by themselves."""
_WHOLE = frozenset({"postgresql", "sqlite", "mssql"})
"""Dialects whose transactions hold those as well."""
_GRAMMARS = {
    "postgresql": "postgres",
    "mysql": "mysql",
    "mariadb": "mysql",
    "sqlite": "sqlite",
    "oracle": "oracle",
    "mssql": "tsql",
}


def check_script(script: str) -> None:
    """`ConfigError` with the line of the first statement that is none, or that would end the transaction. Which database it is
    for is not known here, so quotes and comments are those of standard SQL.
    """
    check(script, "", WORDS)


def run_script(database: Database, script: str, values: Mapping[str, object]) -> None:
    """Run the statements in one transaction, all or none. `ConfigError` where the server would commit around one of several."""
    found = list(statements(script, _GRAMMARS.get(database.dialect, "")))
    alone = next((one for one in found if one.word in COMMITS), None)
    if alone is not None and len(found) > 1 and database.dialect not in _WHOLE:
        raise ConfigError(
            f"the server may commit by itself around {alone.word.upper()}, so that the statements could be half done",
            line=alone.line, remedy="Give this statement a hook of its own",
        )  # fmt: skip
    with contextlib.closing(database.connect()) as connection:
        for one in found:
            doing = f"run the statement in line {one.line}"
            try:
                with database.errors(doing):
                    connection.execute(_bound(one, values))
            except UnitError as error:  # there is no unit here
                raise ConfigError(f"system {database.name}: could not {doing}: {error}", remedy="Mend it") from error
        with database.errors("commit"):
            connection.commit()


def check_condition(where: str, dialect: str) -> None:
    """`ConfigError` for a condition that does not end, ends more than itself, or is more than one statement."""
    try:
        tokens = Dialect.get_or_raise(_GRAMMARS.get(dialect, "")).tokenize(where)
    except TokenError as error:
        raise ConfigError("the condition does not end", remedy="Close its quotes or its comment") from error
    depth = 0
    for token in tokens:
        depth += {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}.get(token.token_type, 0)
        if depth < 0 or token.token_type is TokenType.SEMICOLON:
            raise ConfigError(
                "the condition is more than a condition", remedy="Write what stands behind WHERE, and no more"
            )
    if depth or not tokens:
        raise ConfigError("the condition does not end", remedy="Close its brackets")


def _bound(one: Statement, values: Mapping[str, object]) -> sa.TextClause:
    """The statement with its values beside it: each colon that is none of theirs is a colon."""
    parts, at, used = [], 0, {}
    one.filled(values, str)  # names that have no value
    for start, end, name in one.holes:
        parts += [escaped(one.text[at:start]), f":{name}"]
        used[name] = values[name]
        at = end
    clause = sa.text("".join([*parts, escaped(one.text[at:])]))
    return clause.bindparams(*(sa.bindparam(name, value) for name, value in used.items()))


def escaped(text: str) -> str:
    """SQL as `sqlalchemy.text` takes it where none of its colons begins the name of a value."""
    return text.replace(":", "\\:")
