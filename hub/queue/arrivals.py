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

Once today has ended nobody is let in any more whose appointment does not count: missed and absent are a wrong day then.
The end of a day is not that of the appointments of its own evening (`hours.outlives_from_ms`).
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
# Those that let the visitor wait now.
CHECKS_IN = frozenset({Arrival.EARLY, Arrival.ON_TIME, Arrival.LATE, Arrival.MISSED})
_COUNTS = frozenset({Arrival.ON_TIME, Arrival.LATE})


@dataclass(frozen=True, slots=True)
class Moment:
    """`today`: the site's calendar day at `now_ms`. `over_before_ms`: its end has come for appointments before that
    moment, for none where 0.
    """

    now_ms: int
    today: str
    over_before_ms: int = 0


def moment_at(site: Site, now_ms: int) -> Moment:
    today = local_day(now_ms, site.zone)
    over_before_ms = outlives_from_ms(site, today, now_ms) if is_over(site, today, now_ms) else 0
    return Moment(now_ms, today, over_before_ms)


def arrival_of(booking: Known, ticket: Ticket, service: Service | None, moment: Moment) -> Arrival:
    """`service`: None where the site no longer has the ticket's."""
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
    """Whether what its request has by now says more than it does: it is off, and nobody is here for it."""
    return ticket.state is State.CANCELLED or (booking.gone and ticket.state not in HERE)


def arrival_of_expected(start_ms: int, day: str, service: Service | None, moment: Moment) -> Arrival:
    """Of a ticket that is still expected: `start_ms` and `day` are those of its appointment."""
    by_time = by_time_of(start_ms, service, moment.now_ms)
    # An appointment just after midnight is of tomorrow for the calendar alone.
    if by_time in _COUNTS:
        return by_time
    is_over = by_time is Arrival.MISSED and start_ms < moment.over_before_ms
    return Arrival.WRONG_DAY if day != moment.today or is_over else by_time


def by_time_of(start_ms: int, service: Service | None, now_ms: int) -> Arrival:
    """On time from `early_call` before the appointment on, late up to `absence_delay` after it."""
    early_ms = service.early_call_min * MINUTE_MS if service else 0
    if now_ms < start_ms - early_ms:
        return Arrival.EARLY
    if now_ms <= start_ms:
        return Arrival.ON_TIME
    return Arrival.LATE if now_ms <= counts_until_ms(service, start_ms) else Arrival.MISSED


def counts_until_ms(service: Service | None, appointment_ms: int) -> int:
    """Until when the appointment counts. `service`: None where the site no longer has it."""
    return appointment_ms + (service.absence_delay_min * MINUTE_MS if service else 0)


def choose(bookings: Iterable[tuple[Known, Ticket]], moment: Moment) -> tuple[Known, Ticket] | None:
    """Of several bookings with one code the one that is meant: who is here, else today's, else the nearest.

    Who is here has nothing else of the same request in mind: it was moved meanwhile.
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
    # What is over today is meant before what comes next week under the same code.
    return 2 if is_today else 3, abs(booking.start_ms - moment.now_ms), booking.id
