"""Options that several commands share."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from ludb.cli.remote.choice import chosen
from ludb.errors import ConfigError

if TYPE_CHECKING:
    from ludb.service.selection import KeyFile, Selection

JOB_FILE = "job.yaml"


def job_folder(given: Path | None) -> Path | None:
    """The folder that holds `job.yaml`, which may itself be named; checked before anything is made in it.
    Where a server is named it is a job's name, as it stands.
    """
    if given is None or chosen() is not None:
        return given  # at a server it is the name of a job
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
Detach = Annotated[
    bool, typer.Option("--detach", help="Leave the run to a process of its own, and say which.", show_default=False)
]
RunId = Annotated[
    str | None, typer.Argument(metavar="[RUN]", help="The run [default: the newest].", show_default=False)
]
RunOption = Annotated[str | None, typer.Option("--run", metavar="RUN", help="The run [default: the newest].")]
Key = Annotated[
    str,
    typer.Argument(metavar="KEY", help="The unit key; parts of a composite key are joined by |.", show_default=False),
]
Where = Annotated[
    str | None,
    typer.Option("--where", metavar="SQL", help="Only units whose root row meets this condition, in the source's SQL."),
]
Units = Annotated[
    str | None,
    typer.Option(
        "--units", metavar="FILE", help="Only these unit keys, one per line; CSV with header if composite; - is stdin."
    ),
]
SkipMissing = Annotated[bool, typer.Option("--skip-missing", help="Go on where the source lacks keys of --units.")]
OnlyQuarantined = Annotated[
    str | None,
    typer.Option(
        "--only-quarantined",
        metavar="[REASON]",
        help="Only units that earlier runs have in quarantine, for a reason that contains the text.",
    ),
]
Sample = Annotated[
    str | None, typer.Option("--sample", metavar="PERCENT", help="Only a share of the units, 1%: the same ones again.")
]
Seed = Annotated[int, typer.Option("--seed", help="Another number draws another sample.", show_default=False)]
Limit = Annotated[
    int | None, typer.Option("--limit", metavar="N", min=1, help="At most so many units; the next ones next time.")
]


class SelectingCommand(TyperCommand):
    """A command whose `--only-quarantined` takes a reason or none: the next word, unless it is the job folder."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Give the bare option an empty reason."""
        for at, word in enumerate(args):
            following = args[at + 1] if at + 1 < len(args) else "-"
            is_job = any(path.is_file() for path in (Path(following) / JOB_FILE, Path(following)))
            if word == "--only-quarantined" and (following.startswith("-") or is_job):
                args = [*args[:at], f"{word}=", *args[at + 1 :]]
        return super().parse_args(ctx, args)


def selection(
    *,
    where: str | None,
    units: str | None,
    only_quarantined: str | None,
    sample: str | None,
    seed: int,
    limit: int | None,
    skip_missing: bool = False,
) -> Selection:
    """What the options ask for; the file of keys is read here, standard input too."""
    from ludb.service.selection import Selection

    return Selection(
        where=where or "", units=None if units is None else _key_file(units), quarantined=only_quarantined,
        sample=sample or "", seed=seed, limit=limit, skip_missing=skip_missing,
    )  # fmt: skip


def _key_file(name: str) -> KeyFile:
    from ludb.service.selection import KeyFile

    try:
        content = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        return KeyFile(name, content.decode("utf-8"))
    except OSError as error:
        raise ConfigError(f"--units {name}: {error.strerror}", remedy="Name a file of keys, or - for stdin") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"--units {name}: it is not UTF-8 text", remedy="Save the file as UTF-8") from error


Yes = Annotated[bool, typer.Option("--yes", help="Do not ask; needed where nobody can be asked.")]


def confirm(yes: bool, question: str, *, what: str) -> None:
    """Go on only if a person wants it: `--yes`, or the answer at a terminal. `ConfigError` otherwise; `what` says what
    nobody has confirmed.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise ConfigError(f"nobody has confirmed that {what}", remedy="Say --yes")
    if not typer.confirm(question, err=True):
        raise ConfigError(f"nobody has confirmed that {what}", remedy="Nothing was changed")


def parameters(given: list[str] | None, option: str = "-p") -> dict[str, str]:
    """`name=value` texts of an option as a mapping."""
    found: dict[str, str] = {}
    for text in given or []:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise ConfigError(f"{option} {text}: not name=value", remedy=f"Write {option} name=value")
        found[name] = value
    return found


def texts(values: Mapping[str, object]) -> dict[str, str]:
    """A run's parameters as they would be typed."""
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in values.items()}
