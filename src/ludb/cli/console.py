"""How the command line speaks: one console for answers, one for everything else."""

from __future__ import annotations

import dataclasses
import json
import sys
from enum import Enum
from typing import Any

from rich.console import Console
from rich.markup import escape

from ludb.errors import ConfigError, ConfigErrors, LudbError, TransientError

WIDE = 10_000
"""Columns of an answer that goes into a file or a pipe: no line is broken, so that `grep` finds whole rows."""


class Speaker(Console):
    """A console that tells its caller when nobody reads it any more, where Rich would end the process."""

    def on_broken_pipe(self) -> None:
        """Raise the error on."""
        raise  # noqa: PLE0704  (called while the error is handled)


out = Speaker(highlight=False)
if not out.is_terminal:
    out = Speaker(highlight=False, width=WIDE)
err = Speaker(stderr=True, highlight=False, soft_wrap=True)


def answer(value: Any) -> None:
    """One JSON document on standard output, and nothing else."""
    sys.stdout.write(to_json(value) + "\n")
    sys.stdout.flush()


def show_error(console: Console, error: LudbError) -> None:
    """One line per mistake, marked."""
    for one in error.errors if isinstance(error, ConfigErrors) else [error]:
        remedy = f". {one.remedy}" if isinstance(one, TransientError) and one.remedy else ""
        console.print(f"[bold red]error:[/] {escape(str(one) + remedy)}")


def error_fields(error: LudbError) -> dict[str, Any]:
    """An error as `--json` tells it: the place and the remedy stand apart from the message; `errors` lists several."""
    first = error.errors[0] if isinstance(error, ConfigErrors) else error
    fields = {name: getattr(first, name, None) for name in ("file", "line", "column", "field", "remedy")}
    message = error.message if isinstance(error, ConfigError) else str(error)
    told = {"error": type(error).__name__, "message": message, **fields}
    if isinstance(error, ConfigErrors):
        told["errors"] = [error_fields(one) for one in error.errors]
    return told


def to_json(value: Any) -> str:
    """Any answer as one JSON document: dataclasses by field, times as Unix seconds, exact numbers as text."""
    return json.dumps(_plain(value), ensure_ascii=False, indent=2, default=str)


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return value
