"""What docs/architecture.md claims is so."""

from __future__ import annotations

import re
from pathlib import Path

from ludb.engine.pipeline import PHASES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_every_path_it_names_exists():
    named = set(
        re.findall(
            r"`((?:src|tests|docs)/[\w./-]+|(?:engine|unitdb|journals|repositories|service)/[\w./-]+\.py)`", PAGE
        )
    )
    assert len(named) > 12
    missing = [name for name in named if not ((ROOT / name).exists() or (ROOT / "src/ludb" / name).exists())]
    assert not missing


def test_the_flow_names_every_phase_of_the_pipeline():
    flow = PAGE.split("```")[1]
    told = [word for word in re.findall(r"\w+", flow) if word != "plan"]
    assert told == list(PHASES)


def test_every_room_is_in_the_table():
    rooms = {path.name for path in (ROOT / "src" / "ludb").iterdir() if (path / "__init__.py").exists()}
    table = PAGE.split("## The rooms")[1].split("## Five sentences")[0]
    assert rooms <= set(re.findall(r"`(\w+)`", table))
