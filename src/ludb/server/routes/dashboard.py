"""The dashboard's built files. It is one page: every path that is no file and nothing of the API is answered with it."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response

from ludb.server import built
from ludb.server.problems import Problem
from ludb.server.rules import rule

router = APIRouter(include_in_schema=False)
BUILT = Path(__file__).parents[1] / "web"
"""Where a build puts the files, and a wheel carries them."""
MISSING = "The dashboard was not built: this server has its API alone (/api/v1/openapi.json).\n"
_OURS = ("api/", "health/", "metrics", "info")
_FOREVER = "public, max-age=31536000, immutable"


@router.get("/{path:path}", **rule("public"))
async def dashboard(path: str, request: Request) -> Response:
    """A file of the dashboard, or its page. Files below `assets/` carry a hash in their names and never change.

    Files lie at the root and below `assets/` alone: elsewhere a dot belongs to a name, as in the unit `a.b`. They come from
    memory: no thread is asked for them.
    """
    if path.startswith(_OURS):
        raise Problem(404, "not-found", "there is nothing at this address", remedy="See /api/v1/openapi.json")
    folder = Path(getattr(request.app.state, "web", BUILT))
    page = folder / "index.html"
    if not page.is_file():
        return PlainTextResponse(MISSING, 200 if not path else 404)
    file, beyond = _place(folder, path)
    if path and file is not None:
        return built.answer(file, request, _FOREVER if path.startswith("assets/") else "no-cache")
    if beyond or path.startswith("assets/") or ("." in path and "/" not in path):
        raise Problem(404, "not-found", "the dashboard has no such file")
    return built.answer(page, request, "no-cache")


def _place(folder: Path, path: str) -> tuple[Path | None, bool]:
    """The file that a path names, if there is one; and whether the path leads out of the folder."""
    file = (folder / path).resolve()
    beyond = not file.is_relative_to(folder.resolve())
    return (file if not beyond and file.is_file() else None), beyond
