"""How a server is set up, and the set-ups that are refused."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from ludb.errors import ConfigError


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """Where a server listens and what it may do. Seconds throughout.

    `jobs` are job folders, or folders whose sub-folders are jobs. `behind_proxy` says that somebody in front speaks TLS and
    tells the caller's address. `adopt`: runs of this state directory whose supervisor died are held again.
    `oidc` is the file of settings of an identity provider. `json`: what is said at the start, and of every answer, is JSON too.
    """

    host: str = "127.0.0.1"
    port: int = 8321
    jobs: tuple[Path, ...] = ()
    tls_cert: Path | None = None
    tls_key: Path | None = None
    behind_proxy: bool = False
    adopt: bool = True
    session_hours: float = 12.0
    idle_minutes: float = 120.0
    look_every: float = 0.5
    oidc: Path | None = None
    json: bool = False

    @property
    def secure(self) -> bool:
        """Whether browsers reach it by TLS, so that a cookie may be kept from plain text."""
        return self.tls_cert is not None or self.behind_proxy

    def check(self) -> None:
        """`ConfigError` for a set-up in which passwords would cross a network in plain text, or TLS lacks a half."""
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ConfigError("TLS needs a certificate and its key", remedy="Give --tls-cert and --tls-key together")
        for file in (self.tls_cert, self.tls_key):
            if file is not None and not file.is_file():
                raise ConfigError(f"there is no file {file}", remedy="Name a PEM file")
        if not self.secure and not is_loopback(self.host):
            raise ConfigError(
                f"{self.host} can be reached from other machines, and passwords would cross the network in plain text",
                field="--host",
                remedy="Give --tls-cert and --tls-key, or say --behind-proxy if somebody in front speaks TLS",
            )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address; a name other than localhost counts as reachable."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
