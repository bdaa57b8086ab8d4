"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "announcement",
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hall", sa.Text(), nullable=False),
        sa.Column("call", sa.BigInteger(), nullable=False),
        sa.Column("ticket", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("desk", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("play_ms", sa.BigInteger(), nullable=False),
        sa.Column("length_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("site", "id"),
    )
    op.create_index("announcements_by_time", "announcement", ["site", "play_ms"], unique=False)
    op.create_index("announcements_of_call", "announcement", ["site", "call"], unique=False)
    op.create_index("announcements_of_hall", "announcement", ["site", "hall", "id"], unique=False)
    op.create_table(
        "counter",
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("series", sa.Text(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("site", "day", "series"),
    )
    op.create_table(
        "desk",
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("pausing", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("closing", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_call_ms", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("site", "name"),
    )
    op.create_table(
        "desk_service",
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("desk", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("hall", sa.Text(), nullable=False),
        sa.Column("handicap_ms", sa.BigInteger(), nullable=False),
        sa.Column("early_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("site", "desk", "service", "kind"),
    )
    op.create_table(
        "hall",
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("last_play_ms", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("site", "name"),
    )
    op.create_table(
        "outbox",
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("site", "event", "kind", "name"),
    )
    op.create_table(
        "request",
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("site", "id"),
    )
    op.create_index("request_by_age", "request", ["site", "at_ms"], unique=False)
    op.create_table(
        "site",
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("generation_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("site"),
    )
    op.create_table(
        "ticket",
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("series", sa.Text(), nullable=True),
        sa.Column("number", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("due_ms", sa.BigInteger(), nullable=False),
        sa.Column("priority", sa.Boolean(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("issued_ms", sa.BigInteger(), nullable=True),
        sa.Column("appointment_ms", sa.BigInteger(), nullable=True),
        sa.Column("booking", sa.Text(), nullable=True),
        sa.Column("booking_note", sa.Text(), nullable=True),
        sa.Column("request", sa.Text(), nullable=True),
        sa.Column("bound_desk", sa.Text(), nullable=True),
        sa.Column("desk", sa.Text(), nullable=True),
        sa.Column("call", sa.BigInteger(), nullable=True),
        sa.Column("called_ms", sa.BigInteger(), nullable=True),
        sa.Column("said_ms", sa.BigInteger(), nullable=True),
        sa.Column("absent_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("serving_ms", sa.BigInteger(), nullable=True),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.Column("ended_from", sa.Text(), nullable=True),
        sa.Column("end_known", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("site", "id"),
    )
    op.create_index(
        "absence_due",
        "ticket",
        ["site", "absent_at_ms"],
        unique=False,
        sqlite_where=sa.text("absent_at_ms is not null"),
        postgresql_where=sa.text("absent_at_ms is not null"),
    )
    op.create_index(
        "expected",
        "ticket",
        ["site", "appointment_ms", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'expected'"),
        postgresql_where=sa.text("state = 'expected'"),
    )
    op.create_index("number_once_a_day", "ticket", ["site", "day", "series", "number"], unique=True)
    op.create_index(
        "one_ticket_held_by_desk",
        "ticket",
        ["site", "desk"],
        unique=True,
        sqlite_where=sa.text("state in ('called', 'serving')"),
        postgresql_where=sa.text("state in ('called', 'serving')"),
    )
    op.create_index("served_visit", "ticket", ["site", "service", "state", "ended_ms"], unique=False)
    op.create_index("ticket_by_code", "ticket", ["site", "code"], unique=True)
    op.create_index("ticket_by_day", "ticket", ["site", "day", "state"], unique=False)
    op.create_index("ticket_by_desk", "ticket", ["site", "desk", "state", "called_ms"], unique=False)
    op.create_index("ticket_of_booking", "ticket", ["site", "booking"], unique=True)
    op.create_index("ticket_of_request", "ticket", ["site", "request"], unique=True)
    op.create_index(
        "waiting_for_desk",
        "ticket",
        ["site", "bound_desk", "due_ms", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'waiting' and bound_desk is not null"),
        postgresql_where=sa.text("state = 'waiting' and bound_desk is not null"),
    )
    op.create_index(
        "waiting_for_service",
        "ticket",
        ["site", "service", "kind", "due_ms", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'waiting' and bound_desk is null"),
        postgresql_where=sa.text("state = 'waiting' and bound_desk is null"),
    )
    op.create_table(
        "ticket_event",
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ticket", sa.BigInteger(), nullable=True),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("from_state", sa.Text(), nullable=True),
        sa.Column("to_state", sa.Text(), nullable=True),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("desk", sa.Text(), nullable=True),
        sa.Column("request", sa.Text(), nullable=True),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("site", "id"),
    )
    op.create_index("events_of_desk", "ticket_event", ["site", "desk", "id"], unique=False)
    op.create_index("events_of_ticket", "ticket_event", ["site", "ticket", "id"], unique=False)
    op.create_table(
        "visitor_name",
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("ticket", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("delete_after_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["site", "ticket"],
            ["ticket.site", "ticket.id"],
        ),
        sa.PrimaryKeyConstraint("site", "ticket"),
    )
