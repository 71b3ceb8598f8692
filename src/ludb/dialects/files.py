"""Folders of CSV, Parquet and JSON lines files: settings, and JSON whose numbers keep every digit."""

from __future__ import annotations

import base64
import codecs
import datetime as dt
import json
import math
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, SecretStr, field_validator, model_validator

from ludb.dialects.settings import Surroundings, SystemSettings
from ludb.errors import ConfigError

Format = Literal["csv", "parquet", "jsonl"]
"""File formats, named as the file's ending."""
FORMATS: tuple[str, ...] = get_args(Format)
"""All of them."""
SourceFormat = Literal["csv", "parquet", "jsonl", "json", "xml", "fixed"]
"""What a source reads; `fixed` has no ending of its own."""
SOURCE_FORMATS: tuple[str, ...] = get_args(SourceFormat)
"""All of them."""
COMPRESSIONS: Mapping[str, str] = {"gz": "gzip", "bz2": "bz2", "zst": "zstd"}
"""A compressed file's ending -> its compression."""


def _known_encoding(name: str) -> str:
    try:
        text = codecs.lookup(name)._is_text_encoding  # noqa: SLF001  (as str.encode itself asks)
    except LookupError:
        text = False
    if not text:
        raise ValueError(f"no encoding is called {name!r}; use a Python name: utf-8, latin-1, cp1252, ...")
    return name


class FileTable(BaseModel):
    """One file that is a table, where its name, format or types do not speak for themselves."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str | None = Field(
        default=None, min_length=1, description="File name or glob in the folder; default: <table>.<format>"
    )
    format: SourceFormat | None = Field(default=None, description="Default: the file's ending")
    compression: Literal["none", "gzip", "bz2", "zstd"] | None = Field(
        default=None, description="Default: by the ending .gz, .bz2, .zst"
    )
    types: Mapping[str, str] = Field(
        default_factory=dict, description="Column -> text, integer, decimal(10,2), date, ..."
    )
    columns: tuple[str, ...] = Field(default=(), description="CSV without a header: the columns' names")
    delimiter: str = Field(default=",", min_length=1, max_length=1, description="Between two CSV values")
    quote: str = Field(default='"', max_length=1, description="Around CSV values; '' for none")
    escape: str | None = Field(default=None, min_length=1, max_length=1, description="Before a quote or delimiter")
    skip_lines: int = Field(default=0, ge=0, description="Lines before the header that are no data (csv, fixed)")
    comment: str | None = Field(default=None, min_length=1, description="Lines that start so are no data (csv, fixed)")
    decimal_comma: bool = Field(default=False, description="Numbers in text are written 1,5; points are refused")
    encoding: str = Field(default="utf-8", description="Character set, by its Python name")
    null: tuple[str, ...] = Field(default=("",), description="Unquoted CSV texts that mean NULL")
    widths: Mapping[str, PositiveInt] = Field(default_factory=dict, description="fixed: column -> width in characters")
    rows: str | None = Field(default=None, description="json: a.b, the path of the array; xml: root/row, of the rows")

    _encoded = field_validator("encoding")(_known_encoding)

    @field_validator("columns")
    @classmethod
    def _each_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"names column {twice!r} twice")
        return names

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if bool(self.widths) != (self.format == "fixed"):
            raise ValueError("widths: and format: fixed belong together")
        if self.format == "xml" and not self.rows:
            raise ValueError("format: xml needs rows:, the path of the row elements (root/row)")
        marks = [mark for mark in (self.delimiter, self.quote, self.escape) if mark]
        if len(set(marks)) < len(marks):
            raise ValueError("delimiter, quote and escape must differ")
        return self


_OF_CSV = ("delimiter", "quote", "null", "header", "line_end", "encoding")


class FilesSystem(SystemSettings):
    """A folder of files: `{type: files, path: legacy/export}`."""

    type: Literal["files"] = Field(description="A folder of CSV, Parquet or JSON lines files")
    path: str = Field(
        min_length=1, description="The folder; relative paths start in the job folder. Or s3://bucket/prefix"
    )
    endpoint: str | None = Field(default=None, pattern="^https?://", description="s3: the store's URL; default: AWS")
    region: str | None = Field(default=None, min_length=1, description="s3: the bucket's region")
    access_key: SecretStr | None = Field(default=None, description="s3: ${NAME}; default: as the AWS tools find theirs")
    secret_key: SecretStr | None = Field(default=None, description="s3: ${NAME}, never the secret itself")
    tables: Mapping[str, FileTable] = Field(default_factory=dict, description="Source: tables that need saying more")
    format: Format = Field(default="parquet", description="Target: the format of the files written")
    compression: Literal["none", "gzip", "bz2", "zstd", "snappy"] | None = Field(
        default=None, description="Target: default none for csv and jsonl, zstd for parquet"
    )
    delimiter: str = Field(default=",", pattern="^[^\\r\\n]$", description="Target: between two CSV values")
    quote: str = Field(default='"', pattern="^[^\\r\\n]?$", description="Target: around CSV texts; '' for none")
    null: str = Field(default="", pattern="^[^\\r\\n]*$", description="Target: what stands in CSV for NULL, unquoted")
    header: bool = Field(default=True, description="Target: CSV begins with the columns' names")
    line_end: Literal["lf", "crlf"] = Field(default="lf", description="Target: how a CSV line ends")
    encoding: str = Field(default="utf-8", description="Target: character set of CSV, by its Python name")

    _encoded = field_validator("encoding")(_known_encoding)

    @property
    def remote(self) -> bool:
        """Whether the files are in an object store."""
        return self.path.startswith("s3://")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        given = [name for name in ("endpoint", "region", "access_key", "secret_key") if getattr(self, name) is not None]
        if given and not self.remote:
            raise ValueError(f"{given[0]} belongs to a path s3://bucket/prefix")
        if self.compression in (["bz2"] if self.format == "parquet" else ["snappy"]):
            raise ValueError(f"compression: {self.compression} is not for {self.format}")
        alien = [name for name in _OF_CSV if name in self.model_fields_set]
        if alien and self.format != "csv":
            raise ValueError(f"{alien[0]}: is of CSV; the system writes {self.format}")
        if self.delimiter == self.quote or any(mark in self.null for mark in (self.delimiter, self.quote) if mark):
            raise ValueError("delimiter and quote must differ, and null: may hold neither")
        if "://" in self.path and not self.remote:
            raise ValueError("path: is a folder or s3://bucket/prefix")
        if self.remote and not self.path.removeprefix("s3://").partition("/")[0]:
            raise ValueError("path: names no bucket; write s3://bucket/prefix")
        if (self.access_key is None) != (self.secret_key is None):
            raise ValueError("access_key and secret_key belong together")
        return self


def folder_of(settings: FilesSystem, surroundings: Surroundings) -> Path:
    """The folder that a system's `path` means, relative ones below the job's folder."""
    return surroundings.folder / settings.path


def refuse_plain_secret(name: str, settings: FilesSystem, surroundings: Surroundings) -> None:
    """`ConfigError` where a secret stands in the job itself and not as `${NAME}`."""
    if settings.secret_key is not None and "secret_key" not in surroundings.variables:
        raise ConfigError(
            f"system {name}: a secret stands in the job",
            field=f"systems.{name}.secret_key",
            remedy="Refer to it: ${NAME}, from the environment or the secrets file",
        )


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
