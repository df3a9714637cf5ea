"""Reports have an order: the number of the commit that stored them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Rows that are there get 0, without being written anew: of their order nothing is known, and they come first."""
    op.add_column("reports", sa.Column("commit_id", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_index("ix_reports_commit", "reports", ["experiment_id", "commit_id"])
