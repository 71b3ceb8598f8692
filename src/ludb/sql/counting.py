"""Counting what cleansing changed: every function of `ludb.sql` counts here, and whoever runs a step collects."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from decimal import Decimal
from typing import Generic, TypeVar

T = TypeVar("T")
_TALLY: ContextVar[Counter[str] | None] = ContextVar("ludb_sql_tally", default=None)


class UnreadableError(ValueError):
    """A value that means to be something and is not. The first line says what, without the value; the second line is the
    value.
    """

    def __init__(self, reason: str, value: str) -> None:
        """`reason` names the function and what it expected."""
        super().__init__(f"{reason}\n{value}")
        self.reason, self.value = reason, value


class MisuseError(ValueError):
    """An argument that the step's author must mend, whatever the data are."""


@contextmanager
def counting() -> Iterator[Counter[str]]:
    """Collect what functions change inside the block, by function name. Outside of any block nothing is counted."""
    tally: Counter[str] = Counter()
    token = _TALLY.set(tally)
    try:
        yield tally
    finally:
        _TALLY.reset(token)


class Remembered(Generic[T]):
    """A function that is asked once for equal arguments; what it counted is counted again with every answer. A value that
    it cannot read raises each time.
    """

    def __init__(self, call: Callable[..., T]) -> None:
        """Nothing was asked yet."""
        self._call = call
        self._answers: dict[tuple[object, ...], dict[object, tuple[T, tuple[tuple[str, int], ...]]]] = {}

    def __call__(self, value: object, *rest: object) -> T:
        """The answer for one value."""
        return self.column([value], [1], *rest)[0]

    def column(self, values: Sequence[object], times: Sequence[int], *rest: object) -> list[T]:
        """The answers for values that stand there so many `times` each, with the arguments that all share."""
        known = self._answers.setdefault(rest, {})
        counted: Counter[str] = Counter()
        tally = _TALLY.get()
        token = _TALLY.set(counted)  # one for all questions, since they are many
        answers = []
        try:
            for value, number in zip(values, times, strict=True):
                found = known.get(value)
                if found is None:
                    counted.clear()
                    found = known[value] = self._call(value, *rest), tuple(counted.items())
                answers.append(found[0])
                if found[1] and tally is not None:
                    for name, count in found[1]:
                        tally[name] += count * number
        finally:
            _TALLY.reset(token)
        return answers


def converted(name: str, value: object, result: T) -> T:
    """Hand `result` on; count it under `name` if it is not what `value` said already."""
    tally = _TALLY.get()
    if tally is not None and result is not value and text_of(result) != text_of(value):
        tally[name] += 1
    return result


def lenient(name: str, convert: Callable[[], T]) -> T | None:
    """None, counted under `name`, where `convert` finds the value unreadable."""
    try:
        return convert()
    except UnreadableError:
        tally = _TALLY.get()
        if tally is not None:
            tally[name] += 1
        return None


def text_of(value: object) -> str | None:
    """A value as text has one form: ISO for moments, `true` and `false`, all digits of a decimal; None stays None."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ")
    return value.isoformat() if isinstance(value, dt.date) else str(value)
