"""Listeners of a run's stream: how long after it was kept each event reached each of them.

    python -m bench.server.listen URL RUN --listeners=20

Ends when its standard input does, and prints the seconds as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from contextlib import suppress

import aiohttp

from bench.server.fill import SECRET


async def listen(url: str, took: list[float]) -> None:
    """One listener, until it is ended."""
    headers = {"Authorization": f"Bearer {SECRET}"}
    silent = aiohttp.ClientTimeout(total=None, sock_read=None)
    async with aiohttp.ClientSession(headers=headers, timeout=silent) as session, session.get(url) as answer:
        if answer.status != 200:
            raise SystemExit(f"{url}: {answer.status}")
        kind, since = "", time.time()  # what happened before was not waited for
        async for line in answer.content:
            if line.startswith(b"event: "):
                kind = line[7:].decode().strip()
            elif line.startswith(b"data: ") and kind == "event":
                at = json.loads(line[6:])["at"]
                took += [time.time() - at] if at > since else []


async def all_of(url: str, listeners: int) -> list[float]:
    """All listeners at once; those that were cut off end the bench."""
    took: list[float] = []
    tasks = [asyncio.create_task(listen(url, took)) for _ in range(listeners)]
    reader = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    done, _ = await asyncio.wait([*tasks, reader], return_when=asyncio.FIRST_COMPLETED)
    if reader not in done:
        raise SystemExit("a listener was cut off")
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    return took


def main() -> None:
    """Print the seconds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("run")
    parser.add_argument("--listeners", type=int, required=True)
    said = parser.parse_args()
    took = asyncio.run(all_of(f"{said.url}/api/v1/runs/{said.run}/stream", said.listeners))
    json.dump(took, sys.stdout)


if __name__ == "__main__":
    main()
