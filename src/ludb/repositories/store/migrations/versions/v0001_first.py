"""The tables of the first version, which that version made by itself."""

from __future__ import annotations

revision = "1"
down_revision = None


def upgrade() -> None:
    """Nothing: every store has at least this version."""
