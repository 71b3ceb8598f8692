"""The command line: thin over the services. Exit codes: docs/reference/cli.md."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from ludb.cli import inspect, moving, quarantine
from ludb.cli.console import err, show_error
from ludb.errors import ConfigError, LudbError, TransientError

app = typer.Typer(
    name="ludb",
    help="Moves every customer whole, or not at all.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("check")(moving.check)
app.command("plan")(moving.plan)
app.command("run")(moving.run)
app.command("worker", hidden=True)(moving.worker)
app.command("status")(inspect.status)
app.command("runs")(inspect.runs)
app.command("unit")(inspect.unit)
app.command("schema")(inspect.schema)
app.add_typer(quarantine.app, name="quarantine")


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Moves every customer whole, or not at all."""
    if version:
        from ludb import __version__

        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command line; known errors become one message and an exit code, everything else is a bug with a trace."""
    try:
        app(standalone_mode=True)
    except ConfigError as error:
        _fail(error, 2)
    except TransientError as error:
        _fail(error, 1)
    except LudbError as error:
        _fail(error, 1)


def _fail(error: LudbError, code: int) -> None:
    if "--json" in sys.argv:
        fields = {name: getattr(error, name, None) for name in ("file", "line", "column", "field", "remedy")}
        typer.echo(json.dumps({"error": type(error).__name__, "message": str(error)} | fields))
    else:
        show_error(err, error)
    sys.exit(code)
