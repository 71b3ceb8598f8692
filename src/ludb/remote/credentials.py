"""Where a server is, and the token that opens it."""

from __future__ import annotations

import ipaddress
import stat
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from ludb.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Address:
    """A server: its address without a slash at the end, the token and the file it is from, and a file of certificate
    authorities (None: those of this machine).
    """

    url: str
    token: str = field(repr=False)
    token_file: str
    authorities: str | None = None

    @property
    def shown(self) -> str:
        """The address for messages: no user, no password."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    @property
    def in_the_open(self) -> bool:
        """Whether the token goes over a network that anybody may read."""
        parts = urlsplit(self.url)
        return parts.scheme == "http" and not _is_here(parts.hostname or "")


def address_of(url: str, token_file: Path | None, ca_file: Path | None) -> Address:
    """The address as it was given; `ConfigError` for one that is none, and for a token that others may read."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigError(
            "--server is no address of a server",
            remedy="Write it like https://ludb.example.org or http://127.0.0.1:8321",
        )
    if "@" in parts.netloc:
        raise ConfigError("--server holds a user or a password", remedy="Leave it out; the token says who you are")
    if token_file is None:
        raise ConfigError(
            "a server wants a token",
            remedy="Name its file: --token-file FILE, or $LUDB_TOKEN_FILE; an admin makes tokens",
        )
    if ca_file is not None and not ca_file.is_file():
        raise ConfigError(f"--ca-file {ca_file}: there is no such file", remedy="Name a file of PEM certificates")
    authorities = None if ca_file is None else str(ca_file)
    return Address(url.rstrip("/"), _token(token_file), str(token_file), authorities)


def _token(path: Path) -> str:
    """What the file holds. One that others may read or write is refused, as ssh does with its keys."""
    try:
        with path.open(encoding="ascii") as file:
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & 0o077:
                raise ConfigError(
                    f"--token-file {path} can be read by others (mode {mode:04o})", remedy=f"Say chmod 600 {path}"
                )
            token = file.read().strip()
    except OSError as error:
        raise ConfigError(f"--token-file {path}: {error.strerror}", remedy="Name the file of a token") from error
    except UnicodeDecodeError:
        token = ""
    if not token or not token.isprintable() or " " in token:
        raise ConfigError(f"--token-file {path} holds no token", remedy="Put the token there, and nothing else")
    return token


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
