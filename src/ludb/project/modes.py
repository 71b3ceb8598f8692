"""Modes of table outputs: whether the target can do them, and how `replace_unit` tells a unit's own rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ludb.model.job import KeySpec, Origin, OutputSpec
from ludb.model.unit import UNIT_KEY, UnitSchema
from ludb.ports.target import CanRewrite
from ludb.project import registry
from ludb.project.mistakes import Mistakes, did_you_mean
from ludb.project.settings import OutputSettings

_MAP = "keys."


def with_modes(
    outputs: Mapping[str, OutputSpec],
    written: Mapping[str, OutputSettings],
    types: Mapping[str, str],
    unit: UnitSchema,
    keys: Sequence[KeySpec],
    mistakes: Mistakes,
) -> dict[str, OutputSpec]:
    """The outputs with their modes. A mode that the system's type does not have, `key` and `by` where they mean nothing,
    and rows that nothing tells to be a unit's own are mistakes.
    """
    found: dict[str, OutputSpec] = {}
    for name, spec in outputs.items():
        said = written.get(name)
        found[name] = spec
        if said is None or spec.call is not None:
            continue
        mode = said.mode or "insert"
        _check_type(name, mode, types.get(spec.system), mistakes)
        if said.key is not None and mode != "upsert":
            mistakes.at(("outputs", name, "key"), "only upsert has `key`", "Say mode: upsert, or remove `key:`")
        if said.by is not None and mode != "replace_unit":
            mistakes.at(
                ("outputs", name, "by"), "only replace_unit has `by`", "Say mode: replace_unit, or remove `by:`"
            )
        if mode == "replace_unit" and said.by is None:
            mistakes.at(
                ("outputs", name),
                "replace_unit needs `by`: nothing says which rows of the table are a unit's own",
                f"Add by: {{<column>: {unit.key[0]}}}",
            )
        found[name] = replace(spec, mode=mode, key=said.key or ())
    for name, spec in found.items():
        said = written.get(name)
        if spec.mode == "replace_unit" and said is not None and said.by is not None:
            pairs = [(column, _origin(name, column, text, found, unit, keys, mistakes)) for column, text in said.by]
            by = tuple((column, origin) for column, origin in pairs if origin is not None)
            found[name] = replace(spec, by=by)
    for name, spec in found.items():
        _check_chain(name, spec, found, mistakes)
    return found


def _check_type(name: str, mode: str, kind: str | None, mistakes: Mistakes) -> None:
    if mode == "insert" or kind not in registry.names(registry.TARGETS):
        return
    if not issubclass(registry.adapter(registry.TARGETS, kind), CanRewrite):
        mistakes.at(
            ("outputs", name, "mode"),
            f"a system of type {kind} is only added to: it cannot {mode}",
            "Use mode: insert, or a database",
        )


def _origin(
    name: str,
    column: str,
    text: str,
    outputs: Mapping[str, OutputSpec],
    unit: UnitSchema,
    keys: Sequence[KeySpec],
    mistakes: Mistakes,
) -> Origin | None:
    """What a text of `by:` means; a mistake if it means nothing."""
    path = ("outputs", name, "by", column)
    if text in unit.key:
        return Origin("unit", text)
    if text == UNIT_KEY and len(unit.key) == 1:
        return Origin("unit", unit.key[0])
    if text.startswith(_MAP):
        return _of_map(text.removeprefix(_MAP), path, unit, keys, mistakes)
    parent, _, last = text.rpartition(".")
    if parent in outputs:
        other = outputs[parent]
        if other.system != outputs[name].system or other.mode != "replace_unit" or parent == name:
            mistakes.at(path, f"{parent} is not replaced in the same system", f"Give {parent} mode: replace_unit")
            return None
        return Origin("table", last, other.table)
    known = [
        *unit.key,
        *(_MAP + key.name for key in keys),
        *(f"{other}.<column>" for other in outputs if other != name),
    ]
    mistakes.at(path, f"{text!r} is nothing that every unit has", did_you_mean(text, known))
    return None


def _of_map(
    wanted: str, path: tuple[str, ...], unit: UnitSchema, keys: Sequence[KeySpec], mistakes: Mistakes
) -> Origin | None:
    """A map of the unit's own key: every unit has exactly one value in it, whether it has rows or not."""
    spec = next((key for key in keys if key.name == wanted), None)
    if spec is None:
        mistakes.at(path, f"there is no key map {wanted!r}", did_you_mean(wanted, [key.name for key in keys]))
        return None
    if spec.table != unit.root.name or spec.columns != tuple(unit.key):
        mistakes.at(
            path,
            f"keys.{wanted} is not a map of the unit's key, so that a row which has left the source would be kept",
            f"Use a map for {unit.root.name}.{', '.join(unit.key)}, or lead to a table that is replaced",
        )
        return None
    return Origin("map", wanted)


def _check_chain(name: str, spec: OutputSpec, outputs: Mapping[str, OutputSpec], mistakes: Mistakes) -> None:
    """`by` is either values, or a link to one table; and links end somewhere."""
    parents = {origin.parent for _, origin in spec.by if origin.kind == "table"}
    path = ("outputs", name, "by")
    if parents and (len(parents) > 1 or any(origin.kind != "table" for _, origin in spec.by)):
        mistakes.at(
            path, "a link to another table cannot be mixed with anything else", "Name columns of one table only"
        )
        return
    seen = {spec.table}
    while parents:
        (parent,) = parents
        if parent in seen:
            mistakes.at(
                path, "the tables lead to each other and to no unit", "Give one of them columns of the unit key"
            )
            return
        seen.add(parent)
        other = outputs[f"{spec.system}.{parent}"]
        parents = {origin.parent for _, origin in other.by if origin.kind == "table"}
        if len(parents) > 1:
            return
