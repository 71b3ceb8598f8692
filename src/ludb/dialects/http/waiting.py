"""How long a server asks us to stay away, and where it may send us."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from yarl import URL

from ludb.dialects.http.heard import WAIT_LIMIT, Heard
from ludb.dialects.http.statuses import meaning_of

BACKOFF_BASE = 0.1
BACKOFF_LIMIT = 5.0
"""Waits in seconds after a 429 that names none: doubled each time from the base, with jitter, up to the limit."""

_LINK = re.compile(r'<([^>]*)>[^<]*?;\s*rel="?([^";,]+)"?', re.IGNORECASE)
_NOTHING_SAID: Mapping[str, str] = {}
_BUSY = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


def wait_for(
    heard: Heard, attempt: int, jitter: float, now: datetime, statuses: Mapping[str, str] = _NOTHING_SAID
) -> float | None:
    """How many seconds to wait before sending again; None where the answer is final.

    Only for 429, and 503 with a readable Retry-After, there nothing happened, and for what `statuses` call `retry`.
    `attempt` counts from 0; `jitter` is in [0, 1).
    """
    if heard.status not in _BUSY and not statuses:
        return None
    asked = _retry_after(heard.headers.get("retry-after", ""), now)
    busy = heard.status == HTTPStatus.TOO_MANY_REQUESTS or (
        heard.status == HTTPStatus.SERVICE_UNAVAILABLE and asked is not None
    )
    meant = meaning_of(statuses, heard.status)
    if meant == "retry" or (busy and meant is None):
        backoff = min(BACKOFF_BASE * 2.0 ** min(attempt, 16), BACKOFF_LIMIT) * (0.5 + jitter / 2)
        return min(max(asked or 0.0, backoff), WAIT_LIMIT)
    return None


def same_server(base: str, location: str, path: str) -> str | None:
    """The whole address of a Location relative to what was asked for, where it is on the same server."""
    return same_place(base + path, location)


def same_place(asked: str, location: str) -> str | None:
    """As `same_server`, relative to a whole address."""
    try:
        here = URL(asked, encoded=True)
        found = here.join(URL(location, encoded=True))
        same = found.origin() == here.origin()
    except ValueError:
        return None
    return str(found.with_user(here.user).with_password(here.password)) if same else None


def _retry_after(text: str, now: datetime) -> float | None:
    """Seconds that a Retry-After header asks for (a number, or an HTTP date); None if it is none."""
    text = text.strip()
    if text.isascii() and text.isdecimal():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max((until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds(), 0.0)


def link_of(header: str) -> str | None:
    """Where a Link header says that the next page is (RFC 8288); None where it says nothing of one."""
    for found in _LINK.finditer(header):
        if "next" in found[2].lower().split():
            return found[1]
    return None
