"""People in requests and answers: sessions, users, tokens, the audit. Times are Unix seconds. No shape holds a hash."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from ludb.model.access import Role

UserName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,99}$", examples=["ann"])]


class Asked(BaseModel):
    """A body: unknown fields are mistakes, and so is the character NUL, which PostgreSQL keeps in no text."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nul(cls, given: Any) -> Any:
        if _holds_nul(given):
            raise PydanticCustomError("nul", "a text holds the character NUL")
        return given


def _holds_nul(given: Any) -> bool:
    if isinstance(given, str):
        return "\0" in given
    if isinstance(given, dict):
        return any(_holds_nul(one) for pair in given.items() for one in pair)
    return isinstance(given, list) and any(_holds_nul(one) for one in given)


class LoginAsked(Asked):
    """Name and password."""

    user: str = Field(max_length=100, examples=["ann"])
    password: str = Field(max_length=1024, examples=["correct horse battery"])


class PasswordAsked(Asked):
    """The old and the new password."""

    old: str = Field(max_length=1024, examples=["one-time-password"])
    new: str = Field(min_length=12, max_length=1024, examples=["correct horse battery"])


class SessionShape(BaseModel):
    """Who is logged in, and what changes must carry in the header `X-CSRF-Token` (empty for API tokens)."""

    user: str = Field(examples=["ann"])
    role: Role
    personal: bool = Field(description="Whether row values are shown to this user")
    must_change: bool = Field(description="The password must be changed before anything else")
    csrf: str
    expires_at: float | None = None


class UserAsked(Asked):
    """A new user; the answer holds a one-time password."""

    name: UserName
    role: Role = Role.VIEWER
    personal: bool = False


class UserChange(Asked):
    """What is to change of a user; fields that are left out stay."""

    role: Role | None = Field(None, examples=["operator"])
    personal: bool | None = None
    active: bool | None = None


class UserShape(BaseModel):
    """A user."""

    name: str = Field(examples=["ann"])
    role: Role
    personal: bool
    active: bool
    must_change: bool
    created_at: float
    created_by: str


class NewUserShape(UserShape):
    """A user with a one-time password, shown this once."""

    one_time_password: str


class TokenAsked(Asked):
    """A new API token. It acts for `user` (whoever asks, if left out), with at most this role."""

    name: str = Field(min_length=1, max_length=100, examples=["airflow"])
    user: UserName | None = None
    role: Role = Role.VIEWER
    personal: bool = False
    days: float = Field(90, gt=0, le=3660, description="Days until it expires")


class TokenShape(BaseModel):
    """An API token without its secret."""

    id: str
    name: str = Field(examples=["airflow"])
    user: str
    role: Role
    personal: bool
    created_at: float
    created_by: str
    expires_at: float
    revoked_at: float | None = None
    used_at: float | None = None


class NewTokenShape(TokenShape):
    """An API token with its secret, shown this once."""

    secret: str = Field(examples=["ludb_..."])


class AuditShape(BaseModel):
    """Something that somebody did, or tried."""

    number: int
    at: float
    actor: str
    address: str
    action: str = Field(examples=["user.change"])
    subject: str = Field(examples=["bo"])
    outcome: str = Field(examples=["done"])
    before: dict[str, Any]
    after: dict[str, Any]
