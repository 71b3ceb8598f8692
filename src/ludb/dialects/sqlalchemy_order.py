"""In which order tables are written, parents first, and which columns of a circle of foreign keys are filled in at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ludb.dialects.sqlalchemy_schema import ForeignKey, Reflected, fillable
from ludb.errors import ConfigError

Reflect = Callable[[str], Reflected]
Place = tuple[str | None, str]


def ordered(known: Mapping[str, Reflected], system: str, schema: str | None, reflect: Reflect) -> list[str]:
    """Parents before children by foreign keys that speak at once; tables that do not depend on each other by name. Keys in a
    circle whose columns may be NULL do not count. `ConfigError` for a circle of others.
    """
    places = {(found.schema, found.name): name for name, found in known.items()}
    parents = {
        name: {places[key.parent] for key in found.foreign_keys if key.parent in places and not key.late}
        - {name}
        - {places[key.parent] for key in _circling(found, schema, reflect) if key.parent in places}
        for name, found in known.items()
    }
    made: list[str] = []
    left = sorted(known)
    while left:
        free = next((name for name in left if not parents[name] & set(left)), None)
        if free is None:
            raise ConfigError(
                f"system {system}: the foreign keys of {', '.join(left)} form a circle, so that no table can be first",
                remedy="Let the columns of one of them be NULL, have it put off (DEFERRABLE), or use the database's own type",
            )
        made.append(free)
        left.remove(free)
    return made


def late_columns(
    table: Reflected, names: Sequence[str], schema: str | None, reflect: Reflect, *, own: bool
) -> frozenset[str]:
    """Columns among `names` that are to be filled in when all tables are written, with `own` also those that lead to the same
    table; none where the row's primary key is not among them.
    """
    if not set(table.primary_key) <= set(names):
        return frozenset()
    late = {name for key in _circling(table, schema, reflect, own=own) for name in key.columns}
    return frozenset(late & set(names))


def _circling(table: Reflected, schema: str | None, reflect: Reflect, *, own: bool = False) -> list[ForeignKey]:
    """Foreign keys that speak at once, lead back to the table by way of others, and may be NULL for a while."""
    home = (table.schema, table.name)
    free = [key for key in table.foreign_keys if not key.late and fillable(table, key)]
    return [key for key in free if (own if key.parent == home else home in _above(key.parent, schema, reflect))]


def _above(start: Place, schema: str | None, reflect: Reflect) -> set[Place]:
    """All tables that a table's foreign keys lead to, in any number of steps."""
    seen: set[Place] = set()
    left = [start]
    while left:
        place = left.pop()
        try:
            found = reflect(place[1] if place[0] == schema else f"{place[0]}.{place[1]}")
        except ConfigError:  # it cannot be seen, and leads nowhere that we write
            continue
        new = {key.parent for key in found.foreign_keys if not key.late} - seen
        seen |= new
        left += new
    return seen
