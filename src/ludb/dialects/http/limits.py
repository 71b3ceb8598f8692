"""What a server says of its limits in the headers of any answer, long before it has to refuse."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

LONGEST = 3600.0
"""Seconds that such headers can hold us back, at most."""
_EPOCH = 1e9
"""A reset above this is a moment (Unix seconds), below it a span."""
_PART = re.compile(r"\b(remaining|reset|r|t)\s*=\s*\"?(\d+(?:\.\d+)?)")


def hold_for(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds until requests may leave again, where the headers say that none is left; else None.

    Understood are `RateLimit-Remaining` with `RateLimit-Reset` (also with `X-` before them, the reset as a span or as a
    moment), and `RateLimit` with `r` and `t`, or `remaining` and `reset`. Names are in lower case.
    """
    if not any("rate" in name for name in headers):
        return None
    for prefix in ("ratelimit", "x-ratelimit", "x-rate-limit"):
        found = _span(headers.get(f"{prefix}-remaining"), headers.get(f"{prefix}-reset"), now)
        if found is not None:
            return found
    parts = {name[0] if name in {"r", "t"} else {"remaining": "r", "reset": "t"}[name]: value
             for name, value in _PART.findall(headers.get("ratelimit", ""))}  # fmt: skip
    return _span(parts.get("r"), parts.get("t"), now)


def _span(remaining: str | None, reset: str | None, now: datetime) -> float | None:
    try:
        left, until = float(remaining or "nan"), float(reset or "nan")
    except ValueError:
        return None
    if not (left <= 0 and until >= 0):  # NaN is neither
        return None
    return min(max(0.0, until - now.timestamp() if until > _EPOCH else until), LONGEST)
