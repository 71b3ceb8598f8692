"""How a `rest` system is opened: what `job.yaml` says of it under `auth:` and `tls:`, and what that adds to a request."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from ludb.errors import ConfigError


class TokenAway(Exception):  # noqa: N818  (a state of the world)
    """The authorization server cannot be reached or is not well: no token now."""


class TokenRefused(Exception):  # noqa: N818  (a state of the world)
    """The authorization server refuses the credential: no token until a person has mended it."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ApiKey(_Entry):
    """A key that is sent with every request, as a header or as a query parameter."""

    key: SecretStr = Field(description="The key")
    header: str | None = Field(
        default=None, pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", description="Header that carries it; default X-API-Key"
    )
    query: str | None = Field(default=None, min_length=1, description="Query parameter that carries it")

    @model_validator(mode="after")
    def _one_place(self) -> ApiKey:
        if self.header and self.query:
            raise ValueError("the key travels as a header or as a query parameter, not as both")
        return self


class Basic(_Entry):
    """User and password."""

    user: str = Field(description="The user")
    password: SecretStr = Field(description="The password")


class OAuth2(_Entry):
    """Tokens from an authorization server: by client credentials, or by a refresh token."""

    token_url: str = Field(pattern=r"^https?://[^/?#@]+(/[^?#]*)?(\?[^#]*)?$", description="Where tokens are given out")
    client_id: str = Field(min_length=1, description="The client")
    client_secret: SecretStr | None = Field(default=None, description="Its secret")
    scope: str | None = Field(default=None, description="Scopes that are asked for, with blanks between them")
    audience: str | None = Field(default=None, description="The API that the token is meant for")
    refresh_token: SecretStr | None = Field(
        default=None, description="A token that gives new ones; without it, client credentials are used"
    )
    send_as: Literal["basic", "post"] = Field(
        default="basic", description="How id and secret are sent: as basic authentication, or in the body"
    )

    @model_validator(mode="after")
    def _something_to_show(self) -> OAuth2:
        if self.client_secret is None and self.refresh_token is None:
            raise ValueError("needs a client_secret or a refresh_token")
        return self


class AuthSettings(_Entry):
    """One way to open the system: `api_key`, `basic`, `bearer` or `oauth2`. Secrets are given as ${NAME} only."""

    api_key: ApiKey | None = Field(default=None, description="A key with every request: {key, header or query}")
    basic: Basic | None = Field(default=None, description="User and password: {user, password}")
    bearer: SecretStr | None = Field(default=None, description="A token that does not change")
    oauth2: OAuth2 | None = Field(default=None, description="Tokens from an authorization server")

    @model_validator(mode="after")
    def _one_way(self) -> AuthSettings:
        if sum(getattr(self, name) is not None for name in type(self).model_fields) != 1:
            raise ValueError("needs exactly one of api_key, basic, bearer, oauth2")
        return self

    @field_validator("bearer")
    @classmethod
    def _sendable(cls, bearer: SecretStr | None) -> SecretStr | None:
        if bearer is not None and not bearer.get_secret_value().isprintable():
            raise ValueError("holds characters that no header carries")
        return bearer

    def headers(self) -> dict[str, str]:
        """The headers that open the system, where they never change."""
        if self.bearer is not None:
            return {"Authorization": f"Bearer {self.bearer.get_secret_value()}"}
        if self.basic is not None:
            return {"Authorization": f"Basic {_basic(self.basic)}"}
        if self.api_key is not None and self.api_key.query is None:
            return {self.api_key.header or "X-API-Key": self.api_key.key.get_secret_value()}
        return {}

    def query(self) -> dict[str, str]:
        """The query parameter that opens the system."""
        if self.api_key is not None and self.api_key.query is not None:
            return {self.api_key.query: self.api_key.key.get_secret_value()}
        return {}

    def secrets(self) -> list[str]:
        """Every text that must not come back in a message."""
        texts = [value.get_secret_value() for _, value in _secrets(self)]
        return [*texts, *([_basic(self.basic)] if self.basic is not None else [])]


class TlsSettings(_Entry):
    """Certificates: of those whom we trust, and our own where the system asks for one."""

    ca: Path | None = Field(
        default=None, description="File with the certificates that are trusted, instead of Python's"
    )
    certificate: Path | None = Field(
        default=None, description="File with our own certificate, its key too if `key` is not given"
    )
    key: Path | None = Field(default=None, description="File with the key of our certificate")
    password: SecretStr | None = Field(default=None, description="What the key is locked with")

    @model_validator(mode="after")
    def _whole(self) -> TlsSettings:
        if self.certificate is None and (self.key is not None or self.password is not None):
            raise ValueError("a key needs its certificate")
        return self

    def context(self, folder: Path, field: str) -> ssl.SSLContext:
        """What connections are made with; ConfigError names the file that cannot be used. Relative paths start at `folder`."""
        name, path = "ca", self.ca
        try:
            context = ssl.create_default_context(cafile=None if path is None else folder / path)
            if self.certificate is not None:
                name, path = "certificate", self.certificate
                password = self.password.get_secret_value() if self.password else ""
                key = None if self.key is None else folder / self.key
                context.load_cert_chain(folder / path, key, password=lambda: password)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            why = error.strerror if isinstance(error, FileNotFoundError) else type(error).__name__
            raise ConfigError(
                f"the certificates in {path} cannot be used: {why}",
                field=f"{field}.tls.{name}",
                remedy="Mend the file, the key beside it, or the key's password",
            ) from None
        return context


def _basic(basic: Basic) -> str:
    return base64.b64encode(f"{basic.user}:{basic.password.get_secret_value()}".encode()).decode()


def _secrets(entry: BaseModel, prefix: str = "") -> Iterator[tuple[str, SecretStr]]:
    """Every secret below a settings model, with its dotted place."""
    for name in type(entry).model_fields:
        value = getattr(entry, name)
        if isinstance(value, SecretStr):
            yield prefix + name, value
        elif isinstance(value, BaseModel):
            yield from _secrets(value, f"{prefix}{name}.")


def by_reference(entry: BaseModel | None, name: str, variables: Mapping[str, tuple[str, ...]], field: str) -> None:
    """Refuse a secret that stands in `job.yaml` itself: below entry `name` of the system that `field` names. `variables`
    as in `Surroundings`.
    """
    for place, _ in _secrets(entry) if entry is not None else ():
        if not variables.get(f"{name}.{place}"):
            raise ConfigError(
                "a secret stands in the job's text, where everybody reads it",
                field=f"{field}.{name}.{place}",
                remedy="Write ${NAME}, and set NAME in the environment or the secrets file",
            )
