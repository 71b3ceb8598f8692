"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from ludb.errors import ConfigError

JOB_FILE = "job.yaml"


def job_folder(given: Path | None) -> Path | None:
    """The folder that holds `job.yaml`, which may itself be named; checked before anything is made in it."""
    if given is None:
        return None
    folder = given.parent if given.name == JOB_FILE and given.is_file() else given
    if (folder / JOB_FILE).is_file():
        return folder
    what = f"there is no {JOB_FILE} in this folder" if folder.is_dir() else "there is no such folder"
    raise ConfigError(what, file=str(given), remedy="Name the folder of a job")


Job = Annotated[
    Path,
    typer.Argument(metavar="JOB", help="The job folder: it holds job.yaml.", callback=job_folder, show_default=False),
]
State = Annotated[
    Path | None, typer.Option("--state", metavar="FOLDER", help="State directory [default: .ludb in the job folder].")
]
Repository = Annotated[
    str | None,
    typer.Option("--repository", metavar="URL", help="Repository [default: SQLite in the state directory]."),
]
Json = Annotated[bool, typer.Option("--json", help="Answer with one JSON document on standard output.")]
Parameter = Annotated[
    list[str] | None, typer.Option("-p", "--param", metavar="NAME=VALUE", help="A parameter of the job; repeatable.")
]
JobFolder = Annotated[
    Path | None,
    typer.Option(
        "--job", metavar="JOB", help="The job folder, where the state directory is looked for.", callback=job_folder
    ),
]
RunId = Annotated[
    str | None, typer.Argument(metavar="[RUN]", help="The run [default: the newest].", show_default=False)
]
RunOption = Annotated[str | None, typer.Option("--run", metavar="RUN", help="The run [default: the newest].")]
Key = Annotated[
    str,
    typer.Argument(metavar="KEY", help="The unit key; parts of a composite key are joined by |.", show_default=False),
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


def texts(values: Mapping[str, object]) -> dict[str, str]:
    """A run's parameters as they would be typed."""
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in values.items()}
