"""The fidelity suite of sources: each nasty value leaves the source unchanged, or its row is refused by name.

class TestMine(FidelitySourceContract):
    probes = PROBES                     # a tuple of `Probe`, with the numbers of the cases (`ludb.testing.fidelity.catalogue`)

    @pytest.fixture(scope="class")
    def shelf(self): ...                # a `SourceShelf` that holds all of them
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

import pyarrow as pa
import pytest

from ludb.model.unit import UnitTable
from ludb.ports.source import Source
from ludb.testing.fidelity.case import PLAN, SOURCE, Probe
from ludb.testing.fidelity.forms import arrow_text, same

GOOD = 0
"""The `uid` of the good neighbour; the probe's values have 1, 2, ..."""


class SourceShelf(Protocol):
    """Tables of two columns, `uid` (an integer, the key) and `v`, one for each probe."""

    def source(self, probe: Probe) -> tuple[Source, UnitTable]:
        """The opened source, and the unit table that reads the probe's table with `probe.carry` as the type of `v`."""
        ...

    def texts(self, probe: Probe) -> Mapping[int, str | None]:
        """What the system itself shows of `v`, by `uid`; bytes as hexadecimal digits."""
        ...


class FidelitySourceContract:
    """Each case that the source can hold: out of it unchanged, or refused with table, column and reason."""

    probes: ClassVar[Sequence[Probe]] = ()
    system: ClassVar[str] = ""
    label: str = ""
    """What the page of outcomes calls it, if not by the system's name."""

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """One test for each probe, with its number in the name."""
        if "probe" in metafunc.fixturenames:
            metafunc.parametrize("probe", self.probes, ids=str)

    def test_it_leaves_the_source_unchanged_or_its_row_is_refused(
        self, probe: Probe, shelf: SourceShelf, record_property: Callable[[str, object], None]
    ) -> None:
        """The good neighbour always leaves it."""
        source, table = shelf.source(probe)
        record_property("fidelity", (probe.case, f"{self.label or self.system} >", _outcome(probe), probe.name))
        if PLAN in probe.refused:
            (refused,) = [column.refused for column in source.columns(table) if column.name == "v"]
            assert refused is not None
            assert probe.refused[PLAN] in refused
            return
        pieces = list(source.scan(table))
        rows = pa.concat_tables(piece.rows for piece in pieces)
        held = dict(zip(rows.column("uid").to_pylist(), rows.column("v"), strict=True))
        told = {}
        for piece in pieces:
            for refusal in piece.refused:
                assert table.table.name in refusal.table
                assert refusal.column == "v"
                assert probe.refused.get(SOURCE, "nothing") in refusal.reason
                told[piece.rows.column("uid")[refusal.row].as_py()] = refusal
        wanted = set(range(1, len(probe.values) + 1)) if SOURCE in probe.refused else set()
        assert set(told) == wanted
        texts = shelf.texts(probe)
        assert set(held) == set(texts) == set(range(len(probe.values) + 1))
        for uid in set(texts) - wanted:
            _equal(probe, texts[uid], held[uid])


def _outcome(probe: Probe) -> str:
    if PLAN in probe.refused:
        return "planning"
    return "refused" if SOURCE in probe.refused else "arrives"


def _equal(probe: Probe, text: str | None, value: Any) -> None:
    found = arrow_text(value)
    assert same(probe.form, text, found), f"{probe}: {text!r} left the source as {found!r}"
