"""Adapters by name. Built-in ones register through the same entry points as those of other packages."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, EntryPoints
from importlib.metadata import entry_points as installed
from typing import Any

from ludb.errors import ConfigError
from ludb.project.mistakes import did_you_mean

SOURCES = "ludb.sources"
TARGETS = "ludb.targets"
CALL_TARGETS = "ludb.call_targets"
STEPS = "ludb.steps"
REPOSITORIES = "ludb.repositories"
LAUNCHERS = "ludb.launchers"
SYSTEMS = (SOURCES, TARGETS, CALL_TARGETS)
"""The groups whose names may stand as `type:` of a system."""
KINDS = {
    SOURCES: "source",
    TARGETS: "target",
    CALL_TARGETS: "call target",
    STEPS: "step type",
    REPOSITORIES: "repository",
    LAUNCHERS: "launcher",
}
"""What the adapters of a group are called in messages."""


@cache
def _installed(group: str) -> EntryPoints:
    # Reading the metadata of every installed package takes longer than reading a job, and a job asks many times.
    return installed(group=group)


def entry_points(group: str, name: str | None = None) -> EntryPoints:
    """The entry points of a group, or those of one name in it, as installed when the process first asked."""
    found = _installed(group)
    return found if name is None else found.select(name=name)


def names(group: str) -> tuple[str, ...]:
    """The names registered in a group, in order."""
    return tuple(sorted({entry.name for entry in entry_points(group=group)}))


def adapter(group: str, name: str) -> Any:
    """The class registered as `name` in `group`. `ConfigError` if there is none or a package it needs is missing."""
    kind = KINDS.get(group, group)
    for entry in entry_points(group=group, name=name):
        try:
            return entry.load()
        except ImportError as error:
            missing = f" ({error.name})" if error.name else ""
            raise ConfigError(
                f"the {kind} {name!r} needs a package that is not installed{missing}", remedy=_install(entry)
            ) from error
    known = names(group)
    if not known:
        raise ConfigError(
            f"no {kind} is registered: the package is not installed", remedy="Install it: pip install ludb"
        )
    raise ConfigError(f"there is no {kind} {name!r}", remedy=did_you_mean(name, known))


def _install(entry: EntryPoint) -> str:
    """How to get what an adapter needs: the extra that its entry point names, or the one that is called as it is."""
    package = entry.dist.name if entry.dist else "ludb"
    offered = entry.dist.metadata.get_all("Provides-Extra") or [] if entry.dist else []
    extras = list(entry.extras) or [extra for extra in offered if extra == entry.name]
    return f"Run: pip install '{package}[{','.join(extras)}]'" if extras else f"Install {package} again"
