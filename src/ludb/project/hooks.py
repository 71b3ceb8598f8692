"""The hooks of a job: what it does once before the first worker starts, and once after the last has ended."""

from __future__ import annotations

import symtable
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from ludb.errors import ConfigError
from ludb.model.job import HookSpec
from ludb.ports.execute import CanExecute
from ludb.project import registry
from ludb.project.mistakes import Mistakes, did_you_mean
from ludb.project.settings import HookSettings, JobSettings

Moment = Literal["before", "after"]


def build_hooks(
    settings: JobSettings, folder: Path, types: Mapping[str, str], mistakes: Mistakes
) -> tuple[HookSpec, ...]:
    """The hooks in their order, those before first; texts are parsed, systems and files looked up."""
    lists: Mapping[Moment, Sequence[HookSettings]] = {"before": settings.before, "after": settings.after}
    found = []
    for moment, hooks in lists.items():
        names: set[str] = set()
        for number, hook in enumerate(hooks):
            path = (moment, number)
            spec = _hook(moment, hook, path, folder, types, mistakes)
            if spec is not None and spec.name in names:
                mistakes.at(path, f"two hooks are called {spec.name!r}", "Give one of them another name:")
            if spec is not None:
                names.add(spec.name)
                found.append(spec)
    return tuple(found)


def roles_for(hooks: Sequence[HookSpec], roles: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """The systems' roles, with one for those that only a hook uses."""
    alone = {hook.system for hook in hooks if hook.system and not roles.get(hook.system)}
    return {**roles, **{system: frozenset({registry.SOURCES}) for system in alone}}


def _hook(
    moment: Moment,
    hook: HookSettings,
    path: tuple[str, int],
    folder: Path,
    types: Mapping[str, str],
    mistakes: Mistakes,
) -> HookSpec | None:
    if (hook.sql is None) == (hook.python is None):
        mistakes.at(
            path, "a hook is either sql or python", "Write {sql: FILE, on: SYSTEM} or {python: FILE.py:FUNCTION}"
        )
        return None
    if hook.python is not None:
        file, _, function = hook.python.rpartition(":")
        text = _text(file, folder, (*path, "python"), mistakes)
        if hook.on is not None:
            mistakes.at((*path, "on"), "only sql runs on a system", "Remove it")
        if text is not None:
            _check_python(text, file, function, (*path, "python"), mistakes)
        return HookSpec(hook.name or hook.python, moment, file, function=function)
    assert hook.sql is not None
    text = _text(hook.sql, folder, (*path, "sql"), mistakes)
    if hook.on is None:
        mistakes.at(path, "the field 'on' is missing", "Name the system that the statements run on")
        return None
    if hook.on not in types:
        mistakes.at((*path, "on"), f"there is no system {hook.on!r}", did_you_mean(hook.on, types))
        return None
    able = _executor(types[hook.on])
    if able is None:
        mistakes.at(
            (*path, "on"), f"system {hook.on} is of type {types[hook.on]}, which runs no SQL", "Write it in python:"
        )
    elif text is not None:
        try:
            able.check_script(text)
        except ConfigError as error:
            error.file = hook.sql
            mistakes.found.append(error)
    return HookSpec(hook.name or f"{hook.sql} on {hook.on}", moment, hook.sql, system=hook.on)


def _executor(kind: str) -> type[CanExecute] | None:
    """An adapter class of the type that runs SQL."""
    groups = [group for group in (registry.TARGETS, registry.SOURCES) if kind in registry.names(group)]
    made = [registry.adapter(group, kind) for group in groups]
    return next((one for one in made if issubclass(one, CanExecute)), None)


def _text(file: str, folder: Path, path: tuple[str | int, ...], mistakes: Mistakes) -> str | None:
    """The file's text; None, and a mistake, if it is not there, not inside the job, or not UTF-8."""
    place = (folder / file).resolve()
    if not place.is_relative_to(folder.resolve()) or not place.is_file():
        mistakes.at(path, f"there is no file {file} in the job folder", "Mend the path; it starts in the job folder")
        return None
    try:
        return place.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        mistakes.in_file(file, "is not UTF-8 text", "Save the file as UTF-8")
        return None


def _check_python(text: str, file: str, function: str, path: tuple[str | int, ...], mistakes: Mistakes) -> None:
    try:
        # The compiler's own table, not `ast`: objects of `ast` made while the collector ends something that prints a
        # traceback are refused by Python before 3.11.8 (python/cpython#106905).
        module = symtable.symtable(text, file, "exec")
    except SyntaxError as error:
        mistakes.found.append(ConfigError(error.msg, file=file, line=error.lineno, column=error.offset))
        return
    names = [table.get_name() for table in module.get_children() if table.get_type() == "function"]
    if function not in names:
        mistakes.at(path, f"{file} has no function {function!r}", did_you_mean(function, names))
