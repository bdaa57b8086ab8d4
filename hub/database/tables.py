"""The tables. Times are whole milliseconds since 1970 UTC, days are local dates written `2026-11-24`.

Statements of the writer run on the driver itself (see `hub.database.statements`), so a column holds only what both
drivers give back alike: text, whole numbers, and booleans read by their truth.
"""

from typing import ClassVar

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    type_annotation_map: ClassVar = {int: BigInteger, str: Text}


class SiteRow(Base):
    """One row a site. `generation_ms`: when this database was created or restored; half of every revision."""

    __tablename__ = "site"

    site: Mapped[str] = mapped_column(primary_key=True)
    generation_ms: Mapped[int]


class DeskRow(Base):
    """What a desk is doing; its ticket is found by the index `one_ticket_held_by_desk`."""

    __tablename__ = "desk"

    site: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    mode: Mapped[str]
    pausing: Mapped[bool] = mapped_column(server_default=text("false"))
    closing: Mapped[bool] = mapped_column(server_default=text("false"))
    # When `mode` was last set.
    since_ms: Mapped[int]
    # Of the last next, pick or resume: a press within 3 s of it is a bounce.
    last_call_ms: Mapped[int] = mapped_column(server_default=text("0"))
    # The account of who is signed on there.
    agent: Mapped[str | None]

    __table_args__ = (
        Index(
            "one_desk_an_agent",
            *("site", "agent"),
            unique=True,
            sqlite_where=text("agent is not null"),
            postgresql_where=text("agent is not null"),
        ),
    )


class DeskServiceRow(Base):
    """Where a desk looks for its next ticket: one row a service and kind, written from the site file at start.

    `handicap_ms` is added to a ticket's due time at the choice; `early_ms` is how long before it may be called.
    """

    __tablename__ = "desk_service"

    site: Mapped[str] = mapped_column(primary_key=True)
    desk: Mapped[str] = mapped_column(primary_key=True)
    service: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    hall: Mapped[str]
    handicap_ms: Mapped[int]
    early_ms: Mapped[int]


class HallRow(Base):
    """`last_play_ms`: when the last announcement of the hall's queue starts or started."""

    __tablename__ = "hall"

    site: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    last_play_ms: Mapped[int] = mapped_column(server_default=text("0"))


class TicketRow(Base):
    """One visit. What its columns mean in which state: `hub.queue.tickets.Ticket`."""

    __tablename__ = "ticket"

    site: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    day: Mapped[str]
    service: Mapped[str]
    series: Mapped[str | None]
    number: Mapped[int | None]
    state: Mapped[str]
    kind: Mapped[str]
    due_ms: Mapped[int]
    priority: Mapped[bool]
    code: Mapped[str]
    issued_ms: Mapped[int | None]
    appointment_ms: Mapped[int | None]
    booking: Mapped[str | None]
    booking_note: Mapped[str | None]
    request: Mapped[str | None]
    bound_desk: Mapped[str | None]
    desk: Mapped[str | None]
    call: Mapped[int | None]
    called_ms: Mapped[int | None]
    said_ms: Mapped[int | None]
    absent_at_ms: Mapped[int | None]
    serving_ms: Mapped[int | None]
    ended_ms: Mapped[int | None]
    ended_from: Mapped[str | None]
    end_known: Mapped[bool]

    __table_args__ = (
        Index("number_once_a_day", "site", "day", "series", "number", unique=True),
        Index(
            "one_ticket_held_by_desk",
            "site",
            "desk",
            unique=True,
            sqlite_where=text("state in ('called', 'serving')"),
            postgresql_where=text("state in ('called', 'serving')"),
        ),
        Index(
            "waiting_for_service",
            *("site", "service", "kind", "due_ms", "id"),
            sqlite_where=text("state = 'waiting' and bound_desk is null"),
            postgresql_where=text("state = 'waiting' and bound_desk is null"),
        ),
        Index(
            "waiting_for_desk",
            *("site", "bound_desk", "due_ms", "id"),
            sqlite_where=text("state = 'waiting' and bound_desk is not null"),
            postgresql_where=text("state = 'waiting' and bound_desk is not null"),
        ),
        Index(
            "absence_due",
            *("site", "absent_at_ms"),
            sqlite_where=text("absent_at_ms is not null"),
            postgresql_where=text("absent_at_ms is not null"),
        ),
        Index(
            "expected",
            *("site", "appointment_ms", "id"),
            sqlite_where=text("state = 'expected'"),
            postgresql_where=text("state = 'expected'"),
        ),
        # A service without check-in: nobody becomes absent before the ticket was admitted.
        Index(
            "admission_due",
            *("site", "service", "appointment_ms", "id"),
            sqlite_where=text("state = 'expected' and absent_at_ms is null"),
            postgresql_where=text("state = 'expected' and absent_at_ms is null"),
        ),
        # A booking that its source lost and found again gets another ticket.
        Index(
            "ticket_of_booking",
            *("site", "booking"),
            unique=True,
            sqlite_where=text("booking is not null and state <> 'cancelled'"),
            postgresql_where=text("booking is not null and state <> 'cancelled'"),
        ),
        Index("ticket_of_request", "site", "request", unique=True),
        Index("ticket_by_code", "site", "code", unique=True),
        # Partial, so that a press touches few of them: each more is a page of its commit, or two.
        Index(
            "parked_at_desk",
            *("site", "desk"),
            sqlite_where=text("state = 'parked'"),
            postgresql_where=text("state = 'parked'"),
        ),
        Index(
            "absent_by_day",
            *("site", "day", "desk"),
            sqlite_where=text("state = 'absent'"),
            postgresql_where=text("state = 'absent'"),
        ),
        Index(
            "served_visit",
            *("site", "ended_ms"),
            sqlite_where=text("state = 'served'"),
            postgresql_where=text("state = 'served'"),
        ),
    )


