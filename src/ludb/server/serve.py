"""The process: opens the site, makes the first admin, listens until it is told to end. Runs go on without it."""

from __future__ import annotations

import ctypes
import gc
import os
import socket
from contextlib import closing, suppress
from pathlib import Path

import uvicorn

from ludb.errors import ConfigError
from ludb.server.accounts import FIRST_ADMIN, first_admin
from ludb.server.app import create_app
from ludb.server.config import ServerConfig
from ludb.server.keeper import Keeper
from ludb.server.logbook import catch_all, say
from ludb.server.world import World
from ludb.service.alerts_channels import WEBHOOK, check_webhook
from ludb.service.site import open_site

KEEP_ALIVE = 75
"""Seconds that an idle connection is kept: longer than clients keep theirs, so that none is closed under a request."""
_M_ARENA_MAX = -8
GRACE = 3
"""Seconds that open requests are given when the server ends; listeners come back by themselves."""


def serve(config: ServerConfig, *, state: Path | None, repository: str | None) -> None:
    """Serve until SIGTERM or Ctrl-C. `ConfigError` for a set-up that is refused, before anything is opened."""
    _share_memory()
    config.check()
    check_webhook(os.environ.get(WEBHOOK))
    catch_all(chatty=config.json)
    only = config.jobs[0] if len(config.jobs) == 1 and (config.jobs[0] / "job.yaml").is_file() else None
    with closing(_listen(config)) as listening:
        world = World(open_site(state=state, repository=repository, folder=only), config)
        keeper = Keeper(world)
        password = first_admin(world)
        if password is not None:
            words = f"first start: log in as {FIRST_ADMIN} with the one-time password {password}"
            say(words, "server.first", json=config.json)
        host, port = listening.getsockname()[:2]
        scheme = "https" if config.tls_cert else "http"
        url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
        say(f"serving {url} (state in {world.site.state})", "server.serves", json=config.json, url=url)
        server = uvicorn.Server(_settings(config, world))
        _collect_seldom()
        keeper.start()
        try:
            server.run(sockets=[listening])
        finally:
            keeper.close()


def _share_memory() -> None:
    """Let all threads take memory from two places: glibc gives each up to eight times the processors, and returns little."""
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)


def _collect_seldom() -> None:
    """Leave alone what lasts as long as the process (the application, its libraries), and look for circles after 10,000 new
    objects, not 700: one answer makes thousands, none in circles, and every look goes over all that are alive.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def _settings(config: ServerConfig, world: World) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(world), log_config=None, access_log=False, server_header=False, ssl_certfile=config.tls_cert,
        ssl_keyfile=config.tls_key, proxy_headers=config.behind_proxy, timeout_graceful_shutdown=GRACE,
        timeout_keep_alive=KEEP_ALIVE, lifespan="on",
    )  # fmt: skip


def _listen(config: ServerConfig) -> socket.socket:
    """The socket, bound before anything is opened; `ConfigError` where that cannot be."""
    try:
        family = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.create_server((config.host, config.port), family=family)
        # Connections inherit it; without it the second part of a short answer waits 40 ms for the first one's receipt.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        raise ConfigError(
            f"cannot listen at {config.host}, port {config.port}: {error.strerror or error}",
            remedy="Choose another --port or --host",
        ) from error
    return listening
