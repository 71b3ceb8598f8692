"""From the `unit:` of a job to the shape of a unit: parents before children, every name checked."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ludb.dialects.types import arrow_type
from ludb.errors import ConfigError
from ludb.model.job import KeySpec
from ludb.model.unit import TableRef, UniqueAcross, UnitSchema, UnitTable
from ludb.project.mistakes import Mistakes, did_you_mean
from ludb.project.notation import table_name
from ludb.project.settings import KeySettings, LinkSettings, UnitSettings
from ludb.project.yaml_text import Path_


@dataclass(frozen=True, slots=True)
class _Entry:
    """A table of the unit as written: `label` is its key in `tables:`, None for the root."""

    label: str | None
    table: UnitTable

    @property
    def path(self) -> Path_:
        return ("unit", "root") if self.label is None else ("unit", "tables", self.label)


def build_unit(settings: UnitSettings, systems: Collection[str], mistakes: Mistakes) -> UnitSchema | None:
    """The unit's shape; None where mistakes leave no root to build on."""
    root = _ref(settings.root, ("unit", "root"), systems, mistakes)
    if root is None:
        return None
    _check_types(settings.types, ("unit", "types"), mistakes)
    first = UnitTable(settings.name or root.name, root, types=tuple(settings.types.items()))
    entries = [_Entry(None, first)]
    for label, link in settings.tables.items():
        entry = _child(label, link, root.system, systems, mistakes)
        if entry is not None:
            entries.append(entry)
    _check_names(entries, mistakes)
    names = {entry.table.name for entry in entries}
    for entry in entries[1:]:
        _check_links(entry, names, mistakes)
    ordered = _parents_first(entries, mistakes)
    return UnitSchema(
        key=settings.key,
        tables=tuple(entry.table for entry in ordered),
        reference=_references(settings.reference, systems, mistakes),
        unique_across=_unique(settings, names, mistakes),
    )


def build_keys(keys: Mapping[str, KeySettings], unit: UnitSchema, mistakes: Mistakes) -> tuple[KeySpec, ...]:
    """The key maps, each bound to one table of the unit."""
    found = []
    names = {table.name for table in unit.tables}
    for name, settings in keys.items():
        path = ("keys", name, "for")
        split = [_column(text, names, path, mistakes) for text in settings.for_]
        if settings.kind == "uuid" and settings.start is not None:
            mistakes.at(("keys", name, "start"), "only a sequence has a start", "Remove it, or say kind: sequence")
        places = [place for place in split if place is not None]
        if len(places) != len(split):
            continue
        if len({table for table, _ in places}) > 1:
            mistakes.at(path, "names columns of several tables", "Name columns of one table")
            continue
        start = 1 if settings.start is None else settings.start
        found.append(KeySpec(name, places[0][0], tuple(column for _, column in places), settings.kind, start))
    return tuple(found)


def _child(label: str, link: LinkSettings, home: str, systems: Collection[str], mistakes: Mistakes) -> _Entry | None:
    path: Path_ = ("unit", "tables", label)
    ref: TableRef | None
    if "." in label:
        ref = _ref(label, path, systems, mistakes)
        name = label.partition(".")[2]
        if link.table is not None:
            mistakes.at((*path, "table"), "the entry's name already says system.table", "Remove `table:` or the system")
    elif link.table is not None and "." in link.table:
        ref, name = _ref(link.table, (*path, "table"), systems, mistakes), label
    else:
        ref, name = TableRef(home, link.table or label), label
    _check_types(link.types, (*path, "types"), mistakes)
    if ref is None:
        return None
    table = UnitTable(
        name=name,
        table=ref,
        parent=link.parent,
        on=link.on,
        also=tuple(link.also.items()),
        on_stray=link.on_stray,
        recursive=link.recursive,
        types=tuple(link.types.items()),
    )
    return _Entry(label, table)


def _ref(text: str, path: Path_, systems: Collection[str], mistakes: Mistakes) -> TableRef | None:
    try:
        system, table = table_name(text)
    except ConfigError as error:
        mistakes.within(path, error)
        return None
    if system not in systems:
        mistakes.at(path, f"there is no system {system!r}", did_you_mean(system, systems))
        return None
    return TableRef(system, table)


