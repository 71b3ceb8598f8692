"""A proposed unit as the text of a job: `job.yaml`, one pass-through step per table, and what lies beside them."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from ludb.model.shape import TableShape
from ludb.model.unit import POSITION, UNIT_KEY, Column, Pairs
from ludb.project.arrows import Arrow
from ludb.project.proposal import Member, Proposal
from ludb.unitdb.database import identifier

SOURCE, TARGET = "legacy", "new"
"""What the two systems are called."""
LIMITED = "With more than 5% set aside it is one fault in many units: the run fails, is mended, and goes on."
"""Why a job has a quarantine limit."""
_UNFIT = re.compile(r"[/\x00-\x1f\x7f]")
"""What no file name can carry."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be written. `systems` are the two entries of `job.yaml`; `targets` the tables of a target database (None:
    files take any).
    """

    name: str
    proposal: Proposal
    systems: Mapping[str, Mapping[str, str]]
    targets: Sequence[TableShape] | None = None


@dataclass(slots=True)
class Draft:
    """The texts by file name, and what a person should know: `missing` tables and columns of the target, and `notes`."""

    files: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def draft(plan: Plan) -> Draft:
    """The job's texts. Nothing is written."""
    made = Draft()
    labels = _labels(plan.proposal.members)
    deepest = plan.proposal.members[-1].level
    for member in plan.proposal.members:
        step = _step(member, labels[member.shape.name], plan, made)
        if step is not None:
            width = len(str(deepest * 10))
            place = re.sub(r"\W+", "_", labels[member.shape.name]) if member.level == 1 else f"level_{member.level}"
            output, text = step
            made.files[f"steps/{member.level * 10:0{width}}_{place}/{TARGET}.{output}.sql"] = text
        untyped = [column.name for column in member.shape.columns if not column.native.strip()]
        notes = [f"{', '.join(untyped)} of no declared type: text, unless types: says more"] if untyped else []
        made.notes += [f"{member.shape.name}: {note}" for note in (*member.notes, *notes)]
    made.files["job.yaml"] = _job(plan, labels, made)
    return made


def _labels(members: Sequence[Member]) -> dict[str, str]:
    """What steps call each table: its own name, but for characters that no file name and no `table.column` can carry, and
    names that differ in case only.
    """
    labels: dict[str, str] = {}
    taken: set[str] = set()
    for member in members:
        plain = _UNFIT.sub("_", member.shape.name).replace(".", "_")
        label, number = plain, 2
        while label.lower() in taken:
            label, number = f"{plain}_{number}", number + 1
        labels[member.shape.name] = label
        taken.add(label.lower())
    return labels


# -- steps --------------------------------------------------------------------------------------------------------------


def _step(member: Member, label: str, plan: Plan, made: Draft) -> tuple[str, str] | None:
    """The output's table and its SELECT; None if the target has no such table."""
    shape = member.shape
    if plan.targets is None:
        return label, _select(member, label, None)
    exact = next((target for target in plan.targets if target.name == shape.name), None)
    target = exact or next((other for other in plan.targets if other.name.lower() == shape.name.lower()), None)
    if target is None or target.view:
        made.missing[shape.name] = f"{TARGET} has no such table"
        return None
    if _UNFIT.search(target.name):
        made.missing[shape.name] = "no file can bear its name, and a step is named after its table"
        return None
    needs = [c.name for c in target.columns if c.required and shape.column(c.name) is None]
    if needs:
        made.notes.append(
            f"{TARGET}.{target.name} needs {', '.join(needs)} (NOT NULL, no default): its step must fill them"
        )
    lacks = [c.name for c in shape.columns if target.column(c.name) is None]
    if lacks:
        made.missing[f"{shape.name}.({', '.join(lacks)})"] = f"{TARGET}.{target.name} has no such column"
    return target.name, _select(member, label, target)


def _select(member: Member, label: str, target: TableShape | None) -> str:
    """One SELECT that names every column, with its type as declared and as carried."""
    lines: list[tuple[str, str]] = [("unit_key", "whose row it is; never written unless the target has such a column")]
    aside: list[str] = []
    for column in member.shape.columns:
        there = None if target is None else target.column(column.name)
        if column.name.lower() in (UNIT_KEY, POSITION):
            aside.append(f"-- {identifier(column.name)}: ludb itself uses this name")
        elif target is not None and there is None:
            aside.append(
                f"-- {identifier(column.name)},  -- {_typed(column)}; {TARGET}.{target.name} has no such column"
            )
        elif there is not None and there.generated:
            aside.append(f"-- {identifier(column.name)},  -- the target makes it by itself")
        else:
            renamed = f" AS {identifier(there.name)}" if there is not None and there.name != column.name else ""
            lines.append((identifier(column.name) + renamed, _typed(column)))
    needs = [] if target is None else [c for c in target.columns if c.required and member.shape.column(c.name) is None]
    aside += [f"-- ... AS {identifier(c.name)},  -- {c.native}: the target needs it" for c in needs]
    texts = [f"{name}{',' if at < len(lines) - 1 else ''}" for at, (name, _) in enumerate(lines)]
    width = min(40, max(map(len, texts)))
    body = [f"    {text:<{width}}  -- {_line(comment)}" for text, (_, comment) in zip(texts, lines, strict=True)]
    body += [f"    {_line(line)}" for line in aside]
    head = f"-- One row of {SOURCE}.{label} is one row here. Types: as declared, and as carried where that says more."
    return "\n".join([head, "SELECT", *body, f"FROM {SOURCE}.{identifier(label)}"]) + "\n"


