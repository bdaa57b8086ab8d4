"""What a visitor who checks in with a code is told. Pure: takes bookings, tickets, the service's settings and the time.

| the booking's ticket | of today | of another day |
| --- | --- | --- |
| expected | early, on time, late, missed: by the time | wrong day |
| absent, never called | missed | wrong day |
| waiting, parked | again | again |
| called, serving | called | called |
| absent after a call | absent | wrong day |
| served | ended | wrong day |
| cancelled | cancelled | cancelled |

After the end of today, a visitor whose appointment no longer counts is not let in: missed and absent become wrong day.
The end of a day does not affect appointments later that evening (`hours.outlives_from_ms`).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from hub.queue.bookings import Known
from hub.queue.hours import is_over, local_day, outlives_from_ms
from hub.queue.states import State
from hub.queue.tickets import Ticket
from hub.site import MINUTE_MS, Service, Site
from protocol.messages import Arrival

HERE = frozenset({State.WAITING, State.CALLED, State.SERVING, State.PARKED})
# The arrivals after which the ticket waits.
CHECKS_IN = frozenset({Arrival.EARLY, Arrival.ON_TIME, Arrival.LATE, Arrival.MISSED})
_COUNTS = frozenset({Arrival.ON_TIME, Arrival.LATE})


@dataclass(frozen=True, slots=True)
class Moment:
    """The time of a check-in. `today`: the site's calendar day at `now_ms`.

    `over_before_ms`: today has ended for appointments before this time; 0 if it has not ended.
    """

    now_ms: int
    today: str
    over_before_ms: int = 0


def moment_at(site: Site, now_ms: int) -> Moment:
    today = local_day(now_ms, site.zone)
    over_before_ms = outlives_from_ms(site, today, now_ms) if is_over(site, today, now_ms) else 0
    return Moment(now_ms, today, over_before_ms)


def arrival_of(booking: Known, ticket: Ticket, service: Service | None, moment: Moment) -> Arrival:
    """What the visitor is told, by the table above. `service`: the ticket's; None if the site no longer has it."""
    if ticket.state in HERE:
        return Arrival.AGAIN if ticket.state in (State.WAITING, State.PARKED) else Arrival.CALLED
    if ticket.state is State.CANCELLED or (booking.gone and ticket.state is State.ABSENT):
        return Arrival.CANCELLED
    arrival = arrival_of_expected(booking.start_ms, booking.day, service, moment)
    if ticket.state is State.EXPECTED:
        return arrival
    if booking.day != moment.today and arrival not in _COUNTS:
        return Arrival.WRONG_DAY
    if ticket.state is State.SERVED:
        return Arrival.ENDED
    of_absent = Arrival.MISSED if ticket.call is None else Arrival.ABSENT
    return Arrival.WRONG_DAY if booking.start_ms < moment.over_before_ms else of_absent


def is_left_behind(booking: Known, ticket: Ticket) -> bool:
    """Whether the booking is off and its visitor is not here, so that another booking of its request tells more."""
    return ticket.state is State.CANCELLED or (booking.gone and ticket.state not in HERE)


def arrival_of_expected(start_ms: int, day: str, service: Service | None, moment: Moment) -> Arrival:
    """What is told for a ticket that is still expected; `start_ms` and `day` are those of its appointment."""
    by_time = by_time_of(start_ms, service, moment.now_ms)
    # An appointment just after midnight is on another day only by the calendar.
    if by_time in _COUNTS:
        return by_time
    is_over = by_time is Arrival.MISSED and start_ms < moment.over_before_ms
    return Arrival.WRONG_DAY if day != moment.today or is_over else by_time


def by_time_of(start_ms: int, service: Service | None, now_ms: int) -> Arrival:
    """On time from `early_call_min` before the appointment, late up to `absence_delay_min` after it."""
    early_ms = service.early_call_min * MINUTE_MS if service else 0
    if now_ms < start_ms - early_ms:
        return Arrival.EARLY
    if now_ms <= start_ms:
        return Arrival.ON_TIME
    return Arrival.LATE if now_ms <= counts_until_ms(service, start_ms) else Arrival.MISSED


def counts_until_ms(service: Service | None, appointment_ms: int) -> int:
    """The time until which the appointment counts. `service`: None if the site no longer has it."""
    return appointment_ms + (service.absence_delay_min * MINUTE_MS if service else 0)


def choose(bookings: Iterable[tuple[Known, Ticket]], moment: Moment) -> tuple[Known, Ticket] | None:
    """The booking meant by a code that several have: of a visitor who is here, else today's, else the nearest.

    While a visitor is here for a booking, other bookings of its request are ignored: they come from a move.
    """
    found = list(bookings)
    here = {booking.reference for booking, ticket in found if ticket.state in HERE}
    meant = [each for each in found if each[1].state in HERE or each[0].reference not in here]
    return min(meant, key=lambda each: _rank(each[0], each[1], moment), default=None)


def _rank(booking: Known, ticket: Ticket, moment: Moment) -> tuple[int, int, str]:
    is_today = booking.day == moment.today
    if ticket.state in HERE or (is_today and ticket.state is State.EXPECTED):
        return 0, booking.start_ms, booking.id
    if ticket.state is State.CANCELLED or booking.gone:
        return 4, abs(booking.start_ms - moment.now_ms), booking.id
    if is_today and ticket.state is State.ABSENT:
        return 1, booking.start_ms, booking.id
    # One of today, even if it is over, comes before one of next week with the same code.
    return 2 if is_today else 3, abs(booking.start_ms - moment.now_ms), booking.id
