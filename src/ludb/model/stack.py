"""Where an error that nobody foresaw came from, without its words: a library's words may repeat a row's values."""

from __future__ import annotations

import traceback


def stack_of(error: BaseException) -> str:
    """Places and type of an error and of those that led to it, the cause first; no message, note or value of any of them."""
    return "".join(_told(error, set()))


def _told(error: BaseException, seen: set[int]) -> list[str]:
    seen.add(id(error))
    before = []
    cause = error.__cause__
    led_to = cause if cause is not None or error.__suppress_context__ else error.__context__
    if led_to is not None and id(led_to) not in seen:
        before = [*_told(led_to, seen), "which led to:\n" if cause is not None else "and, while that was handled:\n"]
    parts = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    within = [line for one in parts for line in _told(one, seen)]
    kind = type(error)
    return [*before, *within, *traceback.format_tb(error.__traceback__), f"{kind.__module__}.{kind.__qualname__}\n"]
