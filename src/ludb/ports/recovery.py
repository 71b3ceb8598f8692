"""What was lost with a backup, given back: a restored repository learns what targets committed, a restored target gets its
rows again (PROTOCOL R9).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Lost:
    """A transaction that a target committed and the repository no longer knows: its chunk, the units that it moved, and the
    journal that says what is in it (target -> sha256). `rows` as `Decision.rows`.
    """

    txn: str
    seq: int
    chunk: str
    positions: tuple[int, ...]
    journal: Mapping[str, str]
    rows: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


class Recovery(Protocol):
    """Changes that no run makes by itself. Nobody may be at work on the run meanwhile."""

    def adopt(self, run_id: str, found: Sequence[Lost], seq: int, owner: str) -> None:
        """Make the transactions decided again, in one transaction: recovery will apply them wherever they are not, and finish
        them. Their units leave every chunk and every list that waits; the other units of those chunks wait on their own.
        The sequence goes on above `seq`. `owner` is who the chunks belonged to: somebody known to be dead.

        `FatalError` naming the unit where the repository says that another transaction has moved it.
        """

    def reopen(self, run_id: str, txns: Sequence[str], owner: str) -> None:
        """Make finished chunks decided again, in one transaction, so that recovery applies them wherever they are not any
        more; their units are pending until then. A run that was over is `stopped`.
        """

    def advance(self, job: str, name: str, start: int, by: int) -> None:
        """Leave out the next `by` numbers of a key map (the first ones from `start` on, if it has given out none): somebody
        may have been given them.
        """