class TicketEventRow(Base):
    """The journal: one row a transition, and one for each change of a desk, a hall or the site (`ticket` is null).

    `data`: the ticket's columns that changed, as a JSON object; folded over a ticket's rows they give its row in
    `ticket`. A `call` says `picked` besides, where an agent chose the ticket by hand. Of `sign_on` and `sign_off`:
    `agent`, who is at the desk now, and `before`, who was. The id of the last row is the second half of every revision.
    """

    __tablename__ = "ticket_event"

    site: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    ticket: Mapped[int | None]
    event: Mapped[str]
    from_state: Mapped[str | None]
    to_state: Mapped[str | None]
    at_ms: Mapped[int]
    source: Mapped[str]
    actor: Mapped[str]
    desk: Mapped[str | None]
    request: Mapped[str | None]
    data: Mapped[str]

    __table_args__ = (
        Index("events_of_ticket", "site", "ticket", "id"),
        Index("events_of_desk", "site", "desk", "id"),
        Index(
            "sign_ons_of_desk",
            "site",
            "desk",
            "id",
            sqlite_where=text("event = 'sign_on'"),
            postgresql_where=text("event = 'sign_on'"),
        ),
        Index(
            "local_logins",
            "site",
            "id",
            sqlite_where=text("event = 'login_local'"),
            postgresql_where=text("event = 'login_local'"),
        ),
    )


class RequestRow(Base):
    """The first answer to each request, kept 7 days at least: a repeat is answered with it and does nothing."""

    __tablename__ = "request"

    site: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    at_ms: Mapped[int]
    answer: Mapped[str]

    __table_args__ = (Index("request_by_age", "site", "at_ms"),)


class AnnouncementRow(Base):
    """One saying of one call: `id` is the journal row of the call or recall, `call` that of the call."""

    __tablename__ = "announcement"

    site: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    hall: Mapped[str]
    call: Mapped[int]
    ticket: Mapped[int]
    number: Mapped[str]
    desk: Mapped[str]
    at_ms: Mapped[int]
    play_ms: Mapped[int]
    length_ms: Mapped[int]

    __table_args__ = (
        Index("announcements_by_time", "site", "play_ms"),
        Index("announcements_of_call", "site", "call"),
        Index("announcements_of_hall", "site", "hall", "id"),
    )


class CounterRow(Base):
    """The last number given in a series on a day.

    Without a day: `ticket` numbers the tickets themselves, `report` the reports, `session` the sessions, and `reported`
    is the last journal row that was looked at for what the source of the bookings must be told.
    """

    __tablename__ = "counter"

    site: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[str] = mapped_column(primary_key=True)
    series: Mapped[str] = mapped_column(primary_key=True)
    last: Mapped[int]


