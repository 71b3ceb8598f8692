"""How many values the steps changed, of the units that move: exact also where units are set aside afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from ludb.engine.assemble import reopen_batch
from ludb.engine.transform import Produced, run_step
from ludb.engine.verdicts import Verdicts
from ludb.engine.workplace import Workplace
from ludb.errors import Fault
from ludb.model.data import Extract


class Conversions:
    """Values changed by function, of the units that move.

    A function sees values, not units. So the steps are run once more over the units that were set aside after they had
    entered the batch, as far as each of them came, and what that counts is taken off. Costs nothing where the job uses no
    function, or nobody was set aside.
    """

    def __init__(self, read: Extract, produced: Produced, verdicts: Verdicts, at: Workplace) -> None:
        """Nothing is run again before somebody asks."""
        self._read, self._produced, self._verdicts, self._at = read, produced, verdicts, at
        self._left: frozenset[int] = frozenset()
        self._off: Counter[str] = Counter()

    def note(self) -> None:
        """Take note of who is set aside by now: asked for while no target is locked, it keeps nobody waiting."""
        if not self._produced.conversions:
            return
        left = self._produced.entered[0] & self._verdicts.rejected
        if left != self._left:
            self._off, self._left = self._again(left), left

    def counted(self) -> Mapping[str, int]:
        """What the steps changed in the units that move."""
        self.note()
        return Counter(self._produced.conversions) - self._off

    def _again(self, left: frozenset[int]) -> Counter[str]:
        produced, again = self._produced, Counter[str]()
        with reopen_batch(self._read, left, produced.key_maps, self._at) as batch:
            for folder, entered in zip(self._at.migration.folders, produced.entered, strict=True):
                batch.reject({position: Fault("left before") for position in left - entered}, step=folder.name)
                for step in folder.steps:
                    again += run_step(step, batch, self._at)
        return again
