"""Systems that run SQL which is no part of moving: hooks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable


@runtime_checkable
class CanExecute(Protocol):
    """A source or target that runs a person's SQL statements, once at the start or the end of a run."""

    @staticmethod
    def check_script(script: str) -> None:
        """Look at the text alone: `ConfigError` with its line for a statement that cannot be parsed, or that would end the
        transaction. Names of tables are not looked up.
        """

    def execute(self, script: str, values: Mapping[str, object]) -> None:
        """Run the statements in one transaction of their own, all or none; `:name` stands for a value. `ConfigError` with
        the line of a statement that fails, `TransientError` where the system is away or locked.
        """
