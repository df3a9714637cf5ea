"""Where the master serves stands in its row, so that whoever has the database finds it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds what has a default or may be missing; nothing that is stored changes."""
    op.add_column("mastership", sa.Column("address", sa.Text(), nullable=False, server_default=""))
