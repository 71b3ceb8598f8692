"""The functions that steps may call, as data: what registers them in the unit database, shows their counts and documents
them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any


@dataclass(frozen=True, slots=True)
class Function:
    """One function: where its Python form lives, its SQL types, and what its count is called in a summary.

    `arguments` are (name, SQL type, default as SQL text or None) behind the first one, which is always text.
    """

    name: str
    module: str
    returns: str
    arguments: tuple[tuple[str, str, str | None], ...] = ()
    label: str = ""

    def load(self) -> Callable[..., Any]:
        """The Python function; its module, and the library that this needs, are imported now."""
        found: Callable[..., Any] = getattr(import_module(f"ludb.sql.{self.module}"), self.name)
        return found


_MOMENT = (("formats", "VARCHAR", "'YMD|DMY'"), ("pivot_year", "INTEGER", "NULL"))
_NUMBER = (("mark", "VARCHAR", "','"), ("decimals", "INTEGER", "2"))
_REGION = (("region", "VARCHAR", None),)
_NAME = "STRUCT(prefix VARCHAR, given VARCHAR, family VARCHAR, suffix VARCHAR)"

FUNCTIONS = {
    function.name: function
    for function in (
        Function("parse_date", "dates", "DATE", _MOMENT, "dates converted"),
        Function("try_parse_date", "dates", "DATE", _MOMENT, "unreadable dates made NULL"),
        Function("valid_date", "dates", "BOOLEAN", _MOMENT),
        Function("parse_timestamp", "dates", "TIMESTAMP", _MOMENT, "timestamps converted"),
        Function("try_parse_timestamp", "dates", "TIMESTAMP", _MOMENT, "unreadable timestamps made NULL"),
        Function("blank_to_null", "text", "VARCHAR", (), "texts trimmed or made NULL"),
        Function("collapse_spaces", "text", "VARCHAR", (), "texts freed of extra blanks"),
        Function("fix_mojibake", "text", "VARCHAR", (), "texts repaired"),
        Function("replace_nul", "text", "VARCHAR", (("instead", "VARCHAR", "''"),), "texts freed of NUL"),
        Function("name_case", "names", "VARCHAR", (), "names set in mixed case"),
        Function("split_name", "names", _NAME, (), "names split"),
        Function("phone_e164", "phone", "VARCHAR", _REGION, "phone numbers normalised"),
        Function("try_phone_e164", "phone", "VARCHAR", _REGION, "unreadable phone numbers made NULL"),
        Function("valid_phone", "phone", "BOOLEAN", _REGION),
        Function("parse_boolean", "words", "BOOLEAN", (), "words read as yes or no"),
        Function("try_parse_boolean", "words", "BOOLEAN", (), "unreadable words made NULL"),
        Function("parse_decimal", "numbers", "DECIMAL(38, 9)", _NUMBER, "numbers read from text"),
        Function("try_parse_decimal", "numbers", "DECIMAL(38, 9)", _NUMBER, "unreadable numbers made NULL"),
        Function("parse_iban", "checks", "VARCHAR", (), "IBANs normalised"),
        Function("try_parse_iban", "checks", "VARCHAR", (), "wrong IBANs made NULL"),
        Function("valid_iban", "checks", "BOOLEAN"),
        Function("valid_luhn", "checks", "BOOLEAN"),
        Function("valid_iccid", "checks", "BOOLEAN"),
        Function("valid_ean", "checks", "BOOLEAN"),
        Function("valid_mod97", "checks", "BOOLEAN"),
        Function("valid_mod11", "checks", "BOOLEAN"),
    )
}
"""Every function by name. A check changes nothing, so it has no label."""

_CALL = re.compile(rf'\b({"|".join(FUNCTIONS)})"?\s*\(', re.IGNORECASE)


@lru_cache(maxsize=1024)
def called_in(sql: str) -> frozenset[str]:
    """The functions whose names a text seems to call: all that it does call, and perhaps one that a comment names."""
    return frozenset(name.lower() for name in _CALL.findall(sql))


def told(conversions: Mapping[str, int]) -> str:
    """Counts as a person reads them, the largest first: `1,204 dates converted, 12 texts repaired`."""
    ranked = sorted(conversions.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,} {FUNCTIONS[name].label if name in FUNCTIONS else name}" for name, count in ranked)
