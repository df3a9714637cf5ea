"""A trial knows where its hyperparameters came from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Until now all were drawn at random."""
    op.add_column("trials", sa.Column("origin", sa.Text(), nullable=False, server_default="random"))
