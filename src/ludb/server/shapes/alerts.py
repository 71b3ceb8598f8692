"""Alert rules and channels in requests and answers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from ludb.model.alerts import Severity
from ludb.server.shapes.people import Asked

Reference = Annotated[
    str, Field(max_length=200, examples=["${LUDB_ALERT_PASSWORD}"], description="The name of a variable of the server")
]


class RuleShape(BaseModel):
    """A rule by which alerts are raised, as it is set. `channels` null: all of them are told."""

    name: str = Field(examples=["stalled"])
    says: str = Field(examples=["no unit was settled for so long"])
    severity: Severity
    enabled: bool
    limits: dict[str, float] = Field(
        description="Thresholds: shares are of 1, what ends in `_for` (and `stalled`) is in seconds",
        examples=[{"stalled": 600}],
    )
    standard: dict[str, float] = Field(description="The thresholds as they come")
    channels: list[str] | None
    changed_by: str
    changed_at: float | None


class RuleChange(Asked):
    """What is to change of a rule; fields that are left out stay."""

    severity: Severity | None = None
    enabled: bool | None = None
    limits: dict[Annotated[str, Field(max_length=50)], float] | None = Field(None, examples=[{"stalled": 1200}])
    channels: list[Annotated[str, Field(max_length=100)]] | None = Field(None, max_length=100)
    all_channels: bool = Field(False, description="Tell all channels, in the place of `channels`")


class WebhookSettings(Asked):
    """A document is posted to `url`; with `secret` it is signed: `X-Ludb-Signature: sha256=` and its HMAC in hexadecimal."""

    url: str = Field(max_length=2000, examples=["${LUDB_ALERT_URL}", "https://example.org/hook"])
    secret: Reference | None = None


class MailSettings(Asked):
    """A mail is handed to this server."""

    host: str = Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9.:_-]+$", examples=["mail.example.org"])
    port: int = Field(587, ge=1, le=65535)
    security: Literal["tls", "starttls", "none"] = "starttls"
    user: str | None = Field(None, max_length=200, pattern=r"^[^\x00-\x1f]+$")
    password: Reference | None = None
    sender: Annotated[
        str, Field(max_length=254, pattern=r"^[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+$", examples=["ludb@example.org"])
    ]
    to: list[Annotated[str, Field(max_length=254, pattern=r"^[^@\s,\x00-\x1f]+@[^@\s,\x00-\x1f]+$")]] = Field(
        min_length=1, max_length=50, examples=[["night-shift@example.org"]]
    )


class ChannelAsked(Asked):
    """A way to tell people of alerts: exactly one of `webhook` and `smtp`."""

    name: str = Field(min_length=1, max_length=100, examples=["night shift"])
    webhook: WebhookSettings | None = None
    smtp: MailSettings | None = None
    least: Severity = Field(Severity.WARNING, description="Alerts that are less grave are not told by it")
    enabled: bool = True


class ChannelShape(BaseModel):
    """A channel. The secrets that it names are not shown, only their names."""

    id: str
    name: str
    kind: Literal["webhook", "smtp"]
    settings: dict[str, str | int | list[str] | None]
    least: Severity
    enabled: bool
    changed_by: str
    changed_at: float


class TriedShape(BaseModel):
    """What came of a try."""

    told: bool
    reason: str = ""
