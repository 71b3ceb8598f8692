"""The command line: thin over the services. Exit codes: docs/reference/cli.md."""

from __future__ import annotations

import os
import sys
from pathlib import Path
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
from ludb.cli.remote import acting, looking
from ludb.cli.remote.choice import Choice, alone, both, choose, near
from ludb.errors import ConfigError, LudbError

app = typer.Typer(
    name="ludb",
    help="Moves every customer whole, or not at all.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
AT_SERVER = "Say it on the server's machine; leave --server (and $LUDB_SERVER) out there"
app.command("init")(alone(scaffold.init))
app.command("check")(alone(moving.check))
app.command("stage")(near(staging.stage, AT_SERVER))
app.command("plan", cls=SelectingCommand)(
    near(moving.plan, "Say `run JOB --dry-run` instead: it writes nothing either")
)
app.command("run", cls=SelectingCommand)(both(moving.run, acting.run))
app.command("pause")(both(steering.pause, acting.pause))
app.command("resume")(both(steering.resume, acting.resume))
app.command("stop")(both(steering.stop, acting.stop))
app.command("set")(both(steering.set_settings, acting.set_settings))
app.command("declare-dead")(both(steering.declare_dead, acting.declare_dead))
app.command("abandon")(both(moving.abandon, acting.abandon))
app.command("worker", hidden=True)(alone(moving.worker))
app.command("supervise", hidden=True)(alone(holding.supervise))
app.command("nursery", hidden=True)(alone(holding.nursery))
app.command("status")(both(inspect.status, looking.status))
app.command("runs")(both(inspect.runs, looking.runs))
app.command("jobs")(looking.jobs)
app.command("unit")(both(inspect.unit, looking.unit))
app.command("calls")(both(doubts.calls, looking.calls))
app.command("resolve")(both(doubts.resolve, acting.resolve))
app.command("report")(both(evidence.report, looking.report))
app.command("orphans")(near(evidence.orphans, AT_SERVER))
app.command("ledger")(near(evidence.ledger, AT_SERVER))
app.command("recover")(near(recovery.recover, AT_SERVER))
app.command("purge")(both(retention.purge, acting.purge))
app.command("serve")(alone(serving.serve))
app.command("schema")(alone(inspect.schema))
app.add_typer(quarantine.app, name="quarantine")


@app.callback(invoke_without_command=True)
def root(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
    server: Annotated[
        str | None,
        typer.Option("--server", metavar="URL", envvar="LUDB_SERVER", help="Have `ludb serve` at URL do it."),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option("--token-file", metavar="FILE", envvar="LUDB_TOKEN_FILE", help="The API token for it."),
    ] = None,
    ca_file: Annotated[
        Path | None,
        typer.Option("--ca-file", metavar="FILE", envvar="LUDB_CA_FILE", help="Who signed its certificate, PEM."),
    ] = None,
) -> None:
    """Moves every customer whole, or not at all."""
    if version:
        from ludb import __version__

        typer.echo(__version__)
        raise typer.Exit
    by_option = "COMMANDLINE" in str(ctx.get_parameter_source("server"))
    choose(None if server is None else Choice(server, token_file, ca_file, by_option))


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
