"""A booking's ticket: expected, moved, checked in, admitted, absent. Where bookings come from is not known here."""

from hub.queue import store
from hub.queue.commands.lists import readmit_ticket
from hub.queue.commands.tickets import TICKET_IDS, due_as_walk_in, number_for, ticket_answer
from hub.queue.hours import day_end_ms, local_day
from hub.queue.order import Kind
from hub.queue.refusals import TransitionRefused, Unknown
from hub.queue.requests import (
    Admit,
    Book,
    CancelBooking,
    CheckIn,
    DoneAnswer,
    ExpireExpected,
    Move,
    TicketAnswer,
)
from hub.queue.states import Event, State
from hub.queue.tickets import Ticket, from_row
from hub.queue.transaction import DeskView, Work
from hub.site import MINUTE_MS, Service


def book(work: Work, command: Book) -> DoneAnswer:
    """A booking becomes an expected ticket; one that is known already changes nothing."""
    service = work.index.service(command.service)
    if work.rows(store.TICKET_BY_BOOKING, booking=command.booking):
        return DoneAnswer(count=0)
    ticket = Ticket(
        id=work.counter("", TICKET_IDS),
        day=local_day(command.appointment_ms, work.index.site.zone),
        service=service.name,
        state=State.EXPECTED,
        kind=Kind.TIMED,
        due_ms=command.appointment_ms,
        code=command.code,
        appointment_ms=command.appointment_ms,
        booking=command.booking,
        absent_at_ms=_absent_at_ms(service, command.appointment_ms),
    )
    work.insert(ticket, Event.BOOK)
    work.flush()
    if command.name:
        delete_after_ms = day_end_ms(work.index.site, ticket.day)
        work.write(store.INSERT_NAME, ticket=ticket.id, name=command.name, delete_after_ms=delete_after_ms)
    return DoneAnswer(count=1)


def move(work: Work, command: Move) -> DoneAnswer:
    """A new time. After check-in people decide: the ticket is only marked."""
    ticket = _of_booking(work, command.booking)
    if ticket.state is not State.EXPECTED:
        return _mark(work, ticket, "moved")
    if ticket.appointment_ms == command.appointment_ms:
        return DoneAnswer(count=0)
    service = work.index.service(ticket.service)
    day = local_day(command.appointment_ms, work.index.site.zone)
    work.write(store.MOVE_NAME, of_ticket=ticket.id, to_ms=day_end_ms(work.index.site, day))
    work.change(
        ticket,
        Event.MOVE,
        State.EXPECTED,
        at_desk=None,
        appointment_ms=command.appointment_ms,
        due_ms=command.appointment_ms,
        day=day,
        absent_at_ms=_absent_at_ms(service, command.appointment_ms),
    )
    return DoneAnswer(count=1)


def cancel_booking(work: Work, command: CancelBooking) -> DoneAnswer:
    """Cancelled at its source: an expected one ends, an admitted one too until it is called; others are marked."""
    ticket = _of_booking(work, command.booking)
    admitted = ticket.state is State.WAITING and not _was_seen(work, ticket)
    if ticket.state is not State.EXPECTED and not admitted:
        return _mark(work, ticket, "cancelled")
    work.change(ticket, Event.CANCEL, State.CANCELLED, at_desk=None, ended_ms=work.now_ms, absent_at_ms=None)
    return DoneAnswer(count=1)


def check_in(work: Work, command: CheckIn, view: DeskView | None = None) -> TicketAnswer:
    """A booked visitor is here. One who is absent already, and was not called, is readmitted like a walk-in."""
    ticket = work.ticket(command.ticket)
    desk = view.desk.name if view else None
    if ticket.state is State.ABSENT and ticket.call is None:
        return ticket_answer(work, readmit_ticket(work, ticket, at_desk=desk, priority=command.priority))
    work.check(ticket, Event.CHECK_IN)
    return ticket_answer(work, _let_wait(work, ticket, Event.CHECK_IN, command.priority, desk))


def admit(work: Work, command: Admit) -> DoneAnswer:
    """A service without check-in: the ticket waits from its appointment − `early_call` on."""
    ticket = work.ticket(command.ticket)
    service = work.index.service(ticket.service)
    work.check(ticket, Event.ADMIT)
    too_early = (ticket.appointment_ms or 0) - service.early_call_min * MINUTE_MS > work.now_ms
    if service.checks_in or too_early:
        raise TransitionRefused(ticket.label, ticket.state, Event.ADMIT)
    _let_wait(work, ticket, Event.ADMIT, False, None)
    return DoneAnswer(count=1)


def expire_expected(work: Work, command: ExpireExpected) -> DoneAnswer:
    """Nobody checked in within `absence_delay`. What has changed meanwhile is left alone."""
    ticket = work.ticket(command.ticket)
    due = ticket.absent_at_ms is not None and ticket.absent_at_ms <= work.now_ms
    if ticket.state is not State.EXPECTED or not due:
        return DoneAnswer(count=0)
    work.change(ticket, Event.ABSENT, State.ABSENT, at_desk=None, ended_ms=ticket.absent_at_ms, absent_at_ms=None)
    return DoneAnswer(count=1)


def _let_wait(work: Work, ticket: Ticket, event: Event, priority: bool, desk: str | None) -> Ticket:
    """From expected to waiting: due at its appointment if it came in time, else like a walk-in of now."""
    service = work.index.service(ticket.service)
    appointment_ms = ticket.appointment_ms or work.now_ms
    in_time = work.now_ms <= _absent_at_ms(service, appointment_ms)
    series, number = number_for(work, service)
    work.change(
        ticket,
        event,
        State.WAITING,
        at_desk=desk,
        series=series,
        number=number,
        day=work.today,
        issued_ms=work.now_ms,
        priority=priority,
        kind=Kind.TIMED if in_time else Kind.OPEN,
        due_ms=appointment_ms if in_time else due_as_walk_in(service, work.now_ms, priority),
        absent_at_ms=None,
    )
    return work.reread(ticket)


def _absent_at_ms(service: Service, appointment_ms: int) -> int:
    return appointment_ms + service.absence_delay_min * MINUTE_MS


def _was_seen(work: Work, ticket: Ticket) -> bool:
    """Whether people have to do with it already: somebody checked it in, or a desk called it."""
    events = {event for (event,) in work.rows(store.EVENTS_OF_TICKET, ticket=ticket.id)}
    return not events.isdisjoint((Event.CHECK_IN, Event.READMIT, Event.CALL))


def _of_booking(work: Work, booking: str) -> Ticket:
    rows = work.rows(store.TICKET_BY_BOOKING, booking=booking)
    if not rows:
        raise Unknown("booking", booking)
    return from_row(rows[0])


def _mark(work: Work, ticket: Ticket, note: str) -> DoneAnswer:
    if ticket.booking_note == note:
        return DoneAnswer(count=0)
    work.note(ticket, f"booking_{note}", booking_note=note)
    work.publish_service(ticket.service)
    return DoneAnswer(count=1)
