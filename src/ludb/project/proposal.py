"""Which unit a database suggests: the root, what hangs below it, what is shared, what is left out and why."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ludb.errors import ConfigError
from ludb.model.shape import TableShape
from ludb.project.arrows import Arrow, arrows, means, words
from ludb.project.mistakes import did_you_mean
from ludb.wording import plural

SMALL = 10_000
"""Rows up to which a shared table is proposed as `reference:`; every worker holds those in memory."""
_HINTS: Mapping[str, int] = {
    "customer": 10, "kunde": 10, "cliente": 10, "client": 9, "party": 9, "subscriber": 9, "abonent": 9, "account": 8,
    "person": 7, "patient": 7, "member": 7, "partner": 7, "insured": 7, "citizen": 7, "user": 6, "company": 6, "supplier": 5,
}  # fmt: skip
"""Words for whom a migration moves."""
_PREFIXES = frozenset({"tbl", "tab", "t", "tb", "dbo", "legacy", "old", "mst", "master"})


@dataclass(frozen=True, slots=True)
class Candidate:
    """A table that could be the root, and why: the highest `score` is proposed."""

    table: str
    score: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Member:
    """A table of the unit at its `level` below the root (1: the root itself). `notes` say what its links could not."""

    shape: TableShape
    level: int
    link: Arrow | None = None
    also: tuple[Arrow, ...] = ()
    recursive: Arrow | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Proposal:
    """A unit: `members` holds the root first and parents before children; `left_out` says of every other table why."""

    members: tuple[Member, ...]
    key: tuple[str, ...]
    key_guessed: bool
    reference: tuple[TableShape, ...]
    left_out: Mapping[str, str]

    @property
    def root(self) -> TableShape:
        """The table with one row per unit."""
        return self.members[0].shape


def rank(shapes: Sequence[TableShape]) -> list[Candidate]:
    """Every table that could be the root, the best first: by its name, by what hangs below it, and how deep."""
    found = arrows(shapes)
    ranked = []
    for shape in shapes:
        if shape.view or not shape.columns:
            continue
        levels = _levels(shape.name, found, None)
        incoming = len({arrow.child for arrow in found if arrow.parent == shape.name != arrow.child})
        depth = max(levels.values()) - 1
        hint = _hint(shape.name)
        reasons = [f"its name ({shape.name}) means whom one moves"] if hint >= 5 else []
        if len(levels) > 1:
            reasons.append(
                f"{plural(len(levels) - 1, 'table hangs', 'tables hang')} below it, {incoming} directly, {depth} deep"
            )
        if not shape.key:
            reasons.append("it has no key")
        score = hint + 2 * (len(levels) - 1) + incoming + depth - (0 if shape.key else 5)
        ranked.append(Candidate(shape.name, score, tuple(reasons) or ("nothing hangs below it",)))
    return sorted(ranked, key=lambda candidate: (-candidate.score, candidate.table))


def propose(shapes: Sequence[TableShape], root: str, only: Collection[str] = ()) -> Proposal:
    """The unit below `root`. `only` names the tables that may be in it; `ConfigError` for names that are not there, and for
    one that no link leads to.
    """
    by_name = {shape.name: shape for shape in shapes}
    top = by_name[spelled(root, by_name)]
    wanted = {spelled(name, by_name) for name in only} | ({top.name} if only else set())
    found = arrows(shapes)
    may = {shape.name for shape in shapes if not shape.view and shape.columns and (not only or shape.name in wanted)}
    levels = _levels(top.name, found, may)
    unreached = sorted(wanted - levels.keys())
    if unreached:
        raise ConfigError(
            f"no link leads from {top.name} to {', '.join(unreached)}",
            remedy="Leave it out of --tables, name the tables between, or add the link to job.yaml by hand",
        )
    order = sorted(levels, key=lambda name: (levels[name], list(by_name).index(name)))
    members = tuple(_member(by_name[name], levels, found) for name in order)
    reference = _reference(by_name, levels, found)
    left = {
        shape.name: _why_left(shape, top.name, found, levels, reference, wanted)
        for shape in shapes
        if shape.name not in levels and shape not in reference
    }
    key = top.key or _guessed_key(top)
    return Proposal(members, key, not top.key, reference, left)


def spelled(name: str, known: Collection[str]) -> str:
    """The table that a person means, whatever the case; `ConfigError` if there is none."""
    for table in known:
        if table == name:
            return table
    same = [table for table in known if table.lower() == name.lower()]
    if len(same) == 1:
        return same[0]
    raise ConfigError(f"there is no table {name!r}", remedy=did_you_mean(name, sorted(known)))


def _levels(root: str, found: Sequence[Arrow], may: Collection[str] | None) -> dict[str, int]:
    """Tables by their distance from the root along links from parent to child; the root is at 1."""
    levels = {root: 1}
    edge = [root]
    while edge:
        below = [
            arrow.child
            for parent in edge
            for arrow in found
            if arrow.parent == parent and arrow.child not in levels and (may is None or arrow.child in may)
        ]
        edge = list(dict.fromkeys(below))
        levels |= dict.fromkeys(edge, max(levels.values()) + 1)
    return levels


def _member(shape: TableShape, levels: Mapping[str, int], found: Sequence[Arrow]) -> Member:
    level = levels[shape.name]
    mine = [arrow for arrow in found if arrow.child == shape.name and arrow.parent in levels]
    own = next((arrow for arrow in mine if arrow.parent == shape.name), None)
    up = [arrow for arrow in mine if levels[arrow.parent] < level]
    up.sort(key=lambda arrow: (levels[arrow.parent], *_place(shape, arrow)))
    notes = []
    if level == 1 and own is not None:
        notes.append(
            f"{_columns(own)} points to another {shape.name}: each is a unit of its own, and may move before that one"
        )
        own = None
    also: dict[str, Arrow] = {}
    for arrow in [*up[1:], *(a for a in mine if levels[a.parent] == level and a.parent < shape.name and level > 1)]:
        if arrow.parent in also or (up and arrow.parent == up[0].parent and arrow.pairs == up[0].pairs):
            notes.append(f"{_columns(arrow)} points to {arrow.parent} once more: that is not checked")
        else:
            also[arrow.parent] = arrow
    told = (*up, own, *also.values())
    notes += [
        f"{_columns(arrow)} points down to {arrow.parent}: links go in a circle, and this one is not checked"
        for arrow in mine
        if arrow not in told and arrow.parent != shape.name
    ]
    return Member(shape, level, up[0] if up else None, tuple(also.values()), own, tuple(notes))


def _reference(
    by_name: Mapping[str, TableShape], levels: Mapping[str, int], found: Sequence[Arrow]
) -> tuple[TableShape, ...]:
    """Small tables that the unit's tables point to, and those that these point to."""
    shared: dict[str, TableShape] = {}
    edge = list(levels)
    while edge:
        named = [arrow.parent for child in edge for arrow in found if arrow.child == child]
        edge = [
            n for n in dict.fromkeys(named) if n not in levels and n not in shared and (by_name[n].rows or 0) <= SMALL
        ]
        shared |= {name: by_name[name] for name in edge}
    return tuple(shared[name] for name in by_name if name in shared)


