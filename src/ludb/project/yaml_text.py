"""YAML as plain values that remember where they stood, so that every mistake can name its line."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq, TaggedScalar
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from ludb.errors import ConfigError

Path_ = tuple[str | int, ...]
"""Where a value stands inside a document: keys and list indexes from the top."""


@dataclass(frozen=True, slots=True)
class YamlText:
    """A YAML 1.2 document: `data` as dicts, lists and scalars; dates stay text. `file` is the name shown in errors."""

    file: str
    data: dict[str, Any]
    places: Mapping[Path_, tuple[int, int]] = field(default_factory=dict)

    def place(self, path: Sequence[str | int]) -> tuple[int, int]:
        """Line and column (from 1) of the key or item at `path`, or of the nearest thing around it that is there."""
        for length in range(len(path), 0, -1):
            found = self.places.get(tuple(path[:length]))
            if found is not None:
                return found
        return 1, 1


def read_yaml(path: Path, file: str) -> YamlText:
    """Read a YAML 1.2 mapping (`on`, `yes`, `no` are text). `ConfigError` with line and column for anything else."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError("is not UTF-8 text", file=file, remedy="Save the file as UTF-8") from error
    except OSError as error:
        raise ConfigError(
            f"cannot be read: {error.strerror}", file=file, remedy="Check its name and its rights"
        ) from error
    try:
        loaded = YAML(typ="rt", pure=True).load(text)
    except YAMLError as error:
        raise _syntax(error, file) from None
    if not isinstance(loaded, CommentedMap):
        raise ConfigError("is not a mapping", file=file, line=1, remedy="Begin with `name:` and the name of the job")
    places: dict[Path_, tuple[int, int]] = {}
    return YamlText(file, _Plain(file, places).of(loaded, ()), places)


def _syntax(error: YAMLError, file: str) -> ConfigError:
    remedy = "Mend the YAML; put texts that hold {, }, : or # into quotes"
    if isinstance(error, MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        words = " ".join((error.problem or error.context or "is not YAML").split())
        line, column = (mark.line + 1, mark.column + 1) if mark else (None, None)
        if "'\\t'" in words:
            remedy = "Indent with blanks, not with tabs"
        return ConfigError(f"is not YAML: {words}", file=file, line=line, column=column, remedy=remedy)
    if isinstance(error, ReaderError):
        return ConfigError("holds a character that YAML does not allow", file=file, remedy="Remove control characters")
    return ConfigError("is not YAML", file=file, remedy=remedy)


class _Plain:
    """Turns what the parser made into plain values and notes their places."""

    def __init__(self, file: str, places: dict[Path_, tuple[int, int]]) -> None:
        self._file, self._places = file, places

    def of(self, value: object, path: Path_) -> Any:
        if isinstance(value, CommentedMap):
            return self._mapping(value, path)
        if isinstance(value, CommentedSeq):
            for index in range(len(value)):
                self._note((*path, index), value.lc.item, index)
            return [self.of(item, (*path, index)) for index, item in enumerate(value)]
        return self._scalar(value, path)

    def _mapping(self, value: CommentedMap, path: Path_) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, item in value.items():
            if not isinstance(key, str):
                raise self._error(f"the key {key!r} is not text", path, "Put it into quotes")
            self._note((*path, str(key)), value.lc.key, key)
            found[str(key)] = self.of(item, (*path, str(key)))
        return found

    def _scalar(self, value: object, path: Path_) -> object:
        if value is None or isinstance(value, bool):
            return value
        for kind in (str, int, float):
            if isinstance(value, kind):
                return kind(value)
        if isinstance(value, dt.date):
            return value.isoformat()
        if isinstance(value, TaggedScalar):
            raise self._error("YAML tags are not allowed", path, "Remove the tag")
        if type(value).__name__ == "ScalarBoolean":
            return bool(value)
        raise self._error(
            f"a {type(value).__name__} is not allowed here", path, "Write text, a number, a list or a mapping"
        )

    def _note(self, path: Path_, finder: Any, key: object) -> None:
        try:
            line, column = finder(key)
        except (KeyError, TypeError, AttributeError):  # merged from an anchor: the place is that of what holds it
            return
        self._places[path] = (line + 1, column + 1)

    def _error(self, message: str, path: Path_, remedy: str) -> ConfigError:
        line, column = YamlText(self._file, {}, self._places).place(path)
        where = ".".join(str(part) for part in path) or None
        return ConfigError(message, file=self._file, line=line, column=column, field=where, remedy=remedy)
