"""Statements that follow the links of a unit through tables: as a join from keys, and as an anti-join for orphans.

A parent whose linked columns are not a key of it is reduced to distinct values first, so that it cannot repeat a child.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ludb.dialects.sqlalchemy import MYSQL
from ludb.dialects.sqlalchemy_schema import Detail, Reflected
from ludb.model.unit import Pairs, UnitTable

ROW = "ludb_row"
"""The column that numbers the rows of a table without a key."""
_DISTINCT_WALKS = frozenset({"postgresql", "mysql", "mariadb", "sqlite"})
"""Dialects whose recursive queries may leave out rows that were there; the others stop with an error at a circle."""
_CLASSES = {"integer": "number", "bits": "number", "decimal": "number", "float": "number", "single": "number",
            "text": "text", "date": "moment", "timestamp": "moment"}  # fmt: skip
_BY_CASE = frozenset({*MYSQL, "mssql"})
"""Dialects whose texts may be equal though their bytes differ."""
_SORTABLE = frozenset({"integer", "decimal", "float", "text", "date", "timestamp", "time"})

From = sa.FromClause
Element = sa.ColumnElement[Any]


@dataclass(frozen=True, slots=True)
class Stop:
    """One table on a path, with its reflection: `on` links to the stop before, `recursive` to the table itself."""

    table: Reflected
    on: Pairs
    recursive: Pairs


class Path:
    """The tables from the one that keys are asked of down to the one whose rows are wanted."""

    def __init__(self, units: Sequence[UnitTable], tables: Sequence[Reflected], system: str, dialect: str) -> None:
        """The first one's own link leads out of the path. `ConfigError` for a linked column that is not there."""
        self._system, self._dialect = system, dialect
        self.stops = [
            Stop(table, unit.on if number else (), unit.recursive)
            for number, (unit, table) in enumerate(zip(units, tables, strict=True))
        ]
        for number, stop in enumerate(self.stops):
            for child, parent in stop.on:
                stop.table.get(child, system)
                self.stops[number - 1].table.get(parent, system)
            for pair in stop.recursive:
                for name in pair:
                    stop.table.get(name, system)

    def fetch(
        self,
        by: Sequence[Detail],
        where: Callable[[Sequence[Element]], Any],
        ask: Callable[[Detail, Element], Element],
        wanted: Callable[[From], Sequence[Element]],
    ) -> sa.Select[Any]:
        """Rows of the last stop as (match..., wanted...), each once per match; `where` chooses rows of the first by its
        columns `by`, `ask` is how a value is asked for.
        """
        first = self.stops[0].table.sql.alias("t0")
        keys = [first.c[detail.name] for detail in by]
        chosen = where([compared(detail, key) for detail, key in zip(by, keys, strict=True)])
        if len(self.stops) == 1:
            marks = [ask(detail, key) for detail, key in zip(by, keys, strict=True)]
            return _labelled([*marks, *wanted(first)]).select_from(first).where(chosen)
        marked = [key.label(f"m{number}") for number, key in enumerate(keys)]
        level = self._level(0, sa.select(*marked).select_from(first).where(chosen), first, by)
        for number in range(1, len(self.stops) - 1):
            here = self.stops[number].table.sql.alias(f"t{number}")
            joined = level.join(here, self._met(number, here, level))
            if self.stops[number].recursive:
                level = self._walked(number, level, here, joined, by)
                continue
            own = [level.c[f"m{at}"] for at in range(len(by))]
            level = self._level(number, sa.select(*own).select_from(joined), here, by)
        last = self.stops[-1].table.sql.alias("a")
        joined = level.join(last, self._met(len(self.stops) - 1, last, level))
        marks = [ask(detail, level.c[f"m{at}"]) for at, detail in enumerate(by)]
        return _labelled([*marks, *wanted(last)]).select_from(joined)

    def orphans(
        self, ids: Callable[[From], Sequence[Element]], ask: Callable[[Detail, Element], Element]
    ) -> sa.Select[Any]:
        """Rows of the last stop that no chain reaches: (link..., direct, ids...). They are numbered by `ROW` where the table has
        no primary key. Self references count as links.
        """
        last, above = self.stops[-1], self.stops[-2]
        reached: From | None = None
        for number in range(len(self.stops) - 1):
            reached = self._reached(number, reached)
        assert reached is not None
        rows = last.table.sql.alias("a") if last.table.primary_key else self._numbered(last.table)
        at = len(self.stops) - 1
        lost = ~sa.exists().where(self._met(at, rows, reached))
        if last.recursive:
            walk = self._reached_rows(at, reached, [parent for _, parent in last.recursive], f"w{at}")
            lost &= ~sa.exists().where(self._equal(last.recursive, last, rows, last, [walk.c[f"x{n}"] for n, _ in
                                                                                     enumerate(last.recursive)]))  # fmt: skip
        parent = above.table.sql.alias("b")
        meets = self._equal(last.on, last, rows, above, [parent.c[name] for _, name in last.on])
        direct = sa.case((~sa.exists().select_from(parent).where(meets), 1), else_=0)
        own = [ask(last.table.get(child, self._system), rows.c[child]) for child, _ in last.on]
        return _labelled([*own, direct, *ids(rows)]).select_from(rows).where(lost)

    def _numbered(self, table: Reflected) -> From:
        """The table with the number of each row in the order of its columns, which is all that could tell them apart."""
        inner = table.sql.alias("r")
        order: list[Element] = [
            inner.c[d.name] for d in table.details if d.kind in _SORTABLE and (d.kind != "text" or d.length)
        ]
        number = sa.func.row_number().over(order_by=order or [sa.literal_column("1")])
        return sa.select(*inner.c, number.label(ROW)).subquery("a")

    def _level(self, number: int, rows: sa.Select[Any], here: From, by: Sequence[Detail]) -> From:
        """A stop's matches with its values that the next one links to."""
        link = [self.stops[number].table.get(parent, self._system) for _, parent in self.stops[number + 1].on]
        found = rows.add_columns(*(here.c[detail.name].label(f"x{at}") for at, detail in enumerate(link)))
        if not self.stops[number].table.is_unique([detail.name for detail in link]):
            found = self._distinct(found, [*by, *link])
        return found.subquery(f"l{number}")

    def _distinct(self, rows: sa.Select[Any], details: Sequence[Detail]) -> sa.Select[Any]:
        """Rows that differ, texts by their bytes."""
        if self._dialect in _BY_CASE:
            columns = list(rows.selected_columns)
            texts = [c for c, detail in zip(columns, details, strict=True) if detail.kind == "text"]
            rows = rows.add_columns(*(sa.cast(c, sa.LargeBinary).label(f"b{at}") for at, c in enumerate(texts)))
        return rows.distinct()

    def _walked(self, number: int, level: From, here: From, joined: From, by: Sequence[Detail]) -> From:
        """A level with what lies below its rows by their self reference."""
        stop = self.stops[number]
        link = [parent for _, parent in self.stops[number + 1].on]
        ups = [parent for _, parent in stop.recursive]
        marks = [f"m{at}" for at in range(len(by))]
        start = sa.select(
            *(level.c[mark].label(mark) for mark in marks), *_ends(here, ups, "u"), *_ends(here, link, "x")
        )
        walk = start.select_from(joined).cte(f"w{number}", recursive=True)
        again = stop.table.sql.alias(f"r{number}")
        climbs = self._equal(stop.recursive, stop, again, stop, [walk.c[f"u{at}"] for at in range(len(ups))])
        step = sa.select(*(walk.c[mark] for mark in marks), *_ends(again, ups, "u"), *_ends(again, link, "x"))
        walk = self._union(walk, step.select_from(walk.join(again, climbs)))
        details = [*by, *(stop.table.get(name, self._system) for name in link)]
        found = sa.select(*(walk.c[mark] for mark in marks), *(walk.c[f"x{at}"] for at in range(len(link))))
        return self._distinct(found, details).subquery(f"l{number}")

    def _reached(self, number: int, above: From | None) -> From:
        """The values of a stop that the next one links to, of all rows that a chain reaches."""
        return self._reached_rows(number, above, [parent for _, parent in self.stops[number + 1].on], f"l{number}")

    def _reached_rows(self, number: int, above: From | None, link: Sequence[str], name: str) -> From:
        stop = self.stops[number]
        here = stop.table.sql.alias(f"t{number}")
        ups = [parent for _, parent in stop.recursive] if number else []
        rows = sa.select(*_ends(here, ups, "u"), *_ends(here, link, "x"))
        if above is not None:
            rows = rows.where(sa.exists().where(self._met(number, here, above)))
        if not ups:
            return rows.distinct().cte(name)
        walk = rows.cte(f"{name}w", recursive=True)
        again = stop.table.sql.alias(f"r{number}")
        climbs = self._equal(stop.recursive, stop, again, stop, [walk.c[f"u{at}"] for at in range(len(ups))])
        step = sa.select(*_ends(again, ups, "u"), *_ends(again, link, "x")).select_from(walk.join(again, climbs))
        walk = self._union(walk, step)
        return sa.select(*(walk.c[f"x{at}"] for at in range(len(link)))).distinct().cte(name)

    def _union(self, walk: sa.CTE, step: sa.Select[Any]) -> sa.CTE:
        return walk.union(step) if self._dialect in _DISTINCT_WALKS else walk.union_all(step)

    def _met(self, number: int, here: From, above: From) -> Element:
        """The condition under which a stop's row meets the linked values of the stop before."""
        stop = self.stops[number]
        values = [above.c[f"x{at}"] for at in range(len(stop.on))]
        return self._equal(stop.on, stop, here, self.stops[number - 1], values)

    def _equal(self, pairs: Pairs, child: Stop, here: From, parent: Stop, values: Sequence[Element]) -> Element:
        """That a row's columns equal these values of the parent; where their kinds have no equality, their texts."""
        terms = []
        for (name, above), value in zip(pairs, values, strict=True):
            ours, theirs = child.table.get(name, self._system), parent.table.get(above, self._system)
            if _CLASSES.get(ours.kind, ours.kind) == _CLASSES.get(theirs.kind, theirs.kind):
                terms.append(here.c[name] == value)
            else:
                terms.append(sa.cast(here.c[name], sa.String(1000)) == sa.cast(value, sa.String(1000)))
        return sa.and_(*terms)


def compared(detail: Detail, column: Element) -> Element:
    """A column as keys are compared with it."""
    if str(detail.type.__visit_name__).upper() == "INET":
        return sa.func.abbrev(column)  # as it is asked for
    return sa.cast(column, sa.Text()) if detail.kind == "other" else sa.type_coerce(column, sa.types.NullType())


def _ends(here: From, names: Sequence[str], prefix: str) -> list[Element]:
    return [here.c[name].label(f"{prefix}{at}") for at, name in enumerate(names)]


def _labelled(columns: Sequence[Element]) -> sa.Select[Any]:
    """A query of these, each under a name of its own, so that none takes another's place."""
    return sa.select(*(column.label(f"c{at}") for at, column in enumerate(columns)))
