"""The SQL that follows the links of a unit through PostgreSQL tables: as a join from keys, and as an anti-join for orphans."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ludb.dialects.postgres import quote
from ludb.dialects.postgres_schema import Reflected, Type
from ludb.model.unit import Pairs, UnitTable

_KINDS = {"N": "number", "S": "text", "D": "moment"}


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


def fetch_sql(path: Sequence[Stop], where: str, match: Sequence[str], columns: Sequence[str]) -> str:
    """Rows of the last stop as (match..., columns...), each once per match; `where` chooses rows of the first, called a.

    A parent whose linked columns are not a key of it is reduced to distinct values first, so that it cannot repeat a
    child. Recursion is followed between the first and the last stop.
    """
    first = path[0]
    if len(path) == 1:
        return f"SELECT {', '.join([*match, *columns])} FROM {first.table.sql} AS a WHERE {where}"
    marks = [f"m{number}" for number in range(len(match))]
    levels = []
    for number, stop in enumerate(path[:-1]):
        link = [parent for _, parent in path[number + 1].on]
        distinct = "" if stop.table.is_unique(link) else "DISTINCT "
        out = [f"a.{quote(name)}" for name in link]
        head = ", ".join([*marks, *(f"x{at}" for at in range(len(link)))])
        if number == 0:
            own = ", ".join([*match, *out])
            levels.append(f"l0({head}) AS (SELECT {distinct}{own} FROM {stop.table.sql} AS a WHERE {where})")
        elif stop.recursive:
            levels.append(_recursive_level(number, path, marks, link))
        else:
            carried = ", ".join([*(f"p.{mark}" for mark in marks), *out])
            levels.append(f"l{number}({head}) AS (SELECT {distinct}{carried} {_join(number, path)})")
    select = ", ".join([*(f"p.{mark}" for mark in marks), *columns])
    return f"WITH RECURSIVE {', '.join(levels)} SELECT {select} {_join(len(path) - 1, path)}"


def orphans_sql(path: Sequence[Stop], names: Sequence[str]) -> str:
    """Rows of the last stop that no chain reaches: (link as texts..., direct, names...). Each level's reachable link
    values are gathered once, then anti-joined.
    """
    last, parent = path[-1], path[-2]
    levels = []
    for number, stop in enumerate(path[:-1]):
        link = [name for _, name in path[number + 1].on]
        reached = "" if number == 0 else f"WHERE {_reached(number, path)}"
        levels.append(_reach(f"l{number}", stop, link, reached))
    here = _reached(len(path) - 1, path)
    lost = f"NOT {here}"
    if last.recursive:
        # Rows reached by walking up the self reference are no orphans, so the walk is a level of its own.
        levels.append(_reach("walk", last, [name for _, name in last.recursive], f"WHERE {here}"))
        climbs = _equal(last.recursive, last, last, "p.x")
        lost += f" AND NOT EXISTS (SELECT 1 FROM walk AS p WHERE {climbs})"
    own = [f"a.{quote(child)}::text" for child, _ in last.on]
    there = _and(_same(last, child, parent, above, f"b.{quote(above)}") for child, above in last.on)
    direct = f"NOT EXISTS (SELECT 1 FROM {parent.table.sql} AS b WHERE {there})"
    select = ", ".join([*own, direct, *names])
    return f"WITH RECURSIVE {', '.join(levels)} SELECT {select} FROM {last.table.sql} AS a WHERE {lost}"


def folded_sql(child: Reflected, parent: Reflected, on: Pairs) -> str | None:
    """Counts the pairs of rows that a link joins though a text in it differs as it is handed out; None where it has no text.
    Whether it can be worth it, `may_fold` says.
    """
    here, above = Stop(child, on, ()), Stop(parent, (), ())
    texts = [pair for pair in on if {child.types[pair[0]].category, parent.types[pair[1]].category} == {"S"}]
    if not texts:
        return None
    met = _and(_same(here, name, above, up, f"b.{quote(up)}") for name, up in on)
    # format() shows what is handed out: a cast to text would cut the blanks of char(n).
    same = _and(f"format('%s', a.{quote(name)}) = format('%s', b.{quote(up)}) COLLATE \"C\"" for name, up in texts)
    return f"SELECT count(*) FROM {child.sql} AS a JOIN {parent.sql} AS b ON {met} WHERE NOT ({same})"


FOLDING = "SELECT count(*) FROM pg_collation WHERE NOT collisdeterministic"
"""How many collations of the database take different texts for equal; it has none unless somebody made one."""


def may_fold(child: Reflected, parent: Reflected, on: Pairs) -> bool:
    """Whether a type of the link compares texts in a way of its own: citext, or char(n) with another length or type."""
    kinds = [(child.types[here], parent.types[above]) for here, above in on]
    return any("citext" in (one.name, other.name) for one, other in kinds) or any(
        "bpchar" in (one.name, other.name) and (one.name, one.length) != (other.name, other.length)
        for one, other in kinds
    )


def _recursive_level(number: int, path: Sequence[Stop], marks: Sequence[str], link: Sequence[str]) -> str:
    """A level with its walk: w<n> holds (match, parent column of the self reference, link) of every row reached."""
    stop = path[number]
    up = [f"a.{quote(name)}" for _, name in stop.recursive]
    out = [f"a.{quote(name)}" for name in link]
    steps = [f"u{at}" for at in range(len(up))]
    ends = [f"x{at}" for at in range(len(link))]
    head = ", ".join([*marks, *steps, *ends])
    start = ", ".join([*(f"p.{mark}" for mark in marks), *up, *out])
    again = (
        f"SELECT {start} FROM w{number} AS p JOIN {stop.table.sql} AS a ON {_equal(stop.recursive, stop, stop, 'p.u')}"
    )
    walk = f"SELECT {start} {_join(number, path)} UNION {again}"
    plain = ", ".join([*marks, *ends])
    return f"w{number}({head}) AS ({walk}), l{number}({plain}) AS (SELECT DISTINCT {plain} FROM w{number})"


def _reach(name: str, stop: Stop, link: Sequence[str], where: str) -> str:
    """A CTE with the link values of the rows that `where` lets through, and of those below them."""
    ends = [f"x{at}" for at in range(len(link))]
    out = [f"a.{quote(column)}" for column in link]
    if not stop.recursive:
        distinct = "" if stop.table.is_unique(link) else "DISTINCT "
        return f"{name}({', '.join(ends)}) AS (SELECT {distinct}{', '.join(out)} FROM {stop.table.sql} AS a {where})"
    steps = [f"u{at}" for at in range(len(stop.recursive))]
    row = ", ".join([*(f"a.{quote(parent)}" for _, parent in stop.recursive), *out])
    head = ", ".join([*steps, *ends])
    on = _equal(stop.recursive, stop, stop, "p.u")
    walk = (
        f"SELECT {row} FROM {stop.table.sql} AS a {where}"
        f" UNION SELECT {row} FROM w{name} AS p JOIN {stop.table.sql} AS a ON {on}"
    )
    plain = ", ".join(ends)
    return f"w{name}({head}) AS ({walk}), {name}({plain}) AS (SELECT DISTINCT {plain} FROM w{name})"


def _reached(number: int, path: Sequence[Stop]) -> str:
    return f"EXISTS (SELECT 1 FROM l{number - 1} AS p WHERE {_equal(path[number].on, path[number], path[number - 1], 'p.x')})"


def _join(number: int, path: Sequence[Stop]) -> str:
    on = _equal(path[number].on, path[number], path[number - 1], "p.x")
    return f"FROM l{number - 1} AS p JOIN {path[number].table.sql} AS a ON {on}"


def _equal(pairs: Pairs, child: Stop, parent: Stop, prefix: str) -> str:
    return _and(_same(child, name, parent, above, f"{prefix}{at}") for at, (name, above) in enumerate(pairs))


def _same(child: Stop, name: str, parent: Stop, above: str, value: str) -> str:
    """Two columns of a link; where their types have no equality, their texts."""
    ours, theirs = child.table.types[name], parent.table.types[above]
    if _kind(ours) == _kind(theirs):
        return f"a.{quote(name)} = {value}"
    return f"a.{quote(name)}::text = {value}::text"


def _kind(kind: Type) -> str:
    return _KINDS.get(kind.category, kind.name)


def _and(parts: Iterable[str]) -> str:
    return " AND ".join(parts)
