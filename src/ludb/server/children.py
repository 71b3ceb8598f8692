"""What is done by processes of their own: the job's code never runs in the server, and what it needs of memory goes with it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from ludb.errors import ConfigError, FatalError, LudbError, TransientError
from ludb.server.logbook import log
from ludb.server.world import World

ELSEWHERE = "LUDB_SERVER"
"""The variable that would send a command on to another server, or to this one again."""
LAST = 20_000
"""Bytes of what a process said at its end that are looked at."""
_KIND = re.compile(r"([A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Exit))(?::|$)")
PATIENCE = 60.0
"""Seconds for something that somebody waits for."""


def command_of(world: World, words: Sequence[str]) -> list[str]:
    """The command line of a `ludb` process on this server's state directory, answering in JSON. What follows a word `--` is
    taken as it stands: a unit key may begin with a minus.
    """
    end = list(words).index("--") if "--" in words else len(words)
    ours = ["--state", str(world.site.state), "--json"]
    return [sys.executable, "-m", "ludb", *words[:end], *ours, *words[end:]]


def environment_of(world: World, actor: str) -> dict[str, str]:
    """Its variables: whoever asked is the one who acts; the repository's address may hold a password."""
    mine = {"LUDB_ACTOR": actor, "LUDB_REPOSITORY": world.site.repository_url}
    known = {**os.environ, **world.site.environment, **mine}
    return {name: value for name, value in known.items() if name != ELSEWHERE}


def ask(world: World, actor: str, words: Sequence[str], said: str = "") -> dict[str, Any]:
    """Run `ludb` and return what it answered; its error as ours. `said` is its standard input, which nobody else on the host
    sees. `TransientError` if it takes too long.
    """
    try:
        ended = subprocess.run(  # noqa: S603  (our own interpreter and module)
            command_of(world, words), env=environment_of(world, actor), input=said.encode(), capture_output=True,
            timeout=PATIENCE, check=False, start_new_session=True,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise TransientError(f"ludb {words[0]} took more than {PATIENCE:.0f} seconds") from error
    return answered(ended.stdout, words[0], ended.stderr)


def answered(text: bytes, what: str, said: bytes = b"") -> dict[str, Any]:
    """The answer in a process's output; the error that it told, or `FatalError` where it told nothing. Then the server's log
    holds the type and the places of what it `said` on standard error, without the words: they may repeat row values.
    """
    try:
        told = json.loads(text)
    except ValueError:
        lines = said[-LAST:].decode("utf-8", "replace").splitlines()
        kinds = [found[1] for line in lines if (found := _KIND.match(line))]
        trace = "\n".join(line for line in lines if line.startswith('  File "'))
        log("server.child", level="error", command=what, error=kinds[-1] if kinds else "", trace=trace)
        raise FatalError(f"ludb {what} ended without an answer; see the server's log") from None
    if not isinstance(told, dict):
        raise FatalError(f"ludb {what} answered in another form")
    if "error" in told and "message" in told:
        raise error_of(told)
    return told


def error_of(told: dict[str, Any]) -> LudbError:
    """An error as `--json` tells it, as an error again."""
    if told["error"] in {"ConfigError", "ConfigErrors"}:
        place = {name: told.get(name) for name in ("file", "line", "column", "field", "remedy")}
        return ConfigError(str(told["message"]), **place)
    if told["error"] == "TransientError":
        return TransientError(str(told["message"]))
    return FatalError(str(told["message"]))
