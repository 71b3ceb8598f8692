"""Errors as `application/problem+json` (RFC 9457): what happened, where, what to do. Never a value that was sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from ludb.errors import ConfigError, ConfigErrors, LeaseLost, LudbError, PauseError, RoomError, TransientError
from ludb.server.logbook import log_bug
from ludb.server.paths import form_of, run_of

MEDIA = "application/problem+json"
_FORM = "See /api/v1/openapi.json for what it takes"


class Mistake(BaseModel):
    """One of several things that are wrong."""

    message: str
    where: str = Field("", description="Field, file or line")
    remedy: str | None = None


class ProblemShape(BaseModel):
    """What every answer above 399 holds."""

    type: str = Field(description="Stable: urn:ludb:problem:<kind>", examples=["urn:ludb:problem:conflict"])
    title: str = Field(description="The kind in words", examples=["Conflict"])
    status: int = Field(examples=[409])
    detail: str = Field(description="What happened", examples=["run telco-1 is completed: there is nothing to stop"])
    where: str = Field("", description="Field, file or line", examples=[""])
    remedy: str | None = Field(None, description="What to do, in the imperative")
    errors: list[Mistake] = Field(default_factory=list, description="All mistakes, where there are several")


class Problem(Exception):  # noqa: N818  (the standard's own word)
    """An answer that says no. `kind` becomes the type; `headers` are sent with it."""

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        remedy: str | None = None,
        where: str = "",
        errors: Sequence[Mistake] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Keep the parts."""
        super().__init__(detail)
        self.status, self.kind, self.detail, self.remedy, self.where = status, kind, detail, remedy, where
        self.errors, self.headers = errors, headers or {}

    def answer(self) -> JSONResponse:
        """The answer as it is sent."""
        shape = ProblemShape(
            type=f"urn:ludb:problem:{self.kind}", title=HTTPStatus(self.status).phrase, status=self.status,
            detail=self.detail, where=self.where, remedy=self.remedy, errors=list(self.errors),
        )  # fmt: skip
        return JSONResponse(shape.model_dump(), self.status, dict(self.headers), media_type=MEDIA)


def problem_of(error: LudbError, status: int | None = None) -> Problem:
    """An error of ours as an answer; `status` is that of a `ConfigError`, which only its route can tell (404, 409, 422)."""
    if isinstance(error, ConfigError):
        code = status or 422
        kind = {404: "not-found", 409: "conflict"}.get(code, "invalid")
        errors = [mistake_of(one) for one in error.errors] if isinstance(error, ConfigErrors) else []
        return Problem(code, kind, error.message, remedy=error.remedy, where=_place(error), errors=errors)
    if isinstance(error, TransientError):
        after = str(int(error.retry_after or 1))
        remedy = "Make room there, then try again" if isinstance(error, RoomError) else "Try again"
        return Problem(503, "away", str(error), remedy=remedy, headers={"Retry-After": after})
    if isinstance(error, PauseError):
        return Problem(503, "credential", str(error), remedy="Mend the credential, then try again")
    if isinstance(error, LeaseLost):
        return Problem(409, "conflict", str(error))
    return Problem(500, "fatal", str(error), remedy="See the server's log")


@contextmanager
def refused_as(status: int) -> Iterator[None]:
    """A `ConfigError` of the block is answered with this status."""
    try:
        yield
    except ConfigError as error:
        raise problem_of(error, status) from error


def install(app: FastAPI) -> None:
    """Answer all errors of the app in this form; what nobody foresaw is logged, and told without its words."""

    async def ours(request: Request, error: Exception) -> JSONResponse:
        if isinstance(error, Problem):
            return error.answer()
        known = getattr(request.state, "caller", None) is not None
        return problem_of(_as_ours(error) if known else _for_strangers(_as_ours(error))).answer()

    async def http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        kind = {404: "not-found", 405: "method"}.get(error.status_code, "http")
        words = f"{request.method} cannot be asked of this address" if kind == "method" else str(error.detail)
        return Problem(error.status_code, kind, words, remedy=_FORM, headers=error.headers).answer()

    async def unknown(request: Request, error: Exception) -> JSONResponse:
        log_bug(error, run=run_of(request.scope), method=request.method, path=form_of(request.scope))
        return Problem(500, "bug", f"{type(error).__name__}", remedy="See the server's log, and report it").answer()

    handlers: Mapping[type[Exception], Callable[[Request, Exception], Any]] = {
        Problem: ours, LudbError: ours, HTTPException: http, RequestValidationError: _invalid, Exception: unknown,
    }  # fmt: skip
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    """A request that is not in the form that the document asks for. What was sent is not repeated: it may be a secret."""
    assert isinstance(error, RequestValidationError)
    found = [Mistake(message=one["msg"], where=".".join(str(part) for part in one["loc"])) for one in error.errors()]
    first = found[0] if found else Mistake(message="the request is not in the right form")
    sent = request.headers.get("content-type", "")
    if first.where == "body" and "json" not in sent.lower() and int(request.headers.get("content-length", 0)):
        remedy = "Send it as JSON, with the header Content-Type: application/json"
        return Problem(415, "media-type", "the body is not sent as JSON", where="body", remedy=remedy).answer()
    if any(one["type"] == "json_invalid" for one in error.errors()):
        return Problem(
            422, "invalid", "the body is no JSON", where=first.where, remedy="Mend it", errors=found
        ).answer()
    return Problem(422, "invalid", first.message, where=first.where, remedy=_FORM, errors=found).answer()


def _for_strangers(error: LudbError) -> LudbError:
    """What is away, as whoever has not said who they are may hear it: without the repository's address."""
    return TransientError("the repository does not answer") if isinstance(error, TransientError) else error


def _as_ours(error: Exception) -> LudbError:
    assert isinstance(error, LudbError)
    return error


def mistake_of(error: ConfigError) -> Mistake:
    """A mistake in a list of them."""
    return Mistake(message=error.message, where=_place(error), remedy=error.remedy)


def _place(error: ConfigError) -> str:
    place = ":".join(str(part) for part in (error.file, error.line, error.column) if part is not None)
    return " ".join(part for part in (place, error.field) if part)


RESPONSES: dict[int | str, dict[str, Any]] = {
    code: {"description": HTTPStatus(code).phrase, "content": {MEDIA: {"schema": {"$ref": "#/components/schemas/ProblemShape"}}}}
    for code in (400, 401, 403, 404, 409, 413, 415, 422, 429, 503)
}  # fmt: skip
"""The answers above 399 that any route may give, for the document."""
