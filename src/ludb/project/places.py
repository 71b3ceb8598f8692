"""Mistakes that only a database could show are told by their line in `job.yaml`, like all others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ludb.errors import ConfigError, ConfigErrors
from ludb.project.yaml_text import YamlText, read_yaml

JOB = "job.yaml"


@contextmanager
def placed(folder: Path) -> Iterator[None]:
    """A `ConfigError` about a field of the job leaves with its line and column; one that knows its line, or is about
    something else, leaves as it is.
    """
    try:
        yield
    except ConfigError as error:
        for mistake in error.errors if isinstance(error, ConfigErrors) else [error]:
            _place(mistake, folder)
        raise


def path_of(field: str, text: YamlText) -> tuple[str, ...]:
    """The keys that lead to a field; a key may hold dots itself (`outputs.new.account.row`)."""
    path: list[str] = []
    rest, inside = field, text.data
    while rest and isinstance(inside, Mapping):
        fits = [key for key in inside if rest == key or rest.startswith(f"{key}.")]
        if not fits:
            break
        key = max(fits, key=len)
        path.append(key)
        rest, inside = rest[len(key) + 1 :], inside[key]
    return tuple(path)


def _place(error: ConfigError, folder: Path) -> None:
    if error.line is not None or not error.field or (error.file or JOB) != JOB:
        return
    try:
        text = read_yaml(folder / JOB, JOB)
    except ConfigError:  # somebody has just broken it: what was found is told all the same
        return
    path = path_of(error.field, text)
    if path:
        error.file = JOB
        error.line, error.column = text.place(path)
