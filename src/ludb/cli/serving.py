"""The command that serves: loads the web framework only when it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ludb.cli import options
from ludb.errors import ConfigError


def serve(
    jobs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[JOB...]", help="Job folders, or folders of job folders [default: the current one]."),
    ] = None,
    host: Annotated[str, typer.Option("--host", help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="The port; 0 takes a free one.")] = 8321,
    tls_cert: Annotated[Path | None, typer.Option("--tls-cert", metavar="FILE", help="Certificate chain, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option("--tls-key", metavar="FILE", help="Its key, PEM.")] = None,
    behind_proxy: Annotated[
        bool, typer.Option("--behind-proxy", help="Somebody in front speaks TLS and tells the caller's address.")
    ] = False,
    adopt: Annotated[
        bool, typer.Option("--adopt/--no-adopt", help="Hold runs again whose supervisor on this host has died.")
    ] = True,
    oidc: Annotated[
        Path | None, typer.Option("--oidc", metavar="FILE", help="Settings of an identity provider, TOML.")
    ] = None,
    state: options.State = None,
    repository: options.Repository = None,
    json: Annotated[
        bool, typer.Option("--json", help="Say at the start, and of every answer, in lines of JSON on standard error.")
    ] = False,
) -> None:
    """Serve the API and the dashboard: start, steer and watch runs from anywhere, with users and roles."""
    try:
        from ludb.server.config import ServerConfig
        from ludb.server.serve import serve as run_server
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"the server needs a package that is not installed: {error.name}", remedy="Install ludb[server]"
        ) from error
    places = tuple(place.resolve() for place in jobs or [Path()])
    config = ServerConfig(
        host, port, places, tls_cert, tls_key, behind_proxy=behind_proxy, adopt=adopt, oidc=oidc, json=json
    )
    run_server(config, state=state, repository=repository)
