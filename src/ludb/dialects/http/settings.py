"""What `job.yaml` may say of a system that speaks HTTP, and how that system is named in messages without showing a secret."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import BeforeValidator, ConfigDict, Field, SecretStr, WithJsonSchema, field_validator, model_validator

from ludb.dialects.http.auth import AuthSettings, TlsSettings
from ludb.dialects.http.tables import ApiTable, check_tables
from ludb.dialects.settings import CallSystemSettings, Surroundings

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_SPAN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|min|m|h)\s*")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
SIZE = r"^(\d+) ?(B|[KMG]i?B)$"
_SHORTEST_SECRET = 4
"""Shorter values are not masked in server answers: `a` would blank out half of every text."""


def seconds(value: object) -> object:
    """A span of time as a number of seconds: `30`, `"30s"`, `"500ms"`, `"2m"`, `"1h"`.

    Anything else is returned as it came, so that the number's own validation names the mistake.
    """
    if isinstance(value, str) and (found := _SPAN.fullmatch(value)):
        return float(found[1]) * _UNITS[found[2]]
    return value


def size(value: object) -> object:
    """A number of bytes: `1000`, `"1MB"`, `"64 KiB"`; anything else is returned as it came."""
    if isinstance(value, str) and (found := re.fullmatch(SIZE, value)):
        base = 1024 if found[2].endswith("iB") else 1000
        return int(found[1]) * int(base ** "BKMG".index(found[2][0]))
    return value


Seconds = Annotated[
    float,
    BeforeValidator(seconds),
    WithJsonSchema(
        {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": r"^\d+(\.\d+)?(ms|s|m|min|h)$"}]}
    ),
]
"""Seconds as a number, or as text with a unit."""


def _header_name(name: str | None) -> str | None:
    if name is not None and not _TOKEN.fullmatch(name):
        raise ValueError("must be a header name")
    return name


class HttpSystem(CallSystemSettings):
    """What systems that speak HTTP share of their entry; a mistake in it is shown without the value, which may be a secret."""

    model_config = ConfigDict(hide_input_in_errors=True)

    url: SecretStr = Field(description="Base URL; paths of calls are put behind it")
    headers: dict[str, SecretStr] = Field(default_factory=dict, description="Headers of every request")
    auth: AuthSettings | None = Field(default=None, description="How it is opened: api_key, basic, bearer or oauth2")
    tls: TlsSettings | None = Field(default=None, description="Certificates: trusted ones, and our own")
    timeout: Seconds = Field(
        default=30.0, gt=0, description="One request, from connecting to the last byte of the answer"
    )
    max_delay: Seconds = Field(
        default=60.0, ge=0, description="How long a request may still arrive after we gave it up"
    )
    keep_alive: bool = Field(
        default=True, description="Whether one connection carries several requests, one after the other"
    )
    max_document: Annotated[
        int | None,
        BeforeValidator(size),
        WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": SIZE}]}),
    ] = Field(default=None, ge=1, description="Largest document that the API takes: 1MB, 64KiB, or a number of bytes")
    retry_for: Seconds = Field(default=20.0, ge=0, description="How long 429, and 503 with Retry-After, are waited out")
    health: str | None = Field(default=None, description="Path that answers 2xx when the API is well", pattern="^/")

    @field_validator("url")
    @classmethod
    def _plain_url(cls, url: SecretStr) -> SecretStr:
        parts = _split(url)
        if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be an http:// or https:// URL with a host and a valid port")
        if parts.query or parts.fragment:
            raise ValueError("must have no query and no fragment; credentials belong into headers")
        return url

    @field_validator("headers")
    @classmethod
    def _sendable(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, value in headers.items():
            text = value.get_secret_value()
            if not _TOKEN.fullmatch(name) or any(ord(letter) < 32 or ord(letter) == 127 for letter in text):
                raise ValueError(
                    f"header {name!r} cannot be sent: a name is a token, a value has no control characters"
                )
        return headers

    @model_validator(mode="after")
    def _one_credential(self) -> HttpSystem:
        named = {name.lower() for name in self.headers}
        held = [
            name
            for name, there in (
                ("the URL", bool(urlsplit(self.url.get_secret_value()).username)),
                ("the header Authorization", "authorization" in named),
                ("auth", self.auth is not None and self.auth.api_key is None),
            )
            if there
        ]
        if len(held) > 1:
            raise ValueError(f"{' and '.join(held)} both hold a credential: keep one")
        if self.auth is not None and named & {name.lower() for name in self.auth.headers()}:
            raise ValueError("headers and auth both give the header of the credential: keep one")
        if self.tls is not None and not self.url.get_secret_value().startswith("https"):
            raise ValueError("tls needs an https:// URL")
        return self


class RestSystem(HttpSystem):
    """One `rest` entry of `systems:`."""

    type: Literal["rest"] = Field(default="rest", description="An HTTP API that takes or gives JSON documents")
    idempotency_header: str | None = Field(default="Idempotency-Key", description="Header that carries the call id")
    openapi: Path | None = Field(
        default=None, description="The API's description (Swagger 2, OpenAPI 3): every document is checked by it"
    )
    tables: dict[str, ApiTable] = Field(default_factory=dict, description="Source: what is read from which path")

    _token = field_validator("idempotency_header")(_header_name)

    @model_validator(mode="after")
    def _whole_tables(self) -> RestSystem:
        check_tables(self.tables)
        return self


@dataclass(frozen=True, slots=True)
class Identity:
    """How a system is named in reasons: `address` is host:port, `credential` names what it was opened with.

    `secrets` are the values that are masked wherever a server sends them back.
    """

    system: str
    address: str
    credential: str
    url_variables: str
    secrets: tuple[str, ...]

    @classmethod
    def of(cls, system: str, settings: HttpSystem, surroundings: Surroundings) -> Identity:
        """The identity of a system, from its settings and the variables they came from."""
        parts = urlsplit(settings.url.get_secret_value())
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return cls(
            system=system,
            address=f"{parts.hostname}:{port}",
            credential=_credential(settings, surroundings.variables, in_url=bool(parts.username or parts.password)),
            url_variables=", ".join(surroundings.variables.get("url", ())),
            secrets=_secrets(settings, parts),
        )

    def mask(self, text: str) -> str:
        """The text with every secret of this system blanked out."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text


