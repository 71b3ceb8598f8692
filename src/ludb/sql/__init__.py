"""Cleansing for legacy data: functions that every SQL step may call, and Python steps import from here.

The modules are imported when a name is first asked for, so that a job which uses none pays for none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ludb.sql.counting import MisuseError, UnreadableError, counting
from ludb.sql.library import FUNCTIONS

if TYPE_CHECKING:
    from ludb.sql.checks import parse_iban as parse_iban
    from ludb.sql.checks import try_parse_iban as try_parse_iban
    from ludb.sql.checks import valid_ean as valid_ean
    from ludb.sql.checks import valid_iban as valid_iban
    from ludb.sql.checks import valid_iccid as valid_iccid
    from ludb.sql.checks import valid_luhn as valid_luhn
    from ludb.sql.checks import valid_mod11 as valid_mod11
    from ludb.sql.checks import valid_mod97 as valid_mod97
    from ludb.sql.dates import parse_date as parse_date
    from ludb.sql.dates import parse_timestamp as parse_timestamp
    from ludb.sql.dates import try_parse_date as try_parse_date
    from ludb.sql.dates import try_parse_timestamp as try_parse_timestamp
    from ludb.sql.dates import valid_date as valid_date
    from ludb.sql.names import name_case as name_case
    from ludb.sql.names import split_name as split_name
    from ludb.sql.numbers import parse_decimal as parse_decimal
    from ludb.sql.numbers import try_parse_decimal as try_parse_decimal
    from ludb.sql.phone import phone_e164 as phone_e164
    from ludb.sql.phone import try_phone_e164 as try_phone_e164
    from ludb.sql.phone import valid_phone as valid_phone
    from ludb.sql.text import blank_to_null as blank_to_null
    from ludb.sql.text import collapse_spaces as collapse_spaces
    from ludb.sql.text import fix_mojibake as fix_mojibake
    from ludb.sql.text import replace_nul as replace_nul
    from ludb.sql.words import parse_boolean as parse_boolean
    from ludb.sql.words import try_parse_boolean as try_parse_boolean

__all__ = ["FUNCTIONS", "MisuseError", "UnreadableError", "counting"]


def __getattr__(name: str) -> Any:
    """The function of this name, from its own module."""
    if name not in FUNCTIONS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return FUNCTIONS[name].load()
