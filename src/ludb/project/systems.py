"""The systems of a job: what each is used for, and its settings as its adapters understand them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError

from ludb.dialects.settings import SystemSettings
from ludb.errors import ConfigError
from ludb.project import registry
from ludb.project.mistakes import Mistakes, did_you_mean
from ludb.project.secrets import Secrets, resolve

RESERVED = ("main", "ref", "keys", "ludb", "temp", "system", "memory", "information_schema", "pg_catalog")
"""Schemas that the unit database needs for itself."""


@dataclass(frozen=True, slots=True)
class SystemEntry:
    """A system of the job. `settings` holds one value per role (entry point group) that the job uses it in.

    `variables` tells for each dotted field the variables it came from.
    """

    name: str
    type: str
    settings: Mapping[str, SystemSettings]
    variables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def roles(self) -> frozenset[str]:
        """The roles: `registry.SOURCES`, `registry.TARGETS`, `registry.CALL_TARGETS`."""
        return frozenset(self.settings)


def types_of(raw: Mapping[str, Mapping[str, Any]], mistakes: Mistakes) -> dict[str, str]:
    """The type of each system by name; names and types that cannot be are mistakes."""
    known = sorted({name for group in registry.SYSTEMS for name in registry.names(group)})
    found: dict[str, str] = {}
    lower: dict[str, str] = {}
    for name, entry in raw.items():
        path = ("systems", name)
        kind = entry.get("type")
        if name.lower() in RESERVED:
            mistakes.at(path, f"{name!r} cannot be the name of a system", "Choose another name; this one is reserved")
        if lower.setdefault(name.lower(), name) != name:
            mistakes.at(path, f"{name!r} and {lower[name.lower()]!r} differ in case only", "Rename one of them")
        if not isinstance(kind, str):
            mistakes.at((*path, "type"), f"system {name} has no type", f"Add `type:`; known: {', '.join(known)}")
        elif kind not in known:
            mistakes.at((*path, "type"), f"there is no type {kind!r}", did_you_mean(kind, known))
        else:
            found[name] = kind
    return found


def build_systems(
    raw: Mapping[str, Mapping[str, Any]],
    types: Mapping[str, str],
    roles: Mapping[str, frozenset[str]],
    secrets: Secrets,
    mistakes: Mistakes,
) -> dict[str, SystemEntry]:
    """Each system with its settings validated for every role it is used in. One that is not used is checked all the
    same, by any adapter of its type.
    """
    found = {}
    for name, kind in types.items():
        resolved = resolve(raw[name], ("systems", name), secrets, mistakes)
        if resolved is None:
            continue
        used = roles.get(name, frozenset())
        checked: dict[type[BaseModel], SystemSettings] = {}
        settings = {}
        groups = sorted(used) or [group for group in registry.SYSTEMS if kind in registry.names(group)][:1]
        for group in groups:
            model = _model(group, kind, name, mistakes)
            if model is None:
                continue
            if model not in checked:
                try:
                    checked[model] = model.model_validate(dict(resolved.values))
                except ValidationError as error:
                    mistakes.validation(error, model, ("systems", name), resolved.mask)
                    break
            settings[group] = checked[model]
        found[name] = SystemEntry(
            name, kind, {group: settings[group] for group in used if group in settings}, resolved.variables
        )
    return found


def check_apart(systems: Mapping[str, SystemEntry], folder: Path, mistakes: Mistakes) -> None:
    """Two targets on one SQLite file would wait for each other's lock for good."""
    seen: dict[Path, str] = {}
    for name, entry in systems.items():
        url = getattr(entry.settings.get(registry.TARGETS), "url", None)
        if entry.type != "sqlite" or url is None:
            continue
        text = url.get_secret_value() if isinstance(url, SecretStr) else str(url)
        file = (folder / text.removeprefix("sqlite:///")).resolve()
        other = seen.setdefault(file, name)
        if other != name:
            mistakes.at(
                ("systems", name, "url"),
                f"{name} and {other} are the same SQLite file: their transactions would lock each other out",
                f"Write to one system only, or give {name} a file of its own",
            )


def _model(group: str, kind: str, name: str, mistakes: Mistakes) -> type[SystemSettings] | None:
    """The settings model of an adapter."""
    try:
        found = getattr(registry.adapter(group, kind), "Settings", None)
    except ConfigError as error:
        mistakes.within(("systems", name, "type"), error)
        return None
    if not (isinstance(found, type) and issubclass(found, SystemSettings)):
        mistakes.at(
            ("systems", name, "type"),
            f"the {registry.KINDS[group]} {kind!r} has no settings model",
            "Report it to its author",
        )
        return None
    return found
