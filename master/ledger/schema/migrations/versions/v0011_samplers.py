"""A sampler may be a program of its own: what is wrong with that is kept with its experiment. A trial that waits for
the hyperparameters which it suggests has JSON's null in place of them, and no origin.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Until now the master drew them all, and nothing was wrong with that."""
    op.add_column("experiments", sa.Column("sampler_problem", sa.Text(), nullable=False, server_default=""))
