"""The SQL of reports: what the source of a booking is to be told, and the state of each report."""

from typing import Any

from sqlalchemy import Executable, bindparam, delete, func, insert, literal_column, null, select, update

from hub.database.statements import one_of
from hub.database.tables import ReportRow
from hub.queue.booking_store import booking
from hub.queue.store import SITE, event, ticket

report: Any = ReportRow.__table__

# Counters without a day: of report ids, and of the last journal row that was read.
REPORT_IDS, REPORTED = "report", "reported"

# The journal after a given row, in order of id.
JOURNAL_AFTER: Executable = (
    select(*(event.c[name] for name in ("id", "event", "from_state", "to_state", "at_ms", "source", "ticket")))
    .where(event.c.site == SITE, event.c.id > bindparam("after"))
    .order_by(event.c.id)
    .limit(bindparam("limit"))
)
# When a ticket was given its current appointment time.
_learned_ms: Any = (
    select(func.max(event.c.at_ms))
    .where(
        event.c.site == ticket.c.site,
        event.c.ticket == ticket.c.id,
        literal_column("ticket_event.event in ('book', 'move')"),
    )
    .correlate(ticket)
    .scalar_subquery()
)
# The bookings of these tickets. Not joined to the journal: PostgreSQL then read all bookings (75 ms for 10,000).
BOOKINGS_OF_TICKETS: Executable = (
    select(
        *(booking.c.ticket, booking.c.id, booking.c.reference),
        *(ticket.c.day, ticket.c.service, ticket.c.appointment_ms),
        _learned_ms,
    )
    .select_from(booking.join(ticket, (ticket.c.site == booking.c.site) & (ticket.c.id == booking.c.ticket)))
    .where(booking.c.site == SITE, one_of(booking.c.ticket, "tickets"))
)
_before = booking.alias("before")
_came = ticket.alias("came")
# Those of these tickets whose visitor came on the same day for an earlier booking of the same request.
CAME_BEFORE: Executable = (
    select(booking.c.ticket)
    .select_from(
        booking.join(_before, (_before.c.site == booking.c.site) & (_before.c.reference == booking.c.reference))
        .join(
            _came, (_came.c.site == _before.c.site) & (_came.c.id == _before.c.ticket) & (_came.c.day == booking.c.day)
        )
        .join(event, (event.c.site == _came.c.site) & (event.c.ticket == _came.c.id))
    )
    .where(
        booking.c.site == SITE,
        one_of(booking.c.ticket, "tickets"),
        _before.c.id != booking.c.id,
        _before.c.gone,
        literal_column("ticket_event.event in ('check_in', 'arrived', 'readmit', 'start', 'finish')"),
    )
    .distinct()
)
# Bookings of those of these tickets that have ended, if the source meanwhile moved the booking to a time in the future.
MOVED_ON: Executable = (
    select(booking.c.id, booking.c.start_ms)
    .select_from(booking.join(ticket, (ticket.c.site == booking.c.site) & (ticket.c.id == booking.c.ticket)))
    .where(
        booking.c.site == SITE,
        one_of(booking.c.ticket, "tickets"),
        booking.c.start_ms > bindparam("now_ms"),
        ~booking.c.gone,
        literal_column("ticket.booking_note = 'moved'"),
        literal_column("ticket.state in ('served', 'absent', 'cancelled')"),
    )
)
# Without an order: with one, SQLite reads every report of the site instead of sorting these few.
STANDING: Executable = select(report.c.id, report.c.ticket, report.c.kind, report.c.state).where(
    report.c.site == SITE, one_of(report.c.booking, "ids"), literal_column("report.state <> 'dropped'")
)
STATE_OF_REPORT: Executable = select(report.c.state, report.c.attempts).where(
    report.c.site == SITE, report.c.id == bindparam("id")
)
# The report's kind, with each event of its ticket since.
SINCE_REPORT: Executable = (
    select(report.c.kind, event.c.event, event.c.to_state)
    .select_from(report.join(event, (event.c.site == report.c.site) & (event.c.ticket == report.c.ticket)))
    .where(report.c.site == SITE, report.c.id == bindparam("id"), event.c.id > report.c.event)
    .order_by(event.c.id)
)

INSERT_REPORT: Executable = insert(report).values({column.name: bindparam(column.name) for column in report.c}).inline()
DROP_REPORT: Executable = (
    update(report).where(report.c.site == SITE, report.c.id == bindparam("of_id")).values(state="dropped")
)
# The booking now stands for another visit or for none, so the absence from the first visit is no longer reported.
DROP_ABSENCE: Executable = (
    update(report)
    .where(
        report.c.site == SITE,
        report.c.booking == bindparam("of_booking"),
        literal_column("state in ('waiting', 'failed')"),
        literal_column("kind = 'absent'"),
    )
    .values(state="dropped")
)
_reference_by_now: Any = (
    select(booking.c.reference)
    .where(booking.c.site == report.c.site, booking.c.id == report.c.booking)
    .correlate(report)
    .scalar_subquery()
)
# Also stores the booking's current request, because `status_before` is the status of that request.
BEGIN_REPORT: Executable = (
    update(report)
    .where(report.c.site == SITE, report.c.id == bindparam("of_id"))
    .values(
        state="trying",
        status_before=bindparam("to_status_before"),
        reference=func.coalesce(_reference_by_now, report.c.reference),
    )
)
END_REPORT: Executable = (
    update(report)
    .where(report.c.site == SITE, report.c.id == bindparam("of_id"))
    .values({name: bindparam(f"to_{name}") for name in ("state", "attempts", "error")})
)
PUT_OFF_REPORT: Executable = (
    update(report)
    .where(report.c.site == SITE, report.c.id == bindparam("of_id"))
    .values({name: bindparam(f"to_{name}") for name in ("state", "due_ms", "attempts", "error")})
)
RETRY_REPORT: Executable = (
    update(report)
    .where(report.c.site == SITE, report.c.id == bindparam("of_id"))
    .values(state="waiting", due_ms=bindparam("to_due_ms"), attempts=0, error=null(), status_before=null())
)

_untold: Any = (
    select(literal_column("1"))
    .select_from(report)
    .where(
        report.c.site == booking.c.site,
        report.c.booking == booking.c.id,
        literal_column("report.state in ('waiting', 'trying', 'failed')"),
    )
    .correlate(booking)
    .exists()
)
_open: Any = literal_column("ticket.state in ('expected', 'waiting', 'called', 'serving', 'parked')")
# Bookings of past days without an unfinished or failed report; those before `last_day` whatever their reports.
PAST_BOOKINGS: Executable = (
    select(booking.c.id)
    .select_from(booking.join(ticket, (ticket.c.site == booking.c.site) & (ticket.c.id == booking.c.ticket)))
    .where(
        booking.c.site == SITE,
        booking.c.day < bindparam("day"),
        ~_open,
        ~_untold | (booking.c.day < bindparam("last_day")),
    )
    .order_by(booking.c.day, booking.c.id)
    .limit(bindparam("limit"))
)
DELETE_REPORTS: Executable = delete(report).where(report.c.site == SITE, one_of(report.c.booking, "ids"))
DELETE_BOOKINGS: Executable = delete(booking).where(booking.c.site == SITE, one_of(booking.c.id, "ids"))
