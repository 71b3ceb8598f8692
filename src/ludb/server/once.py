"""Commands that are sent again because their answer was lost: answered again, not done again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Annotated

from fastapi import Header, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from ludb.model.tasks import Answered
from ludb.server.problems import Problem
from ludb.server.rules import Caller
from ludb.server.world import World

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key", min_length=1, max_length=200,
        description="The same command under the same key is done once and answered again, for a day",
    ),
]  # fmt: skip


def once(
    world: World, caller: Caller, request: Request, key: str | None, body: BaseModel | None, do: Callable[[], BaseModel]
) -> JSONResponse:
    """Do a command and answer 202, or give the answer that it was given before under this key by this caller.

    409 for a key under which something else was asked, or whose first try is not answered yet.
    """
    if key is None:
        return JSONResponse(do().model_dump(mode="json"), 202)
    asked = json.dumps([request.method, request.url.path, body.model_dump(mode="json") if body else None])
    known_as = hashlib.sha256(f"{caller.name}\0{key}".encode()).hexdigest()
    sha = hashlib.sha256(asked.encode()).hexdigest()
    known = world.repository.answers.reserve(known_as, sha)
    if known is not None:
        return _again(known, sha)
    try:
        answer = do().model_dump(mode="json")
    except BaseException:
        world.repository.answers.forget(known_as)
        raise
    world.repository.answers.keep(Answered(known_as, sha, 202, answer))
    return JSONResponse(answer, 202)


def _again(known: Answered, sha: str) -> JSONResponse:
    if known.request_sha != sha:
        raise Problem(409, "conflict", "under this key something else was asked", remedy="Take another key")
    if not known.status:
        raise Problem(
            409, "conflict", "the first request under this key is not answered yet",
            remedy="Ask again; if its server has ended, see the lists of tasks and commands",
        )  # fmt: skip
    return JSONResponse(dict(known.answer), known.status, {"Idempotency-Replayed": "true"})
