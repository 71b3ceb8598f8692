"""Key values as bytes and as text: one canonical form each, so that two systems can never disagree about a key."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Sequence
from decimal import Decimal

NAMESPACE = uuid.UUID("6f0f6f6e-6a5c-5d0a-9a3e-1c1d0b4c7a11")
"""The UUID5 namespace of everything that `ludb` names deterministically."""


def key_text(values: Sequence[object]) -> str:
    """A key as a person types it: the parts as text, joined by `|` (a `|` inside a part is written `||`)."""
    return "|".join(_text(value).replace("|", "||") for value in values)


def key_bytes(values: Sequence[object]) -> bytes:
    """A key as bytes, distinct for distinct keys: the JSON of [type, text] pairs. Integers of any width are one type."""
    return json.dumps(
        [[_kind(value), _text(value)] for value in values], ensure_ascii=True, separators=(",", ":")
    ).encode()


def named_uuid(*parts: str) -> uuid.UUID:
    """The UUID5 of the parts in `ludb`'s namespace: the same answer on every retry, restart and re-run."""
    return uuid.uuid5(NAMESPACE, json.dumps(parts, ensure_ascii=True, separators=(",", ":")))


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "b"
    if isinstance(value, int):
        return "i"
    if isinstance(value, str):
        return "s"
    return type(value).__name__


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    return str(value)
