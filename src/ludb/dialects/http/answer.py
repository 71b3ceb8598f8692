"""What an exchange with a server means: the classification of DESIGN section 4 and PROTOCOL R5, as pure functions.

The one rule behind all of it: `done`, `rejected`, `absent` and `unsent` are said only where they are known. Whatever
may have changed something without our knowing it is `ambiguous`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote, urlsplit

from ludb.dialects.http.echo import differences
from ludb.dialects.http.heard import Heard
from ludb.dialects.http.later import Later, values
from ludb.dialects.http.paths import JsonPath
from ludb.dialects.http.request import Route
from ludb.dialects.http.settings import Identity
from ludb.dialects.http.statuses import Meaning, meaning_of
from ludb.model.calls import Action, Answer, Result

BODY_LIMIT = 4096
"""Characters of a server's answer that are kept as evidence."""
_ID = JsonPath.parse("$.id")
_UNCLEAR = frozenset({HTTPStatus.SEE_OTHER, HTTPStatus.REQUEST_TIMEOUT})
"""303 speaks of a request that was processed; 408 of one that arrived in part."""


_BUSY = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


def conclude(action: Action, heard: Heard, route: Route, identity: Identity) -> Result:
    """What is known after this exchange; reasons hold no row values and no secrets, `body` holds no secrets."""
    return _Reading(action, heard, route, identity).result()


