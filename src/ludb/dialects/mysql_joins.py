"""The SQL that follows the links of a unit through tables of one server: as joins from keys, and as anti-joins for orphans.

Links compare as the server compares the two columns where both share a collation; texts of two collations compare by
bytes, texts and whole numbers as numbers. A parent whose linked columns are no key of it is reduced to distinct values
first, so that it cannot repeat a child.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ludb.dialects.mysql import conjunction, placed, quote
from ludb.dialects.mysql_schema import INTEGERS, TEXTS, Detail, Reflected
from ludb.dialects.mysql_values import exact
from ludb.model.unit import Pairs, UnitTable

ROW_NUMBER = "ludb_row"
"""The column that names the rows of a table without a key, where orphans are listed."""


@dataclass(frozen=True, slots=True)
class Stop:
    """One table on a path, with its reflection: `on` links to the stop before, `recursive` to the table itself."""

    table: Reflected
    on: Pairs
    recursive: Pairs


@dataclass(frozen=True, slots=True)
class _Way:
    """A path without its last stop: what stands after FROM and WHERE, and expressions over it: the matched keys, and the
    values that the last stop is linked to.
    """

    source: str
    where: str
    marks: tuple[str, ...]
    links: tuple[str, ...]

    def select(self, head: Sequence[str], join: str = "") -> str:
        """A query over the way, with a further join."""
        where = f" WHERE {self.where}" if self.where else ""
        return f"SELECT {', '.join(head)} FROM {self.source}{join}{where}"


def stops(path: Sequence[UnitTable], tables: Sequence[Reflected], system: str) -> tuple[Stop, ...]:
    """The path as stops; the first one's own link leads out of the path and is left away. `ConfigError` for a linked
    column that is not there.
    """
    found = []
    for number, (unit, table) in enumerate(zip(path, tables, strict=True)):
        on = unit.on if number else ()
        for child, parent in on:
            table.get(child, system)
            tables[number - 1].get(parent, system)
        for child, parent in unit.recursive:
            table.get(child, system)
            table.get(parent, system)
        found.append(Stop(table, on, unit.recursive))
    return tuple(found)


def fetch_sql(path: Sequence[Stop], by: Sequence[Detail], where: str, select: Sequence[str]) -> str:
    """Rows of the last stop as (match..., select...), each once per match. `where` is over the first stop, called t0;
    `select` is over the last, called `last_alias(path)`.
    """
    marks = tuple(exact(detail, "t0") for detail in by)
    last = path[-1]
    if len(path) == 1:
        return _Way(_from(last, "t0"), where, marks, ()).select([*marks, *select])
    way = _along(path, marks, where, join="STRAIGHT_JOIN")
    on = _met(path, len(path) - 1, "a", way.links)
    return way.select([*way.marks, *select], f" STRAIGHT_JOIN {_from(last, 'a')} ON {on}")


def last_alias(path: Sequence[object]) -> str:
    """What `fetch_sql` calls the last stop."""
    return "t0" if len(path) == 1 else "a"


def orphans_sql(path: Sequence[Stop], select: Sequence[str], *, numbered: bool) -> str:
    """Rows of the last stop that no chain reaches: (link..., direct, select...), from alias a, which has the column
    `ROW_NUMBER` where `numbered`.
    """
    last, at = path[-1], len(path) - 1
    way = _along(path, (), "", join="JOIN")
    joins = f" LEFT JOIN ({way.source}) ON {_met(path, at, 'a', way.links)}"
    lost = [f"{way.links[0]} IS NULL"]
    direct = "1"
    if at > 1:
        above = _along(path[-2:], (), "", join="JOIN", alias="s")
        joins += f" LEFT JOIN ({above.source}) ON {_met(path, at, 'a', above.links)}"
        direct = f"{above.links[0]} IS NULL"
    if last.recursive:
        up = tuple(f"w0.{quote(parent)}" for _, parent in last.recursive)
        steps = [f"a.{quote(child)} = v.x{n}" for n, (child, _) in enumerate(last.recursive)]
        walk = _walk(path, at, _along(path, (), "", join="JOIN", alias="w_"), "w0", up, "JOIN")
        joins += f" LEFT JOIN ({walk}) AS v ON {conjunction(steps)}"
        lost.append("v.x0 IS NULL")
    own = [exact(_detail(last.table, child), "a") for child, _ in last.on]
    rows = _from(last, "a")
    if numbered:
        rows = f"(SELECT t.*, ROW_NUMBER() OVER () AS {ROW_NUMBER} FROM {_from(last, 't')}) AS a"
    return _Way(rows, conjunction(lost), (), ()).select([*own, direct, *select], joins)


def folded_sql(child: Reflected, parent: Reflected, on: Pairs) -> str | None:
    """Counts the pairs of rows that a link joins though a text in it differs in its bytes; None where no text is compared by
    a collation. Also `_bin` takes `a ` for `a`.
    """
    path = (Stop(parent, (), ()), Stop(child, on, ()))
    pairs = [(_detail(child, here), _detail(parent, above)) for here, above in on]
    texts = [(here, above) for here, above in pairs if here.kind in TEXTS and _kind(here, above) == "same"]
    if not texts:
        return None
    met = _met(path, 1, "a", [_linked(here, above, "b") for here, above in pairs])
    same = conjunction([f"{exact(here, 'a')} = {exact(above, 'b')}" for here, above in texts])
    return f"SELECT count(*) FROM {_from(path[0], 'b')} JOIN {_from(path[1], 'a')} ON {met} WHERE NOT ({same})"


def _along(path: Sequence[Stop], marks: tuple[str, ...], where: str, *, join: str, alias: str = "t") -> _Way:
    """The way up to the last stop but one."""
    way = _Way(_from(path[0], f"{alias}0"), where, marks, ())
    for number, stop in enumerate(path[:-1]):
        name = f"{alias}{number}"
        pairs = [
            (_detail(path[number + 1].table, child), _detail(stop.table, parent))
            for child, parent in path[number + 1].on
        ]
        links = tuple(_linked(child, parent, name) for child, parent in pairs)
        if number and stop.recursive:
            source = f"({_walk(path, number, way, name, links, join)}) AS {name}d"
        else:
            if number:
                on = _met(path, number, name, way.links)
                way = _Way(f"{way.source} {join} {_from(stop, name)} ON {on}", way.where, way.marks, ())
            plain = not any(_kind(child, parent) == "number" and parent.kind in TEXTS for child, parent in pairs)
            if plain and stop.table.is_unique([parent.name for _, parent in pairs]):
                way = _Way(way.source, way.where, way.marks, links)
                continue
            distinct = [*_as("m", way.marks), *_as("x", links)]
            source = f"({way.select(distinct).replace('SELECT ', 'SELECT DISTINCT ', 1)}) AS {name}d"
        way = _Way(source, "", _names(f"{name}d.m", way.marks), _names(f"{name}d.x", links))
    return way


def _walk(path: Sequence[Stop], number: int, way: _Way, name: str, out: tuple[str, ...], join: str) -> str:
    """Distinct (mark..., out...) of the rows of a stop that the way leads to, and of those below them; `out` is over
    `name`.
    """
    stop = path[number]
    up = tuple(f"{name}.{quote(parent)}" for _, parent in stop.recursive)
    heads = [f"m{n}" for n in range(len(way.marks))]
    ends = [f"x{n}" for n in range(len(out))]
    head = [*heads, *(f"u{n}" for n in range(len(up))), *ends]
    on = _met(path, number, name, way.links)
    start = way.select([*way.marks, *up, *out], f" {join} {_from(stop, name)} ON {on}")
    step = conjunction([f"{name}.{quote(child)} = p.u{n}" for n, (child, _) in enumerate(stop.recursive)])
    carried = ", ".join([*(f"p.{mark}" for mark in heads), *up, *out])
    again = f"SELECT {carried} FROM walk AS p JOIN {_from(stop, name)} ON {step}"
    return (
        f"WITH RECURSIVE walk({', '.join(head)}) AS ({start} UNION {again}) "
        f"SELECT DISTINCT {', '.join([*heads, *ends])} FROM walk"
    )


def _met(path: Sequence[Stop], number: int, alias: str, links: Sequence[str]) -> str:
    """The condition under which a stop's row, as `alias`, meets the linked values of the stop before."""
    above, stop = path[number - 1], path[number]
    terms = []
    for (child, parent), link in zip(stop.on, links, strict=True):
        ours = _detail(stop.table, child)
        name = f"{alias}.{quote(ours.name)}"
        kind = _kind(ours, _detail(above.table, parent))
        if kind == "bytes":
            # The first term may use an index, the second is the exact one.
            there = f"CONVERT(CONVERT({link} USING utf8mb4) USING {ours.charset}) COLLATE {ours.collation}"
            terms.append(f"{name} = {there} AND {exact(ours, alias)} = {link}")
        elif kind == "number" and ours.kind in TEXTS:
            terms.append(f"{_number_in(name)} = {link}")
        else:
            terms.append(f"{name} = {link}")
    return conjunction(terms)


