"""What the appointments thread reads from the database: the known bookings and the reports that are due."""

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import Executable, bindparam, case, false, func, literal_column, select

from hub.appointments.source import Listing
from hub.database.statements import Connection, one_of
from hub.database.tables import BookingRow, ReportRow, TicketEventRow, TicketRow, VisitorNameRow
from hub.queue import store
from hub.queue.booking_store import HANDLED
from hub.queue.bookings import KNOWN_FIELDS, Known, known_from_row
from hub.queue.report_store import REPORTED
from hub.queue.reports import ReportKind, ReportState
from hub.queue.states import OPEN, State

_booking: Any = BookingRow.__table__
_report: Any = ReportRow.__table__
_event: Any = TicketEventRow.__table__
_ticket: Any = TicketRow.__table__
_name: Any = VisitorNameRow.__table__
_SITE: Any = store.SITE

_KNOWN = [_booking.c[name] for name in KNOWN_FIELDS]
_ALL_KNOWN: Executable = select(*_KNOWN).where(_booking.c.site == _SITE)
_KNOWN_BY_ID: Executable = select(*_KNOWN).where(_booking.c.site == _SITE, one_of(_booking.c.id, "ids"))
_KNOWN_FROM: Executable = select(*_KNOWN).where(
    _booking.c.site == _SITE, _booking.c.day >= bindparam("day"), ~_booking.c.gone
)
_KNOWN_BY_REFERENCE: Executable = select(*_KNOWN).where(
    _booking.c.site == _SITE, one_of(_booking.c.reference, "references")
)
# The bookings' tickets with their names, if any. The query does not filter for open tickets, `names_of` does: with that
# condition SQLite would start from the tickets of all days to come.
_ALL_NAMES: Any = (
    select(_ticket.c.id, _ticket.c.state, _ticket.c.day, _name.c.name)
    .select_from(
        _booking.join(_ticket, (_ticket.c.site == _booking.c.site) & (_ticket.c.id == _booking.c.ticket)).outerjoin(
            _name, (_name.c.site == _ticket.c.site) & (_name.c.ticket == _ticket.c.id)
        )
    )
    .where(_booking.c.site == _SITE)
)
_NAMES_BY_ID: Executable = _ALL_NAMES.where(one_of(_booking.c.id, "ids"))
_STATES_BY_ID: Executable = (
    select(_booking.c.id, _booking.c.day, _ticket.c.id, _ticket.c.state)
    .select_from(_booking.join(_ticket, (_ticket.c.site == _booking.c.site) & (_ticket.c.id == _booking.c.ticket)))
    .where(_booking.c.site == _SITE, one_of(_booking.c.id, "ids"))
)

_LAST_TICKET: Executable = select(func.max(_booking.c.ticket)).where(_booking.c.site == _SITE)
_REPORTED: Executable = select(_report.c.booking).where(
    _report.c.site == _SITE,
    one_of(_report.c.booking, "ids"),
    literal_column("report.state = 'done'"),
    literal_column("report.kind in ('arrived', 'served', 'absent')"),
)

_TO_SEND: Any = literal_column("report.state in ('waiting', 'trying')")
_before = _report.alias("before")
# An earlier report of the same booking that is neither sent nor dropped: later ones must wait for it.
_OPEN_BEFORE: Any = (
    select(literal_column("1"))
    .select_from(_before)
    .where(
        _before.c.site == _report.c.site,
        _before.c.booking == _report.c.booking,
        _before.c.id < _report.c.id,
        literal_column("before.state in ('waiting', 'trying', 'failed')"),
    )
    .exists()
)
_other = _booking.alias("other")
_doubt = _report.alias("doubt")
_OF_ITS_REQUEST: tuple[Any, ...] = (
    _other.c.site == _booking.c.site,
    _other.c.reference == _booking.c.reference,
    _other.c.id != _booking.c.id,
)
# Whether an interrupted report was received shows in the request's status alone, which a report of the request's other
# booking would change: so that one waits. Nested EXISTS: with a join, SQLite reads every report of the site for each
# report that is due.
_IN_DOUBT: Any = (
    select(literal_column("1"))
    .select_from(_doubt)
    .where(_doubt.c.site == _other.c.site, _doubt.c.booking == _other.c.id, literal_column("doubt.state = 'trying'"))
    .correlate(_other)
    .exists()
)
_IN_DOUBT_BESIDE: Any = (
    select(literal_column("1")).select_from(_other).where(*_OF_ITS_REQUEST, _IN_DOUBT).correlate(_booking).exists()
)
# Another booking of the request that its cancellation would end too. The ticket's state counts too: a booking that
# an agent cancelled is not `gone` yet, and one whose visitor was absent no longer stands.
_STANDS_BESIDE: Any = (
    select(literal_column("1"))
    .select_from(_other.join(_ticket, (_ticket.c.site == _other.c.site) & (_ticket.c.id == _other.c.ticket)))
    .where(*_OF_ITS_REQUEST, ~_other.c.gone, literal_column("ticket.state not in ('cancelled', 'absent')"))
    .correlate(_booking)
    .exists()
)


