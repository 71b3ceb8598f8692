"""What a log or a metric may say of a request's path: its form and its run, never a key or a secret that stands in it."""

from __future__ import annotations

from starlette.types import Scope


def form_of(scope: Scope) -> str:
    """The form of the path, such as `/api/v1/runs/{run}`; empty where no route knows it."""
    return str(getattr(scope.get("route"), "path_format", ""))


def run_of(scope: Scope) -> str:
    """The run that the path names; empty where it names none."""
    return str(scope.get("path_params", {}).get("run", ""))
