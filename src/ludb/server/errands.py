"""Tasks as command lines: what the command line does, the server has it do."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ludb.errors import ConfigError
from ludb.model.tasks import Task
from ludb.server.world import World

START, RESUME, RETRY, ABANDON, PURGE = "start", "resume", "retry", "abandon", "purge"
"""The names of tasks."""


def folder_of(world: World) -> Path:
    """Where tasks keep their locks and answers."""
    return world.site.state / "tasks"


def put(world: World, name: str, job: str, run: str, arguments: Mapping[str, object], actor: str, address: str) -> Task:
    """Keep a task for this server's keeper, and write down who asked, from where. Unit keys and selections are not
    repeated in the audit.
    """
    number = uuid.uuid4().hex[:16]
    lock = str(folder_of(world) / f"{number}.lock")
    made = world.repository.tasks.put(Task(number, name, job, run, arguments, actor, host=world.site.host, lock=lock))
    told = {key: value for key, value in arguments.items() if key not in {"keys", "selection"}}
    world.note(actor, address, f"run.{name}", run or job, after={"task": made.id, **told})
    world.wake.set()
    return made


def words_of(task: Task, world: World, folder: Path) -> list[str]:
    """The command line of a task, without what all have. `folder` is for a file of unit keys. Options are written with `=`,
    so that no value can be taken for another option.
    """
    asked: dict[str, Any] = dict(task.arguments)
    if task.name == START:
        return _start(task, asked, world, folder)
    if task.name == RESUME:
        words = ["resume", task.run, "--detach"]
        return words + (["--accept-change"] if asked.get("accept_change") else []) + _workers(asked)
    if task.name == RETRY:
        which = [f"--unit={key}" for key in asked.get("keys") or ()]
        which += [f"--reason={asked['reason']}"] if asked.get("reason") else []
        return ["quarantine", "retry", task.run, "--detach", *which, *(["--all"] if asked.get("all") else [])]
    if task.name == ABANDON:
        return ["abandon", task.run]
    if task.name == PURGE:
        return _purge(task, asked, world)
    raise ConfigError(f"there is no task {task.name}", remedy="Use the server that put it")


def _start(task: Task, asked: dict[str, Any], world: World, folder: Path) -> list[str]:
    words = ["run", str(_folder(task, world))]
    words += [f"--param={name}={value}" for name, value in sorted((asked.get("parameters") or {}).items())]
    selection = asked.get("selection") or {}
    for name in ("where", "sample", "seed", "limit"):
        if selection.get(name) is not None:
            words.append(f"--{name}={selection[name]}")
    if selection.get("only_quarantined") is not None:
        words.append(f"--only-quarantined={selection['only_quarantined']}")
    if selection.get("units") is not None:
        file = folder / f"{task.id}.units"
        file.write_text(str(selection["units"]), encoding="utf-8")
        words.append(f"--units={file}")
    words += ["--skip-missing"] if selection.get("skip_missing") else []
    words += ["--accept-change"] if asked.get("accept_change") else []
    return words + _workers(asked) + (["--dry-run"] if asked.get("dry_run") else ["--detach"])


def _purge(task: Task, asked: dict[str, Any], world: World) -> list[str]:
    words = ["purge", *([str(_folder(task, world))] if task.job else []), f"--older-than={asked['older_than']}"]
    words += [f"--what={','.join(asked['what'])}"] if asked.get("what") else []
    words += ["--with-exceptions"] if asked.get("with_exceptions") else []
    return words + (["--dry-run"] if asked.get("dry_run") else ["--yes"])


def _workers(asked: dict[str, Any]) -> list[str]:
    return [f"--workers={asked['workers']}"] if asked.get("workers") else []


def _folder(task: Task, world: World) -> Path:
    entry = world.catalogue.find(task.job)
    if entry is None:
        raise ConfigError(f"there is no job {task.job} any more", remedy="See the list of jobs")
    return entry.folder
