"""What came back from a server, before anybody says what it means."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

WAIT_LIMIT = 3600.0
"""Longest wait in seconds that a server's Retry-After may ask for."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What came back: a status with headers (lower-case names) and body, or none and how it failed.

    `reached` is false only where no connection was made. `resent` is true where the request left more than once;
    `wait` is set where the server still asked us to come back (seconds) when our patience ended. `refused` says who
    refused our credential before the request could leave. `ended` says what became of work that was accepted for later.
    """

    status: int | None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    failure: str = ""
    reached: bool = True
    resent: bool = False
    wait: float | None = None
    refused: str = ""
    ended: str = ""

    @property
    def text(self) -> str:
        """The body as text, whatever its bytes."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON with numbers as their own text, so that no digit is lost; ValueError if it is none."""
        return _EXACT.decode(self.body.decode(json.detect_encoding(self.body), "surrogatepass"))


def retry_after_of(heard: Heard) -> float | None:
    """Seconds that an answer asks to wait for, where it says so as a number."""
    text = heard.headers.get("retry-after", "").strip()
    return min(float(text), WAIT_LIMIT) if text.isascii() and text.isdecimal() else None


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no JSON")


_EXACT = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_no_constant)
