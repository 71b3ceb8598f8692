"""The files beside `job.yaml`: steps, rules, lookups, macros and lib, found by their names."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ludb.errors import ConfigError
from ludb.project.mistakes import Mistakes, did_you_mean
from ludb.project.notation import table_name

JOB_FILE = "job.yaml"
LOOKUP_TYPES = (".csv", ".parquet", ".jsonl")


@dataclass(frozen=True, slots=True)
class StepFile:
    """One step: `name` is its path inside the job, `output` the output that it fills, `kind` its extension."""

    name: str
    path: Path
    output: str
    kind: str


@dataclass(frozen=True, slots=True)
class RuleFile:
    """One rule: `name` is its path inside the job."""

    name: str
    path: Path
    severity: Literal["warn", "reject", "stop"] = "reject"


@dataclass(frozen=True, slots=True)
class StepFolder:
    """A folder of steps in the order they run, and the rules that run after it."""

    name: str
    steps: tuple[StepFile, ...]
    rules: tuple[RuleFile, ...] = ()


@dataclass(frozen=True, slots=True)
class Content:
    """Everything a job consists of beside `job.yaml`. `files` are the paths its version is made of, `job.yaml` too."""

    step_folders: tuple[StepFolder, ...]
    rules: tuple[RuleFile, ...]
    lookups: tuple[tuple[Path, str], ...]
    macros: Mapping[str, str]
    files: tuple[str, ...]

    @property
    def steps(self) -> Iterator[StepFile]:
        """All steps in the order they run."""
        return (step for folder in self.step_folders for step in folder.steps)


def scan(root: Path, kinds: Iterable[str], severities: Mapping[str, str], mistakes: Mistakes) -> Content:
    """Find the job's files. `kinds` are the extensions of steps, `severities` the `rules:` of `job.yaml`."""
    folders = _steps(root, tuple(kinds), mistakes)
    rules = _rules(root, [folder.name for folder in folders], mistakes)
    severe = _severities([rule for found in rules.values() for rule in found], severities, mistakes)
    bound = {
        name: tuple(RuleFile(rule.name, rule.path, severe.get(rule.name, "reject")) for rule in found)
        for name, found in rules.items()
    }
    lookups = _flat(root, "lookups", LOOKUP_TYPES, mistakes)
    macros = _flat(root, "macros", (".sql",), mistakes)
    lib = [path for path in _walk(root / "lib") if path.suffix == ".py"]
    placed = tuple(StepFolder(folder.name, folder.steps, bound.get(folder.name, ())) for folder in folders)
    named = [step.path for folder in placed for step in folder.steps]
    named += [rule.path for found in bound.values() for rule in found]
    files = [root / JOB_FILE, *named, *lookups, *macros, *lib]
    return Content(
        step_folders=placed,
        rules=bound.get("", ()),
        lookups=_lookup_names(root, lookups, mistakes),
        macros={_inside(root, path): _text(root, path, mistakes) for path in macros},
        files=tuple(sorted(_inside(root, path) for path in files)),
    )


