"""Errors are named by what happens next, so that the engine needs no other knowledge of what went wrong.

| error | what happens next |
|---|---|
| `ConfigError` | a person fixes the job or the command; nothing ran |
| `TransientError` | the chunk is released and tried again later |
| `UnitError` | the named units are rejected; if none is named, the chunk is taken apart |
| `PauseError` | the run pauses until a person has mended access |
| `RoomError` | the run pauses until there is room on the disk, and then goes on by itself |
| `FatalError` | the run stops as failed |
| `LeaseLost` | the chunk is dropped without a word: someone else owns it |

Messages carry names (job, step, system, table, column, unit key), never row values and never secrets. Row values travel
in `detail` fields only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


class LudbError(Exception):
    """The root of all errors that `ludb` raises on purpose."""


class ConfigError(LudbError):
    """The job or the command is wrong: nothing ran, and the message says which file, line and field to mend.

    `remedy` is one sentence in the imperative.
    """

    def __init__(
        self,
        message: str,
        *,
        file: str | None = None,
        line: int | None = None,
        column: int | None = None,
        field: str | None = None,
        remedy: str | None = None,
    ) -> None:
        """Keep the place apart from the sentence, so that editors and `--json` can use it."""
        super().__init__(message)
        self.message, self.file, self.line, self.column = message, file, line, column
        self.field, self.remedy = field, remedy

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        text = f"{place}: {self.message}" if place else self.message
        if self.field:
            text += f" (field {self.field})"
        return f"{text}. {self.remedy}" if self.remedy else text


class ConfigErrors(ConfigError):  # noqa: N818  (several of them)
    """Several mistakes found in one reading of a job; `errors` holds each of them."""

    def __init__(self, errors: list[ConfigError]) -> None:
        """Take the place of the first mistake as the place of all."""
        first = errors[0]
        super().__init__(first.message, file=first.file, line=first.line, field=first.field, remedy=first.remedy)
        self.errors = errors

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)


class TransientError(LudbError):
    """The world was in the way (lock, network, server restarting): the same work may succeed later.

    `system` names who was in the way; `retry_after` is in seconds, None where the engine chooses. `remedy` is for a person whose
    command it ends: the engine waits by itself.
    """

    def __init__(
        self,
        message: str,
        *,
        system: str = "",
        retry_after: float | None = None,
        remedy: str = "See that it is up and can be reached, then give the command again",
    ) -> None:
        """Keep the system and the wait for the circuit breaker."""
        super().__init__(message)
        self.system, self.retry_after, self.remedy = system, retry_after, remedy


class RoomError(TransientError):
    """A disk is full, or a quota is used up: the run pauses until there is room again. `path` is where, empty if unknown."""

    def __init__(self, message: str, *, system: str = "", path: str = "") -> None:
        """Keep the place, so that whoever waits can look there."""
        super().__init__(message, system=system, remedy="Make room, then give the command again")
        self.path = path


@dataclass(frozen=True, slots=True)
class Fault:
    """Why one unit cannot move: a reason without row values, and a detail that may hold them (masked without the right)."""

    reason: str
    detail: str = ""


class UnitError(LudbError):
    """Some units' data cannot move. `faults` maps list positions to their fault; empty means "someone in this batch".

    `trace` is the stack cut to the user's own code; `body` is what a server answered.
    """

    def __init__(
        self,
        message: str,
        *,
        faults: Mapping[int, Fault] | None = None,
        detail: str = "",
        trace: str = "",
        body: str = "",
    ) -> None:
        """Keep the faults by list position."""
        super().__init__(message)
        self.faults: Mapping[int, Fault] = faults or {}
        self.detail, self.trace, self.body = detail, trace, body


class PauseError(LudbError):
    """A credential was refused: the run pauses until a person has mended it. `credential` is a name, never a value."""

    def __init__(self, message: str, *, system: str, credential: str) -> None:
        """Name the system and the credential's variable."""
        super().__init__(message)
        self.system, self.credential = system, credential


class FatalError(LudbError):
    """The run cannot go on without a person: it ends as failed, with this reason."""


class LeaseLost(LudbError):  # noqa: N818  (a state of the world, not a mistake)
    """Somebody else owns the chunk now; whatever was being done for it must be dropped."""
