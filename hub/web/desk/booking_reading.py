"""Reads the bookings that staff search for, and the reports that their source refused. Nothing is cached."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, literal_column, select

from hub.appointments.source_refusal import SourceRefusal, read_refusal
from hub.database.tables import BookingRow, ReportRow, TicketRow, VisitorNameRow
from hub.queue.arrivals import HERE
from hub.queue.bookings import KNOWN_FIELDS, Known, known_from_row
from hub.queue.hours import local_day
from hub.queue.requests import confirmation_code
from hub.queue.states import State
from hub.queue.tickets import FIELDS, Ticket, from_row
from hub.web.name_search import folded, is_found

# A list shows this many rows and a total: at a desk, nobody reads further.
SHOWN = 50
# The most bookings that a search by name looks through: several times those of a day at the largest site.
MOST_NAMES = 50_000

_ticket: Any = TicketRow.__table__
_booking: Any = BookingRow.__table__
_report: Any = ReportRow.__table__
_name: Any = VisitorNameRow.__table__
_TICKET = [_ticket.c[name] for name in FIELDS]
_BOOKING = [_booking.c[name] for name in KNOWN_FIELDS]
_TICKET_OF_NAME = (_ticket.c.site == _name.c.site) & (_ticket.c.id == _name.c.ticket)

_standing: Any = _booking.alias("standing")
_others: Any = (
    select(literal_column("1"))
    .where(
        _standing.c.site == _booking.c.site,
        _standing.c.reference == _booking.c.reference,
        _standing.c.id != _booking.c.id,
        ~_standing.c.gone,
    )
    .correlate(_booking)
)
_over_there: Any = _booking.c.gone & _ticket.c.state.not_in(HERE)
# `arrivals.is_left_behind` in SQL, and its request has another booking that is not gone.
_LEFT_BEHIND: Any = ((_ticket.c.state == State.CANCELLED) | _over_there) & _others.exists()
# The source moved the booking: its request has another one, of the same service. A request may also have two bookings,
# mostly of two services. If one of these is cancelled, staff must find it.
_MOVED: Any = _over_there & _others.where(_standing.c.service == _booking.c.service).exists()

# A literal: with a bound parameter, the partial index is not used.
_FAILED: Any = literal_column("report.state = 'failed'")


@dataclass(frozen=True, slots=True)
class Found:
    """A booking with its current ticket, and the visitor's name while it is kept."""

    ticket: Ticket
    booking: Known
    name: str | None


@dataclass(frozen=True, slots=True)
class FoundBookings:
    """The first 50 bookings found, by time, and how many there are. `other_days`: they are of other days than today."""

    rows: tuple[Found, ...]
    total: int
    other_days: bool = False


@dataclass(frozen=True, slots=True)
class FailedReport:
    """A report that a booking's source refused. `kind`: as in `ReportRow`."""

    id: int
    booking: str
    ticket: int
    number: str | None
    code: str
    appointment_ms: int
    kind: str
    at_ms: int
    attempts: int
    refusal: SourceRefusal


def read_bookings(connection: Connection, site: str, tickets: Sequence[int]) -> dict[int, Known]:
    """Return the bookings of these tickets, by ticket."""
    if not tickets:
        return {}
    query = select(*_BOOKING).where(_booking.c.site == site, _booking.c.ticket.in_(tickets))
    return {known.ticket: known for known in map(known_from_row, connection.execute(query))}


def read_names(connection: Connection, site: str, tickets: Sequence[int], now_ms: int) -> dict[int, str]:
    """Return visitors' names by ticket, if the source gave one and it may still be kept. For the staff page only."""
    if not tickets:
        return {}
    query = select(_name.c.ticket, _name.c.name).where(
        _name.c.site == site, _name.c.ticket.in_(tickets), _name.c.delete_after_ms > now_ms
    )
    return {row.ticket: row.name for row in connection.execute(query)}


def search(connection: Connection, site: str, zone: str, query: str, now_ms: int) -> FoundBookings:
    """Find bookings by confirmation code, else by name: those of today or, if there are none, those of other days.

    Bookings that are checked in or over are found too, so that staff can tell a visitor who comes twice. A booking
    that was moved is not found: it would look cancelled beside the one that replaced it.
    """
    today = local_day(now_ms, zone)
    code = confirmation_code(query)
    by_code = _by_code(connection, site, code, now_ms) if code else ()
    if by_code:
        of_today = tuple(found for found in by_code if found.ticket.day == today)
        return FoundBookings(of_today or by_code, len(of_today or by_code), other_days=not of_today)
    asked = folded(query)
    if not asked:
        return FoundBookings((), 0)
    named_today = _tickets_named(connection, site, asked, _ticket.c.day == today, now_ms)
    tickets = named_today or _tickets_named(connection, site, asked, _ticket.c.day != today, now_ms)
    rows = _bookings(connection, site, _booking.c.ticket.in_(tickets[:SHOWN]), now_ms)
    return FoundBookings(rows, len(tickets), other_days=bool(tickets) and not named_today)


