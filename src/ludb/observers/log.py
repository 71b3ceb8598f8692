"""Events as lines of JSON in the run's log, one per event."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import structlog

from ludb.model.events import Event


class LogObserver:
    """Writes every event above a level to a file of its own, as one line of JSON with time, event, run, chunk, data, and the
    system that it is about, where it names one or an output of one.
    """

    _RANK = {"debug": 10, "info": 20, "warning": 30, "error": 40}  # noqa: RUF012  (a constant table)

    def __init__(self, path: Path | None, *, level: str = "info", bound: dict[str, Any] | None = None) -> None:
        """Append to `path` (None: standard error); `bound` stands in every line."""
        self._file: IO[str] = sys.stderr
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file = path.open("a", encoding="utf-8", buffering=1)
        self._level = self._RANK[level]
        self._log = structlog.wrap_logger(
            structlog.PrintLogger(self._file),
            processors=[
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(default=str, ensure_ascii=False),
            ],
        ).bind(**(bound or {}))

    def on(self, event: Event) -> None:
        """Write the event's line."""
        if self._RANK[event.level] >= self._level:
            with contextlib.suppress(OSError):  # a full disk: losing a line is better than losing the worker
                self._log.msg(
                    event.name, level=event.level, run=event.run, chunk=event.chunk or None, **_placed(event.data)
                )

    def close(self) -> None:
        """Close the file."""
        if self._file is not sys.stderr:
            with contextlib.suppress(OSError):  # as above
                self._file.close()


def _placed(data: Mapping[str, Any]) -> dict[str, Any]:
    """The data with its system: the one it names, or that of its output, or of the output that its step makes."""
    step = str(data.get("step") or "")
    made = "" if step.startswith("rules/") else step.rpartition("/")[2]
    system = str(data.get("output") or made).partition(".")
    return {"system": system[0], **data} if system[1] else dict(data)
