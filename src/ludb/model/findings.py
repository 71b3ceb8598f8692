"""What a look at the systems of a job finds before anything moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a start would stumble over (`error`), or that a person should know before it (`warning`): where, what,
    and what to do. Never a row value; a unit key may be named. `column` names those that it is about, by commas.
    """

    severity: Literal["error", "warning"]
    system: str
    text: str
    remedy: str = ""
    table: str = ""
    column: str = ""


@dataclass(frozen=True, slots=True)
class Price:
    """What it costs to look up rows of a table by columns that no index leads to: `rows` are read for each look, as the
    server itself estimates; `remedy` is the statement that would spare them.
    """

    rows: int
    remedy: str
