"""Names of people: casing, and the parts of a name that stands in one field."""

from __future__ import annotations

import re

from ludb.sql.counting import converted, text_of


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PARTICLES = _words(
    "af auf aus d da das de degli dei del della den der des di do dos du el het la las le los op 't ten ter und van vom von y "
    "zu zum zur"
)
"""Words that belong to the family name behind them."""
_SURE_PARTICLES = _PARTICLES - _words("d do la le und y")
"""Those that are no given name."""
_PREFIXES = _words(
    "dipl dipl-ing dipl-kfm dr dra fr frau fräulein herr hr ing lic mag mlle mme miss mr mrs ms mx prof profa rev sir sra srta"
)
_SUFFIXES = _words("ba bsc esq ii iii iv jr jun junior mba md msc phd sen senior sr")
_STARTS = re.compile("(^|[-'\u2019.(/])(\\w)")
"""The first letter of a word, and of each part of it: Anne-Marie, O'Brien."""


def name_case(value: object) -> str | None:
    """A name that is all capitals, or has none, with one capital to a word: `ANNE-MARIE VON DER HEYDE` is
    `Anne-Marie von der Heyde`. A name in mixed case stays as it is: somebody took care.
    """
    text = text_of(value)
    if text is None:
        return None
    if text != text.upper() and text != text.lower():
        return text
    words = [_word(word, first=number == 0) for number, word in enumerate(text.lower().split(" "))]
    return converted("name_case", value, " ".join(words))


def _word(word: str, *, first: bool) -> str:
    if not first and word in _SURE_PARTICLES:
        return word
    return _STARTS.sub(lambda found: found[1] + found[2].upper(), word)


def split_name(value: object) -> dict[str, str | None] | None:
    """A person's name as `prefix`, `given`, `family`, `suffix`; None for NULL and blanks.

    `Family, Given` at a comma; else titles in front, generations and degrees behind, the last word with the particles before
    it (`von der Heyde`) is the family. One word is a family name. The words are not changed: this is a split by rule, not
    knowledge of the person.
    """
    text = text_of(value)
    words = (text or "").split()
    if not words:
        return converted("split_name", value, None)
    before, comma, after = " ".join(words).partition(",")
    suffix: list[str] = []
    if comma and not _all_suffixes(after):
        prefix, family = _titles(before.split())
        more, given = _titles(after.split())
        given, suffix = _generations(given, keep=0)
        prefix += more
    else:
        prefix, rest = _titles(before.split())
        rest, suffix = _generations(rest, keep=1)
        suffix += after.split()
        start = len(rest) - 1
        while start > 1 and rest[start - 1].lower() in _PARTICLES:
            start -= 1
        if start == 1 and rest[0].lower() in _SURE_PARTICLES:
            start = 0
        given, family = rest[: max(start, 0)], rest[max(start, 0) :]
    parts = {"prefix": prefix, "given": given, "family": family, "suffix": suffix}
    made = {name: " ".join(found) or None for name, found in parts.items()}
    return converted("split_name", value, made)


def _titles(words: list[str]) -> tuple[list[str], list[str]]:
    """Titles in front, and the rest; the last word is never a title."""
    count = 0
    while count < len(words) - 1 and _plain(words[count]) in _PREFIXES:
        count += 1
    return words[:count], words[count:]


def _generations(words: list[str], keep: int) -> tuple[list[str], list[str]]:
    """The words, of which `keep` stay at least, and what stands behind the name."""
    count = len(words)
    while count > keep and _plain(words[count - 1]) in _SUFFIXES:
        count -= 1
    return words[:count], words[count:]


def _all_suffixes(text: str) -> bool:
    return all(_plain(word) in _SUFFIXES for word in text.split())


def _plain(word: str) -> str:
    return word.lower().replace(".", "").strip(",")
