"""What the server itself has to say while it serves: lines of JSON on standard error, as workers write them into their logs."""

from __future__ import annotations

import asyncio
import logging
import re
import sys
import threading
from typing import Literal

from ludb.model.events import Event
from ludb.model.stack import stack_of
from ludb.observers.log import LogObserver

_LOUD = "uvicorn.error"
_TOLD = "_ludb_told"
Level = Literal["debug", "info", "warning", "error"]


def log(name: str, *, level: Level = "warning", run: str = "", **data: object) -> None:
    """One line; `data` holds names and numbers, never row values."""
    LogObserver(None).on(Event(name, run, level=level, data=data))


def log_bug(error: BaseException, *, run: str = "", **data: object) -> None:
    """An error that nobody foresaw, once: whoever hears of it later is not told again. Type and places, not its words: they may
    repeat what stands in a row.
    """
    if not getattr(error, _TOLD, False):
        log("server.bug", level="error", run=run, error=type(error).__name__, trace=stack_of(error), **data)
    error.__dict__[_TOLD] = True


class Lines(logging.Handler):
    """What libraries log, as lines of the same form; an error that the server has told itself is left out."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, asyncio.CancelledError):
            return  # whoever asked has gone, or the server ends
        if error is not None:
            log_bug(error, logger=record.name)  # its message may repeat the error's words
            return
        rank: Level = "error" if record.levelno >= logging.ERROR else "warning"
        log(
            "server.says", level="info" if record.levelno < logging.WARNING else rank, logger=record.name,
            message=_words(record),
        )  # fmt: skip


def _words(record: logging.LogRecord) -> str:
    """What a library says, without what it puts in: that may be a value. The web server's own words hold none; of a warning
    its place and kind are told.
    """
    if record.name == _LOUD:
        return record.getMessage()
    if record.name == "py.warnings":
        found = re.match(r"(.+?:\d+: \w+):", record.getMessage())
        return found[1] if found else "a warning"
    return str(record.msg)


def catch_all(*, chatty: bool) -> None:
    """From now on libraries and threads say what they have to say in lines of JSON; `chatty` has the web server tell when it
    starts and ends, too.
    """
    logging.basicConfig(handlers=[Lines()], level=logging.WARNING, force=True)
    logging.captureWarnings(capture=True)
    if chatty:
        logging.getLogger(_LOUD).setLevel(logging.INFO)

    def thread_ended(told: threading.ExceptHookArgs) -> None:
        if told.exc_value is not None:
            log_bug(told.exc_value, thread=told.thread.name if told.thread else "")

    threading.excepthook = thread_ended


def say(words: str, name: str, *, json: bool, url: str = "") -> None:
    """What whoever starts the server reads: words, or a line of JSON."""
    if json:
        log(name, level="info", message=words, url=url)
        return
    sys.stderr.write(f"{words}\n")
    sys.stderr.flush()
