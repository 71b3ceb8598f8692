"""A job as it lies in its folder: read whole, checked whole, and given out as one frozen value."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ludb.errors import ConfigError
from ludb.model.job import Job, QuarantineLimit, Settings
from ludb.project import registry
from ludb.project.content import JOB_FILE, Content, RuleFile, StepFolder, content_version, scan
from ludb.project.hooks import build_hooks, roles_for
from ludb.project.lookups import check_lookups
from ludb.project.mistakes import Mistakes
from ludb.project.modes import with_modes
from ludb.project.outputs import build_outputs, roles_of
from ludb.project.parameters import build_parameters
from ludb.project.secrets import Secrets
from ludb.project.settings import JobSettings, RunSettings
from ludb.project.systems import SystemEntry, build_systems, check_apart, types_of
from ludb.project.unit import build_keys, build_unit
from ludb.project.yaml_text import read_yaml


@dataclass(frozen=True, slots=True)
class JobFolder:
    """A job folder without a mistake in it.

    `step_folders` in the order they run; `rules` run after all of them; `lookups` are (path, name), `lookup_types`
    their column types; `macros` are SQL texts by file; `files` all relative paths that the version is made of.
    """

    folder: Path
    job: Job
    systems: Mapping[str, SystemEntry]
    step_folders: tuple[StepFolder, ...]
    rules: tuple[RuleFile, ...] = ()
    lookups: tuple[tuple[Path, str], ...] = ()
    lookup_types: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    macros: Mapping[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()

    @property
    def lib(self) -> Path:
        """The folder of Python modules that steps share; it need not be there."""
        return self.folder / "lib"


def read_job(folder: Path, environment: Mapping[str, str], *, home: Path | None = None) -> JobFolder:
    """Read and check a job; variables come from `environment`, then from the file that `LUDB_SECRETS` names.

    `home` is where relative paths of systems start, if not in `folder` (which may be a copy). Raises `ConfigError`, or
    `ConfigErrors` with every mistake that could be found, each with file, line, field and remedy.
    """
    folder = folder.resolve()
    path = folder / JOB_FILE
    if not path.is_file():
        raise ConfigError(f"there is no {JOB_FILE} in this folder", file=str(folder), remedy="Name the folder of a job")
    text = read_yaml(path, JOB_FILE)
    mistakes = Mistakes(text)
    secrets = Secrets.of(environment)
    try:
        settings = JobSettings.model_validate(text.data)
    except ValidationError as error:
        mistakes.validation(error, JobSettings)
        mistakes.raise_any()
        raise  # an error without a mistake in it cannot be
    content = scan(folder, registry.names(registry.STEPS), settings.rules, mistakes)
    types = types_of(settings.systems, mistakes)
    unit = build_unit(settings.unit, settings.systems, mistakes)
    outputs = build_outputs(settings, content, types, mistakes)
    parameters = build_parameters(settings.parameters, mistakes)
    if unit is None:
        mistakes.raise_any()
        raise AssertionError("a unit is missing only where a mistake says why")
    keys = build_keys(settings.keys, unit, mistakes)
    outputs = with_modes(outputs, settings.outputs, types, unit, keys, mistakes)
    hooks = build_hooks(settings, folder, types, mistakes)
    roles = roles_for(hooks, roles_of(unit, outputs, types, mistakes))
    systems = build_systems(settings.systems, types, roles, secrets, mistakes)
    check_apart(systems, home or folder, mistakes)
    check_lookups(content, settings, unit, mistakes)
    mistakes.raise_any()
    content = replace(content, files=tuple(sorted({*content.files, *(hook.path for hook in hooks)})))
    job = Job(
        name=settings.name,
        version=content_version(folder, content.files),
        pinned=_pinned(text.data),
        unit=unit,
        outputs=outputs,
        keys=keys,
        settings=_run(settings.settings),
        parameters=parameters,
        hooks=hooks,
    )
    return _joined(folder, job, systems, content, settings)


def _joined(
    folder: Path, job: Job, systems: Mapping[str, SystemEntry], content: Content, settings: JobSettings
) -> JobFolder:
    return JobFolder(
        folder=folder,
        job=job,
        systems=systems,
        step_folders=content.step_folders,
        rules=content.rules,
        lookups=content.lookups,
        lookup_types={name: dict(lookup.types) for name, lookup in settings.lookups.items()},
        macros=content.macros,
        files=content.files,
    )


def _run(settings: RunSettings) -> Settings:
    limit = settings.quarantine_limit
    return Settings(
        chunk_units=settings.chunk_units,
        chunk_bytes=settings.chunk_bytes,
        workers=settings.workers,
        quarantine_limit=QuarantineLimit(limit.count, limit.percent, limit.minimum),
        lease=settings.lease,
        memory_limit=settings.memory_limit,
        extract=settings.extract,
        retry_base=settings.retry.base,
        retry_cap=settings.retry.cap,
    )


def _pinned(data: Mapping[str, Any]) -> str:
    """A hash of what a started run holds on to, as written: variables stay names, so that no secret is in it. How hard a
    system is called is no part of it: that may change any time.
    """
    systems = {
        name: {field: value for field, value in entry.items() if field not in {"pace", "in_flight", "set_aside"}}
        for name, entry in data["systems"].items()
    }
    parts = {"unit": data.get("unit"), "keys": data.get("keys"), "systems": systems}
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
