"""How the command line speaks: one console for answers, one for everything else."""

from __future__ import annotations

import dataclasses
import json
from enum import Enum
from typing import Any

from rich.console import Console
from rich.markup import escape

from ludb.errors import ConfigErrors, LudbError

WIDE = 160
"""Columns of an answer that goes into a file or a pipe."""

out = Console(highlight=False, soft_wrap=True)
if not out.is_terminal:
    out = Console(highlight=False, soft_wrap=True, width=WIDE)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def show_error(console: Console, error: LudbError) -> None:
    """One line per mistake, marked."""
    for one in error.errors if isinstance(error, ConfigErrors) else [error]:
        console.print(f"[bold red]error:[/] {escape(str(one))}")


def to_json(value: Any) -> str:
    """Any answer as one JSON document: dataclasses by field, times as Unix seconds, exact numbers as text."""
    return json.dumps(_plain(value), ensure_ascii=False, default=str)


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
