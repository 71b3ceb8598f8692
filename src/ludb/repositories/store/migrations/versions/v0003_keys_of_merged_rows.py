"""Who wrote which key of a merged output: two upserts of one key are noticed by it."""

from __future__ import annotations

from alembic import op

from ludb.repositories.store.tables import merged

revision = "3"
down_revision = "2"


def upgrade() -> None:
    """Add the table; a store that was half upgraded has it already."""
    merged.create(op.get_bind(), checkfirst=True)