def _why_left(
    shape: TableShape, root: str, found: Sequence[Arrow], levels: Mapping[str, int], reference: Sequence[TableShape],
    wanted: Collection[str],
) -> str:  # fmt: skip
    if shape.view:
        return "a view"
    if not shape.columns:
        return "it has no column that can be read"
    users = [arrow.child for arrow in found if arrow.parent == shape.name and arrow.child in levels]
    shared = {other.name for other in reference}
    if users or any(arrow.parent == shape.name and arrow.child in shared for arrow in found):
        rows = plural(shape.rows or 0, "row")
        return f"shared by all units, and too large for `reference:` ({rows}); move it by a job of its own"
    if wanted and any(arrow.child == shape.name and arrow.parent in levels for arrow in found):
        return "not named in --tables"
    return f"no link leads from {root} to it"


def _guessed_key(shape: TableShape) -> tuple[str, ...]:
    """A column that is called like a key. `ConfigError` if none is."""
    for column in shape.columns:
        said = "".join(words(column.name))
        stems = {"", *words(shape.name)} | {word.rstrip("s") for word in words(shape.name)}
        if said in {stem + ending for stem in stems for ending in ("id", "key", "code", "no", "nr", "number", "uuid")}:
            return (column.name,)
    raise ConfigError(
        f"{shape.name} has no primary key, and no column is called like one: its units would have no name",
        remedy="Name another root with --root",
    )


def _hint(name: str) -> int:
    said = [word for word in words(name) if word not in _PREFIXES] or words(name)
    for word, weight in _HINTS.items():
        if len(said) == 1 and means(said[0], word):
            return weight
        if any(means(one, word) for one in said):
            return 2
    return 0


def _place(shape: TableShape, arrow: Arrow) -> tuple[bool, int]:
    """Columns that are never NULL first, then as the table has them."""
    names = [column.name for column in shape.columns]
    column = shape.columns[names.index(arrow.pairs[0][0])]
    return column.nullable, names.index(column.name)


def _columns(arrow: Arrow) -> str:
    return ", ".join(name for name, _ in arrow.pairs)
