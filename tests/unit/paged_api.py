"""An API on loopback that gives documents page by page, in every way that there is, and misbehaves as it is told."""

from __future__ import annotations

from aiohttp import web

from ludb.dialects.files import dump_json
from tests.unit.conftest import Server


class PagedApi(Server):
    """`/<shelf>` gives `shelves[shelf]`; the query says how: `page`, `offset` or `cursor`, `limit`, `since`.

    `faults` are answers that come before those that are right; `cap` is the most rows that a page has, whatever was asked.
    """

    def __init__(self):
        super().__init__()
        self.shelves, self.faults, self.cap = {}, [], 2
        self.turned = None  # called with the request before it is answered

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def asked(self):
        return [path for _, path, _, _ in self.seen]

    async def _handle(self, request):
        self.seen.append((request.method, request.raw_path, request.headers.copy(), await request.text()))
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            if self.answer is not None:
                await self.answer(request)
            if self.turned is not None:
                self.turned(request)
            if self.faults:
                fault = self.faults.pop(0)
                if fault == "drop":
                    request.transport.close()
                    return web.Response()
                status, headers, text = fault
                return web.Response(status=status, headers=headers, text=text)
            return self._page(request)
        finally:
            self.open -= 1

    def _page(self, request):
        rows = self.shelves[request.path.strip("/")]
        query = request.query
        if "since" in query:
            rows = [row for row in rows if row["updated"] >= query["since"]]
        size = min(int(query.get("limit", self.cap)), self.cap)
        first = int(query.get("offset", 0))
        if "page" in query:
            first = (int(query["page"]) - 1) * size
        if "cursor" in query or "after" in query:
            first = int(query.get("cursor", query.get("after", "0")).removeprefix("c"))
        if "all" in query:
            first, size = 0, len(rows)
        more = first + size < len(rows)
        headers = {"Content-Type": "application/json", "X-Total": str(len(rows))}
        if more:
            headers["X-Next"] = f"c{first + size}"
            headers["Link"] = f'<{request.path}?after=c{first + size}>; rel="next", </>; rel="first"'
        body = {"data": {"items": rows[first : first + size]}, "meta": {"next": f"c{first + size}" if more else None}}
        return web.Response(headers=headers, text=dump_json(body))