def _linked(child: Detail, parent: Detail, alias: str) -> str:
    """The parent's value as `_met` wants it."""
    kind = _kind(child, parent)
    if kind == "bytes":
        return exact(parent, alias)
    name = f"{alias}.{quote(parent.name)}"
    return _number_in(name) if kind == "number" and parent.kind in TEXTS else name


def _kind(child: Detail, parent: Detail) -> str:
    """How the two sides of a link compare: `same` as the server does, `bytes`, or `number`."""
    texts = (child.kind in TEXTS, parent.kind in TEXTS)
    if all(texts):
        return "same" if child.collation == parent.collation else "bytes"
    if any(texts) and (child.kind in INTEGERS or parent.kind in INTEGERS):
        return "number"
    return "same"


def _number_in(text: str) -> str:
    """A text's whole number; NULL where it is none, since the server would take '7 up' for 7."""
    return f"IF({text} REGEXP '^[+-]?[0-9]{{1,60}}$', CAST({text} AS DECIMAL(65, 0)), NULL)"


def _detail(table: Reflected, name: str) -> Detail:
    found = table.find(name)
    assert found is not None
    return found


def _from(stop: Stop, alias: str) -> str:
    return f"{placed(stop.table.schema, stop.table.name)} AS {alias}"


def _as(prefix: str, expressions: Sequence[str]) -> list[str]:
    return [f"{expression} AS {prefix}{number}" for number, expression in enumerate(expressions)]


def _names(prefix: str, expressions: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{prefix}{number}" for number in range(len(expressions)))