def _check_types(types: Mapping[str, str], path: Path_, mistakes: Mistakes) -> None:
    for column, name in types.items():
        try:
            arrow_type(name)
        except ConfigError as error:
            mistakes.within((*path, column), error)


def _check_names(entries: list[_Entry], mistakes: Mistakes) -> None:
    """DuckDB does not tell case apart, so two tables of the unit must not either."""
    seen: dict[str, _Entry] = {}
    for entry in entries:
        other = seen.setdefault(entry.table.name.lower(), entry)
        if other is not entry:
            mistakes.at(
                entry.path,
                f"two tables of the unit are called {entry.table.name!r}",
                "Rename the entry and say `table:`",
            )


def _check_links(entry: _Entry, names: Collection[str], mistakes: Mistakes) -> None:
    table = entry.table
    if table.parent not in names:
        mistakes.at(
            (*entry.path, "parent"), f"there is no unit table {table.parent!r}", did_you_mean(str(table.parent), names)
        )
    for other, _ in table.also:
        path = (*entry.path, "also", other)
        if other not in names:
            mistakes.at(path, f"there is no unit table {other!r}", did_you_mean(other, names))
        elif other == table.name:
            mistakes.at(path, "a table cannot be its own second parent", "Use `recursive:` for a self reference")


def _parents_first(entries: list[_Entry], mistakes: Mistakes) -> list[_Entry]:
    """The entries in declared order, except that a parent comes before its children; a cycle is a mistake."""
    placed = [entries[0]]
    known = {entries[0].table.name}
    names = {entry.table.name for entry in entries}
    waiting = [entry for entry in entries[1:] if entry.table.parent in names]
    while waiting:
        ready = next((entry for entry in waiting if entry.table.parent in known), None)
        if ready is None:
            circle = _circle(waiting)
            if circle:  # else what is left hangs below a parent that is unknown, and that was said
                mistakes.at(
                    (*circle[0].path, "parent"),
                    f"the parents form a circle: {' -> '.join(entry.table.name for entry in [*circle, circle[0]])}",
                    f"Let one of them hang below {entries[0].table.name}",
                )
            return placed
        placed.append(ready)
        known.add(ready.table.name)
        waiting.remove(ready)
    return placed


def _circle(waiting: list[_Entry]) -> list[_Entry]:
    by_name = {entry.table.name: entry for entry in waiting}
    for start in waiting:
        walked = [start]
        while (parent := by_name.get(str(walked[-1].table.parent))) is not None:
            if parent in walked:
                return walked[walked.index(parent) :]
            walked.append(parent)
    return []


def _references(texts: list[str], systems: Collection[str], mistakes: Mistakes) -> tuple[TableRef, ...]:
    found: dict[str, TableRef] = {}
    for index, text in enumerate(texts):
        path = ("unit", "reference", index)
        ref = _ref(text, path, systems, mistakes)
        if ref is not None and found.setdefault(ref.name.lower(), ref) is not ref:
            mistakes.at(path, f"two reference tables would be ref.{ref.name}", "Leave one of them out")
    return tuple(found.values())


def _unique(settings: UnitSettings, names: Collection[str], mistakes: Mistakes) -> tuple[UniqueAcross, ...]:
    found = []
    for text, rule in settings.unique_across_units.items():
        split = _column(text, names, ("unit", "unique_across_units", text), mistakes)
        if split is not None:
            found.append(UniqueAcross(split[0], tuple(part.strip() for part in split[1].split(",")), rule))
    return tuple(found)


def _column(text: str, names: Collection[str], path: Path_, mistakes: Mistakes) -> tuple[str, str] | None:
    """`table.column`, where the table is one of the unit's (its name may hold dots itself)."""
    for name in sorted(names, key=len, reverse=True):
        if text.startswith(f"{name}.") and len(text) > len(name) + 1:
            return name, text[len(name) + 1 :]
    table, dot, _ = text.partition(".")
    if not dot or table in names:
        mistakes.at(path, f"{text!r} is not of the form table.column", "Write the unit table's name, a dot, the column")
    else:
        mistakes.at(path, f"there is no unit table {table!r}", did_you_mean(table, names))
    return None
