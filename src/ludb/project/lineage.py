"""Where each column of an output comes from, read from the text of its steps: nothing is run and no system is asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ludb.model.unit import UNIT_KEY
from ludb.project.content import StepFile
from ludb.project.folder import JobFolder

if TYPE_CHECKING:
    from sqlglot.expressions import Query

LONGEST = 300
"""Characters of an expression that are shown."""
DIALECT = "duckdb"
_EVERYWHERE = {UNIT_KEY: "text", "old": "text", "new": "text"}
"""Columns that a key map or an output may have without saying so."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A column of a table as steps call it: `legacy.customers`, `keys.account_id`, `ref.tariffs`, or an earlier output. The
    table is empty where the text does not say which of several it is.
    """

    table: str
    column: str


@dataclass(frozen=True, slots=True)
class ColumnLineage:
    """A column of an output: the columns that its step reads for it (`sources`), the same with earlier outputs followed to
    what they read (`origins`), and how it is made (`expression`).
    """

    column: str
    sources: tuple[Place, ...] = ()
    origins: tuple[Place, ...] = ()
    expression: str = ""


@dataclass(frozen=True, slots=True)
class StepLineage:
    """What one step fills. `note` says why nothing is known: a step in Python, a text that is not understood."""

    step: str
    output: str
    kind: str
    columns: tuple[ColumnLineage, ...] = ()
    note: str = ""


def lineage_of(folder: JobFolder) -> list[StepLineage]:
    """The lineage of every step, in the order they run. New keys come from the columns that their key map is made of."""
    tables = {table.name: f"{table.table.system}.{table.name}" for table in folder.job.unit.tables}
    known = {
        Place(f"keys.{one.name}", "new"): tuple(Place(tables[one.table], column) for column in one.columns)
        for one in folder.job.keys
        if one.table in tables
    }
    found = []
    for step in (one for each in folder.step_folders for one in each.steps):
        told = _of_step(step, known)
        columns = tuple(replace(one, origins=_followed(one.sources, known)) for one in told.columns)
        for one in columns:
            place = Place(step.output, one.column)
            known[place] = tuple(sorted({*known.get(place, ()), *one.origins}))
        found.append(replace(told, columns=columns))
    return found


def _followed(sources: Sequence[Place], known: Mapping[Place, tuple[Place, ...]]) -> tuple[Place, ...]:
    return tuple(sorted({origin for one in sources for origin in known.get(one, (one,))}))


def _of_step(step: StepFile, known: Iterable[Place]) -> StepLineage:
    if step.kind != "sql":
        return StepLineage(step.name, step.output, step.kind, note="a step in Python: its columns are made by code")
    from sqlglot import exp, parse_one  # noqa: PLC0415  (only who asks for lineage needs it)
    from sqlglot.errors import SqlglotError  # noqa: PLC0415  (as above)

    try:
        parsed = parse_one(step.path.read_text(encoding="utf-8"), dialect=DIALECT)
        assert isinstance(parsed, exp.Query)
        for condition in list(parsed.find_all(exp.Where)):
            condition.pop()  # which rows, not which columns; and what a condition names need not be told by any select
        names = [name for name in parsed.named_selects if name != UNIT_KEY]
        reader = _Reader(parsed, known)
        columns = tuple(reader.column(name) for name in names if name != "*")
    except (SqlglotError, AssertionError, ValueError, OSError, RecursionError) as error:
        why = f"its text is not understood ({type(error).__name__})"
        return StepLineage(step.name, step.output, step.kind, note=why)
    note = "it takes all columns of what it reads: which they are is not in its text" if "*" in names else ""
    return StepLineage(step.name, step.output, step.kind, columns, note)


class _Reader:
    """Reads one query. `schema` holds the columns of what earlier steps have made: the others' are not known."""

    def __init__(self, parsed: Query, known: Iterable[Place]) -> None:
        from sqlglot import exp  # noqa: PLC0415  (as above)

        self._parsed = parsed
        self._schema: dict[str, dict[str, dict[str, str]]] = {}
        for place in known:
            system, _, table = place.table.partition(".")
            self._schema.setdefault(system, {}).setdefault(table, dict(_EVERYWHERE))[place.column] = "text"
        read = {_name(table) for table in parsed.find_all(exp.Table) if table.db}
        strangers = [
            name for name in sorted(read) if name.split(".")[1] not in self._schema.get(name.split(".")[0], {})
        ]
        self._rest = strangers[0] if len(strangers) == 1 else ""

    def column(self, name: str) -> ColumnLineage:
        from sqlglot.lineage import lineage  # noqa: PLC0415  (as above)

        top: Any = lineage(name, self._parsed, self._schema, dialect=DIALECT)
        places = {place for leaf in top.walk() if not leaf.downstream for place in self._places(leaf)}
        made = next((one for one in self._parsed.selects if one.alias_or_name == name), None)
        text = "" if made is None else made.unalias().sql(dialect=DIALECT, normalize_functions=False)
        shown = text if len(text) <= LONGEST else text[:LONGEST] + "..."
        return ColumnLineage(name, tuple(sorted(places)), expression=shown)

    def _places(self, leaf: Any) -> Iterator[Place]:
        """The column that a leaf stands for; a constant stands for none. One without a table is of the only table whose
        columns nobody knows, if there is one.
        """
        from sqlglot import exp  # noqa: PLC0415  (as above)

        column = leaf.name.rpartition(".")[2].strip('"')
        if isinstance(leaf.source, exp.Table):
            yield Place(_name(leaf.source), column)
        elif isinstance(leaf.source, exp.Placeholder):
            yield Place(self._rest, column)


def _name(table: Any) -> str:
    return f"{table.db}.{table.name}" if table.db else str(table.name)
