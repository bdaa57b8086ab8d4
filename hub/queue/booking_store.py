"""The SQL of bookings and their tickets; `report_store` has the SQL of the reports to their source."""

from typing import Any

from sqlalchemy import Executable, bindparam, insert, literal_column, null, select, union_all, update

from hub.database.statements import one_of
from hub.database.tables import BookingRow
from hub.queue.bookings import KNOWN_FIELDS
from hub.queue.store import COUNTER, LAST_EVENT, SITE, event, ticket
from hub.queue.tickets import FIELDS

booking: Any = BookingRow.__table__

_TICKET = [ticket.c[name] for name in FIELDS]
_KNOWN = [booking.c[name].label(f"booking_{name}") for name in KNOWN_FIELDS]

_WITH_TICKET = select(*_KNOWN, *_TICKET).select_from(
    booking.join(ticket, (ticket.c.site == booking.c.site) & (ticket.c.id == booking.c.ticket))
)
# Each of these bookings with its ticket …
_KNOWN_ROWS = _WITH_TICKET.where(booking.c.site == SITE, one_of(booking.c.id, "ids"))
# … and the tickets with these booking ids, as rows without a booking, because the booking may have been forgotten.
_TICKETS_OF_BOOKINGS = select(*(null().label(column.name) for column in _KNOWN), *_TICKET).where(
    ticket.c.site == SITE,
    one_of(ticket.c.booking, "ids"),
    ticket.c.booking.is_not(None),
    literal_column("ticket.state <> 'cancelled'"),
)
_found = union_all(_KNOWN_ROWS, _TICKETS_OF_BOOKINGS).subquery("found")
_one = select(LAST_EVENT.scalar_subquery().label("last_event"), COUNTER.scalar_subquery().label("last")).subquery("one")
# In one round trip with the id of the last journal row and a counter; with nulls for the rest if nothing is known.
KNOWN: Executable = select(*_one.c, *_found.c).select_from(
    _one.outerjoin(_found, literal_column("1") == literal_column("1"))
)
# The limit is more bookings with one code than any visitor has; of a code with more, only the first are read.
BY_CODE: Executable = (
    _WITH_TICKET.where(booking.c.site == SITE, booking.c.code == bindparam("code"))
    .order_by(booking.c.start_ms, booking.c.id)
    .limit(100)
)
# If a code is the booking's id, a code from before a move leads only to the request; this finds its current bookings.
STANDING_OF_REQUEST: Executable = (
    _WITH_TICKET.where(booking.c.site == SITE, booking.c.reference == bindparam("reference"), ~booking.c.gone)
    .order_by(booking.c.start_ms, booking.c.id)
    .limit(100)
)


def _those_with(events: str) -> Executable:
    """Selects which of these tickets have any of the events."""
    of_tickets = select(event.c.ticket).where(event.c.site == SITE, one_of(event.c.ticket, "ids"))
    return of_tickets.where(literal_column(f"ticket_event.event in ({events})"))


_PRESENCE = "'check_in', 'readmit', 'call', 'arrived'"
# Tickets whose visitors were seen to be here; an admission alone does not show that.
SEEN: Executable = _those_with(_PRESENCE)
# Tickets that people have handled: the source alone may no longer cancel or move them.
HANDLED: Executable = _those_with(f"{_PRESENCE}, 'transfer', 'defer'")

INSERT_BOOKING: Executable = (
    insert(booking).values({column.name: bindparam(column.name) for column in booking.c}).inline()
)
UPDATE_BOOKING: Executable = (
    update(booking)
    .where(booking.c.site == SITE, booking.c.id == bindparam("of_id"))
    .values({name: bindparam(f"to_{name}") for name in KNOWN_FIELDS if name != "id"})
)
