"""Numbers that check themselves."""

from __future__ import annotations

import re

from ludb.sql.counting import UnreadableError, converted, lenient, text_of

_SEPARATORS = re.compile(r"[\s\-./\u00a0]")


def valid_luhn(value: object) -> bool | None:
    """Whether the last digit is the check digit of those before it by the Luhn formula (ISO/IEC 7812-1, annex B): cards,
    IMEIs. Blanks, `-`, `/` and `.` between digits are skipped; NULL is NULL.
    """
    text = _compact(value)
    return None if text is None else len(text) > 1 and _is_digits(text) and _luhn(text) == 0


def valid_iccid(value: object) -> bool | None:
    """Whether this is the number of a SIM card (ITU-T E.118): 19 or 20 digits that begin with 89, the last by Luhn."""
    text = _compact(value)
    if text is None:
        return None
    return len(text) in (19, 20) and text.startswith("89") and _is_digits(text) and _luhn(text) == 0


def valid_ean(value: object) -> bool | None:
    """Whether the check digit of a GTIN is right (GS1 General Specifications 7.9.1): 8, 12, 13 or 14 digits."""
    text = _compact(value)
    if text is None:
        return None
    if len(text) not in (8, 12, 13, 14) or not _is_digits(text):
        return False
    return sum(int(digit) * (3 if at % 2 else 1) for at, digit in enumerate(reversed(text))) % 10 == 0


def valid_mod97(value: object) -> bool | None:
    """Whether the last two digits are right by ISO/IEC 7064, MOD 97-10: digits and letters, letters as 10 to 35."""
    text = _compact(value)
    return None if text is None else len(text) > 2 and _mod97(text) == 1


def valid_mod11(value: object) -> bool | None:
    """Whether the last character is right by ISO/IEC 7064, MOD 11-2 (ISNI, ORCID): digits, the last may be X."""
    text = _compact(value)
    if text is None:
        return None
    if len(text) < 2 or not _is_digits(text[:-1]) or not (_is_digits(text[-1]) or text[-1] == "X"):
        return False
    rest = 0
    for digit in text[:-1]:
        rest = (rest + int(digit)) * 2 % 11
    return (rest + (10 if text[-1] == "X" else int(text[-1]))) % 11 == 1


def valid_iban(value: object) -> bool | None:
    """Whether this is an IBAN by its form and its check digits (ISO 13616-1, MOD 97-10): two letters, two digits, 11 to 30
    more. That the country has such accounts, or the bank this one, is not known here.
    """
    text = _compact(value)
    if text is None:
        return None
    if re.fullmatch(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", text) is None or text[2:4] in ("00", "01", "99"):
        return False
    return _mod97(text[4:] + text[:4]) == 1


def parse_iban(value: object) -> str | None:
    """The IBAN in capitals without blanks; None for NULL and blanks. `UnreadableError` where `valid_iban` says no."""
    text = text_of(value)
    if text is None or not text.strip():
        return converted("parse_iban", value, None)
    if not valid_iban(text):
        raise UnreadableError("parse_iban: this is no IBAN: its form or its check digits are wrong", text)
    return converted("parse_iban", value, _compact(text))


def try_parse_iban(value: object) -> str | None:
    """As `parse_iban`, but None where that finds none."""
    return lenient("try_parse_iban", lambda: parse_iban(value))


def _compact(value: object) -> str | None:
    text = text_of(value)
    return None if text is None else _SEPARATORS.sub("", text).upper()


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _luhn(text: str) -> int:
    doubled = [int(digit) * (2 if at % 2 else 1) for at, digit in enumerate(reversed(text))]
    return sum(number // 10 + number % 10 for number in doubled) % 10


def _mod97(text: str) -> int:
    """The rest of the number that the characters spell, 36-ary digits as two decimal ones; -1 for other characters."""
    if re.fullmatch(r"[0-9A-Z]+", text) is None:
        return -1
    return int("".join(str(int(character, 36)) for character in text)) % 97
