"""Units that are neither done nor pending, as bytes: what an `undo` chunk carries until their calls are taken back."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import fields

from ludb.model.run import UnitException, UnitState

_FIELDS = tuple(field.name for field in fields(UnitException))


def exception_values(exception: UnitException) -> dict[str, object]:
    """Every field of the exception by name, as JSON can hold it (`state` as text, `rows` as plain dicts)."""
    values: dict[str, object] = {name: getattr(exception, name) for name in _FIELDS}
    values["state"] = str(exception.state)
    values["rows"] = {side: dict(counts) for side, counts in exception.rows.items()}
    return values


def encode_exceptions(exceptions: Sequence[UnitException]) -> bytes:
    """The exceptions as compressed JSON, in order; no exceptions are no bytes."""
    if not exceptions:
        return b""
    text = json.dumps([exception_values(each) for each in exceptions], ensure_ascii=False, separators=(",", ":"))
    # A lone surrogate can hide in a user's own error text; it must not stop a unit from being set aside.
    return zlib.compress(text.encode("utf-8", "surrogatepass"))


def decode_exceptions(data: bytes) -> list[UnitException]:
    """The exceptions that `encode_exceptions` made bytes of, in order."""
    if not data:
        return []
    entries = json.loads(zlib.decompress(data).decode("utf-8", "surrogatepass"))
    return [UnitException(**{**entry, "state": UnitState(entry["state"])}) for entry in entries]
