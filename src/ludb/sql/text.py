"""Texts as clerks and old programs left them: blanks, and encodings that broke on the way."""

from __future__ import annotations

import re
from functools import lru_cache

import ftfy

from ludb.sql.counting import converted, text_of

_SPACES = re.compile(r"\s+")
_ENCODING = ftfy.TextFixerConfig(unescape_html=False, replace_lossy_sequences=False)
"""Repair what was decoded wrongly, and nothing else: no entities, and no guess at letters that are lost."""


def blank_to_null(value: object) -> str | None:
    """The text without blanks around it; None where nothing is left."""
    text = text_of(value)
    return converted("blank_to_null", value, (text or "").strip() or None)


def collapse_spaces(value: object) -> str | None:
    """The text with every run of blanks, tabs and line ends as one blank, and none around it."""
    text = text_of(value)
    return None if text is None else converted("collapse_spaces", value, _SPACES.sub(" ", text).strip())


def fix_mojibake(value: object) -> str | None:
    """The text as it was before somebody decoded it wrongly: `MÃ¼ller` was `Müller`. Sound texts stay as they are."""
    text = text_of(value)
    return None if text is None else converted("fix_mojibake", value, _repaired(text))


def replace_nul(value: object, instead: str = "") -> str | None:
    """The text with every NUL character, which some databases cannot hold, as `instead`."""
    text = text_of(value)
    return None if text is None else converted("replace_nul", value, text.replace("\0", instead))


@lru_cache(maxsize=4_096)
def _repaired(text: str) -> str:
    return text if text.isascii() else str(ftfy.fix_encoding(text, _ENCODING))
