"""From a job folder to a migration: adapters opened by name, steps parsed, lookups read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from ludb.dialects.settings import Surroundings
from ludb.engine.migration import Folder, Migration, Rule
from ludb.errors import ConfigError, ConfigErrors
from ludb.ports.source import Source
from ludb.ports.step import Step
from ludb.ports.target import CallTarget, Target
from ludb.project import registry
from ludb.project.content import RuleFile, StepFile
from ludb.project.folder import JobFolder, read_job
from ludb.project.lookups import read_lookups
from ludb.project.systems import SystemEntry
from ludb.unitdb.database import check_select


def load_migration(
    folder: Path,
    *,
    environment: Mapping[str, str],
    state: Path,
    reference: Mapping[str, pa.Table],
    parameters: Mapping[str, object],
    home: Path | None = None,
) -> Migration:
    """Read the job in `folder` and bind it to its adapters; nothing is connected or written yet.

    `reference` are the shared tables as pinned, by name; lookups join them. `home` is where relative paths of systems
    start, if `folder` is a copy. Raises `ConfigError`, or `ConfigErrors` for several bad steps and rules.
    """
    read = read_job(folder, environment, home=home)
    return bind(read, state=state, reference=reference, parameters=parameters, home=home)


def bind(
    read: JobFolder,
    *,
    state: Path,
    reference: Mapping[str, pa.Table],
    parameters: Mapping[str, object],
    home: Path | None = None,
) -> Migration:
    """As `load_migration`, for a job that is read already. Close the migration to let go of its adapters."""
    folders, rules = _transformations(read)
    shared = {**reference, **read_lookups(read.lookups, read.lookup_types)}
    sources: dict[str, Source] = {}
    targets: dict[str, Target] = {}
    calls: dict[str, CallTarget] = {}
    migration = Migration(
        job=read.job,
        folders=folders,
        rules=rules,
        sources=sources,
        targets=targets,
        calls=calls,
        reference=shared,
        macros=read.macros,
        parameters=dict(parameters),
    )
    opened: dict[str, dict[str, Any]] = {
        registry.SOURCES: sources,
        registry.TARGETS: targets,
        registry.CALL_TARGETS: calls,
    }
    try:
        for entry in read.systems.values():
            for group in sorted(entry.roles):
                opened[group][entry.name] = _open(
                    group, entry, read, Surroundings(home or read.folder, state, entry.variables)
                )
    except BaseException:
        migration.close()
        raise
    return migration


def _open(group: str, entry: SystemEntry, read: JobFolder, surroundings: Surroundings) -> Any:
    """One adapter. Its own complaint gets the place in the job that it is about."""
    make = registry.adapter(group, entry.type)
    settings = entry.settings[group]
    try:
        if group != registry.CALL_TARGETS:
            return make(entry.name, settings, surroundings)
        outputs = {name: output for name, output in read.job.outputs.items() if output.system == entry.name}
        return make(entry.name, settings, surroundings, outputs)
    except ConfigError as error:
        if error.file is None:
            error.file = "job.yaml"
            error.field = error.field or f"systems.{entry.name}"
        raise


def _transformations(read: JobFolder) -> tuple[tuple[Folder, ...], tuple[Rule, ...]]:
    """Steps and rules, parsed; every text that does not parse is told at once."""
    mistakes: list[ConfigError] = []
    folders = []
    for folder in read.step_folders:
        steps = [made for step in folder.steps if (made := _step(step, read.folder, mistakes)) is not None]
        rules = [_rule(rule, mistakes) for rule in folder.rules]
        folders.append(Folder(folder.name, tuple(steps), tuple(rules)))
    last = tuple(_rule(rule, mistakes) for rule in read.rules)
    if len(mistakes) == 1:
        raise mistakes[0]
    if mistakes:
        raise ConfigErrors(mistakes)
    return tuple(folders), last


def _step(step: StepFile, folder: Path, mistakes: list[ConfigError]) -> Step | None:
    make = registry.adapter(registry.STEPS, step.kind)
    try:
        made: Step = (
            make(step.name, step.output, step.path, folder)
            if step.kind == "py"
            else make(step.name, step.output, step.path)
        )
    except UnicodeDecodeError:
        mistakes.append(ConfigError("is not UTF-8 text", file=step.name, remedy="Save the file as UTF-8"))
    except ConfigError as error:
        mistakes.append(error)
    else:
        return made
    return None


def _rule(rule: RuleFile, mistakes: list[ConfigError]) -> Rule:
    text = ""
    try:
        text = rule.path.read_text(encoding="utf-8")
        check_select(text, file=rule.name)
    except UnicodeDecodeError:
        mistakes.append(ConfigError("is not UTF-8 text", file=rule.name, remedy="Save the file as UTF-8"))
    except ConfigError as error:
        mistakes.append(error)
    return Rule(rule.name, text, rule.severity)
