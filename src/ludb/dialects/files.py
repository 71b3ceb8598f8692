"""Folders of CSV, Parquet and JSON lines files: settings, and JSON whose numbers keep every digit."""

from __future__ import annotations

import base64
import datetime as dt
import json
import math
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from ludb.dialects.settings import Surroundings, SystemSettings
from ludb.errors import ConfigError

Format = Literal["csv", "parquet", "jsonl"]
"""File formats, named as the file's ending."""
FORMATS: tuple[str, ...] = get_args(Format)
"""All of them."""


class FileTable(BaseModel):
    """One file that is a table, where its name, format or types do not speak for themselves."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str | None = Field(default=None, description="File name in the folder; default: <table>.<format>")
    format: Format | None = Field(default=None, description="csv, parquet or jsonl; default: the file's ending")
    types: Mapping[str, str] = Field(
        default_factory=dict, description="Column -> text, integer, decimal(10,2), date, ..."
    )
    delimiter: str = Field(default=",", min_length=1, max_length=1, description="Between two CSV values")
    encoding: str = Field(default="utf-8", description="Character set of a CSV file")
    null: tuple[str, ...] = Field(default=("",), description="Unquoted CSV texts that mean NULL")


class FilesSystem(SystemSettings):
    """A folder of files: `{type: files, path: legacy/export}`."""

    type: Literal["files"] = Field(description="A folder of CSV, Parquet or JSON lines files")
    path: str = Field(min_length=1, description="The folder; relative paths start in the job folder")
    tables: Mapping[str, FileTable] = Field(default_factory=dict, description="Source: tables that need saying more")
    format: Format = Field(default="parquet", description="Target: the format of the files written")


def folder_of(settings: FilesSystem, surroundings: Surroundings) -> Path:
    """The folder that a system's `path` means, relative ones below the job's folder."""
    return surroundings.folder / settings.path


def parse_json(line: str) -> Any:
    """JSON as Python values, numbers with a point or exponent as `Decimal`; `ValueError` for NaN or a key given
    twice.
    """
    return json.loads(line, parse_float=Decimal, parse_constant=_no_constant, object_pairs_hook=_no_repeats)


def dump_json(value: Any) -> str:
    """JSON that holds the value exactly; `ValueError` for what JSON cannot hold (NaN, infinity).

    Decimals are numbers with all their digits, moments ISO text, bytes base64 text marked as `{"$base64": ...}`.
    """
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("is NaN or infinite, which JSON cannot hold")
    if value is None or isinstance(value, bool | int | float | str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Mapping):
        return (
            "{"
            + ", ".join(f"{json.dumps(key, ensure_ascii=False)}: {dump_json(item)}" for key, item in value.items())
            + "}"
        )
    if isinstance(value, list | tuple):
        return "[" + ", ".join(dump_json(item) for item in value) + "]"
    if isinstance(value, bytes):
        return dump_json({"$base64": base64.b64encode(value).decode()})
    if isinstance(value, dt.date | dt.time):
        return json.dumps(value.isoformat())
    raise ConfigError(
        f"a value of type {type(value).__name__} has no form in JSON", remedy="Turn it into text in the step"
    )


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object names a key twice")
    return found