def _by_code(connection: Connection, site: str, code: str, now_ms: int) -> tuple[Found, ...]:
    """As at the dispenser, a code from before a move finds the bookings that the request has now."""
    found = _bookings(connection, site, (_booking.c.code == code) & ~_LEFT_BEHIND, now_ms)
    if found:
        return found
    requests = select(_standing.c.reference).where(_standing.c.site == site, _standing.c.code == code)
    return _bookings(connection, site, ~_booking.c.gone & _booking.c.reference.in_(requests), now_ms)


def read_failed_count(connection: Connection, site: str) -> int:
    """How many reports failed for good."""
    return connection.scalar(select(func.count()).select_from(_report).where(_report.c.site == site, _FAILED)) or 0


def read_failed_reports(connection: Connection, site: str) -> tuple[FailedReport, ...]:
    """Return the first 50 reports that failed for good, oldest first."""
    ticket_of = (_ticket.c.site == _report.c.site) & (_ticket.c.id == _report.c.ticket)
    booking_of = (_booking.c.site == _report.c.site) & (_booking.c.id == _report.c.booking)
    columns = (_report.c.id, _report.c.booking, _report.c.ticket, _report.c.kind, _report.c.at_ms, _report.c.attempts)
    query = (
        select(*columns, _report.c.error, _booking.c.code.label("code"), _booking.c.start_ms, *_TICKET)
        .select_from(_report.join(_ticket, ticket_of).outerjoin(_booking, booking_of))
        .where(_report.c.site == site, _FAILED)
        .order_by(_report.c.id)
        .limit(SHOWN)
    )
    return tuple(_failed(row) for row in connection.execute(query))


def _tickets_named(connection: Connection, site: str, asked: str, days: Any, now_ms: int) -> list[int]:
    """Return the tickets with this name, by the time of their booking.

    Names are folded here, because databases differ in how they fold.
    """
    booking_of = (_booking.c.site == _name.c.site) & (_booking.c.ticket == _name.c.ticket)
    query = (
        select(_name.c.ticket, _name.c.name)
        .select_from(_name.join(_ticket, _TICKET_OF_NAME).join(_booking, booking_of))
        .where(_name.c.site == site, _name.c.delete_after_ms > now_ms, days, ~_MOVED)
        .order_by(_booking.c.start_ms, _booking.c.id)
        .limit(MOST_NAMES)
    )
    return [ticket for ticket, name in connection.execute(query) if is_found(asked, name)]


def _bookings(connection: Connection, site: str, which: Any, now_ms: int) -> tuple[Found, ...]:
    """The first 50 of these bookings by time."""
    ticket_of = (_ticket.c.site == _booking.c.site) & (_ticket.c.id == _booking.c.ticket)
    name_of = _TICKET_OF_NAME & (_name.c.delete_after_ms > now_ms)
    query = (
        select(_name.c.name, *_BOOKING, *_TICKET)
        .select_from(_booking.join(_ticket, ticket_of).outerjoin(_name, name_of))
        .where(_booking.c.site == site, which)
        .order_by(_booking.c.start_ms, _booking.c.id)
        .limit(SHOWN)
    )
    return tuple(map(_found, connection.execute(query)))


def _found(row: Row[Any]) -> Found:
    return Found(from_row(row[1 + len(_BOOKING) :]), known_from_row(row[1:]), row[0])


def _failed(row: Row[Any]) -> FailedReport:
    ticket = from_row(row[-len(_TICKET) :])
    id_, booking, of_ticket, kind, at_ms, attempts, error, code, start_ms = row[: -len(_TICKET)]
    return FailedReport(
        id=id_,
        booking=booking,
        ticket=of_ticket,
        number=ticket.label if ticket.number else None,
        code=code or "",
        appointment_ms=ticket.appointment_ms or start_ms or at_ms,
        kind=kind,
        at_ms=at_ms,
        attempts=attempts,
        refusal=read_refusal(error or ""),
    )
