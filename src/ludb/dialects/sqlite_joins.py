"""The SQL that follows the links of a unit through SQLite tables: as a join from keys, and as an anti-join for orphans.

Every column is written with its table's alias: SQLite takes an unknown name in double quotes for a text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ludb.dialects.sqlite import quote
from ludb.dialects.sqlite_schema import Reflected
from ludb.model.unit import Pairs, UnitTable

KEYS = "ludb_keys_wanted"
"""The temporary table of the keys that `fetch_sql` looks up: columns c0, c1, ..., without types, so that each
comparison follows the rules of the column that it meets."""


@dataclass(frozen=True, slots=True)
class Stop:
    """One table on a path, with its reflection: `on` links to the stop before, `recursive` to the table itself."""

    table: Reflected
    on: Pairs
    recursive: Pairs


def stops(path: Sequence[UnitTable], tables: Sequence[Reflected]) -> tuple[Stop, ...]:
    """The path as stops; the first one's own link leads out of the path and is left away."""
    return tuple(
        Stop(table, () if number == 0 else unit.on, unit.recursive)
        for number, (unit, table) in enumerate(zip(path, tables, strict=True))
    )


def fetch_sql(path: Sequence[Stop], by: Sequence[str], names: Sequence[str]) -> str:
    """Rows of the last stop as (match..., names...), driven from the temporary table of keys, each once per match.

    CROSS JOIN keeps SQLite from starting at the other end. A parent whose linked columns are not a key of it is reduced
    to distinct values first, so that it cannot repeat a child. Recursion is followed between the first and the last
    stop.
    """
    first, last = path[0], path[-1]
    match = [f"a.{quote(name)}" for name in by]
    wanted = ", ".join(f"c{number}" for number in range(len(by)))
    where = f"WHERE {_row(match)} IN (SELECT {wanted} FROM temp.{KEYS})"
    columns = [f"a.{quote(name)}" for name in names]
    if len(path) == 1:
        return f"SELECT {', '.join(match + columns)} FROM {_from(first)} {where}"
    exact = " COLLATE BINARY" if any(stop.table.collates for stop in path) else ""
    marks = [f"m{number}" for number in range(len(by))]
    levels = []
    for number, stop in enumerate(path[:-1]):
        link = [parent for _, parent in path[number + 1].on]
        distinct = "" if stop.table.is_unique(link) and not exact else "DISTINCT "
        out = [f"a.{quote(name)}{exact}" for name in link]
        head = ", ".join([*marks, *(f"x{at}" for at in range(len(link)))])
        if number == 0:
            own = [f"{name}{exact}" for name in match]
            levels.append(f"l0({head}) AS (SELECT {distinct}{', '.join(own + out)} FROM {_from(stop)} {where})")
        elif stop.recursive:
            levels.append(_recursive_level(number, stop, marks, link))
        else:
            carried = [f"p.{mark}{exact}" for mark in marks]
            levels.append(f"l{number}({head}) AS (SELECT {distinct}{', '.join(carried + out)} {_join(number, stop)})")
    select = ", ".join([*(f"p.{mark}" for mark in marks), *columns])
    return f"WITH RECURSIVE {', '.join(levels)} SELECT {select} {_join(len(path) - 1, last)}"


def orphans_sql(path: Sequence[Stop], names: Sequence[str]) -> str:
    """Rows of the last stop that no chain reaches: (link..., direct, names...). Each level's reachable link values are
    gathered once, then looked up.
    """
    last, parent = path[-1], path[-2]
    levels = []
    for number, stop in enumerate(path[:-1]):
        link = [name for _, name in path[number + 1].on]
        reached = "" if number == 0 else f"WHERE {_reached(number, stop)}"
        levels.append(_reach(f"l{number}", stop, link, reached))
    here = _reached(len(path) - 1, last)
    if last.recursive:
        # Rows reached by walking up the self reference are no orphans, so the walk is a level of its own.
        levels.append(_reach("walk", last, [name for _, name in last.recursive], f"WHERE {here}"))
        steps = [f"a.{quote(child)}" for child, _ in last.recursive]
        here = f"({here} OR {_in(steps, 'walk')})"
    own = [f"a.{quote(child)}" for child, _ in last.on]
    held = _and(f"b.{quote(name)} IS NOT NULL" for _, name in last.on)
    there = ", ".join(f"b.{quote(name)}" for _, name in last.on)
    direct = f"{_row(own)} IN (SELECT {there} FROM {_from(parent, 'b')} WHERE {held})"
    select = ", ".join([*own, f"coalesce({direct}, 0) = 0", *(f"a.{quote(name)}" for name in names)])
    return f"WITH RECURSIVE {', '.join(levels)} SELECT {select} FROM {_from(last)} WHERE NOT coalesce({here}, 0)"


