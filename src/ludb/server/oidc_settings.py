"""How a server works with an identity provider: what stands in the file that `--oidc` names."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from ludb.errors import ConfigError
from ludb.model.access import Role
from ludb.server.config import is_loopback


class OidcSettings(BaseModel):
    """One provider. `roles` leads from values of the claim to roles, the highest counts; `personal` are those that give the
    right to see row values. A claim may lie deeper: `realm_access.roles`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    issuer: str
    client_id: str = Field(min_length=1)
    client_secret: SecretStr | None = None
    secret_as: Literal["basic", "post"] = "basic"  # noqa: S105  (a way to send it)
    label: str = Field("Single sign-on", min_length=1, max_length=60)
    public_url: str | None = None
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    name_claim: str = "preferred_username"
    role_claim: str = "roles"
    roles: dict[str, Role] = Field(default_factory=dict)
    default_role: Role | None = None
    personal: tuple[str, ...] = ()
    clock_skew: int = Field(60, ge=0, le=600)

    @field_validator("issuer", "public_url")
    @classmethod
    def _safe(cls, value: str | None) -> str | None:
        """Secrets and tokens cross no network in plain text."""
        if value is not None and not is_safe(value):
            raise ValueError("must be an https address (http only on this machine)")
        return value.rstrip("/") if value is not None and value.count("/") == 3 and value.endswith("/") else value


def is_safe(address: str) -> bool:
    """Whether nobody on the network hears what is sent to an address."""
    parts = urlsplit(address)
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))


def read_settings(file: Path) -> OidcSettings:
    """The settings in a TOML file. The secret stands in a file of its own (`client_secret_file`, as seen from there).
    `ConfigError` for what cannot be read or used.
    """
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))
        secret = found.pop("client_secret_file", None)
        if "client_secret" in found:
            raise ConfigError(
                "the client's secret is not written here", file=str(file), remedy="Name its file: client_secret_file"
            )
        if secret is not None:
            found["client_secret"] = (file.parent / str(secret)).read_text(encoding="utf-8").strip()
        return OidcSettings.model_validate(found)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"the settings of OpenID Connect cannot be read: {why}", file=str(file)) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ConfigError(first["msg"], file=str(file), field=place, remedy="See docs/reference/api.md") from None


class OidcRefused(Exception):  # noqa: N818  (an answer)
    """Somebody is not let in. `kind` is stable: `denied`, `token`, `away`, `role`, `name`, `state`, `inactive`."""

    def __init__(self, kind: str, why: str) -> None:
        """`why` is for the audit, and holds no secret."""
        super().__init__(why)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Passage:
    """What is kept of somebody on their way to the provider and back."""

    state: str
    nonce: str
    verifier: str
