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
    """One function: where its Python form lives, its SQL types, and what its count is called in a summary (`{s}` is where
    its plural has an s).

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
        Function("parse_date", "dates", "DATE", _MOMENT, "date{s} converted"),
        Function("try_parse_date", "dates", "DATE", _MOMENT, "unreadable date{s} made NULL"),
        Function("valid_date", "dates", "BOOLEAN", _MOMENT),
        Function("parse_timestamp", "dates", "TIMESTAMP", _MOMENT, "timestamp{s} converted"),
        Function("try_parse_timestamp", "dates", "TIMESTAMP", _MOMENT, "unreadable timestamp{s} made NULL"),
        Function("blank_to_null", "text", "VARCHAR", (), "text{s} trimmed or made NULL"),
        Function("collapse_spaces", "text", "VARCHAR", (), "text{s} freed of extra blanks"),
        Function("fix_mojibake", "text", "VARCHAR", (), "text{s} repaired"),
        Function("replace_nul", "text", "VARCHAR", (("instead", "VARCHAR", "''"),), "text{s} freed of NUL"),
        Function("name_case", "names", "VARCHAR", (), "name{s} set in mixed case"),
        Function("split_name", "names", _NAME, (), "name{s} split"),
        Function("phone_e164", "phone", "VARCHAR", _REGION, "phone number{s} normalised"),
        Function("try_phone_e164", "phone", "VARCHAR", _REGION, "unreadable phone number{s} made NULL"),
        Function("valid_phone", "phone", "BOOLEAN", _REGION),
        Function("parse_boolean", "words", "BOOLEAN", (), "word{s} read as yes or no"),
        Function("try_parse_boolean", "words", "BOOLEAN", (), "unreadable word{s} made NULL"),
        Function("parse_decimal", "numbers", "DECIMAL(38, 9)", _NUMBER, "number{s} read from text"),
        Function("try_parse_decimal", "numbers", "DECIMAL(38, 9)", _NUMBER, "unreadable number{s} made NULL"),
        Function("parse_iban", "checks", "VARCHAR", (), "IBAN{s} normalised"),
        Function("try_parse_iban", "checks", "VARCHAR", (), "wrong IBAN{s} made NULL"),
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
    return ", ".join(f"{count:,} {_label(name, count)}" for name, count in ranked)


def _label(name: str, count: int) -> str:
    return FUNCTIONS[name].label.format(s="" if count == 1 else "s") if name in FUNCTIONS else name
