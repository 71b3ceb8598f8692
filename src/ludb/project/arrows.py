"""How tables point to each other: by declared foreign keys, and where a legacy schema declares none, by names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ludb.model.shape import TableShape
from ludb.model.unit import Pairs

_PLURALS = ("", "s", "es", "n", "en", "e", "ies")
_PLAIN_KEYS = frozenset(
    {"id", "key", "code", "no", "nr", "num", "number", "uuid", "guid", "name", "oid", "pk", "rowid"}
)
"""Names of keys that say nothing of their table: that two tables have one is no link."""


@dataclass(frozen=True, slots=True)
class Arrow:
    """`child` points to `parent`: pairs of (child column, parent column). `guessed` where no foreign key says so."""

    child: str
    parent: str
    pairs: Pairs
    guessed: bool = False


def arrows(shapes: Sequence[TableShape]) -> list[Arrow]:
    """All of them, in the order of tables and foreign keys. Only a table that declares no foreign key is guessed about."""
    found: list[Arrow] = []
    for child in shapes:
        found += [
            Arrow(child.name, key.parent, tuple(zip(key.columns, key.parent_columns, strict=True)))
            for key in child.foreign_keys
        ]
        if not child.foreign_keys and not child.view:
            found += _guesses(child, shapes)
    return list(dict.fromkeys(found))


def words(name: str) -> list[str]:
    """The words of a name in small letters: `tbl_CustomerOrders` has three."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return [word for word in re.split(r"[^0-9a-zA-Z\u0080-\uffff]+", parted.lower()) if word]


def means(name: str, word: str) -> bool:
    """Whether a table's name is that word, in singular or plural."""
    name = name.lower()
    return any(name == word + ending for ending in _PLURALS) or (word.endswith("y") and name == f"{word[:-1]}ies")


def _guesses(child: TableShape, shapes: Sequence[TableShape]) -> list[Arrow]:
    """Links to the keys of other tables; where several could own a column, the one that it is named after."""
    candidates = [(parent, pairs) for parent in shapes if (pairs := _match(child, parent))]
    best: dict[tuple[str, ...], tuple[TableShape, Pairs]] = {}
    for parent, pairs in candidates:
        mine = tuple(name for name, _ in pairs)
        other = best.get(mine)
        if other is None or (_named_after(mine[-1], parent) and not _named_after(mine[-1], other[0])):
            best[mine] = (parent, pairs)
    return [Arrow(child.name, parent.name, pairs, guessed=True) for parent, pairs in best.values()]


def _match(child: TableShape, parent: TableShape) -> Pairs:
    """Columns of the child that are called and typed as the parent's key, or (`customer_id`) as the parent with its key."""
    if parent.view or not parent.key or parent is child:
        return ()
    pairs = []
    for name in parent.key:
        column, target = child.column(name), parent.column(name)
        assert target is not None
        if len(parent.key) == 1 and name.lower() in _PLAIN_KEYS:
            column = next((c for c in child.columns if _is_named(c.name, parent, name)), None)
        if column is None or column.type != target.type:
            return ()
        pairs.append((column.name, target.name))
    mine = tuple(name for name, _ in pairs)
    if mine == child.key and not (
        len(mine) == 1 and _named_after(mine[0], parent) and not _named_after(mine[0], child)
    ):
        return ()  # the same key on both sides is a link only where the name says whose it is
    return tuple(pairs)


def _is_named(column: str, parent: TableShape, key: str) -> bool:
    """Whether a column means the parent's key: `customer_id`, `CustomerID` for `customers.id`."""
    said = "".join(words(column))
    return said.endswith(key.lower()) and means(words(parent.name)[-1] if words(parent.name) else "", said[: -len(key)])


def _named_after(column: str, table: TableShape) -> bool:
    """Whether a column's first word is the table's last: `customer_id` of `customers`."""
    said, name = words(column), words(table.name)
    return bool(said and name) and means(name[-1], said[0])