def folded_sql(child: Reflected, parent: Reflected, on: Pairs) -> str | None:
    """Counts the pairs of rows that a collation alone joins; None where neither table has one."""
    if not (child.collates or parent.collates):
        return None
    met = [f"a.{quote(here)} = b.{quote(above)}" for here, above in on]
    same = _and(f"{term} COLLATE BINARY" for term in met)
    tables = f"main.{quote(child.name)} AS a JOIN main.{quote(parent.name)} AS b"
    return f"SELECT count(*) FROM {tables} ON {_and(met)} WHERE NOT ({same})"


def _recursive_level(number: int, stop: Stop, marks: Sequence[str], link: Sequence[str]) -> str:
    """A level with its walk: w<n> holds (match, parent column of the self reference, link) of every row reached."""
    up = [f"a.{quote(name)}" for _, name in stop.recursive]
    out = [f"a.{quote(name)}" for name in link]
    steps = [f"u{at}" for at in range(len(up))]
    ends = [f"x{at}" for at in range(len(link))]
    head = ", ".join([*marks, *steps, *ends])
    start = ", ".join([*(f"p.{mark}" for mark in marks), *up, *out])
    on = _and(f"a.{quote(child)} = p.u{at}" for at, (child, _) in enumerate(stop.recursive))
    again = f"SELECT {start} FROM w{number} AS p CROSS JOIN {_from(stop)} ON {on}"
    walk = f"SELECT {start} {_join(number, stop)} UNION {again}"
    plain = ", ".join([*marks, *ends])
    return f"w{number}({head}) AS ({walk}), l{number}({plain}) AS (SELECT DISTINCT {plain} FROM w{number})"


def _reach(name: str, stop: Stop, link: Sequence[str], where: str) -> str:
    """A CTE with the link values of the rows that `where` lets through, and of those below them."""
    ends = [f"x{at}" for at in range(len(link))]
    out = [f"a.{quote(column)}" for column in link]
    if not stop.recursive:
        return f"{name}({', '.join(ends)}) AS (SELECT DISTINCT {', '.join(out)} FROM {_from(stop)} {where})"
    steps = [f"u{at}" for at in range(len(stop.recursive))]
    row = ", ".join([*(f"a.{quote(parent)}" for _, parent in stop.recursive), *out])
    on = _and(f"a.{quote(child)} = p.u{at}" for at, (child, _) in enumerate(stop.recursive))
    head = ", ".join([*steps, *ends])
    walk = (
        f"SELECT {row} FROM {_from(stop)} {where} UNION SELECT {row} FROM w{name} AS p CROSS JOIN {_from(stop)} ON {on}"
    )
    plain = ", ".join(ends)
    return f"w{name}({head}) AS ({walk}), {name}({plain}) AS (SELECT DISTINCT {plain} FROM w{name})"


def _reached(number: int, stop: Stop) -> str:
    return _in([f"a.{quote(child)}" for child, _ in stop.on], f"l{number - 1}")


def _in(columns: Sequence[str], level: str) -> str:
    names = [f"x{at}" for at in range(len(columns))]
    held = _and(f"{name} IS NOT NULL" for name in names)
    return f"{_row(columns)} IN (SELECT {', '.join(names)} FROM {level} WHERE {held})"


def _join(number: int, stop: Stop) -> str:
    on = _and(f"a.{quote(child)} = p.x{at}" for at, (child, _) in enumerate(stop.on))
    return f"FROM l{number - 1} AS p CROSS JOIN {_from(stop)} ON {on}"


def _from(stop: Stop, alias: str = "a") -> str:
    return f"main.{quote(stop.table.name)} AS {alias}"


def _row(columns: Sequence[str]) -> str:
    return columns[0] if len(columns) == 1 else f"({', '.join(columns)})"


def _and(parts: Iterable[str]) -> str:
    return " AND ".join(parts)
