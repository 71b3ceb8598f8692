"""The fidelity suite of targets: each nasty value arrives unchanged, or its unit alone is refused by name.

class TestMine(FidelityTargetContract):
    system = "mine"                     # the key of `Probe.into` and `Probe.refused`
    probes = PROBES                     # `ludb.testing.fidelity.from_arrow`, with `into` of your own

    @pytest.fixture(scope="class")
    def shelf(self): ...                # a `TargetShelf` with a table for each probe
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from ludb.errors import Fault, UnitError
from ludb.model.unit import POSITION
from ludb.testing.fidelity.case import Probe
from ludb.testing.fidelity.forms import arrow_text, same
from ludb.testing.fidelity.from_arrow import PROBES, array_of
from ludb.testing.target import TXN

_NUMBERS = itertools.count(1)


class TargetShelf(Protocol):
    """Tables of two columns, `uid` (an integer, the key) and `v` of the type that `probe.into` names, one for each probe."""

    def target(self, probe: Probe) -> tuple[Any, str]:
        """The opened target, its schema prepared, and the name of the probe's table."""
        ...

    def written(self, probe: Probe) -> Mapping[int, str | None]:
        """What the system itself shows of `v`, by `uid`; bytes as hexadecimal digits."""
        ...


class FidelityTargetContract:
    """Each case that a step can hand over: into the target unchanged, or its unit refused with table, column and reason."""

    probes: ClassVar[Sequence[Probe]] = PROBES
    system: ClassVar[str] = ""
    label: str = ""
    """What the page of outcomes calls it, if not by the system's name."""

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """One test for each probe that has a place in this target, with its number in the name. A gap must fail: it is struck
        off the list on the day it closes.
        """
        if "probe" in metafunc.fixturenames:
            metafunc.parametrize(
                "probe", [_marked(each, self.system) for each in self.probes if self.system in each.into]
            )

    def test_it_arrives_unchanged_or_its_unit_alone_is_refused(
        self, probe: Probe, shelf: TargetShelf, record_property: Callable[[str, object], None]
    ) -> None:
        """The good neighbour in the same transaction always arrives."""
        target, table = shelf.target(probe)
        record_property(
            "fidelity", (probe.case, f"> {self.label or self.system}", probe.expected(self.system), probe.name)
        )
        values = array_of(probe.native, [probe.good, *probe.values])
        numbers = pa.array(range(len(values)), pa.int64())
        rows = pa.table([numbers, numbers, values], names=[POSITION, "uid", "v"])
        faults = written(target, table, rows)
        wanted = set(range(1, len(values))) if probe.expected(self.system) == "refused" else set()
        assert set(faults) == wanted, faults
        for fault in faults.values():
            assert table in fault.reason
            assert re.search(r"\bv\b", fault.reason), fault.reason
            assert probe.reason(self.system) in fault.reason
        texts = shelf.written(probe)
        assert set(texts) == set(range(len(values))) - wanted
        for uid, text in texts.items():
            assert same(probe.form, arrow_text(values[uid]), text), f"{probe}: {values[uid]!r} arrived as {text!r}"


def _marked(probe: Probe, system: str) -> Any:
    gap = probe.gaps.get(system)
    marks = [pytest.mark.xfail(strict=True, reason=gap)] if gap else []
    return pytest.param(probe, id=str(probe), marks=marks)


def written(target: Any, table: str, rows: pa.Table) -> Mapping[int, Fault]:
    """Write the rows as the engine does, in one transaction: units that are refused leave, all others are committed. Gives the
    faults by list position.
    """
    faults: dict[int, Fault] = {}
    while True:
        number = next(_NUMBERS)
        participant = target.begin(replace(TXN, id=f"{TXN.id}-{number}", chunk=f"chunk-{number}", seq=number))
        kept = rows.filter(pc.invert(pc.is_in(rows.column(POSITION), value_set=pa.array(list(faults), pa.int64()))))
        try:
            participant.write(table, kept)
            participant.prepare()
            participant.commit()
        except UnitError as error:
            if not error.faults:
                raise  # nobody is named
            faults.update(error.faults)
        else:
            return faults
        finally:
            participant.rollback()