def _split(url: SecretStr) -> SplitResult | None:
    try:
        parts = urlsplit(url.get_secret_value())
        _ = parts.port
    except ValueError:
        return None
    return parts


def _credential(settings: HttpSystem, variables: Mapping[str, tuple[str, ...]], *, in_url: bool) -> str:
    """The variables that hold a credential, else the headers that do, else where one would go."""
    fields = [f"headers.{name}" for name in settings.headers] + (["url"] if in_url else [])
    if settings.auth is not None:
        fields = [name for name in variables if name.startswith("auth.")] + fields
    named = [variable for field in fields for variable in variables.get(field, ())]
    if named:
        return "credential " + ", ".join(dict.fromkeys(named))
    if settings.headers:
        return "credential in header " + ", ".join(settings.headers)
    return "credential in the url" if in_url else "missing credential (no headers are set)"


def _secrets(settings: HttpSystem, parts: SplitResult) -> tuple[str, ...]:
    """Every value that must not come back in a message: whole headers, the token in them, the URL's password as written,
    as it is meant, and as it travels.
    """
    values = [value.get_secret_value() for value in settings.headers.values()]
    values += [value.split()[-1] for value in values if value.split()]
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    values += [parts.password or "", password, *(settings.auth.secrets() if settings.auth else [])]
    if user or password:
        values.append(base64.b64encode(f"{user}:{password}".encode()).decode())
    return tuple(sorted({value for value in values if len(value) >= _SHORTEST_SECRET}, key=len, reverse=True))
