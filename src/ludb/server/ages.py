"""How old is what an answer tells: sums that were kept, as its header `Age` says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_told: ContextVar[list[float] | None] = ContextVar("ages", default=None)


@contextmanager
def noted() -> Iterator[list[float]]:
    """The ages in seconds of all that is told within."""
    ages: list[float] = []
    token = _told.set(ages)
    try:
        yield ages
    finally:
        _told.reset(token)


def told(age: float) -> None:
    """Something so old goes into the answer that is being made; nothing happens where none is."""
    ages = _told.get()
    if ages is not None:
        ages.append(age)


def header(ages: list[float]) -> dict[str, str]:
    """`Age`, in whole seconds, of the oldest; none for what is as good as new."""
    oldest = int(max(ages, default=0.0))
    return {"Age": str(oldest)} if oldest else {}
