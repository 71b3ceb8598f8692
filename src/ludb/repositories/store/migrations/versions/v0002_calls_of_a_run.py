"""Calls are found by their run: for counts by state, and for what is removed with a run."""

from __future__ import annotations

from alembic import op

revision = "2"
down_revision = "1"


def upgrade() -> None:
    """Add the index; a store that was half upgraded has it already."""
    op.create_index("call_by_run", "call", ["run", "state"], if_not_exists=True)
