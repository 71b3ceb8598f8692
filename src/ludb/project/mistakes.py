"""Mistakes of a job are collected, each with its place, so that a person mends them all in one go."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from ludb.errors import ConfigError, ConfigErrors
from ludb.project.yaml_text import Path_, YamlText


def did_you_mean(wrong: str, known: Iterable[str], *, otherwise: str = "") -> str:
    """A remedy that names the closest known word, else all of them (or `otherwise` where there are none)."""
    words = sorted(set(known))
    close = difflib.get_close_matches(wrong, words, n=1, cutoff=0.6)
    if close:
        return f"Did you mean {close[0]}?"
    return f"Known: {', '.join(words)}" if words else otherwise


_MESSAGES = {
    "extra_forbidden": "there is no field {name!r} here",
    "missing": "the field {name!r} is missing",
    "literal_error": "must be {expected}",
    "string_pattern_mismatch": "is not well formed",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "too_short": "must not be empty",
    "string_type": "must be text",
    "list_type": "must be a list",
    "bool_type": "must be true or false",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
}
"""Pydantic's error types in the words of this project; the others keep pydantic's."""


class Mistakes:
    """What is wrong with one job so far. `job` is the text that the paths of `at` lead into."""

    def __init__(self, job: YamlText) -> None:
        """Begin with a clean slate."""
        self.job = job
        self.found: list[ConfigError] = []

    def at(self, path: Sequence[str | int], message: str, remedy: str = "") -> None:
        """Note a mistake in `job.yaml`."""
        line, column = self.job.place(path)
        field = ".".join(str(part) for part in path) or None
        self.found.append(
            ConfigError(message, file=self.job.file, line=line, column=column, field=field, remedy=remedy or None)
        )

    def within(self, path: Sequence[str | int], error: ConfigError) -> None:
        """Note what a reader of a single value said, at the value's place."""
        self.at(path, error.message, error.remedy or "")

    def in_file(self, file: str, message: str, remedy: str = "") -> None:
        """Note a mistake in another file of the job, or in its name."""
        self.found.append(ConfigError(message, file=file, remedy=remedy or None))

    def validation(
        self, error: ValidationError, model: type[BaseModel], prefix: Path_ = (), mask: Callable[[str], str] = str
    ) -> None:
        """Note every mistake that pydantic found in the value at `prefix`. Values are never repeated; `mask` blanks out
        secrets that a validator's own message might hold.
        """
        for found in error.errors(include_input=False, include_url=False, include_context=True):
            known = fields_at(model, found["loc"][:-1])
            path = (*prefix, *(part for part in found["loc"] if part != "[key]"))
            message, remedy = _words(found, known)
            self.at(path, mask(message), mask(remedy))

    def raise_any(self) -> None:
        """Raise what was found, ordered by place: `ConfigError` for one mistake, `ConfigErrors` for several."""
        self.found.sort(
            key=lambda error: (error.file != self.job.file, error.file or "", error.line or 0, error.column or 0)
        )
        if len(self.found) == 1:
            raise self.found[0]
        if self.found:
            raise ConfigErrors(self.found)


def _words(found: Any, known: Sequence[str]) -> tuple[str, str]:
    """What is wrong and what to do, in words; the value itself is never in them."""
    name = str(found["loc"][-1]) if found["loc"] else ""
    kind, context = found["type"], found.get("ctx", {})
    message = found["msg"].removeprefix("Value error, ").replace("Input should", "should")
    if kind in _MESSAGES:
        message = _MESSAGES[kind].format(name=name, expected=context.get("expected", ""))
    remedy = ""
    if kind == "extra_forbidden":
        remedy = did_you_mean(name, known, otherwise="Remove it")
    elif kind == "missing":
        remedy = f"Add `{name}:`"
    elif kind == "string_pattern_mismatch":
        remedy = f"It must match {context['pattern']}"
    elif kind in ("dict_type", "model_type", "model_attributes_type"):
        remedy = "Write {field: value}"
    return message, remedy


def fields_at(model: Any, path: Sequence[str | int]) -> list[str]:
    """The field names that are allowed at `path` below a settings model; empty where any name is."""
    for part in path:
        model = _inside(model, part)
    model = _bare(model)
    if isinstance(model, type) and issubclass(model, BaseModel):
        return [field.alias or name for name, field in model.model_fields.items()]
    return []


def _inside(model: Any, part: str | int) -> Any:
    model = _bare(model)
    if isinstance(model, type) and issubclass(model, BaseModel):
        for name, field in model.model_fields.items():
            if (field.alias or name) == part:
                return field.annotation
        return None
    return get_args(model)[-1] if get_origin(model) in (dict, list) else None


def _bare(model: Any) -> Any:
    """The annotation without `Annotated` and `| None`."""
    while get_origin(model) is Annotated:
        model = get_args(model)[0]
    options = [option for option in get_args(model) if option is not type(None)]
    if get_origin(model) not in (dict, list, tuple) and len(options) == 1:
        return _bare(options[0])
    return model
