"""The recorded run: what happened in it, and when, at any pace."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import cycle
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from bench.server.fill import BIG
from ludb.repositories.sqlite import SqliteRepository
from ludb.repositories.store import tables_server as server

RECORDED = Path(__file__).with_name("recorded_run.jsonl")
PACE = 10.0
EVERY = 5.0
"""Seconds between two samples."""
Moment = tuple[float, Mapping[str, Any]]


def recorded() -> list[Moment]:
    """What happened, each with the seconds since the start."""
    lines = [json.loads(line) for line in RECORDED.read_text(encoding="utf-8").splitlines()]
    return [(float(line["after"]), line) for line in lines]


def moments(pace: float, seconds: float) -> Iterator[Moment]:
    """All that happens within so many seconds, as often as it takes, each with its own second."""
    told = recorded()
    length, begin, sampled = told[-1][0], 0.0, 0.0
    while True:
        for after, what in told:
            at = (begin + after) / pace
            if at > seconds:
                return
            if "sample" not in what or at >= sampled + EVERY:
                sampled = at if "sample" in what else sampled
                yield at, what
        begin += length


def remembered(repository: SqliteRepository) -> None:
    """The samples of the large run so far, each as full as those which are to come."""
    told = [what["sample"] for _, what in recorded() if "sample" in what]
    s = server.sample.c
    with repository._database.write() as connection:  # noqa: SLF001  (the bench writes what a server would)
        moments = list(connection.execute(select(s.at).where(s.run == BIG).order_by(s.at)).scalars())
        for at, one in zip(moments, cycle(told), strict=False):
            values = {"data": one["data"], "rates": one["rates"]}
            connection.execute(update(server.sample).where(s.run == BIG, s.at == at).values(values))