@dataclass(frozen=True, slots=True)
class _Reading:
    """One exchange being understood."""

    action: Action
    heard: Heard
    route: Route
    identity: Identity

    def result(self) -> Result:
        status = self.heard.status
        if status is None:
            return self._failed()
        if self.heard.wait is not None:
            named = status in _BUSY or "retry-after" in self.heard.headers  # else whoever sends it again chooses
            return self._say(Answer.AGAIN, "the server is busy", retry_after=self.heard.wait if named else None)
        meant = meaning_of(self.route.spec.statuses, status)
        if meant == "fatal":
            return self._say(Answer.FATAL, "the output calls this status fatal")
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN} and meant is None:
            return self._say(Answer.DENIED, f"{self.identity.credential} was refused")
        return self._of_kind(status, meant)

    def _of_kind(self, status: int, meant: Meaning | None) -> Result:
        if self.action.kind == "probe":
            return self._probed(status)
        if self.heard.ended and self.route.later is not None:
            return self._brought_about(self.route.later)
        return self._undone(status, meant) if self.action.kind == "undo" else self._written(status, meant)

    def _failed(self) -> Result:
        if self.heard.refused:
            return self._say(Answer.DENIED, f"{self.identity.credential} was refused: {self.heard.refused}")
        # `unsent` settles a call, so it is said only where nothing of this call can be at the server.
        if self.action.kind == "send" and not self.action.repeat and not self.heard.reached:
            return self._say(Answer.UNSENT, self.heard.failure)
        return self._say(Answer.AMBIGUOUS, self.heard.failure)

    def _written(self, status: int, meant: Meaning | None) -> Result:
        if meant == "success" or (meant is None and 200 <= status < 300):
            return self._accepted()
        if status == HTTPStatus.CONFLICT and (self.action.repeat or self.heard.resent):
            return self._say(Answer.AMBIGUOUS, "the conflict may be with our own earlier try")
        if meant is None and (status >= 500 or status in _UNCLEAR):
            return self._say(Answer.AMBIGUOUS, "the server may have done it")
        return self._say(
            Answer.REJECTED, "a redirect is not followed" if status < 400 else "the server refused the document"
        )

    def _brought_about(self, later: Later) -> Result:
        """Work that was accepted first: the values are those of the job's last answer, which is not the object."""
        if self.heard.ended == "failed":
            return self._say(Answer.REJECTED, "it was accepted, and then failed")
        if self.heard.ended != "done":
            return self._say(Answer.AMBIGUOUS, f"it was accepted, and {self.heard.ended}")
        if self.action.kind == "undo":
            return self._say(Answer.DONE, "", server_id=self.action.call.server_id)
        known = self.action.call.returned if self.action.kind == "update" else {}
        returned = {**known, **values(later, self.heard)}
        missing = [name for name in later.returns if name not in returned]
        if missing:
            return self._say(Answer.AMBIGUOUS, f"the job's answer holds no {', '.join(missing)}")
        server_id = returned.get("id") or (self.action.call.server_id if self.action.kind == "update" else None)
        kept = {name: text for name, text in returned.items() if name in self.route.returns}
        return self._say(Answer.DONE, "", server_id=server_id, returned=kept)

    def _accepted(self) -> Result:
        """A 2xx counts as done only if it can be read and gives what the output needs: its id, its `returns:`."""
        document: Any = None
        if self.heard.body.strip():
            try:
                document = self.heard.json()
            except ValueError:
                kind = self.heard.headers.get("content-type", "no content type").partition(";")[0].strip()
                return self._say(Answer.AMBIGUOUS, f"the answer is not readable as JSON ({kind[:40]})")
        update = self.action.kind == "update"
        known = self.action.call.server_id if update else None
        return self._found(document, known, self.action.call.returned if update else {})

    def _found(self, document: Any, known_id: str | None, known: Mapping[str, str]) -> Result:
        texts = {name: path.text_in(document, self.heard.headers) for name, path in self.route.returns.items()}
        returned = {**known, **{name: text for name, text in texts.items() if text is not None}}
        missing = [name for name in texts if name not in returned]
        if missing:
            return self._say(Answer.AMBIGUOUS, f"the answer holds no {', '.join(missing)}")
        server_id = returned.get("id") or known_id or _ID.text_in(document, {}) or self._located()
        if self.route.needs_id and not server_id:
            return self._say(Answer.AMBIGUOUS, "the answer holds no id")
        other = differences(self.action.call.request.body, document, self.route.echo)
        if other:
            where = ", ".join(other[:5]) + (" and elsewhere" if len(other) > 5 else "")
            why = f"the answer does not say what was sent, at {where}"
            return self._say(Answer.DIFFERENT, why, server_id=server_id, returned=returned)
        return self._say(Answer.DONE, "", server_id=server_id, returned=returned)

    def _located(self) -> str | None:
        if self.action.kind != "send":
            return None
        path = urlsplit(self.heard.headers.get("location", "")).path
        return unquote(path.rstrip("/").rpartition("/")[2]) or None

    def _undone(self, status: int, meant: Meaning | None) -> Result:
        usual = 200 <= status < 300 or status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}
        if meant == "success" or (meant is None and usual):
            return self._say(Answer.DONE, "", server_id=self.action.call.server_id)
        if meant is None and (status >= 500 or status in _UNCLEAR):
            return self._say(Answer.AMBIGUOUS, "the server may have done it")
        return self._say(Answer.REJECTED, "the server does not take the object back")

    def _probed(self, status: int) -> Result:
        if status == HTTPStatus.NOT_FOUND:
            return self._say(Answer.ABSENT, "")
        if not 200 <= status < 300:
            return self._say(Answer.AMBIGUOUS, "the look-up failed")
        try:
            document = self.heard.json()
        except ValueError:
            return self._say(Answer.AMBIGUOUS, "the look-up's answer is not readable as JSON")
        return self._looked_up(document)

    def _looked_up(self, document: Any) -> Result:
        """Only objects that truly carry the call id are ours: a server may ignore the filter, or match by prefix."""
        marker, call_id = self.route.marker, self.action.call.id
        assert marker is not None
        alone = isinstance(document, dict) and marker.readable(document)
        seen = [document] if alone else _objects(document)
        ours = [one for one in seen if marker.is_in(one, call_id)]
        if len(ours) > 1:
            return self._say(Answer.SEVERAL, f"the look-up found {len(ours)} objects of this call")
        doubt = self._one_page(len(seen)) or ("" if alone else _no_list(document))
        if not ours and not doubt and not all(marker.readable(one) for one in seen):
            doubt = "the look-up shows objects without the marker's place: any may be ours"
        if doubt:
            return self._say(Answer.AMBIGUOUS, doubt)
        return self._found(ours[0], None, {}) if ours else self._say(Answer.ABSENT, "")

    def _one_page(self, shown: int) -> str:
        headers = self.heard.headers
        total = headers.get("x-total-count", "")
        more = total.isdecimal() and int(total) > shown
        if more or self.heard.status == HTTPStatus.PARTIAL_CONTENT or 'rel="next"' in headers.get("link", ""):
            return "the look-up's answer is one page of several"
        return ""

    def _say(
        self,
        answer: Answer,
        why: str,
        *,
        server_id: str | None = None,
        returned: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> Result:
        """The result, its reason naming system and request line (the template: a filled path may hold row values)."""
        status = self.heard.status
        reason = self._reason(status, why) if why else ""
        return Result(
            action=self.action,
            answer=answer,
            status=status,
            server_id=server_id,
            returned=returned or {},
            body=self.identity.mask(self.heard.text)[:BODY_LIMIT],
            reason=reason,
            retry_after=retry_after,
        )

    def _reason(self, status: int | None, why: str) -> str:
        lines = {
            "probe": self.route.probe,
            "undo": self.route.undo,
            "update": self.route.update,
            "send": self.route.send,
        }
        code = f"{status} {_phrase(status)} from" if status is not None else "no answer from"
        return f"{code} {self.identity.system} at {self.identity.address} to {lines[self.action.kind]}: {why}"


def _objects(document: Any) -> Sequence[Mapping[str, Any]]:
    """The objects of a look-up's answer: of a list, or of an object that wraps them (`{"items": [...]}`)."""
    if isinstance(document, dict):
        inner = [one for value in document.values() if isinstance(value, list) for one in value]
        document = [*document.values(), *inner]
    return [one for one in document if isinstance(one, dict)] if isinstance(document, list) else []


def _no_list(document: Any) -> str:
    """Why an answer cannot mean "not there": it lists nothing (`{"error": "..."}` with status 200)."""
    wraps = isinstance(document, dict) and any(isinstance(value, list | dict) for value in document.values())
    return "" if wraps or isinstance(document, list) else "the look-up's answer is no list of objects"


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "(no standard status)"