class Due(Struct, frozen=True):
    """A report to be sent. `state`: waiting or trying.

    `ends_another`: sending it would cancel another booking of the same request that still stands.
    """

    id: int
    booking: str
    reference: str
    kind: ReportKind
    state: ReportState
    attempts: int
    status_before: str | None
    ends_another: bool = False


# The booking may belong to another request by now, or its form may have been renamed. The old request's status says
# nothing about the new one, so `status_before` is dropped then.
_reference: Any = func.coalesce(_booking.c.reference, _report.c.reference)
_DUE_COLUMNS: dict[str, Any] = {
    **{name: _report.c[name] for name in Due.__struct_fields__ if name in _report.c},
    "reference": _reference,
    "status_before": case((_reference == _report.c.reference, _report.c.status_before)),
    "ends_another": case((literal_column("report.kind = 'cancelled'"), _STANDS_BESIDE), else_=false()),
}
_DUE: Executable = (
    select(*_DUE_COLUMNS.values())
    .select_from(
        _report.outerjoin(_booking, (_booking.c.site == _report.c.site) & (_booking.c.id == _report.c.booking))
    )
    .where(
        *(_report.c.site == _SITE, _TO_SEND, _report.c.due_ms <= bindparam("now_ms"), ~_OPEN_BEFORE),
        literal_column("report.state = 'trying'") | ~_IN_DOUBT_BESIDE,
    )
    # Fewest attempts first: a report that its source refuses for now must not hold up all the others.
    .order_by(_report.c.attempts, _report.c.due_ms, _report.c.id)
    .limit(1)
)
_FAILED: Executable = (
    select(func.count()).select_from(_report).where(_report.c.site == _SITE, literal_column("state = 'failed'"))
)
_TO_COME: Executable = (
    select(_booking.c.id).where(_booking.c.site == _SITE, _booking.c.day >= bindparam("day"), ~_booking.c.gone).limit(1)
)
# Two queries, since PostgreSQL would start a joined one from all bookings.
_TICKETS_BETWEEN: Executable = select(_event.c.ticket).where(
    _event.c.site == _SITE, _event.c.id > bindparam("after"), _event.c.id <= bindparam("up_to")
)
_ANY_BOOKING_OF: Executable = (
    select(_booking.c.id).where(_booking.c.site == _SITE, one_of(_booking.c.ticket, "tickets")).limit(1)
)


def known_to(connection: Connection, site: str, listing: Listing) -> list[Known]:
    """All bookings that a listing may be about: those with its ids and references; if it is complete, all."""
    if listing.complete:
        return list(map(known_from_row, connection.rows(_ALL_KNOWN, {"site": site})))
    flawed = (flaw.reference for flaw in listing.flaws if flaw.reference is not None)
    named = [*(booking.reference for booking in listing.bookings), *listing.cancelled, *flawed]
    if not named:
        return []
    ids = connection.many([booking.id for booking in listing.bookings])
    references = connection.many(named)
    rows = connection.rows(_KNOWN_BY_ID, {"site": site, "ids": ids})
    rows += connection.rows(_KNOWN_BY_REFERENCE, {"site": site, "references": references})
    return list({each.id: each for each in map(known_from_row, rows)}.values())


def known_from(connection: Connection, site: str, day: str) -> list[Known]:
    """All bookings of this day or later that are not gone."""
    return list(map(known_from_row, connection.rows(_KNOWN_FROM, {"site": site, "day": day})))


