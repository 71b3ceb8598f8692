"""Here or at a server: the same command, carried out in one place or the other."""

from __future__ import annotations

import functools
import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ludb.errors import ConfigError

if TYPE_CHECKING:
    from ludb.remote.client import Client

VARIABLE = "LUDB_SERVER"
Command = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Choice:
    """The server that was named. `by_option`: on the command line, so that hints have to repeat it."""

    url: str
    token_file: Path | None
    ca_file: Path | None
    by_option: bool

    @property
    def program(self) -> str:
        """How a command that goes to the same server begins."""
        named = {"--server": self.url, "--token-file": self.token_file, "--ca-file": self.ca_file}
        told = "".join(f" {name} {shlex.quote(str(value))}" for name, value in named.items() if value)
        return "ludb" + (told if self.by_option else "")


_chosen: list[Choice] = []


def choose(choice: Choice | None) -> None:
    """Take the choice for the command that follows."""
    _chosen[:] = [] if choice is None else [choice]


def chosen() -> Choice | None:
    """The server that was named, if one was."""
    return _chosen[0] if _chosen else None


def connect(choice: Choice) -> Client:
    """A client that has been greeted; `ConfigError` for what is wrong on this side, or with the versions."""
    try:
        from ludb.remote.client import Client
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"speaking to a server needs a package that is not installed: {error.name}", remedy="Install ludb[remote]"
        ) from error
    from ludb.cli.console import err
    from ludb.remote.credentials import address_of

    address = address_of(choice.url, choice.token_file, choice.ca_file)
    if address.in_the_open:
        err.print(f"[yellow]warning[/] the token goes to {address.shown} unencrypted: use https", soft_wrap=True)
    client = Client(address)
    client.greet()
    return client


def both(here: Command, there: Callable[..., None]) -> Command:
    """A command that goes to the server where one is named. Options of this machine's files are refused there."""

    @functools.wraps(here)
    def command(**given: Any) -> None:
        choice = chosen()
        if choice is None:
            here(**given)
            return
        for name in ("state", "repository"):
            value = given.pop(name, None)
            if isinstance(value, list):  # states of calls
                given["states"] = value
            elif value is not None:
                raise ConfigError(
                    f"--{name} is a place of this machine, and the command goes to the server {choice.url}",
                    remedy=f"Leave --{name} out, or leave --server (${VARIABLE}) out",
                )
        there(connect(choice), choice, **given)

    return command


def near(here: Command, remedy: str) -> Command:
    """A command that works on files or systems of this machine: refused where a server is named, with what to do."""

    @functools.wraps(here)
    def command(**given: Any) -> None:
        choice = chosen()
        if choice is not None:
            name = here.__name__.replace("_", "-")
            raise ConfigError(f"`ludb {name}` does not go to a server ({choice.url})", remedy=remedy)
        here(**given)

    return command


def alone(here: Command) -> Command:
    """A command that has nothing to do with a server's runs: `--server` is refused, the variable is not for it, nor for the
    processes that it starts.
    """
    refused = near(here, "Leave --server out")

    @functools.wraps(here)
    def command(**given: Any) -> None:
        choice = chosen()
        if choice is not None and not choice.by_option:
            choose(None)
            os.environ.pop(VARIABLE, None)
        refused(**given)

    return command


def named() -> Choice:
    """The server that was named; `ConfigError` if none was, for a command that only a server can answer."""
    choice = chosen()
    if choice is None:
        raise ConfigError("only a server keeps a list of jobs", remedy=f"Name it: ludb --server URL, or ${VARIABLE}")
    return choice
