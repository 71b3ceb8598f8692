"""A chunk knows how many workers have died with it in hand."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "8"
down_revision = "7"


def upgrade() -> None:
    """Add the column; a half upgraded store has it already."""
    if "deaths" not in {column["name"] for column in sa.inspect(op.get_bind()).get_columns("chunk")}:
        op.add_column("chunk", sa.Column("deaths", sa.Integer, nullable=False, server_default="0"))
