"""A decision says what its chunk's phases, steps and rules took."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ludb.repositories.store.types import Json

revision = "10"
down_revision = "9"


def upgrade() -> None:
    """Add the column; a half upgraded store has it already. It may be empty: a process of the version before may still decide."""
    if "seconds" not in {column["name"] for column in sa.inspect(op.get_bind()).get_columns("decision")}:
        op.add_column("decision", sa.Column("seconds", Json, nullable=True))