def content_version(root: Path, files: Iterable[str]) -> str:
    """The version of a job: 16 hex digits over the names and bytes of its files, whatever their dates and place."""
    digest = hashlib.sha256()
    for name in sorted(files):
        content = (root / name).read_bytes()
        digest.update(f"{len(name.encode())}:{name}:{len(content)}:".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def _steps(root: Path, kinds: tuple[str, ...], mistakes: Mistakes) -> list[StepFolder]:
    folders = []
    for entry in _entries(root / "steps"):
        if entry.is_dir():
            steps = [step for path in _entries(entry) if (step := _step(root, path, kinds, mistakes)) is not None]
            folders.append(StepFolder(entry.name, tuple(steps)))
        else:
            mistakes.in_file(
                _inside(root, entry), "lies outside a step folder", "Move it into a folder such as steps/10_first/"
            )
    if not any(folder.steps for folder in folders) and not any(error.file != JOB_FILE for error in mistakes.found):
        mistakes.in_file("steps", "the job has no steps", "Add a file such as steps/10_first/<target>.<table>.sql")
    return folders


def _step(root: Path, path: Path, kinds: tuple[str, ...], mistakes: Mistakes) -> StepFile | None:
    name = _inside(root, path)
    known = " or ".join(f".{kind}" for kind in kinds)
    if path.is_dir():
        mistakes.in_file(name, "a step folder has no folders inside", "Move its files up, or into lib/")
        return None
    kind = path.suffix.removeprefix(".")
    if kind not in kinds:
        mistakes.in_file(
            name, f"no step ends in {path.suffix or path.name!r}", f"Use {known}, or move the file out of steps/"
        )
        return None
    try:
        table_name(path.stem)
    except ConfigError:
        mistakes.in_file(name, "does not name its output", f"Call it <target>.<table>.{kind}")
        return None
    return StepFile(name, path, path.stem, kind)


def _rules(root: Path, folders: list[str], mistakes: Mistakes) -> dict[str, list[RuleFile]]:
    """Rules by step folder; those that run last under ""."""
    found: dict[str, list[RuleFile]] = {}
    for entry in _entries(root / "rules"):
        if entry.is_dir() and entry.name not in folders:
            mistakes.in_file(
                _inside(root, entry), f"there is no step folder {entry.name!r}", did_you_mean(entry.name, folders)
            )
            continue
        group = entry.name if entry.is_dir() else ""
        for path in _entries(entry) if entry.is_dir() else [entry]:
            if path.is_dir() or path.suffix != ".sql":
                mistakes.in_file(_inside(root, path), "a rule is a .sql file", "Rename it or move it out of rules/")
            else:
                found.setdefault(group, []).append(RuleFile(_inside(root, path), path))
    return found


def _severities(
    rules: list[RuleFile], severities: Mapping[str, str], mistakes: Mistakes
) -> dict[str, Literal["warn", "reject", "stop"]]:
    """Severity by rule name; `folder/stem` says it more exactly than `stem` and wins."""
    exact = {rule.name.removeprefix("rules/").removesuffix(".sql"): rule.name for rule in rules}
    plain: dict[str, list[str]] = {}
    for rule in rules:
        plain.setdefault(rule.path.stem, []).append(rule.name)
    found: dict[str, Literal["warn", "reject", "stop"]] = {}
    for key in sorted(severities, key=lambda key: "/" in key):
        names = [exact[key]] if "/" in key and key in exact else plain.get(key, [])
        if not names:
            mistakes.at(
                ("rules", key), f"there is no rule {key!r}", did_you_mean(key, [*exact, *plain], otherwise="Remove it")
            )
        for name in names:
            found[name] = severities[key]  # type: ignore[assignment]  # a Severity, as the settings model checked
    return found


def _flat(root: Path, folder: str, types: tuple[str, ...], mistakes: Mistakes) -> list[Path]:
    found = []
    for path in _entries(root / folder):
        if path.is_dir() or path.suffix not in types:
            mistakes.in_file(
                _inside(root, path), f"{folder}/ holds {', '.join(types)} files only", "Rename it or move it away"
            )
        else:
            found.append(path)
    return found


def _lookup_names(root: Path, paths: list[Path], mistakes: Mistakes) -> tuple[tuple[Path, str], ...]:
    seen: dict[str, Path] = {}
    for path in paths:
        if seen.setdefault(path.stem.lower(), path) is not path:
            mistakes.in_file(_inside(root, path), f"two lookups would be ref.{path.stem}", "Rename one of them")
    return tuple((path, path.stem) for path in paths)


def _text(root: Path, path: Path, mistakes: Mistakes) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        mistakes.in_file(_inside(root, path), "is not UTF-8 text", "Save the file as UTF-8")
        return ""


def _entries(folder: Path) -> list[Path]:
    """What a folder holds, in name order; hidden files and Python's caches are not the job's."""
    if not folder.is_dir():
        return []
    names = [path for path in folder.iterdir() if not path.name.startswith(".") and path.name != "__pycache__"]
    return sorted(names, key=lambda path: path.name)


def _walk(folder: Path) -> Iterator[Path]:
    for path in _entries(folder):
        if path.is_dir():
            yield from _walk(path)
        else:
            yield path


def _inside(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()
