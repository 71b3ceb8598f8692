"""An open loop of requests against a server: each leaves at its own time, whether the one before was answered or not."""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections import defaultdict
from urllib.parse import quote

import aiohttp

from bench.server.fill import BIG, JOB, REASONS, SECRET


def paths(units: int, runs: int, chance: random.Random) -> list[tuple[str, str]]:
    """One request of each kind: (kind, path), with names that lead to something."""
    run = f"run-{chance.randrange(1, runs):05}"
    key = 100_000 + chance.randrange(units)
    aside = 100_000 + chance.randrange(max(1, units // 200)) * 200
    big, reason = f"/runs/{BIG}", quote(REASONS[0])
    return [
        ("runs", "/runs?limit=50"),
        ("runs of a job", f"/runs?job={JOB}&limit=20"),
        ("runs by state", "/runs?state=running"),
        ("run", big),
        ("run over", f"/runs/{run}"),
        ("progress", f"{big}/progress"),
        ("progress over", f"/runs/{run}/progress"),
        ("audit of a run", f"/runs/{run}/audit"),
        ("rows", f"{big}/rows"),
        ("chunks", f"{big}/chunks?limit=50"),
        ("chunks waiting", f"{big}/chunks?state=claimed"),
        ("workers", f"{big}/workers"),
        ("events", f"{big}/events?after=19000&limit=100"),
        ("all events", "/events?limit=50"),
        ("series", f"{big}/series"),
        ("figures", f"{big}/figures"),
        ("load", f"{big}/load"),
        ("stragglers", f"{big}/stragglers"),
        ("compare", f"/runs/{run}/compare/run-00001"),
        ("calls", f"{big}/calls?limit=50"),
        ("calls over runs", "/calls?state=in_doubt"),
        ("quarantine", f"{big}/quarantine?limit=50"),
        ("quarantine by reason", f"{big}/quarantine?reason={reason}&limit=50"),
        ("quarantine by key", f"{big}/quarantine?key=1024"),
        ("reasons", f"{big}/quarantine/reasons"),
        ("quarantine over runs", "/quarantine"),
        ("unit", f"{big}/units/{key}"),
        ("unit set aside", f"{big}/units/{aside}"),
        ("unit over runs", f"/units/{JOB}/{key}?limit=5"),
        ("tasks", "/tasks"),
        ("alerts", "/alerts?standing=true"),
        ("jobs", "/jobs"),
        ("systems", "/systems"),
        ("commands", f"{big}/commands"),
        ("audit", "/audit"),
        ("session", "/session"),
    ]


async def loop(base: str, rate: float, seconds: float, units: int, runs: int) -> dict[str, list[float]]:
    """Milliseconds by kind; a request that fails, or is answered with anything but 200, ends the loop."""
    chance, took = random.Random(7), defaultdict[str, list[float]](list)  # noqa: S311  (which page is asked for)
    wrong: list[str] = []

    async def one(session: aiohttp.ClientSession, kind: str, path: str, due: float) -> None:
        async with session.get(f"{base}/api/v1{path}") as answer:
            await answer.read()
            if answer.status != 200:
                wrong.append(f"{path}: {answer.status}")
        took[kind].append((time.perf_counter() - due) * 1000)

    headers = {"Authorization": f"Bearer {SECRET}"}
    connector = aiohttp.TCPConnector(limit=100)
    async with aiohttp.ClientSession(headers=headers, connector=connector) as session, asyncio.TaskGroup() as group:
        began, sent, waiting = time.perf_counter(), 0, list[tuple[str, str]]()
        while sent < rate * seconds:
            due = began + sent / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            if not waiting:
                waiting = paths(units, runs, chance)
                chance.shuffle(waiting)
            group.create_task(one(session, *waiting.pop(), due))
            sent += 1
    if wrong:
        raise SystemExit("\n".join(wrong[:5]))
    return took


def main() -> None:
    """Print the milliseconds as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("base")
    for name in ("rate", "seconds"):
        parser.add_argument(f"--{name}", type=float, required=True)
    for name in ("units", "runs"):
        parser.add_argument(f"--{name}", type=int, required=True)
    said = parser.parse_args()
    json.dump(asyncio.run(loop(said.base, said.rate, said.seconds, said.units, said.runs)), sys.stdout)


if __name__ == "__main__":
    main()
