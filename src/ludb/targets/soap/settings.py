"""What `job.yaml` may say of a `soap` system: its description, how messages are opened, and what its faults mean."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from ludb.dialects.http.settings import HttpSystem

Means = Literal["reject", "retry", "fatal", "absent", "ambiguous"]
"""`reject`: it did not happen and never will. `retry`: it did not, and may later. `fatal`: it did not, and the run is to stop.
`absent`: there is no such object. `ambiguous`: nobody knows.
"""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class FaultRule(_Entry):
    """One meaning of faults: all that is given must fit. The first rule that fits counts."""

    code: str | None = Field(
        default=None, min_length=1, description="Code or subcode, without its prefix: Client, Server"
    )
    text: str | None = Field(
        default=None, min_length=1, description="Pattern (regular expression) found in the fault's text"
    )
    detail: str | None = Field(default=None, min_length=1, description="Name of an element in the fault's detail")
    means: Means = Field(description="reject, retry, fatal, absent (no such object) or ambiguous (nobody knows)")

    @field_validator("text")
    @classmethod
    def _pattern(cls, text: str | None) -> str | None:
        try:
            re.compile(text or "")
        except re.error as error:
            raise ValueError(f"is no pattern: {error}") from None
        return text


class Security(_Entry):
    """A WS-Security UsernameToken in every message."""

    user: str = Field(min_length=1, description="The user")
    password: SecretStr = Field(description="The password, as ${NAME}")
    digest: bool = Field(default=False, description="Send a digest of it, with a nonce and the time, instead of itself")


class SoapSystem(HttpSystem):
    """One `soap` entry of `systems:`; `url` is where messages are sent."""

    type: Literal["soap"] = Field(default="soap", description="A SOAP service, 1.1 or 1.2, described by a WSDL")
    wsdl: str = Field(min_length=1, description="Its description: a file, from the job's folder, or an http(s) address")
    service: str | None = Field(default=None, min_length=1, description="The service, where the WSDL has several")
    port: str | None = Field(default=None, min_length=1, description="The port, where the service has several")
    security: Security | None = Field(default=None, description="UsernameToken: {user, password, digest}")
    call_id_header: str | None = Field(
        default=None,
        pattern=r"^\{[^{}]+\}[A-Za-z_][\w.-]*$",
        description="SOAP header with the call id: {namespace}Name",
    )
    idempotency_header: str | None = Field(
        default=None, pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", description="HTTP header with the call id"
    )
    faults: tuple[FaultRule, ...] = Field(default=(), description="What faults mean: [{code, text, detail, means}]")
