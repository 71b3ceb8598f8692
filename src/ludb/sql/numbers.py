"""Numbers out of text."""

from __future__ import annotations

import re
from decimal import Decimal

from ludb.sql.counting import MisuseError, UnreadableError, converted, lenient, text_of

DIGITS = 38
"""Digits that a decimal of the unit database holds; 9 of them behind the point."""
SCALE = 9

_SPACES = " \u00a0\u202f'\u2019"


def parse_decimal(value: object, mark: str = ",", decimals: int = 2) -> Decimal | None:
    """The number that a text means, where `mark` (`,` or `.`) stands before the decimals; None for NULL and blanks.

    Thousands may be set apart by the other of the two, by blanks or by apostrophes, always in threes; the sign stands in
    front or behind. More than `decimals` decimals (zeros apart), or more than 29 digits before them, are `UnreadableError`:
    nothing is rounded.
    """
    if mark not in (",", ".") or not 0 <= decimals <= SCALE:
        raise MisuseError(f"parse_decimal takes mark ',' or '.', and 0 to {SCALE} decimals")
    text = text_of(value)
    if text is None or not text.strip():
        return converted("parse_decimal", value, None)
    other = "." if mark == "," else ","
    thousands = f"[0-9]{{1,3}}(?:(?P<gap>[{other}{_SPACES}])[0-9]{{3}})(?:(?P=gap)[0-9]{{3}})*"
    pattern = (
        rf"(?P<front>[+-]?)\s*(?P<whole>{thousands}|[0-9]*)(?:{re.escape(mark)}(?P<part>[0-9]*))?\s*(?P<behind>[+-]?)"
    )
    found = re.fullmatch(pattern, text.strip(), re.ASCII)
    if found is None or (found["front"] and found["behind"]) or not (found["whole"] or found["part"]):
        raise UnreadableError(f"parse_decimal: this is no number with the decimal mark {mark!r}", text)
    whole, part = re.sub("[^0-9]", "", found["whole"]), found["part"] or ""
    if len(part.rstrip("0")) > decimals or len(whole.lstrip("0")) > DIGITS - SCALE:
        raise UnreadableError(f"parse_decimal: this number has more than {decimals} decimals or 29 digits", text)
    number = Decimal(f"{whole or '0'}.{part[:SCALE]}")
    negative = number and "-" in (found["front"], found["behind"])
    return converted("parse_decimal", value, -number if negative else number)


def try_parse_decimal(value: object, mark: str = ",", decimals: int = 2) -> Decimal | None:
    """As `parse_decimal`, but None where that finds no number."""
    return lenient("try_parse_decimal", lambda: parse_decimal(value, mark, decimals))
