"""Phone numbers as clerks typed them, in one form."""

from __future__ import annotations

import re
from functools import lru_cache

import phonenumbers

from ludb.sql.counting import MisuseError, UnreadableError, converted, lenient, text_of

_TYPED = re.compile(r"[-+0-9()\[\]/.\s\u2010-\u2015]+")
"""What a number is typed with. Letters are none: 0171/ASK-HIM would become digits."""


def phone_e164(value: object, region: str) -> str | None:
    """The number as E.164 (`+491711234567`); None for NULL and blanks. `UnreadableError` for what is no number.

    `region` is the country (ISO 3166, `DE`) whose habits numbers without `+` follow. The length must be one that the
    country has; whether somebody answers is not known here. Letters and extensions are unreadable: they would be lost.
    """
    text = text_of(value)
    if text is None or not text.strip():
        return converted("phone_e164", value, None)
    return converted("phone_e164", value, _number(text, region))


def try_phone_e164(value: object, region: str) -> str | None:
    """As `phone_e164`, but None where that finds no number."""
    return lenient("try_phone_e164", lambda: phone_e164(value, region))


def valid_phone(value: object, region: str) -> bool | None:
    """Whether `phone_e164` can read the text, blanks too: what a rule asks. NULL is NULL."""
    text = text_of(value)
    if text is None:
        return None
    try:
        return not text.strip() or bool(_number(text, region))
    except UnreadableError:
        return False


@lru_cache(maxsize=4_096)
def _number(text: str, region: str) -> str:
    if region not in phonenumbers.SUPPORTED_REGIONS:
        raise MisuseError(f"there is no region {region!r}: name a country as ISO 3166 does, such as 'DE'")
    problem = UnreadableError(f"phone_e164: this is no phone number of region {region}, or of any with +", text)
    if not _TYPED.fullmatch(text):
        raise problem
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        raise problem from None
    # Numbers that are possible only within a town lack their area code: as +49... they would be somebody else's.
    possible = phonenumbers.is_possible_number_with_reason(number) == phonenumbers.ValidationResult.IS_POSSIBLE
    if number.extension or not possible:
        raise problem
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
