"""Words that mean yes or no."""

from __future__ import annotations

from ludb.sql.counting import UnreadableError, converted, lenient, text_of

_YES = frozenset(
    (
        "1",
        "true",
        "t",
        "yes",
        "y",
        "ja",
        "j",
        "oui",
        "o",
        "si",
        "sí",
        "s",
        "sim",
        "tak",
        "da",
        "x",
        "on",
        "wahr",
        "vrai",
        "ok",
    )
)
_NO = frozenset(
    ("0", "false", "f", "no", "n", "nein", "non", "não", "nie", "net", "niet", "off", "falsch", "faux", "falso")
)


def parse_boolean(value: object) -> bool | None:
    """True or false out of the words for it in several languages (`ja`, `N`, `1`, `off`, `oui`, ...); None for NULL and
    blanks. `UnreadableError` otherwise.
    """
    text = text_of(value)
    if text is None or not text.strip():
        return converted("parse_boolean", value, None)
    word = text.strip().lower()
    if word not in _YES and word not in _NO:
        raise UnreadableError("parse_boolean: this is no word for yes or no", text)
    return converted("parse_boolean", value, word in _YES)


def try_parse_boolean(value: object) -> bool | None:
    """As `parse_boolean`, but None where that finds no word it knows."""
    return lenient("try_parse_boolean", lambda: parse_boolean(value))
