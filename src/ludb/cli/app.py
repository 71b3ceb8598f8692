"""The command line: thin over the services. Exit codes: docs/reference/cli.md."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from ludb.cli import (
    doubts,
    evidence,
    holding,
    inspect,
    moving,
    quarantine,
    recovery,
    retention,
    scaffold,
    serving,
    staging,
    steering,
)
from ludb.cli.console import answer, err, error_fields, show_error
from ludb.cli.options import SelectingCommand
from ludb.errors import ConfigError, LudbError

app = typer.Typer(
    name="ludb",
    help="Moves every customer whole, or not at all.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("init")(scaffold.init)
app.command("check")(moving.check)
app.command("stage")(staging.stage)
app.command("plan", cls=SelectingCommand)(moving.plan)
app.command("run", cls=SelectingCommand)(moving.run)
app.command("pause")(steering.pause)
app.command("resume")(steering.resume)
app.command("stop")(steering.stop)
app.command("set")(steering.set_settings)
app.command("declare-dead")(steering.declare_dead)
app.command("abandon")(moving.abandon)
app.command("worker", hidden=True)(moving.worker)
app.command("supervise", hidden=True)(holding.supervise)
app.command("nursery", hidden=True)(holding.nursery)
app.command("status")(inspect.status)
app.command("runs")(inspect.runs)
app.command("unit")(inspect.unit)
app.command("calls")(doubts.calls)
app.command("resolve")(doubts.resolve)
app.command("report")(evidence.report)
app.command("orphans")(evidence.orphans)
app.command("ledger")(evidence.ledger)
app.command("recover")(recovery.recover)
app.command("purge")(retention.purge)
app.command("serve")(serving.serve)
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
    json = "--json" in sys.argv[1:]
    try:
        code = app(standalone_mode=not json)
    except LudbError as error:
        if json:
            answer(error_fields(error))
        else:
            show_error(err, error)
        sys.exit(2 if isinstance(error, ConfigError) else 1)
    except BrokenPipeError:
        # Whoever read has seen enough (`| head`); what is still buffered must not be tried again at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(1)
    except Exception as error:
        # Only with --json: a wrong option arrives as the parser's own error, whose class differs between its versions.
        told = getattr(error, "format_message", None)
        if told is None:
            raise
        answer({"error": "UsageError", "message": told(), "remedy": "See --help"})
        sys.exit(2)
    sys.exit(code if isinstance(code, int) else 0)
