"""Numbers in sentences."""

from __future__ import annotations


def plural(number: int, one: str, many: str = "") -> str:
    """A number of things, as people say it: `1 chunk`, `2,000 chunks`; `many` where an s makes no plural: `1 unit is`, `2 units
    are`.
    """
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
