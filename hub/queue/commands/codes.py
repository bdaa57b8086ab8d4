"""A visitor with an appointment checks in at the dispenser with a code."""

from hub.queue import booking_store
from hub.queue.answers import CheckInAnswer
from hub.queue.arrivals import CHECKS_IN, Moment, arrival_of, by_time_of, choose, is_left_behind, moment_at
from hub.queue.bookings import Known
from hub.queue.commands.bookings import with_ticket
from hub.queue.commands.expected import take_in
from hub.queue.commands.tickets import ticket_answer
from hub.queue.order import Kind
from hub.queue.requests import CheckInByCode
from hub.queue.states import State
from hub.queue.tickets import Ticket
from hub.queue.transaction import Work
from protocol.messages import Arrival


def check_in_by_code(work: Work, command: CheckInByCode) -> CheckInAnswer:
    """Check the visitor in if their ticket allows it, whichever hall the dispenser is in; else answer why not."""
    moment = moment_at(work.index.site, work.now_ms)
    found = _meant(work, command.confirmation, moment)
    if found is None:
        return CheckInAnswer(arrival=Arrival.UNKNOWN)
    booking, ticket = found
    service = work.index.find_service(ticket.service)
    arrival = arrival_of(booking, ticket, service, moment)
    if arrival in CHECKS_IN:
        ticket = take_in(work, ticket, command.priority, None)
    elif arrival is Arrival.AGAIN and ticket.state is State.WAITING and not _was_seen(work, ticket):
        arrival = _first_seen(work, booking, ticket)
    return _answer(work, command, arrival, booking, ticket)


def _meant(work: Work, code: str, moment: Moment) -> tuple[Known, Ticket] | None:
    """The booking that the code means; if that was moved, the booking its request has now."""
    found = choose(map(with_ticket, work.rows(booking_store.BY_CODE, code=code)), moment) if code else None
    if found is None or not is_left_behind(*found):
        return found
    standing = work.rows(booking_store.STANDING_OF_REQUEST, reference=found[0].reference)
    return choose(map(with_ticket, standing), moment) or found


def _first_seen(work: Work, booking: Known, ticket: Ticket) -> Arrival:
    """Check in an admitted ticket: it already waits, but from now on staff know that its visitor is here.

    A ticket admitted as timed keeps its appointment: a visitor who comes after `absence_delay_min` is late, not missed.
    """
    work.journal("arrived", ticket=ticket.id, from_state=ticket.state, to_state=ticket.state)
    work.tell_pages(ticket)
    by_time = by_time_of(booking.start_ms, work.index.find_service(ticket.service), work.now_ms)
    return Arrival.LATE if by_time is Arrival.MISSED and ticket.kind is Kind.TIMED else by_time


def _was_seen(work: Work, ticket: Ticket) -> bool:
    return bool(work.rows(booking_store.SEEN, ids=work.many([ticket.id])))


def _answer(work: Work, command: CheckInByCode, arrival: Arrival, booking: Known, ticket: Ticket) -> CheckInAnswer:
    is_here = arrival in CHECKS_IN or arrival in (Arrival.AGAIN, Arrival.CALLED)
    hall = work.index.hall_of(ticket.service)
    return CheckInAnswer(
        arrival=arrival,
        appointment_ms=booking.start_ms,
        service=ticket.service if hall is not None else None,
        hall=hall if is_here and hall != command.hall else None,
        ticket=ticket_answer(work, ticket) if is_here else None,
        desk=ticket.desk if arrival is Arrival.CALLED else None,
    )
