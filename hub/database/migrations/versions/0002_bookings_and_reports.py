"""Bookings and the reports to their source; fewer indexes that every press changes."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "booking",
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("ticket", sa.BigInteger(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("gone", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("site", "id"),
    )
    op.create_index("booking_by_code", "booking", ["site", "code"], unique=False)
    op.create_index("booking_by_day", "booking", ["site", "day"], unique=False)
    op.create_index("booking_by_reference", "booking", ["site", "reference"], unique=False)
    op.create_index("booking_by_ticket", "booking", ["site", "ticket"], unique=False)
    op.create_table(
        "report",
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("booking", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("ticket", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("due_ms", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("status_before", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("site", "id"),
    )
    op.create_index(
        "report_failed",
        "report",
        ["site", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'failed'"),
        postgresql_where=sa.text("state = 'failed'"),
    )
    op.create_index("report_of_booking", "report", ["site", "booking", "id"], unique=False)
    op.create_index(
        "report_to_send",
        "report",
        ["site", "due_ms", "id"],
        unique=False,
        sqlite_where=sa.text("state in ('waiting', 'trying')"),
        postgresql_where=sa.text("state in ('waiting', 'trying')"),
    )
    op.drop_index("ticket_by_day", table_name="ticket")
    op.drop_index("ticket_by_desk", table_name="ticket")
    op.drop_index("served_visit", table_name="ticket")
    op.create_index(
        "served_visit",
        "ticket",
        ["site", "ended_ms"],
        unique=False,
        sqlite_where=sa.text("state = 'served'"),
        postgresql_where=sa.text("state = 'served'"),
    )
    op.create_index(
        "absent_by_day",
        "ticket",
        ["site", "day", "desk"],
        unique=False,
        sqlite_where=sa.text("state = 'absent'"),
        postgresql_where=sa.text("state = 'absent'"),
    )
    op.create_index(
        "admission_due",
        "ticket",
        ["site", "service", "appointment_ms", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'expected' and absent_at_ms is null"),
        postgresql_where=sa.text("state = 'expected' and absent_at_ms is null"),
    )
    op.create_index(
        "parked_at_desk",
        "ticket",
        ["site", "desk"],
        unique=False,
        sqlite_where=sa.text("state = 'parked'"),
        postgresql_where=sa.text("state = 'parked'"),
    )
    op.drop_index("ticket_of_booking", table_name="ticket")
    op.create_index(
        "ticket_of_booking",
        "ticket",
        ["site", "booking"],
        unique=True,
        sqlite_where=sa.text("booking is not null and state <> 'cancelled'"),
        postgresql_where=sa.text("booking is not null and state <> 'cancelled'"),
    )
