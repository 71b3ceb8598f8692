"""What a server says no with, as our errors: one sentence, and what to do."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ludb.errors import ConfigError, ConfigErrors, FatalError, LudbError, TransientError
from ludb.remote.credentials import Address

Told = Mapping[str, Any]
_FOLDERS = re.compile(r" --(?:state|job) (?:'[^']*'|[^\s`,;]+)")


def told_by(answer: Any) -> dict[str, Any] | None:
    """The problem document of an answer; None where it has none, because somebody else than ludb gave it."""
    if not answer.headers.get("Content-Type", "").startswith("application/problem+json"):
        return None
    try:
        found = json.loads(answer.content)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def refusal(status: int, problem: Told, address: Address, path: str) -> LudbError:
    """The error for an answer above 299."""
    detail, remedy = str(problem.get("detail") or f"status {status}"), problem.get("remedy")
    if status == 401:
        return ConfigError(
            f"the server at {address.shown} does not take the token in {address.token_file}: {detail}",
            remedy="It may have expired or been revoked: ask an admin for a new one",
        )
    if status == 403:
        return ConfigError(
            f"the server at {address.shown} refuses this: {detail}",
            remedy=remedy or "Ask an admin for a token with that role",
        )
    if status in {429, 503}:
        return TransientError(f"{address.shown}: {detail}", remedy=str(remedy or "Try again"))
    if status >= 500:
        return FatalError(f"the server at {address.shown} failed at {path}: {detail}. {remedy or 'See its log'}")
    return _mistake(problem, detail, remedy)


def _mistake(problem: Told, detail: str, remedy: str | None) -> ConfigError:
    several = [
        ConfigError(str(one.get("message")), file=one.get("where") or None, remedy=one.get("remedy"))
        for one in problem.get("errors") or ()
    ]
    if len(several) > 1:
        return ConfigErrors(several)
    return ConfigError(detail, file=problem.get("where") or None, remedy=here(remedy))


def here(remedy: str | None) -> str | None:
    """A remedy in the words of this side: the server's folders are no options of a command here."""
    if remedy is None:
        return None
    return _FOLDERS.sub("", remedy.replace("GET /api/v1/jobs", "`ludb jobs`"))


def failed(outcome: Told) -> LudbError:
    """The error that ended a task, as the server's own command told it."""
    message = str(outcome.get("message") or "the task failed")
    if outcome.get("error") in {"ConfigError", "ConfigErrors"}:
        place = {name: outcome.get(name) for name in ("file", "line", "field", "remedy")}
        return ConfigError(message, **place | {"remedy": here(outcome.get("remedy"))})
    if outcome.get("error") == "TransientError":
        return TransientError(message)
    return FatalError(message)


def why(error: BaseException) -> str:
    """The innermost reason of an error of the HTTP client, without its wrapping."""
    seen: set[int] = set()
    inner: BaseException | None = error
    text = ""
    while inner is not None and id(inner) not in seen:
        seen.add(id(inner))
        told = getattr(inner, "verify_message", None) or getattr(inner, "strerror", None)
        text = str(told) if told else text
        wrapped = [one for one in (*inner.args, getattr(inner, "reason", None)) if isinstance(one, BaseException)]
        inner = wrapped[0] if wrapped else inner.__cause__ or inner.__context__
    if text:
        return text
    return "it took too long" if "Timeout" in type(error).__name__ else "the connection was dropped"
