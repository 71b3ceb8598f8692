"""Make a new job: an example that runs, or a draft from what a database says of itself."""

from __future__ import annotations

import os
import re
import shlex
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from pydantic import ValidationError

from ludb.dialects.settings import Surroundings
from ludb.errors import ConfigError, TransientError
from ludb.model.shape import TableShape
from ludb.model.unit import TableRef, UnitTable
from ludb.ports.source import CanReflect, Source
from ludb.project import registry
from ludb.project.api_job import SYSTEM, api_job
from ludb.project.first_job import IGNORED, first_job
from ludb.project.folder import read_job
from ludb.project.load import bind
from ludb.project.proposal import Proposal, propose
from ludb.project.scaffold import SOURCE, TARGET, Draft, Plan, draft

_SCHEMES = {"postgresql": "postgres", "postgres": "postgres", "mysql": "mysql", "mariadb": "mysql"}
"""Schemes of URLs that are not called as their type."""
_OPTIONS = {SOURCE: "--from", TARGET: "--to"}
"""What names a database on the command line."""


@dataclass(frozen=True, slots=True)
class Database:
    """A database as `ludb init` sees it: what its URL says, and its tables."""

    type: str
    url: str
    shapes: tuple[TableShape, ...]


@dataclass(frozen=True, slots=True)
class Made:
    """A job that was written. `variables` must be set before it can run; `missing` and `notes` are for a person to read."""

    folder: Path
    files: tuple[str, ...]
    proposal: Proposal | None = None
    variables: tuple[str, ...] = ()
    missing: Mapping[str, str] | None = None
    notes: Sequence[str] = ()


def look(url: str, system: str) -> Database:
    """Reflect a database. `ConfigError` if it is not there, empty, or of a type that cannot be reflected; `TransientError` if
    its server cannot be reached. There is no job yet: what is to be mended is the option.
    """
    option = _OPTIONS.get(system, "the URL")
    scheme = url.split(":", 1)[0].split("+", 1)[0].lower() if "://" in url else "sqlite"
    kind = _SCHEMES.get(scheme, scheme)
    able = [
        name for name in registry.names(registry.SOURCES) if hasattr(registry.adapter(registry.SOURCES, name), "tables")
    ]
    if kind not in able:
        raise ConfigError(
            f"the URL of the {system} system is of no database that says what it holds",
            remedy=f"Name a database of type {' or '.join(able)}: a file's path, or a URL",
        )
    try:
        with _opened(kind, url, system) as source:
            assert isinstance(source, CanReflect)
            shapes = tuple(source.tables())
    except ConfigError as error:
        what = error.message.replace(f"system {system}", option, 1)
        raise ConfigError(what, remedy=_mend(kind, option)) from error
    except TransientError as error:
        what = str(error).replace(f"system {system}", option, 1)
        remedy = f"See that the server is up and lets this machine in, and that {option} names its host and port"
        raise TransientError(what, system=system, remedy=remedy) from error
    if not any(shape.columns and not shape.view for shape in shapes):
        raise ConfigError(f"the {system} database has no tables", remedy="Name another database")
    return Database(kind, url, shapes)


def _mend(kind: str, option: str) -> str:
    if kind == "sqlite":
        return f"Name the database's file with {option}, or a server's URL (postgresql://..., mysql://...)"
    return f"Mend user, password and database in {option}, or the rights of that user"


@contextmanager
def _opened(kind: str, url: str, system: str) -> Iterator[Source]:
    make = registry.adapter(registry.SOURCES, kind)
    try:
        settings = make.Settings.model_validate({"type": kind, "url": url})
    except ValidationError:
        raise ConfigError(f"the URL of the {system} system is not one of type {kind}", remedy="Mend the URL") from None
    with tempfile.TemporaryDirectory(prefix="ludb-init-") as scratch:
        opened = cast(
            "Source", make(system, settings, Surroundings(Path.cwd(), Path(scratch), {"url": (variable(system),)}))
        )
        try:
            yield opened
        finally:
            opened.close()


def make_first(folder: Path, name: str | None = None, *, force: bool = False) -> Made:
    """A small job that runs as it stands, with its data."""
    texts = first_job(job_name(name, folder), shlex.quote(str(folder)))
    _write(folder, texts, force=force)
    return _checked(Made(folder, tuple(sorted(texts))), {})


def make_for_api(folder: Path, file: Path, name: str | None = None, *, force: bool = False) -> Made:
    """A job with an output and a step for every document that an API takes, by its description; to be filled in."""
    texts = api_job(job_name(name, folder), shlex.quote(str(folder)), file)
    _write(folder, texts, force=force)
    variables = {variable(SYSTEM): "http://localhost"}
    notes = ("steps/: members that must be there are NULL until they are filled in",)
    return _checked(Made(folder, tuple(sorted(texts)), None, tuple(variables), notes=notes), variables)


