"""Drops the outbox table: its rows were never replayed, because each start publishes all state anew."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.drop_table("outbox")
