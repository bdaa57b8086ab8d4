"""The tables. Times are whole milliseconds since 1970 UTC, days are local dates written `2026-11-24`.

The writer's statements run on the driver itself (see `hub.database.statements`), so columns hold only what both drivers
return alike: text, integers, and booleans, which are only tested for truth.
"""

from typing import ClassVar

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    type_annotation_map: ClassVar = {int: BigInteger, str: Text}


class SiteRow(Base):
    """One row per site. `generation_ms`: when this database was created or restored; half of every revision."""

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
    # When the desk last called by next, pick or resume: a press within 3 s of it is a bounce.
    last_call_ms: Mapped[int] = mapped_column(server_default=text("0"))
    # The account of the agent who is signed on there.
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
    """Where a desk looks for its next ticket: one row per service and kind, written from the site file at the start.

    `handicap_ms` is added to a ticket's due time at the choice; `early_ms` how long before that time it may be called.
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
        # For services without check-in: their tickets have no `absent_at_ms` before they are admitted.
        Index(
            "admission_due",
            *("site", "service", "appointment_ms", "id"),
            sqlite_where=text("state = 'expected' and absent_at_ms is null"),
            postgresql_where=text("state = 'expected' and absent_at_ms is null"),
        ),
        # Ignores cancelled tickets: a booking that its source lost and found again gets another ticket.
        Index(
            "ticket_of_booking",
            *("site", "booking"),
            unique=True,
            sqlite_where=text("booking is not null and state <> 'cancelled'"),
            postgresql_where=text("booking is not null and state <> 'cancelled'"),
        ),
        Index("ticket_of_request", "site", "request", unique=True),
        Index("ticket_by_code", "site", "code", unique=True),
        # Partial, so that a press changes few of them: each index that it changes adds one or two pages to its commit.
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
    """The journal: one row per transition, and one per change of a desk, a hall or the site (`ticket` is null).

    `data`: the ticket's columns that changed, as a JSON object; the objects of all its rows, merged in order, give its
    row in `ticket`. `call` also has `picked` if an agent chose the ticket by hand. `sign_on` and `sign_off` have
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
    """The first answer to each request, kept at least 7 days: a repeated request gets it and does nothing."""

    __tablename__ = "request"

    site: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    at_ms: Mapped[int]
    answer: Mapped[str]

    __table_args__ = (Index("request_by_age", "site", "at_ms"),)


class AnnouncementRow(Base):
    """One announcement of a call: `id` is the journal row of the call or recall, `call` that of the call."""

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

    Rows with an empty `day` are other counters: `ticket`, `report` and `session` hold the last id of tickets, reports
    and sessions; `reported` is the last journal row that was searched for reports to the source of the bookings.
    """

    __tablename__ = "counter"

    site: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[str] = mapped_column(primary_key=True)
    series: Mapped[str] = mapped_column(primary_key=True)
    last: Mapped[int]


class VisitorNameRow(Base):
    """The only place where a visitor's name is kept. From `delete_after_ms` on it is not shown, and soon deleted."""

    __tablename__ = "visitor_name"

    site: Mapped[str] = mapped_column(primary_key=True)
    ticket: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str]
    delete_after_ms: Mapped[int]

    __table_args__ = (ForeignKeyConstraint(["site", "ticket"], ["ticket.site", "ticket.id"]),)


class BookingRow(Base):
    """A booking as its source last gave it, whatever has happened to its ticket since.

    `id`: the source's own. `reference`: the source's id of the request (a form) that it belongs to, needed for reports.
    `code`: the code on the visitor's confirmation, capitals without spaces; not unique, since a moved booking keeps it.
    `gone`: cancelled in the source, or no longer there.
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
    """A report to the source of a booking. They are sent in the order of `id`, one at a time for each booking.

    `kind`: arrived, served, absent or cancelled. `event`: the journal row it reports. `due_ms`: not sent before this,
    since an absence may still be reversed. `state`: waiting, trying (perhaps sent: a crash or a time-out leaves that
    open), done, dropped (no longer true before it was sent) or failed (an agent must look at it). `status_before`: the
    form's status at the first attempt. `error`: why it failed, or is not done yet.
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
    """A local account, for use without a directory or while it is away. `password`: hashed, see `hub.auth.passwords`.

    `roles`: names of roles separated by spaces. An ended account stays listed until its name is given again.
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
    """Somebody who logged in. `token_hash`: SHA-256 of the cookie's token, which is not stored.

    `name`, `roles`: as the directory or the local account last gave them, at `checked_ms`. `end_reason`: logout, idle,
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
    """A program that may use the API. `token_hash`: SHA-256 of its token, which was shown once.

    Ended tokens stay listed.
    """

    __tablename__ = "machine_token"

    site: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    token_hash: Mapped[str]
    role: Mapped[str]
    created_ms: Mapped[int]
    ended_ms: Mapped[int | None]

    __table_args__ = (Index("token_by_hash", "site", "token_hash", unique=True),)


class AgentRow(Base):
    """The name to show for each person who ever logged in: desks and the journal store only the account."""

    __tablename__ = "agent"

    site: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
