"""Whether an answer says what was sent: a server that shortens a name must not go unnoticed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from ludb.dialects.http.paths import JsonPath

EVERYTHING = "$"
"""The place that stands for the whole document."""


def differences(body: str, answered: Any, places: Sequence[JsonPath]) -> list[str]:
    """The places (`$.a.b[0]`) where the answer holds something else than was sent, or nothing, in document order.

    Numbers are compared by value, everything else letter by letter; members that the server adds are no difference.
    `answered` has its numbers as text (see `Heard.json`).
    """
    if not places:
        return []
    sent = json.loads(body, parse_float=Decimal, parse_int=Decimal)
    found: list[str] = []
    for place in places:
        found.extend(_differ(place.find(sent), place.find(answered), place.text))
    return list(dict.fromkeys(found))


def _differ(sent: Any, got: Any, place: str) -> Iterator[str]:
    if isinstance(sent, dict) and isinstance(got, dict):
        for name, inner in sent.items():
            yield from _differ(inner, got.get(name), f"{place}.{name}")
    elif isinstance(sent, list) and isinstance(got, list) and len(sent) == len(got):
        for at, (mine, theirs) in enumerate(zip(sent, got, strict=True)):
            yield from _differ(mine, theirs, f"{place}[{at}]")
    elif not _same(sent, got):
        yield place


def _same(sent: Any, got: Any) -> bool:
    if isinstance(sent, Decimal) and isinstance(got, str):
        try:
            return sent == Decimal(got)
        except InvalidOperation:
            return False
    return type(sent) is type(got) and bool(sent == got)
