"""What columns a step makes, read from its text alone: names, and what its literals show. No type is guessed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ludb.model.unit import UNIT_KEY
from ludb.project.content import StepFile

if TYPE_CHECKING:
    from sqlglot.expressions import Expression
    from sqlglot.optimizer.scope import Scope

DIALECT = "duckdb"
UNKNOWN = pa.opaque(pa.null(), "unknown", "ludb")
"""The type of a column whose text does not show what it holds."""
_DEEPEST = 20


def columns_of(step: StepFile) -> pa.Schema | None:
    """The columns of a step's SELECT, by name: a STRUCT or LIST where its literal stands in the text, the null type where NULL
    does, and `UNKNOWN` for every other. None where the names do not stand in the text: Python, `*`, a column without a name.
    """
    if step.kind != "sql":
        return None
    from sqlglot import exp, parse_one  # noqa: PLC0415  (only who compares an output with its description needs it)
    from sqlglot.errors import SqlglotError  # noqa: PLC0415  (as above)
    from sqlglot.optimizer.scope import build_scope  # noqa: PLC0415  (as above)

    try:
        parsed = parse_one(step.path.read_text(encoding="utf-8"), dialect=DIALECT)
        scope = build_scope(parsed) if isinstance(parsed, exp.Query) else None
    except (SqlglotError, ValueError, RecursionError):
        return (
            None  # DuckDB is the judge of the text: what it takes and this parser does not is compared once it is bound
        )
    if scope is None:
        return None
    first = _first(scope)
    made = {_name(one): _kind(one, first, 0) for one in _selects(first.scope)}
    if not all(made):
        return None
    return pa.schema([(name, kind) for name, kind in made.items() if name != UNIT_KEY])


@dataclass(frozen=True, slots=True)
class _Place:
    """A SELECT, and whether its rows are all: others of a UNION may have a value where it has NULL."""

    scope: Scope
    alone: bool


def _first(scope: Scope) -> _Place:
    """Of a UNION the first SELECT, which gives all of it its names."""
    alone = not scope.set_operation_scopes
    while scope.set_operation_scopes:
        scope = scope.set_operation_scopes[0]
    return _Place(scope, alone)


def _selects(scope: Scope) -> list[Any]:
    return list(scope.expression.selects)  # type: ignore[attr-defined]  # a scope's expression is a query


def _name(selected: Expression) -> str:
    """As DuckDB names it; nothing where that is neither an alias nor the column's own."""
    from sqlglot import exp  # noqa: PLC0415  (as above)

    named = isinstance(selected, exp.Alias | exp.Column | exp.Dot) and not selected.is_star
    return str(selected.alias_or_name) if named else ""


def _kind(made: Any, place: _Place, depth: int) -> pa.DataType:
    from sqlglot import exp  # noqa: PLC0415  (as above)

    made = made.unnest().unalias()
    while isinstance(made, exp.Filter | exp.ArrayFilter | exp.ArraySort):
        made = made.this.unnest()
    if depth > _DEEPEST:
        return UNKNOWN
    if isinstance(made, exp.Null):
        return pa.null() if place.alone else UNKNOWN
    if isinstance(made, exp.Struct):
        return _struct(made, place, depth)
    if isinstance(made, exp.Array | exp.ArrayAgg):
        element = _element(made)
        return UNKNOWN if element is None else pa.list_(_kind(element, place, depth + 1))
    return _read(made, place, depth) if isinstance(made, exp.Column) else UNKNOWN


def _element(made: Any) -> Any:
    """The expression that one element of a list is made by; None of an empty list."""
    from sqlglot import exp  # noqa: PLC0415  (as above)

    if isinstance(made, exp.Array):
        return next(iter(made.expressions), None)
    made = made.this
    while isinstance(made, exp.Order | exp.Distinct):
        made = made.this or made.expressions[0]
    return made


def _struct(made: Any, place: _Place, depth: int) -> pa.DataType:
    from sqlglot import exp  # noqa: PLC0415  (as above)

    fields = {}
    for one in made.expressions:
        if not isinstance(one, exp.PropertyEQ):
            return UNKNOWN
        fields[str(one.this.name)] = _kind(one.expression, place, depth + 1)
    return pa.struct(list(fields.items()))


def _read(column: Any, place: _Place, depth: int) -> pa.DataType:
    """What a common table or a subquery says of a column of its own."""
    from sqlglot.optimizer.scope import Scope as Known  # noqa: PLC0415  (as above)

    sources = place.scope.selected_sources
    source = place.scope.sources.get(column.table or (next(iter(sources)) if len(sources) == 1 else ""))
    if not isinstance(source, Known):
        return UNKNOWN
    first = _first(source)
    found = [one for one in _selects(first.scope) if one.alias_or_name == column.name]
    if len(found) != 1:
        return UNKNOWN
    return _kind(found[0], replace(first, alone=first.alone and place.alone), depth + 1)
