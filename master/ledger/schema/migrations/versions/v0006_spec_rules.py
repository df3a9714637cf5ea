"""A spec is stored with the version of the rules by which it was accepted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """All that are stored were accepted by the first rules."""
    op.add_column("experiments", sa.Column("spec_rules", sa.Integer(), nullable=False, server_default="1"))
