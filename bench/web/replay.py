"""A recorded run once more, in the repository of another one, faster than it was: what watches that run has much to do.

    python -m bench.web.replay REPOSITORY.sqlite --seconds=180 [--pace=10]

`recorded_run.jsonl` is what a run of the telco demo left in its repository, moment by moment: 600 customers, two workers, one of
them killed, APIs that were slow and away, knobs turned, paused and resumed (`bench/web/record.py`). It is replayed over and over:
its events are appended, its chunks finished, with units set aside, its workers heard. Samples come as often as a server takes
them, with what passed in ten times the work.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from contextlib import closing
from typing import Any

from sqlalchemy import func, insert, select, update

from bench.server.fill import BIG, exception, finished, rows_of
from bench.web.recorded import EVERY, PACE, moments
from ludb.model.events import Event
from ludb.model.figures import Figure, figures_in
from ludb.model.run import UnitException, UnitState
from ludb.model.tasks import Sample
from ludb.repositories.sqlite import SqliteRepository
from ludb.repositories.store import tables as t
from ludb.repositories.store import tally

ASIDE = 5
"""Of so many chunks one has a unit that is set aside."""
WORKERS = 8


class Replay:
    """The large run of a filled repository, which goes on."""

    def __init__(self, repository: SqliteRepository) -> None:
        """Go on behind the last chunk."""
        self.repository = repository
        c = t.chunk.c
        with repository._database.read() as connection:  # noqa: SLF001  (the bench writes what workers would)
            query = select(func.max(c.hi), func.count(), func.max(c.units)).where(c.run == BIG)
            self.next, self.chunks, self.each = connection.execute(query).one()
            self.units = connection.execute(select(t.run.c.units).where(t.run.c.id == BIG)).scalar_one()
        self.settled = repository.views.counters(BIG).total - repository.views.counters(BIG).pending

    def happen(self, what: Mapping[str, Any]) -> None:
        """One moment."""
        if "event" in what:
            event = what["event"]
            told = Event(event["name"], BIG, "", event["level"], lasting=True, data=event["data"])
            self.repository.events.append(told)
        elif "chunk" in what:
            self._finish(what["chunk"]["seconds"])
        else:
            self._sample(what["sample"])

    def _finish(self, seconds: float) -> None:
        """The next chunk has moved, unless all have."""
        if self.next + self.each > self.units:
            return
        now, number, first = time.time(), self.chunks, self.next
        aside = int(number % ASIDE == 0)
        chunk = finished(number, first, self.each, aside, now - seconds, now)
        left_out = exception(BIG, first, now) | {"at": now}
        with self.repository._database.write() as connection:  # noqa: SLF001  (as above)
            connection.execute(insert(t.chunk), chunk)
            connection.execute(insert(t.chunk_rows), list(rows_of(chunk["id"], self.each - aside)))
            if aside:
                connection.execute(insert(t.unit_exception), left_out)
                tally.count(connection, BIG, [_counted(left_out)])
            s = t.segment.c
            moved = update(t.segment).where(s.run == BIG, s.first_pos <= first, s.first_pos + s.n > first)
            connection.execute(moved.values(next_pos=first + self.each))
        self.next, self.chunks, self.settled = first + self.each, number + 1, self.settled + self.each

    def _sample(self, told: Mapping[str, Any]) -> None:
        """A sample, and what workers tell with every beat."""
        now = time.time()
        rates = {name: value * PACE for name, value in told["rates"].items()}
        self.repository.samples.add(BIG, Sample(now, EVERY, self.settled, told["data"], rates))
        per_second = figures_in(rates)
        o = t.owner.c
        for number in range(WORKERS):
            worker = f"w-{number}"
            sums = dict(self.repository.figures.of([BIG]).get(BIG, {}).get(worker, {}))
            for name, figure in per_second.items():
                sums[name] = sums.get(name, Figure()).plus(figure)
            self.repository.figures.note(worker, BIG, sums)
            heard = {"beat": o.beat + 1, "beat_at": now, "cpu": 0.5 + (self.chunks + number) % 5 / 10}
            doing = ("extracting", "steps", "writing")[(self.chunks + number) % 3]
            with self.repository._database.write() as connection:  # noqa: SLF001  (as above)
                connection.execute(update(t.owner).where(o.id == worker).values(doing=doing, **heard))


def _counted(row: Mapping[str, Any]) -> UnitException:
    names = ("position", "unit_key", "phase", "step", "reason", "message", "at")
    return UnitException(state=UnitState.QUARANTINED, **{name: row[name] for name in names})


def main() -> None:
    """Replay; ends by itself, or when it is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file")
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--pace", type=float, default=PACE)
    said = parser.parse_args()
    with closing(SqliteRepository(said.file)) as repository:
        replay, began = Replay(repository), time.monotonic()
        for at, what in moments(said.pace, said.seconds):
            time.sleep(max(0.0, began + at - time.monotonic()))
            replay.happen(what)


if __name__ == "__main__":
    main()
