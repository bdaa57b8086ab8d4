"""What a visitor who checks in by a code is told. Pure: bookings, tickets, the service's settings and the time come in.

| the booking's ticket | of today | of another day |
| --- | --- | --- |
| expected | early, on time, late, missed: by the time | wrong day |
| absent, never called | missed | wrong day |
| waiting, set aside | again | again |
| called, serving | called | called |
| absent after a call | absent | wrong day |
| served | ended | wrong day |
| cancelled | cancelled | cancelled |
"""

from collections.abc import Iterable
from dataclasses import dataclass

from hub.queue.bookings import Known
from hub.queue.states import State
from hub.queue.tickets import Ticket
from hub.site import MINUTE_MS, Service
from protocol.messages import Arrival

_HERE = frozenset({State.WAITING, State.CALLED, State.SERVING, State.PARKED})
# Those that let the visitor wait now.
CHECKS_IN = frozenset({Arrival.EARLY, Arrival.ON_TIME, Arrival.LATE, Arrival.MISSED})


@dataclass(frozen=True, slots=True)
class Moment:
    """`today`: the site's calendar day at `now_ms`."""

    now_ms: int
    today: str


def arrival_of(booking: Known, ticket: Ticket, service: Service | None, moment: Moment) -> Arrival:
    """`service`: None where the site no longer has the ticket's."""
    if ticket.state in _HERE:
        return Arrival.AGAIN if ticket.state in (State.WAITING, State.PARKED) else Arrival.CALLED
    if ticket.state is State.CANCELLED or (booking.gone and ticket.state is State.ABSENT):
        return Arrival.CANCELLED
    by_time = by_time_of(booking.start_ms, service, moment.now_ms)
    # An appointment just after midnight is of tomorrow for the calendar alone.
    if booking.day != moment.today and by_time not in (Arrival.ON_TIME, Arrival.LATE):
        return Arrival.WRONG_DAY
    if ticket.state is State.SERVED:
        return Arrival.ENDED
    if ticket.state is State.ABSENT:
        return Arrival.MISSED if ticket.call is None else Arrival.ABSENT
    return by_time


def by_time_of(start_ms: int, service: Service | None, now_ms: int) -> Arrival:
    """On time from `early_call` before the appointment on, late up to `absence_delay` after it."""
    early_ms, late_ms = (
        (service.early_call_min * MINUTE_MS, service.absence_delay_min * MINUTE_MS) if service else (0, 0)
    )
    if now_ms < start_ms - early_ms:
        return Arrival.EARLY
    if now_ms <= start_ms:
        return Arrival.ON_TIME
    return Arrival.LATE if now_ms <= start_ms + late_ms else Arrival.MISSED


def choose(bookings: Iterable[tuple[Known, Ticket]], moment: Moment) -> tuple[Known, Ticket] | None:
    """Of several bookings with one code the one that is meant: who is here, else today's, else the nearest."""
    return min(bookings, key=lambda each: _rank(each[0], each[1], moment), default=None)


def _rank(booking: Known, ticket: Ticket, moment: Moment) -> tuple[int, int, str]:
    is_today = booking.day == moment.today
    if ticket.state in _HERE or (is_today and ticket.state is State.EXPECTED):
        return 0, booking.start_ms, booking.id
    if ticket.state is State.CANCELLED or booking.gone:
        return 4, abs(booking.start_ms - moment.now_ms), booking.id
    if is_today and ticket.state is State.ABSENT:
        return 1, booking.start_ms, booking.id
    # What is over today is meant before what comes next week under the same code.
    return 2 if is_today else 3, abs(booking.start_ms - moment.now_ms), booking.id