def names_of(connection: Connection, site: str, listing: Listing, ended_day: str) -> dict[int, str | None]:
    """Visitors' names by ticket id, for open tickets of days after `ended_day`, the last day that was ended.

    Covers the bookings that the listing names, or all bookings if it is complete; empty if it names no visitor.
    """
    named = [booking.id for booking in listing.bookings if booking.name is not None]
    if not named:
        return {}
    if listing.complete:
        rows = connection.rows(_ALL_NAMES, {"site": site})
    else:
        rows = connection.rows(_NAMES_BY_ID, {"site": site, "ids": connection.many(named)})
    return {ticket: name for ticket, state, day, name in rows if day > ended_day and state in OPEN}


def here_of(connection: Connection, site: str, bookings: Sequence[str]) -> frozenset[str]:
    """Of these bookings, those whose visitors are or were here.

    A waiting ticket counts only if people have handled it: otherwise a job may have admitted it.
    """
    if not bookings:
        return frozenset()
    rows = connection.rows(_STATES_BY_ID, {"site": site, "ids": connection.many(bookings)})
    waiting = connection.many([ticket for *_, ticket, state in rows if state == State.WAITING])
    handled = {ticket for (ticket,) in connection.rows(HANDLED, {"site": site, "ids": waiting})}
    away = {State.EXPECTED, State.CANCELLED}
    return frozenset(
        booking
        for booking, _, ticket, state in rows
        if state not in away and (state != State.WAITING or ticket in handled)
    )


def reported_of(connection: Connection, site: str, bookings: Sequence[str]) -> frozenset[str]:
    """Of these bookings, those reported to the source as arrived, served or absent, which moves the request on."""
    if not bookings:
        return frozenset()
    rows = connection.rows(_REPORTED, {"site": site, "ids": connection.many(bookings)})
    return frozenset(booking for (booking,) in rows)


def unserved_of(connection: Connection, site: str, bookings: Iterable[str], first_day: str) -> frozenset[str]:
    """Of these bookings, those of `first_day` or later whose tickets are neither served nor cancelled.

    Absent visitors are included: they may come late.
    """
    rows = connection.rows(_STATES_BY_ID, {"site": site, "ids": connection.many(sorted(bookings))})
    over = {State.SERVED, State.CANCELLED}
    return frozenset(booking for booking, day, _, state in rows if day >= first_day and state not in over)


def last_ticket(connection: Connection, site: str) -> int:
    """The id of the newest ticket of a booking; 0 if there is none."""
    return connection.rows(_LAST_TICKET, {"site": site})[0][0] or 0


def has_to_come(connection: Connection, site: str, day: str) -> bool:
    """Whether a booking of this day or later is known."""
    return bool(connection.rows(_TO_COME, {"site": site, "day": day}))


def next_due(connection: Connection, site: str, now_ms: int) -> Due | None:
    """The first due report whose booking has no earlier open report, and whose request has no other one in doubt."""
    for row in connection.rows(_DUE, {"site": site, "now_ms": now_ms}):
        values = dict(zip(_DUE_COLUMNS, row, strict=True))
        typed = {"kind": ReportKind, "state": ReportState, "ends_another": bool}
        return Due(**{**values, **{name: kind(values[name]) for name, kind in typed.items()}})
    return None


def failed_count(connection: Connection, site: str) -> int:
    """How many reports failed for good."""
    return int(connection.rows(_FAILED, {"site": site})[0][0])


def has_news(connection: Connection, site: str, limit: int) -> bool:
    """Whether the journal has unread rows of bookings, or at least `limit` unread rows of any kind.

    So visitors without an appointment cost one query a second, and one commit per `limit` of their rows.
    """
    up_to = connection.rows(store.LAST_EVENT, {"site": site})[0][0] or 0
    reported = connection.rows(store.COUNTER, {"site": site, "day": "", "series": REPORTED})
    after = reported[0][0] if reported else 0
    if up_to - after >= limit:
        return True
    between = connection.rows(_TICKETS_BETWEEN, {"site": site, "after": after, "up_to": up_to})
    tickets = connection.many(sorted({ticket for (ticket,) in between if ticket is not None}))
    return bool(connection.rows(_ANY_BOOKING_OF, {"site": site, "tickets": tickets}))
