"""What one worker knows of how well its systems are: who got through, and which calls fail again and again."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from ludb.model.calls import Answer, Result

ANSWERED = frozenset({Answer.DONE, Answer.DIFFERENT, Answer.REJECTED, Answer.ABSENT, Answer.SEVERAL})
"""Answers that only a system says which is at work."""
BUSY = frozenset({429, 503})
"""Statuses by which a system says that it has too much to do."""


@dataclass(slots=True)
class Trouble:
    """A call that failed, since it last got through. `tries` counts its failures by kind of request, those only where its
    document was alone in the request; `marks` holds, for each failure, how many others had got through by then, and
    `answered` how many had been answered. `together` is how many documents the last request carried.
    """

    system: str
    chunk: str
    tries: Counter[str] = field(default_factory=Counter)
    marks: list[int] = field(default_factory=list)
    answered: list[int] = field(default_factory=list)
    together: int = 1
    reason: str = ""
    body: str = ""
    status: int | None = None


@dataclass(slots=True)
class Health:
    """Counters by system since the worker began: `written` requests that changed something, `answered` those and look-ups.
    A worker that dies takes this with it: the next one tries anew.
    """

    written: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    troubles: dict[str, Trouble] = field(default_factory=dict)

    def note(self, system: str, chunk: str, result: Result) -> None:
        """Take note of an exchange."""
        call, kind = result.action.call.id, result.action.kind
        if failed(result):
            self._failed(system, chunk, result)
            return
        if result.answer not in ANSWERED:
            return
        self.answered[system] += 1
        if kind != "probe" and result.answer is Answer.DONE:
            self.written[system] += 1
        if kind == "probe" and result.answer is Answer.ABSENT and call in self.troubles:
            del self.troubles[call].tries[kind]  # what it was asked for is known again; the call itself is not done
        else:
            self.troubles.pop(call, None)

    def _failed(self, system: str, chunk: str, result: Result) -> None:
        trouble = self.troubles.setdefault(result.action.call.id, Trouble(system, chunk))
        trouble.chunk, trouble.together = chunk, result.together
        if result.together == 1:
            trouble.tries[result.action.kind] += 1
        trouble.marks.append(self.written[system])
        trouble.answered.append(self.answered[system])
        if result.action.kind != "probe" or not trouble.reason:
            trouble.reason, trouble.body, trouble.status = result.reason, result.body, result.status

    def first(self, call_id: str) -> bool:
        """Whether a call has failed once since it last got through."""
        trouble = self.troubles.get(call_id)
        return trouble is not None and len(trouble.marks) == 1

    def moved_on(self, call_id: str) -> bool:
        """Whether something got through to the system between the last two failures of a call."""
        trouble = self.troubles.get(call_id)
        return trouble is not None and len(trouble.marks) > 1 and self.written[trouble.system] > trouble.marks[-2]


def failed(result: Result) -> bool:
    """Whether an exchange tells that the server could not do it: an error, no answer, one that tells nothing, what a job calls
    `retry`. Being asked to come back later (429, 503) is none: that is said of the system, not of a document.
    """
    again = result.answer is Answer.AGAIN and result.status is not None and result.status not in BUSY
    return again or result.answer is Answer.AMBIGUOUS
