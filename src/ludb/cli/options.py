"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ludb.errors import ConfigError

Job = Annotated[Path, typer.Argument(help="The job folder (it holds job.yaml).", show_default=False)]
State = Annotated[Path | None, typer.Option("--state", help="State directory [default: .ludb in the job folder].")]
Repository = Annotated[
    str | None, typer.Option("--repository", help="Repository URL [default: SQLite in the state directory].")
]
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
Parameter = Annotated[list[str] | None, typer.Option("-p", "--param", help="A parameter of the job: name=value.")]
JobFolder = Annotated[
    Path | None, typer.Option("--job", help="The job folder, where the state directory is looked for.")
]


def parameters(given: list[str] | None) -> dict[str, str]:
    """`name=value` texts as a mapping."""
    found: dict[str, str] = {}
    for text in given or []:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise ConfigError(f"-p {text}: not name=value", remedy="Write -p name=value")
        found[name] = value
    return found