def _typed(column: Column) -> str:
    said = " ".join(column.native.split()) or "no type"
    flags = [word for word, true in (("key", column.key), ("NOT NULL", not column.nullable)) if true]
    carried = "text (cannot be carried otherwise)" if column.refused else str(column.type)
    return f"{' '.join([said, *flags])}: {carried}"


# -- job.yaml -----------------------------------------------------------------------------------------------------------


def _job(plan: Plan, labels: Mapping[str, str], made: Draft) -> str:
    proposal = plan.proposal
    root = proposal.root
    job = CommentedMap(name=plan.name)
    job["systems"] = CommentedMap({name: _flow(entry) for name, entry in plan.systems.items()})
    unit = CommentedMap(root=f"{SOURCE}.{root.name}")
    if labels[root.name] != root.name:
        unit["name"] = labels[root.name]
    unit["key"] = proposal.key[0] if len(proposal.key) == 1 else _list(proposal.key)
    if proposal.key_guessed:
        unit.yaml_add_eol_comment("a guess by its name: the table declares no key", "key")
    if refused := _refused(root):
        unit["types"] = _flow(refused)
    tables = CommentedMap()
    for member in proposal.members[1:]:
        label = labels[member.shape.name]
        tables[label] = _table(member, label, labels)
        if member.link is not None and (told := _told(member)):
            tables.yaml_add_eol_comment(told, label)
    if tables:
        unit["tables"] = tables
    if proposal.reference:
        unit["reference"] = _list([f"{SOURCE}.{shape.name}" for shape in proposal.reference])
        unit.yaml_add_eol_comment("shared rows: steps read them as ref.<table>; they are not moved", "reference")
    job["unit"] = unit
    job["settings"] = _flow({"chunk_units": 500, "workers": 2, "quarantine_limit": "5%"})
    job.yaml_set_comment_before_after_key("settings", before=LIMITED)
    job.yaml_set_start_comment(
        f"A job that moves one row of {root.name} with all that hangs below it, whole or not at all. It is yours to change.\n"
        "Every field: docs/reference/job.md; `ludb check` says what is wrong with it, `ludb plan` what a run would move."
    )
    text = _dumped(job)
    left = {**proposal.left_out, **made.missing}
    return text + "".join(
        ["\n# Not moved:\n" if left else "", *(f"#   {_line(k)}: {_line(v)}\n" for k, v in left.items())]
    )


def _table(member: Member, label: str, labels: Mapping[str, str]) -> CommentedMap:
    assert member.link is not None
    entry: dict[str, object] = {"parent": labels[member.link.parent], "on": _pairs(member.link.pairs)}
    if label != member.shape.name:
        entry["table"] = f"{SOURCE}.{member.shape.name}" if "." in member.shape.name else member.shape.name
    if member.also:
        entry["also"] = _flow({labels[arrow.parent]: _pairs(arrow.pairs) for arrow in member.also})
    if member.recursive is not None:
        entry["recursive"] = _flow(dict(member.recursive.pairs))
    if refused := _refused(member.shape):
        entry["types"] = _flow(refused)
    return _flow(entry)


def _told(member: Member) -> str:
    links: list[Arrow] = [arrow for arrow in (member.link, *member.also, member.recursive) if arrow is not None]
    guessed = [arrow.parent for arrow in links if arrow.guessed]
    parts = [f"a guess by names: no foreign key says so ({', '.join(guessed)})"] if guessed else []
    return _line("; ".join([*parts, *member.notes]))


def _refused(shape: TableShape) -> dict[str, str]:
    """Columns that can only be carried as text."""
    return {column.name: "text" for column in shape.columns if column.refused}


def _pairs(pairs: Pairs) -> object:
    if all(child == parent for child, parent in pairs):
        return pairs[0][0] if len(pairs) == 1 else _list([child for child, _ in pairs])
    return _flow(dict(pairs))


def _flow(values: Mapping[str, object]) -> CommentedMap:
    made = CommentedMap(values)
    made.fa.set_flow_style()
    return made


def _list(values: Sequence[str]) -> CommentedSeq:
    made = CommentedSeq(values)
    made.fa.set_flow_style()
    return made


def _line(text: str) -> str:
    """Text that cannot end its comment."""
    return re.sub(r"[\x00-\x1f\x7f\x85\u2028\u2029]+", " ", text)


def _dumped(job: CommentedMap) -> str:
    yaml = YAML()
    yaml.width = 10_000
    yaml.allow_unicode = True
    into = io.StringIO()
    yaml.dump(job, into)
    return into.getvalue()
