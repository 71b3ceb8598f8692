"""Processor time of the server for one request, kind by kind: where it goes, not how long anybody waits.

    python -m bench.server.each URL --pid=N --units=1000000 --runs=2000 [--times=50]

Requests are sent one after the other, so that the number holds on a machine that is busy with other work, too.
"""

from __future__ import annotations

import argparse
import http.client
import random
from pathlib import Path
from urllib.parse import urlsplit

from bench.server.fill import SECRET
from bench.server.load import paths

WARM = 5
"""Requests of a kind before those that count."""


def spent(pid: int) -> float:
    """Processor milliseconds of all threads of a process, to the nanosecond; threads that have ended are not among them."""
    told = [path.read_text(encoding="ascii").split()[0] for path in Path(f"/proc/{pid}/task").glob("*/schedstat")]
    return sum(map(int, told)) / 1e6


def each(url: str, pid: int, units: int, runs: int, times: int) -> dict[str, float]:
    """Milliseconds for a request, by kind."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port)

    def ask(path: str) -> None:
        connection.request("GET", f"/api/v1{path}", headers={"Authorization": f"Bearer {SECRET}"})
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status}")

    chance = random.Random(7)  # noqa: S311  (which page is asked for)
    rounds = [paths(units, runs, chance) for _ in range(WARM + times)]
    found: dict[str, float] = {}
    for asked in zip(*rounds, strict=True):
        for _, path in asked[:WARM]:
            ask(path)
        before = spent(pid)
        for _, path in asked[WARM:]:
            ask(path)
        found[asked[0][0]] = (spent(pid) - before) / times
    connection.close()
    return found


def main() -> None:
    """Print a line for each kind, the dearest first, and the mean."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    for name, default in (("pid", None), ("units", 1_000_000), ("runs", 2_000), ("times", 50)):
        parser.add_argument(f"--{name}", type=int, required=default is None, default=default)
    said = parser.parse_args()
    found = each(said.url, said.pid, said.units, said.runs, said.times)
    for kind, ms in sorted(found.items(), key=lambda one: -one[1]):
        print(f"{kind:24} {ms:7.2f} ms")  # noqa: T201  (the answer)
    print(f"{'mean':24} {sum(found.values()) / len(found):7.2f} ms")  # noqa: T201  (the answer)


if __name__ == "__main__":
    main()