def make_from(
    folder: Path,
    source: Database,
    root: str,
    *,
    to: Database | None = None,
    only: Collection[str] = (),
    name: str | None = None,
    force: bool = False,
) -> Made:
    """A job that moves the unit below `root` into tables of the same names, or into Parquet files without `to`."""
    proposal = propose(source.shapes, root, only)
    if proposal.key_guessed:
        _check_key(source, proposal)
    variables: dict[str, str] = {}
    systems = {SOURCE: _entry(SOURCE, source, folder, variables)}
    systems[TARGET] = {"type": "files", "path": "out"} if to is None else _entry(TARGET, to, folder, variables)
    made = draft(Plan(job_name(name, folder), proposal, systems, to.shapes if to else None))
    if not any(file.startswith("steps/") for file in made.files):
        raise ConfigError(
            f"no table of the unit is in the target: {', '.join(made.missing)}",
            remedy="Create the tables first, or leave out --to",
        )
    texts = {**made.files, "README.md": _readme(folder, proposal, made, variables), ".gitignore": IGNORED}
    if variables:
        texts[".env.example"] = _example(source, to, variables)
    _write(folder, texts, force=force)
    written = Made(folder, tuple(sorted(texts)), proposal, tuple(variables), made.missing, tuple(made.notes))
    return _checked(written, variables)


def job_name(name: str | None, folder: Path) -> str:
    """The name given, or the folder's, as far as a job may be called so."""
    if name is not None:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", name):
            raise ConfigError(
                f"a job cannot be called {name!r}", remedy="Use letters, digits, _ . and -, a letter first"
            )
        return name
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "_", folder.resolve().name).strip("_.-")
    return plain if re.match(r"[A-Za-z_]", plain) else f"job_{plain}".rstrip("_")


def variable(system: str) -> str:
    """The environment's variable that holds a system's URL."""
    return f"{system.upper()}_URL"


def _entry(system: str, database: Database, folder: Path, variables: dict[str, str]) -> dict[str, str]:
    """A system's entry. A file is named in it; the URL of a server may hold a password and becomes a variable."""
    if database.type != "sqlite":
        variables[variable(system)] = database.url
        return {"type": database.type, "url": f"${{{variable(system)}}}"}
    path = Path(database.url.removeprefix("sqlite:///")).resolve()
    here = folder.resolve()
    shown = os.path.relpath(path, here) if path.is_relative_to(here.parent) else str(path)
    return {"type": "sqlite", "url": shown.replace("${", "$${")}


def _check_key(database: Database, proposal: Proposal) -> None:
    """A guessed key is only proposed where it holds: no NULL, no value twice. Every key is read once."""
    root = proposal.root
    seen: set[object] = set()
    rows = 0
    with _opened(database.type, database.url, SOURCE) as source:
        for keys in source.keys(UnitTable(root.name, TableRef(SOURCE, root.name)), proposal.key):
            values = keys.column(0).to_pylist()
            rows += len(values)
            seen.update(value for value in values if value is not None)
    if len(seen) != rows:
        raise ConfigError(
            f"{root.name} has no primary key, and {proposal.key[0]} does not tell its rows apart",
            remedy="Name another root with --root, or give the table a key",
        )


def _write(folder: Path, texts: Mapping[str, str], *, force: bool) -> None:
    """All files, or none: a folder that holds something is refused, and with `force` a file that is there."""
    if folder.exists() and not folder.is_dir():
        raise ConfigError("this is a file", file=str(folder), remedy="Name a new folder")
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise ConfigError(
            "the folder is not empty", file=str(folder), remedy="Name a new folder, or say --force to add to it"
        )
    there = sorted(name for name in texts if (folder / name).exists())
    if there:
        what = f"{', '.join(there)} is there already"
        raise ConfigError(what, file=str(folder), remedy="Nothing is overwritten: move it away first")
    try:
        for name, text in texts.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"cannot be written: {error.strerror}", file=str(folder / name), remedy="Name another folder"
        ) from error


def _checked(made: Made, variables: Mapping[str, str]) -> Made:
    """What was written is read as `ludb check` reads it: a mistake in it is ours, and told at once."""
    read = read_job(made.folder, {**os.environ, **variables})
    with tempfile.TemporaryDirectory(prefix="ludb-init-") as scratch:
        values = {spec.name: spec.default for spec in read.job.parameters}
        bind(read, state=Path(scratch), reference={}, parameters=values).close()
    return made


def _example(source: Database, to: Database | None, variables: Mapping[str, str]) -> str:
    """Which variables the job needs, without what is secret in them."""
    lines = ["# Copy to .env, fill in, and name it: export LUDB_SECRETS=$PWD/.env (or set the variables themselves)"]
    for database, system in ((source, SOURCE), (to, TARGET)):
        if database is not None and variable(system) in variables:
            parts = urlsplit(database.url)
            host = parts.hostname or "host"
            port = f":{parts.port}" if parts.port else ""
            lines.append(f"{variable(system)}={parts.scheme}://USER:PASSWORD@{host}{port}{parts.path}")
    return "\n".join(lines) + "\n"


def _readme(folder: Path, proposal: Proposal, made: Draft, variables: Mapping[str, str]) -> str:
    shown = shlex.quote(str(folder))
    tables = ", ".join(member.shape.name for member in proposal.members)
    lines = [
        f"# {folder.resolve().name}", "",
        f"Moves each {proposal.root.name} whole, or not at all: {tables}. Every step passes its table through; change them.", "",
        "```",
        *(["export LUDB_SECRETS=$PWD/.env   # after .env.example"] if variables else []),
        f"ludb check {shown}", f"ludb plan {shown}    # what would move, what nobody reads", f"ludb run {shown}", "```",
    ]  # fmt: skip
    if made.notes:
        lines += ["", "To look at:", "", *(f"- {note}" for note in made.notes)]
    return "\n".join(lines) + "\n"
