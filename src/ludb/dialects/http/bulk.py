"""Many documents in one request: the request is put together, and its answer taken apart again, document by document."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ludb.dialects.http.heard import Heard
from ludb.dialects.http.paths import JsonPath, Marker, Template
from ludb.errors import ConfigError
from ludb.model.calls import Action
from ludb.model.job import BulkSpec, CallSpec


@dataclass(frozen=True, slots=True)
class Bulk:
    """An output's `bulk:`, read once."""

    spec: BulkSpec
    request: Template
    items: tuple[str, ...]
    results: JsonPath
    status: JsonPath | None
    document: JsonPath

    @classmethod
    def of(cls, spec: BulkSpec, call: CallSpec, field: str) -> Bulk:
        """Read it; ConfigError for what cannot be said of many documents at once."""
        try:
            request = Template.parse(spec.call or f"{call.method} {call.path}")
            items, results = JsonPath.parse(spec.items).steps, JsonPath.parse(spec.results)
            status = JsonPath.parse(spec.status) if spec.status else None
            document = JsonPath.parse(spec.document)
        except ValueError as error:
            raise ConfigError(str(error), field=field, remedy="Mend the text of this field") from None
        names = tuple(step for step in items if isinstance(step, str))
        alone = {
            "a path with columns": bool(request.holes),
            "columns in `query:`": any("{" in text for text in call.query.values()),
            "{call_id} in `headers:`": any("{call_id}" in text for text in call.headers.values()),
            "`idempotent:` (its keys are those of single documents)": call.idempotent_ttl is not None,
            "`accepted:`": call.accepted is not None,
            "an `items:` that leads through a list": len(names) != len(items),
        }
        for what, there in alone.items():
            if there:
                raise ConfigError(
                    f"many documents in one request cannot have {what}", field=field, remedy="Drop one of both"
                )
        return cls(spec, request, names, results, status, document)

    def batches(self, actions: Sequence[Action], most: int | None) -> Iterator[Sequence[Action]]:
        """Actions that go together, in their order: up to `size`, and up to `most` bytes where that is a limit. Those that
        failed together go in smaller company, and with none that did not fail.
        """
        batch: list[Action] = []
        size = 0
        for action in sorted(actions, key=lambda action: -(action.most or self.spec.size + 1)):
            more = len(action.call.request.body.encode()) + 1
            company = min(self.spec.size, action.most or self.spec.size)
            too_large = most is not None and size + more > most - self._frame
            if batch and (batch[0].most != action.most or len(batch) >= company or too_large):
                yield batch
                batch, size = [], 0
            batch.append(action)
            size += more
        if batch:
            yield batch

    def body(self, actions: Sequence[Action]) -> str:
        """What is sent: the documents as they were journaled, digit by digit."""
        text = "[" + ",".join(action.call.request.body for action in actions) + "]"
        for name in reversed(self.items):
            text = f"{{{json.dumps(name, ensure_ascii=False)}:{text}}}"
        return text

    @property
    def _frame(self) -> int:
        return len(self.body(()).encode())

    @staticmethod
    def key(actions: Sequence[Action]) -> str:
        """The idempotency key of this very batch."""
        return hashlib.sha256(" ".join(action.call.id for action in actions).encode()).hexdigest()[:32]

    def apart(self, heard: Heard, actions: Sequence[Action], marker: Marker | None) -> list[Heard]:
        """What was heard of each document, where the request as a whole was taken (2xx).

        An answer that does not list a result for each, or that lists them in another order, tells nothing of any.
        """
        try:
            results = self.results.find(heard.json())
        except ValueError:
            results = None
        if not isinstance(results, list) or len(results) != len(actions):
            count = len(results) if isinstance(results, list) else "no"
            return [_unknown(heard, f"the answer lists {count} results for {len(actions)} documents")] * len(actions)
        objects = [self.document.find(one) for one in results]
        if marker is not None and any(_of_another(marker, one, by) for one, by in zip(objects, actions, strict=True)):
            return [_unknown(heard, "the answer lists the results in another order")] * len(actions)
        return [self._one(heard, result, found) for result, found in zip(results, objects, strict=True)]

    def _one(self, heard: Heard, result: Any, found: Any) -> Heard:
        status = heard.status
        if self.status is not None:
            text = self.status.text_in(result, {})
            if text is None or not (text.isascii() and text.isdecimal() and 100 <= int(text) <= 599):
                return _unknown(heard, "the answer tells no status of this document")
            status = int(text)
        shown = found if found is not None and status is not None and status < 400 else result
        body = json.dumps(shown, ensure_ascii=False).encode()
        return replace(heard, status=status, headers={}, body=body)


def _of_another(marker: Marker, document: Any, action: Action) -> bool:
    """Whether a result is surely not of this document: it carries another call's id."""
    if not isinstance(document, dict) or not marker.readable(document) or marker.is_in(document, action.call.id):
        return False
    return marker.holder == () or marker.names(document)


def _unknown(heard: Heard, why: str) -> Heard:
    return replace(heard, status=None, failure=f"{heard.status}, and {why}", reached=True)
