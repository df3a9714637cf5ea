"""Experiments may be given more trials than their specs say."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """None was extended so far."""
    op.add_column("experiments", sa.Column("max_trials", sa.Integer()))
