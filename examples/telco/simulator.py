"""Runs one simulated API: `python simulator.py crm|inventory --port 0 --store FILE [--idempotent] [--behave JSON]`.

Prints `listening on http://127.0.0.1:PORT` once it is ready, and serves until it is ended (SIGTERM, Ctrl-C).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from aiohttp import web
from tmf.app import Simulator
from tmf.faults import Behaviour
from tmf.rules import KINDS
from tmf.store import Store


async def serve(simulator: Simulator, port: int) -> None:
    """Serve on loopback until a signal comes; port 0 takes a free one."""
    runner = web.AppRunner(simulator.app(), access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, backlog=512)
    await site.start()
    bound = runner.addresses[0][1]
    print(f"listening on http://127.0.0.1:{bound}", flush=True)
    ended = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, ended.set)
    await ended.wait()
    await runner.cleanup()
    simulator.store.close()


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("api", choices=sorted(KINDS))
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument(
        "--idempotent", action="store_true", help="answer a repeated Idempotency-Key with the first object"
    )
    parser.add_argument("--behave", default="{}", help="how to misbehave, as JSON")
    options = parser.parse_args(arguments)
    try:
        behaviour = Behaviour.of(json.loads(options.behave))
    except ValueError as wrong:
        parser.error(f"--behave: {wrong}")
    kind = KINDS[options.api]
    store = Store(options.store, kind.traits, time.time)
    asyncio.run(serve(Simulator(kind, store, behaviour=behaviour, idempotent=options.idempotent), options.port))


if __name__ == "__main__":
    main()
