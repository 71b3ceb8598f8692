"""Key values as bytes and as text: one canonical form each, so that two systems can never disagree about a key."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import uuid
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from json.encoder import encode_basestring_ascii as _quoted

NAMESPACE = uuid.UUID("6f0f6f6e-6a5c-5d0a-9a3e-1c1d0b4c7a11")
"""The UUID5 namespace of everything that `ludb` names deterministically."""


_VARIANT = {f"{digit:x}": f"{digit & 0x3 | 0x8:x}" for digit in range(16)}
"""RFC 9562: version 5 is a digit of its own, the variant two bits of another."""


def key_text(values: Sequence[object]) -> str:
    """A key as a person types it: the parts as text, joined by `|` (a `|` inside a part is written `||`)."""
    if len(values) == 1 and type(values[0]) is int:
        return str(values[0])  # nearly all keys are such
    return "|".join(_text(value).replace("|", "||") for value in values)


def key_bytes(values: Sequence[object]) -> bytes:
    """A key as bytes, distinct for distinct keys: the JSON of [type, text] pairs. Integers of any width are one type."""
    # Written out, because a run asks for every key of its list: json.dumps takes several times as long.
    parts = ",".join(f'["{_kind(value)}",{_quoted(_text(value))}]' for value in values)
    return f"[{parts}]".encode()


def named_uuid(*parts: str) -> uuid.UUID:
    """The UUID5 of the parts in `ludb`'s namespace: the same answer on every retry, restart and re-run."""
    return uuid.uuid5(NAMESPACE, json.dumps(parts, ensure_ascii=True, separators=(",", ":")))


def named_uuids(parts: Sequence[str], names: Iterable[str]) -> list[str]:
    """`named_uuid(*parts, name)` of many names, as text: several times quicker than one by one."""
    name_of = namer(*parts)
    return [name_of(name) for name in names]


def namer(*parts: str) -> Callable[..., str]:
    """A function that gives `named_uuid(*parts, *rest)` as text for its arguments `rest`, of which there is at least one."""
    head = NAMESPACE.bytes + json.dumps(parts, ensure_ascii=True, separators=(",", ":"))[:-1].encode()
    begun = hashlib.sha1(head, usedforsecurity=False)

    def name_of(*rest: str) -> str:
        hashed = begun.copy()
        hashed.update(("," + ",".join(map(_quoted, rest)) + "]").encode())
        text = hashed.hexdigest()
        return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:32]}"

    return name_of


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "b"
    if isinstance(value, int):
        return "i"
    if isinstance(value, str):
        return "s"
    return type(value).__name__


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    return str(value)
