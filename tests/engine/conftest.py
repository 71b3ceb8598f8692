"""What the engine's tests share: a job text with one source and one target, and the sums of a summary."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ludb.service.summary import Summary


@pytest.fixture
def balanced() -> Callable[[Summary], bool]:
    """Says whether every unit is in one state, and every table's and output's rows add up."""

    def check(summary: Summary) -> bool:
        counters = summary.counters
        states = (counters.done, counters.quarantined, counters.in_doubt, counters.gone, counters.rolled_back)
        assert sum(states) + counters.pending == counters.total
        for line in summary.source:
            assert line.balances, line
            assert sum(line.by_state.values()) + line.stray + line.pending == line.planned, line
        for output in summary.outputs:
            assert output.written + sum(output.held.values()) == output.produced, output
        return True

    return check


@pytest.fixture
def job_text() -> Callable[..., str]:
    """Writes a job with the source `legacy` and the target `new`."""

    def write(unit: str, *, systems: str = "", more: str = "", chunk: int = 500) -> str:
        return f"""
name: shapes
systems:
  legacy: {{type: sqlite, url: "${{LEGACY}}"}}
  new: {{type: sqlite, url: "${{NEW}}"}}
{systems}
unit:
{unit}
{more}
settings: {{chunk_units: {chunk}}}
"""

    return write
