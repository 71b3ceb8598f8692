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


def conversions(read: Extract, produced: Produced, verdicts: Verdicts, at: Workplace) -> Mapping[str, int]:
    """Values changed by function, of the units that move.

    A function sees values, not units. So the steps are run once more over the units that were set aside after they had
    entered the batch, as far as each of them came, and what that counts is taken off. Costs nothing where the job uses no
    function, or nobody was set aside.
    """
    if not produced.conversions:
        return {}
    left = produced.entered[0] & verdicts.rejected
    if not left:
        return produced.conversions
    again: Counter[str] = Counter()
    with reopen_batch(read, left, produced.key_maps, at) as batch:
        for folder, entered in zip(at.migration.folders, produced.entered, strict=True):
            batch.reject({position: Fault("left before") for position in left - entered}, step=folder.name)
            for step in folder.steps:
                again += run_step(step, batch, at)
    return Counter(produced.conversions) - again
