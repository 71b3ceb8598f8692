"""An API that does nothing but keep what it is sent: `python -m bench.api.server PORT`. Its store is the truth.

`POST /customer` keeps a document once more each time; with a limit (token bucket, a tenth of a second of burst) it answers
429 beyond it. `PUT /control?limit=200` sets the limit and empties the store, `&keep=1` keeps it; `GET /control` tells how
many were taken and refused in each second since then, and how many different names there are.
"""

from __future__ import annotations

import sys
import time
from collections import Counter

from aiohttp import web

BURST = 0.1
"""Seconds of the limit that may come together."""


class Api:
    """The store and the limit."""

    def __init__(self) -> None:
        """Empty, without a limit."""
        self.names: Counter[str] = Counter()
        self.taken: Counter[int] = Counter()
        self.refused: Counter[int] = Counter()
        self.began = time.monotonic()
        self.limit: float | None = None
        self.tokens, self.at = 1.0, self.began
        self.count = 0

    def admit(self, now: float) -> bool:
        """Whether a request is within the limit."""
        if self.limit is None:
            return True
        self.tokens = min(max(1.0, self.limit * BURST), self.tokens + (now - self.at) * self.limit)
        self.at = now
        if self.tokens < 1.0:
            return False
        self.tokens -= 1.0
        return True

    async def post(self, request: web.Request) -> web.Response:
        """Keep a document, or refuse it."""
        document = await request.json()
        now = time.monotonic()
        second = int(now - self.began)
        if not self.admit(now):
            self.refused[second] += 1
            return web.Response(status=429)
        self.taken[second] += 1
        self.count += 1
        self.names[document["name"]] += 1
        return web.json_response({**document, "id": str(self.count)}, status=201)

    async def control(self, request: web.Request) -> web.Response:
        """Set the limit; forget what was, unless it is to be kept."""
        limit = request.query.get("limit", "")
        if request.query.get("keep") != "1":
            self.__init__()  # type: ignore[misc]  # as it was at the start
        self.limit, self.tokens = (float(limit) if limit else None), 1.0
        return web.json_response({})

    async def told(self, _: web.Request) -> web.Response:
        """What came in each second, and whether anything came twice."""
        twice = sum(1 for count in self.names.values() if count > 1)
        return web.json_response({
            "taken": dict(self.taken), "refused": dict(self.refused), "names": len(self.names), "twice": twice,
            "second": time.monotonic() - self.began,
        })  # fmt: skip


def main() -> None:
    """Serve on loopback until the process is ended."""
    api = Api()
    app = web.Application()
    app.router.add_post("/customer", api.post)
    app.router.add_put("/control", api.control)
    app.router.add_get("/control", api.told)
    app.router.add_get("/", api.told)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)


if __name__ == "__main__":
    main()
