"""A person's SQL statements for MySQL and MariaDB, run in one transaction as far as the server has one."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from collections.abc import Mapping
from decimal import Decimal

from ludb.dialects.mysql import Session, literal
from ludb.dialects.script import check, statements
from ludb.errors import ConfigError, UnitError

WORDS = (
    "alter", "analyze", "call", "change", "check", "create", "delete", "desc", "describe", "do", "drop", "explain", "flush",
    "grant", "handler", "insert", "kill", "load", "lock", "optimize", "rename", "repair", "replace", "reset", "revoke",
    "select", "set", "show", "table", "truncate", "unlock", "update", "values", "with",
)  # fmt: skip
"""First words of the server's statements, but those of transactions."""
COMMITS = frozenset({
    "alter", "analyze", "check", "create", "drop", "flush", "grant", "load", "lock", "optimize", "rename", "repair", "reset",
    "revoke", "truncate", "unlock",
})  # fmt: skip
"""First words of statements around which the server commits by itself."""


_AUTOCOMMIT = re.compile(r"set\b.*\bautocommit\b", re.IGNORECASE | re.DOTALL)


def check_script(script: str) -> None:
    """`ConfigError` with the line of the first statement that is none, that would end the transaction, or that the server
    commits by itself although there are others.
    """
    found = check(script, "mysql", WORDS)
    switched = next((one for one in found if _AUTOCOMMIT.match(one.text)), None)
    if switched is not None:
        raise ConfigError(
            "the statements run in one transaction of their own", line=switched.line, remedy="Leave autocommit as it is"
        )
    alone = next((one for one in found if one.word in COMMITS), None)
    if alone is not None and len(found) > 1:
        raise ConfigError(
            f"the server commits by itself around {alone.word.upper()}, so that the statements could be half done",
            line=alone.line, remedy="Give this statement a hook of its own",
        )  # fmt: skip


def run_script(session: Session, script: str, values: Mapping[str, object]) -> None:
    """Run the statements on a session in autocommit mode, all or none, and close it."""
    with contextlib.closing(session):
        session.run("START TRANSACTION", "begin")
        for one in statements(script, "mysql"):
            doing = f"run the statement in line {one.line}"
            try:
                session.run(one.filled(values, _literal).encode(), doing)
            except UnitError as error:  # there is no unit here
                raise ConfigError(f"system {session.system}: could not {doing}: {error}", remedy="Mend it") from error
        session.run("COMMIT", "commit")


def _literal(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float | Decimal):
        return repr(value) if isinstance(value, float) else str(value)
    if isinstance(value, dt.datetime):
        return literal(value.isoformat(sep=" "))
    return literal(str(value))
