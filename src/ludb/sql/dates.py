"""Dates and timestamps out of text, by formats that the caller names: nothing is guessed."""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache

from ludb.sql.counting import MisuseError, UnreadableError, converted, lenient, text_of

FORMATS = "YMD|DMY"
"""Year first as in ISO, else day first."""

_TIME = r"(?:[ T](?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:\.(?P<part>[0-9]{1,6})0*)?)?)?"
_SHORT = {
    "YMD": r"(?:(?P<Y>[0-9]{4})(?P<s>[-/. ])(?P<M>[0-9]{1,2})(?P=s)(?P<D>[0-9]{1,2})"
    r"|(?P<Y8>[0-9]{4})(?P<M8>[0-9]{2})(?P<D8>[0-9]{2}))",
    "DMY": r"(?P<D>[0-9]{1,2})(?P<s>[-/. ])(?P<M>[0-9]{1,2})(?P=s)(?P<Y>[0-9]{4}|[0-9]{2})",
    "MDY": r"(?P<M>[0-9]{1,2})(?P<s>[-/. ])(?P<D>[0-9]{1,2})(?P=s)(?P<Y>[0-9]{4}|[0-9]{2})",
}
_NAMED = {name: re.compile(pattern + _TIME, re.ASCII) for name, pattern in _SHORT.items()}
_NOTHING = re.compile(r"[0\s:./T-]*", re.ASCII)
"""Blanks, `0000-00-00`, `00.00.0000 00:00:00`: what databases that knew no NULL kept instead."""


def parse_date(value: object, formats: str = FORMATS, pivot_year: int | None = None) -> dt.date | None:
    """The date that a text means; None for NULL, blanks and zeros (`0000-00-00`). `UnreadableError` otherwise.

    `formats` are tried in order, joined by `|`: `YMD`, `DMY`, `MDY` (digits between `- / .` or blanks, `YMD` also without)
    or strptime patterns. A year of two digits up to `pivot_year` is 20xx, above it 19xx; without `pivot_year` it is unreadable. A
    time behind the date must be midnight.
    """
    text = text_of(value)
    if text is None:
        return None
    found = _moment(text, formats, pivot_year)
    if found is not None and found.time() != dt.time.min:
        raise UnreadableError(f"parse_date: there is a time behind the date ({formats})", text)
    return converted("parse_date", value, None if found is None else found.date())


def try_parse_date(value: object, formats: str = FORMATS, pivot_year: int | None = None) -> dt.date | None:
    """As `parse_date`, but None where that finds no date."""
    return lenient("try_parse_date", lambda: parse_date(value, formats, pivot_year))


def valid_date(value: object, formats: str = FORMATS, pivot_year: int | None = None) -> bool | None:
    """Whether `parse_date` can read the text, blanks and zeros too: what a rule asks. NULL is NULL."""
    text = text_of(value)
    if text is None:
        return None
    try:
        found = _moment(text, formats, pivot_year)
    except UnreadableError:
        return False
    return found is None or found.time() == dt.time.min


def parse_timestamp(value: object, formats: str = FORMATS, pivot_year: int | None = None) -> dt.datetime | None:
    """The timestamp that a text means, as `parse_date` reads dates: an `H:MM`, `HH:MM:SS` or `HH:MM:SS.ffffff` may follow,
    else it is midnight. None for NULL, blanks and zeros. Offsets are unreadable.
    """
    text = text_of(value)
    if text is None:
        return None
    return converted("parse_timestamp", value, _moment(text, formats, pivot_year))


def try_parse_timestamp(value: object, formats: str = FORMATS, pivot_year: int | None = None) -> dt.datetime | None:
    """As `parse_timestamp`, but None where that finds none."""
    return lenient("try_parse_timestamp", lambda: parse_timestamp(value, formats, pivot_year))


@lru_cache(maxsize=16_384)
def _moment(text: str, formats: str, pivot_year: int | None) -> dt.datetime | None:
    if pivot_year is not None and not 0 <= pivot_year <= 99:
        raise MisuseError("pivot_year is a year of two digits, 0 to 99")
    wanted = text.strip()
    if _NOTHING.fullmatch(wanted):
        return None
    for form in formats.split("|"):
        found = _short(wanted, form, pivot_year) if form in _NAMED else _pattern(wanted, form, pivot_year)
        if found is not None:
            return found
    raise UnreadableError(f"a date cannot be read as {formats}", text)


def _short(text: str, form: str, pivot_year: int | None) -> dt.datetime | None:
    found = _NAMED[form].fullmatch(text)
    if found is None:
        return None
    parts = found.groupdict()
    year = _year(parts["Y"] or parts.get("Y8") or "", pivot_year)
    if year is None:
        return None
    month, day = int(parts["M"] or parts.get("M8") or 0), int(parts["D"] or parts.get("D8") or 0)
    hour, minute, second = (int(parts[name] or 0) for name in ("hour", "minute", "second"))
    part = int((parts["part"] or "0").ljust(6, "0"))
    try:
        return dt.datetime(year, month, day, hour, minute, second, part)  # noqa: DTZ001  (legacy moments bear no zone)
    except ValueError:
        return None  # the 31st of February is no date in this format


def _year(text: str, pivot_year: int | None) -> int | None:
    if len(text) == 4:
        return int(text)
    if pivot_year is None:
        return None
    return int(text) + (2000 if int(text) <= pivot_year else 1900)


def _pattern(text: str, form: str, pivot_year: int | None) -> dt.datetime | None:
    if "%" not in form:
        raise MisuseError(f"there is no date format {form!r}: write YMD, DMY, MDY or a strptime pattern")
    if "%z" in form:
        raise MisuseError("offsets from UTC (%z) are not read: a date in one zone may be another in the next")
    if "%y" in form and pivot_year is None:
        raise MisuseError("a pattern with %y needs a pivot_year")
    try:
        found = dt.datetime.strptime(text, form)  # noqa: DTZ007  (legacy moments bear no zone)
    except ValueError:
        return None
    if "%y" in form:
        year = _year(f"{found.year % 100:02}", pivot_year)
        assert year is not None
        try:
            return found.replace(year=year)
        except ValueError:
            return None
    return found
