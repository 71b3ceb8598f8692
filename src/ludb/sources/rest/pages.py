"""All pages of one path, each asked for once: an answer that would leave rows out, or go around in a circle, is refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, NoReturn
from urllib.parse import quote

from ludb.dialects.files import parse_json
from ludb.dialects.http.exchange import Exchange
from ludb.dialects.http.heard import Heard
from ludb.dialects.http.paths import JsonPath
from ludb.dialects.http.pool import Session
from ludb.dialects.http.settings import Identity
from ludb.dialects.http.tables import ApiTable
from ludb.dialects.http.waiting import BACKOFF_BASE, BACKOFF_LIMIT, link_of, same_place
from ludb.errors import ConfigError, TransientError
from ludb.sources.rest.shred import at_path


class Pages:
    """Reads one `get:` table. Everything that a server may do wrong is a `ConfigError` or a `TransientError` that names
    system, table and page; no value of a document stands in it.
    """

    def __init__(
        self, name: str, table: ApiTable, exchange: Exchange, identity: Identity, base: str, patience: float
    ) -> None:
        """`patience` in seconds: how long errors of the server (5xx, a dropped connection) are tried again, each."""
        self._name, self._table, self._exchange, self._identity = name, table, exchange, identity
        self._base, self._patience = base, patience
        self._page = 0
        self._asked: set[str] = set()
        self._seen: set[bytes] = set()
        self.total: int | None = None

    async def read(self, session: Session, since: str | None, keep: Callable[[Mapping[str, Any]], None]) -> None:
        """Hand every document over, in the order in which they come; with `since`, those that have changed from then on."""
        place: str | None = ""
        offset = 0
        while place is not None:
            self._page += 1
            linked = place and self._table.page is not None and self._table.page.by == "link"
            address = place if linked else self._first(since, place)
            if address in self._asked:
                self._refuse("leads back to a page that was read", "Mend `page:`: the answer's `next` does not move on")
            self._asked.add(address)
            heard = await self._answer(session, address)
            document = self._document(heard)
            rows = self._rows(document)
            self._once(rows)
            for row in rows:
                keep(row)
            offset += len(rows)
            self._count(document, heard)
            place = self._next(document, heard, offset, len(rows), address)

    def _first(self, since: str | None, turn: str) -> str:
        """The address of a page, relative to the system's; `turn` is the parameter that turns to it."""
        table, page = self._table, self._table.page
        query = [
            (name, str(value).lower() if isinstance(value, bool) else str(value)) for name, value in table.query.items()
        ]
        if table.changed is not None and since is not None:
            query.append((table.changed.parameter, since))
        if page is not None and page.size is not None:
            query.append((page.size_parameter, str(page.size)))
        if page is not None and not turn and page.by in {"number", "offset"}:
            turn = str(page.start if page.by == "number" else 0)
        if page is not None and turn:
            query.append((page.name, turn))
        text = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in query)
        path = table.get or "/"
        return path + ("" if not text else ("&" if "?" in path else "?") + text)

    async def _answer(self, session: Session, address: str) -> Heard:
        """The answer to a page; what the server or the network did wrong is tried again, for reading changes nothing."""
        began, attempt = self._exchange.elapsed(), 0
        while True:
            heard = await self._exchange.send(session, "GET", address, headers={})
            if heard.refused or heard.wait is not None or (heard.status is not None and heard.status < 500):
                break
            pause = min(BACKOFF_BASE * 2.0**attempt, BACKOFF_LIMIT)
            if self._exchange.elapsed() - began + pause > self._patience or not await self._exchange.pause(pause):
                break
            attempt += 1
        if heard.status is None or not 200 <= heard.status < 300:
            self._complain(heard)
        return heard

    def _complain(self, heard: Heard) -> NoReturn:
        where, system, status = self._where(), self._identity.system, heard.status
        if heard.refused or status in {401, 403}:
            said = heard.refused or f"the server answered {status}"
            raise ConfigError(
                f"{where}: {self._identity.credential} was refused: {said}",
                field=f"systems.{system}.auth", remedy="Mend the credential, or give it the right to read this",
            )  # fmt: skip
        if status is None or heard.wait is not None or status >= 500 or status == 408:
            said = heard.failure or f"the server still answered {status}"
            raise TransientError(f"{where}: {self._identity.address}: {said}", system=system, retry_after=heard.wait)
        if 300 <= status < 400:
            raise ConfigError(
                f"{where}: the server answered {status}, a redirect, which is not followed: it could lead anywhere",
                field=f"systems.{system}.url", remedy="Write the address that it leads to",
            )  # fmt: skip
        self._refuse(f"the server answered {status}", "Mend the path or the query", "get")

    def _document(self, heard: Heard) -> Any:
        media = heard.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        if media != "application/json" and not media.endswith("+json"):
            self._refuse(f"the answer is {media}, not JSON", "See that the path is the API's, not a web page's", "get")
        found: Any = None
        try:
            found, why = parse_json(heard.body.decode("utf-8-sig")), ""
        except json.JSONDecodeError as error:
            why = f"line {error.lineno}, column {error.colno}"
        except UnicodeDecodeError:
            why = "bytes that are not UTF-8"
        except (ValueError, RecursionError) as error:
            why = str(error) if isinstance(error, ValueError) else "it is nested too deeply"
        if why:
            self._refuse(
                f"the answer is not JSON: {why}", "Report it to the API's owner: nothing of it was kept", "get"
            )
        return found

    def _rows(self, document: Any) -> list[Mapping[str, Any]]:
        path = self._table.rows
        found = document if path is None else at_path(document, path)
        if not isinstance(found, list):
            what = "the answer is no array" if path is None else f"nothing that is an array stands at {path!r}"
            self._refuse(what, "Name the array's path with rows: a.b", "rows")
        for row in found:
            if not isinstance(row, dict):
                self._refuse("an element of the array is no object", "Name the array of documents with rows:", "rows")
        return found

    def _once(self, rows: list[Mapping[str, Any]]) -> None:
        """Refuse a page that was there before: its parameter does not reach the server, which would go on for ever."""
        if not rows:
            return
        digest = hashlib.blake2b(repr(rows).encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if digest in self._seen:
            self._refuse(
                "it has the rows of a page that was read", "Mend `page:`: the server does not heed its parameter"
            )
        self._seen.add(digest)

    def _count(self, document: Any, heard: Heard) -> None:
        if self._table.total is None:
            return
        text = self._told(self._table.total, document, heard)
        if text is None or not text.isdecimal():
            self._refuse("no number stands where the total should", "Mend total:, or leave it out", "total")
        self.total = int(text)

    def _next(self, document: Any, heard: Heard, offset: int, count: int, address: str) -> str | None:
        page = self._table.page
        if page is None:
            if 'rel="next"' in heard.headers.get("link", "") or "rel=next" in heard.headers.get("link", ""):
                self._refuse("the answer has a next page, which nobody asks for", "Say page: {by: link}")
            return None
        if page.by in {"number", "offset"}:
            # A server may give fewer rows than were asked for: only an empty page, or the total, is the end.
            if not count or (self.total is not None and offset >= self.total):
                return None
            return str(page.start + self._page if page.by == "number" else offset)
        found = link_of(heard.headers.get("link", "")) if page.next is None else self._told(page.next, document, heard)
        if not found:
            return None
        if page.by == "cursor":
            return found
        asked = address if self._page > 1 else self._base + address
        place = same_place(asked, found)
        if place is None:
            self._refuse(
                "its next page is on another server, where the credential does not belong", "Report it to its owner"
            )
        return place

    def _told(self, path: str, document: Any, heard: Heard) -> str | None:
        parsed = JsonPath.parse(path)
        value = heard.headers.get(parsed.header) if parsed.header is not None else parsed.find(document)
        return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None

    def _where(self) -> str:
        return f"system {self._identity.system}, table {self._name}, page {self._page}"

    def _refuse(self, what: str, remedy: str, field: str = "page") -> NoReturn:
        raise ConfigError(
            f"{self._where()}: {what}",
            field=f"systems.{self._identity.system}.tables.{self._name}.{field}", remedy=remedy,
        )  # fmt: skip
