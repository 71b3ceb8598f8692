"""What people write where there is no platform: `python -m bench.api.loops aiohttp|requests URL DATABASE COUNT`.

Reads customers from SQLite and sends each as a document; journals nothing, looks nothing up, takes nothing back.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from collections.abc import Iterator

import aiohttp
import requests

IN_FLIGHT = 32
HEADERS = {"Content-Type": "application/json"}


def documents(database: str, count: int) -> Iterator[str]:
    """The documents that the job's step makes, as text."""
    with sqlite3.connect(database) as connection:
        rows = connection.execute("select id, name, street, city, balance from customers order by id limit ?", (count,))
        for number, name, street, city, balance in rows:
            made = {
                "name": name,
                "externalId": str(number),
                "address": {"street": street, "city": city},
                "balance": balance,
            }
            yield json.dumps(made)


async def together(url: str, database: str, count: int) -> None:
    """A bare aiohttp loop, 32 requests on their way at a time."""
    places = asyncio.Semaphore(IN_FLIGHT)

    async def send(session: aiohttp.ClientSession, body: str) -> None:
        async with places, session.post(f"{url}/customer", data=body, headers=HEADERS) as answer:
            await answer.read()
            answer.raise_for_status()

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(send(session, body) for body in documents(database, count)))


def one_by_one(url: str, database: str, count: int) -> None:
    """A plain loop with requests."""
    with requests.Session() as session:
        for body in documents(database, count):
            session.post(f"{url}/customer", data=body, headers=HEADERS, timeout=30).raise_for_status()


if __name__ == "__main__":
    way, where, file, most = sys.argv[1:]
    if way == "aiohttp":
        asyncio.run(together(where, file, int(most)))
    else:
        one_by_one(where, file, int(most))