class VisitorNameRow(Base):
    """The only place of a name. Gone by `delete_after_ms`."""

    __tablename__ = "visitor_name"

    site: Mapped[str] = mapped_column(primary_key=True)
    ticket: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str]
    delete_after_ms: Mapped[int]

    __table_args__ = (ForeignKeyConstraint(["site", "ticket"], ["ticket.site", "ticket.id"]),)


class BookingRow(Base):
    """A booking as its source told it last, whatever has become of its ticket since.

    `id`: the source's own. `reference`: what the source calls the request it belongs to (a form), for telling it
    back. `code`: what the visitor's confirmation says, capitals without spaces; not unique, a moved booking keeps it.
    `gone`: cancelled there, or no longer there.
    """

    __tablename__ = "booking"

    site: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    ticket: Mapped[int]
    reference: Mapped[str]
    service: Mapped[str]
    start_ms: Mapped[int]
    day: Mapped[str]
    code: Mapped[str]
    gone: Mapped[bool]

    __table_args__ = (
        Index("booking_by_day", "site", "day"),
        Index("booking_by_code", "site", "code"),
        Index("booking_by_reference", "site", "reference"),
        Index("booking_by_ticket", "site", "ticket"),
    )


class ReportRow(Base):
    """What the source of a booking is to be told, in the order of `id`; one at a time for each booking.

    `kind`: arrived, served, absent or cancelled. `event`: the journal row it tells of. `due_ms`: not before; an absence
    may still turn out otherwise. `state`: waiting, trying (sent perhaps: a crash or a time-out leaves it open), done,
    dropped (no longer true before it was sent) or failed (an agent must look). `status_before`: the form's status when
    it was first tried. `error`: why it failed, or was not done yet.
    """

    __tablename__ = "report"

    site: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    booking: Mapped[str]
    reference: Mapped[str]
    ticket: Mapped[int]
    kind: Mapped[str]
    event: Mapped[int]
    at_ms: Mapped[int]
    due_ms: Mapped[int]
    state: Mapped[str]
    attempts: Mapped[int]
    status_before: Mapped[str | None]
    error: Mapped[str | None]

    __table_args__ = (
        Index(
            "report_to_send",
            *("site", "due_ms", "id"),
            sqlite_where=text("state in ('waiting', 'trying')"),
            postgresql_where=text("state in ('waiting', 'trying')"),
        ),
        Index(
            "report_failed",
            *("site", "id"),
            sqlite_where=text("state = 'failed'"),
            postgresql_where=text("state = 'failed'"),
        ),
        Index("report_of_booking", "site", "booking", "id"),
    )


class AccountRow(Base):
    """A local account, for where there is no directory or it is away. `password`: hashed, see `hub.auth.passwords`.

    `roles`: names of roles with a space between. Ended ones stay listed, until their name is given anew.
    """

    __tablename__ = "account"

    site: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    password: Mapped[str]
    roles: Mapped[str]
    created_ms: Mapped[int]
    ended_ms: Mapped[int | None]


class LoginSessionRow(Base):
    """Somebody who logged in. `token_hash`: SHA-256 of the cookie's token, which is kept nowhere.

    `name`, `roles`: as the directory or the local account told them last, at `checked_ms`. `end_reason`: logout, idle,
    absolute, right_taken or ended.
    """

    __tablename__ = "login_session"

    site: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    token_hash: Mapped[str]
    account: Mapped[str]
    name: Mapped[str]
    roles: Mapped[str]
    local: Mapped[bool]
    opened_ms: Mapped[int]
    seen_ms: Mapped[int]
    checked_ms: Mapped[int]
    ended_ms: Mapped[int | None]
    end_reason: Mapped[str | None]

    __table_args__ = (
        Index("session_by_token", "site", "token_hash", unique=True),
        Index(
            "open_session",
            *("site", "account"),
            sqlite_where=text("ended_ms is null"),
            postgresql_where=text("ended_ms is null"),
        ),
    )


class MachineTokenRow(Base):
    """A program that may ask. `token_hash`: SHA-256 of its token, which was shown once. Ended ones stay listed."""

    __tablename__ = "machine_token"

    site: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    token_hash: Mapped[str]
    role: Mapped[str]
    created_ms: Mapped[int]
    ended_ms: Mapped[int | None]

    __table_args__ = (Index("token_by_hash", "site", "token_hash", unique=True),)


class AgentRow(Base):
    """How each who ever logged in is shown: desks and the journal name the account alone."""

    __tablename__ = "agent"

    site: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
