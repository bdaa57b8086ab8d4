"""Access: local accounts, sessions and tokens of programs; and the agent signed on at each desk."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("password", sa.Text(), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("site", "account"),
    )
    op.create_table(
        "login_session",
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("local", sa.Boolean(), nullable=False),
        sa.Column("opened_ms", sa.BigInteger(), nullable=False),
        sa.Column("seen_ms", sa.BigInteger(), nullable=False),
        sa.Column("checked_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("site", "id"),
    )
    op.create_index("session_by_token", "login_session", ["site", "token_hash"], unique=True)
    op.create_index(
        "open_session",
        "login_session",
        ["site", "account"],
        unique=False,
        sqlite_where=sa.text("ended_ms is null"),
        postgresql_where=sa.text("ended_ms is null"),
    )
    op.create_table(
        "machine_token",
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("site", "name"),
    )
    op.create_index("token_by_hash", "machine_token", ["site", "token_hash"], unique=True)
    op.create_table(
        "agent",
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("site", "account"),
    )
    op.add_column("desk", sa.Column("agent", sa.Text(), nullable=True))
    op.create_index(
        "one_desk_an_agent",
        "desk",
        ["site", "agent"],
        unique=True,
        sqlite_where=sa.text("agent is not null"),
        postgresql_where=sa.text("agent is not null"),
    )
    op.create_index(
        "sign_ons_of_desk",
        "ticket_event",
        ["site", "desk", "id"],
        unique=False,
        sqlite_where=sa.text("event = 'sign_on'"),
        postgresql_where=sa.text("event = 'sign_on'"),
    )
    op.create_index(
        "local_logins",
        "ticket_event",
        ["site", "id"],
        unique=False,
        sqlite_where=sa.text("event = 'login_local'"),
        postgresql_where=sa.text("event = 'login_local'"),
    )
