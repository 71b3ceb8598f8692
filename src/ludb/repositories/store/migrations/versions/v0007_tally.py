"""Units set aside are counted as they are set aside; calls of a run are found in their order."""

from __future__ import annotations

from alembic import op

from ludb.repositories.store import tables as t
from ludb.repositories.store.tally import recount
from ludb.repositories.store.types import metadata

revision = "7"
down_revision = "6"


def upgrade() -> None:
    """Add the table with what is counted so far, and the index; a half upgraded store has some already."""
    metadata.create_all(op.get_bind(), tables=[t.tally], checkfirst=True)
    recount(op.get_bind())
    op.create_index("call_in_order", "call", ["run", "number"], if_not_exists=True)
