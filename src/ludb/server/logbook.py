"""What the server itself has to say while it serves: lines of JSON on standard error, as workers write them into their logs."""

from __future__ import annotations

from ludb.model.events import Event
from ludb.observers.log import LogObserver


def log(name: str, *, run: str = "", **data: object) -> None:
    """One line, a warning; `data` holds names and numbers, never row values."""
    LogObserver(None).on(Event(name, run, level="warning", data=data))
