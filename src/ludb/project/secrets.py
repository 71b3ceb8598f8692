"""`${NAME}` in the fields of systems: from the environment, else from the secrets file; shown by name only."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ludb.errors import ConfigError
from ludb.project.mistakes import Mistakes
from ludb.project.yaml_text import Path_

SECRETS_FILE = "LUDB_SECRETS"
"""The variable that names a file of KEY=VALUE lines."""

_VARIABLE = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$\{")
_SHORTEST_SECRET = 4
"""Shorter values are not masked: they would blank out half of every message."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """Values by variable name. Neither `repr` nor any message shows them."""

    environment: Mapping[str, str] = field(repr=False)
    file: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Secrets:
        """The environment and the file that `LUDB_SECRETS` names; `ConfigError` if that cannot be read."""
        path = environment.get(SECRETS_FILE)
        return cls(environment, _read(Path(path)) if path else {})

    def get(self, name: str) -> str | None:
        """The value of a variable; the environment wins over the file."""
        value = self.environment.get(name)
        return self.file.get(name) if value is None else value


@dataclass(frozen=True, slots=True)
class Resolved:
    """A system's raw entry with its variables put in. `variables` maps dotted fields to the names they came from."""

    values: Mapping[str, Any] = field(repr=False)
    variables: Mapping[str, tuple[str, ...]]
    secrets: Mapping[str, str] = field(repr=False)

    def mask(self, text: str) -> str:
        """The text with every value of a variable replaced by the variable's name."""
        for name, value in sorted(self.secrets.items(), key=lambda pair: -len(pair[1])):
            if len(value) >= _SHORTEST_SECRET:
                text = text.replace(value, f"${{{name}}}")
        return text


def resolve(raw: Mapping[str, Any], path: Path_, secrets: Secrets, mistakes: Mistakes) -> Resolved | None:
    """Put the variables into every text below `raw`; `$${` stands for a literal `${`.

    Each missing variable is a mistake, and then the answer is None.
    """
    found = len(mistakes.found)
    used: dict[str, str] = {}
    variables: dict[str, tuple[str, ...]] = {}

    def text(value: str, at: Path_) -> str:
        parts: list[str] = []
        position = 0
        names: list[str] = []
        for match in _VARIABLE.finditer(value):
            parts.append(value[position : match.start()])
            position = match.end()
            parts.append(_put(match, at, secrets, mistakes, used))
            if match[1]:
                names.append(match[1])
        if names:
            variables[".".join(str(part) for part in at[len(path) :])] = tuple(dict.fromkeys(names))
        return "".join([*parts, value[position:]])

    def walk(value: Any, at: Path_) -> Any:
        if isinstance(value, str):
            return text(value, at)
        if isinstance(value, dict):
            return {key: walk(item, (*at, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [walk(item, (*at, index)) for index, item in enumerate(value)]
        return value

    values = {key: walk(item, (*path, key)) for key, item in raw.items()}
    return Resolved(values, variables, used) if len(mistakes.found) == found else None


def _put(match: re.Match[str], at: Path_, secrets: Secrets, mistakes: Mistakes, used: dict[str, str]) -> str:
    name = match[1]
    if match[0] == "$${":
        return "${"
    if name is None:
        mistakes.at(at, "holds ${ without a variable's name and }", "Write ${NAME}, or $${ for the two characters")
        return ""
    value = secrets.get(name)
    if value is None:
        close = difflib.get_close_matches(name, [*secrets.environment, *secrets.file], n=1, cutoff=0.8)
        hint = f"; did you mean {close[0]}?" if close else ""
        mistakes.at(
            at, f"the variable {name} is not set", f"Set it in the environment or the {SECRETS_FILE} file{hint}"
        )
        return ""
    used[name] = value
    return value


def _read(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigError(
            f"the secrets file cannot be read: {reason}", file=str(path), remedy=f"Mend {SECRETS_FILE}"
        ) from None
    values: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals or not name.strip().isidentifier():
            raise ConfigError(
                "is not a KEY=VALUE line", file=str(path), line=number, remedy="Write KEY=VALUE or remove it"
            )
        value = value.strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        values[name.strip()] = value
    return values
