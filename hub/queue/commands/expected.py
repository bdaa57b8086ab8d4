"""A booking's ticket: checked in, admitted, absent, whatever source the booking comes from."""

from hub.queue import store
from hub.queue.answers import DoneAnswer, TicketAnswer
from hub.queue.arrivals import CHECKS_IN, arrival_of_expected, counts_until_ms, moment_at
from hub.queue.commands.coming_back import readmit_ticket
from hub.queue.commands.tickets import due_as_walk_in, number_for, ticket_answer
from hub.queue.hours import is_over_for
from hub.queue.order import Kind
from hub.queue.refusals import DayOver, TransitionRefused, WrongDay
from hub.queue.requests import Admit, AlignExpected, CheckIn, ExpireExpected
from hub.queue.states import Event, State
from hub.queue.tickets import Ticket, from_row
from hub.queue.transaction import DeskView, Work
from hub.site import MINUTE_MS, Service


def check_in(work: Work, command: CheckIn, view: DeskView | None = None) -> TicketAnswer:
    """Check in a visitor with an appointment. One already absent, and never called, is readmitted like a walk-in."""
    ticket = work.ticket(command.ticket)
    desk = view.desk.name if view else None
    if ticket.state is not State.ABSENT or ticket.call is not None:
        work.check(ticket, Event.CHECK_IN)
    _need_its_time(work, ticket)
    return ticket_answer(work, take_in(work, ticket, command.priority, desk))


def take_in(work: Work, ticket: Ticket, priority: bool, desk: str | None) -> Ticket:
    """Let an expected or absent ticket wait: its visitor is here."""
    if ticket.state is State.ABSENT:
        return readmit_ticket(work, ticket, at_desk=desk, priority=priority)
    return let_wait(work, ticket, Event.CHECK_IN, priority, desk)


def _need_its_time(work: Work, ticket: Ticket) -> None:
    """Refuse a ticket of another day, or after the end of today, unless its appointment still counts.

    The dispenser has the same rule. Raises WrongDay or DayOver.
    """
    moment = moment_at(work.index.site, work.now_ms)
    service = work.index.find_service(ticket.service)
    arrival = arrival_of_expected(ticket.appointment_ms or work.now_ms, ticket.day, service, moment)
    if arrival in CHECKS_IN:
        return
    if ticket.day != moment.today:
        raise WrongDay(ticket.label, ticket.state, ticket.day, Event.CHECK_IN)
    raise DayOver(ticket.label, ticket.state, ticket.day, Event.CHECK_IN)


def admit(work: Work, command: Admit) -> DoneAnswer:
    """Let the ticket of a service without check-in wait, from its appointment − `early_call_min` on."""
    ticket = work.ticket(command.ticket)
    site, service = work.index.site, work.index.service(ticket.service)
    appointment_ms = ticket.appointment_ms or 0
    work.check(ticket, Event.ADMIT)
    too_early = appointment_ms - service.early_call_min * MINUTE_MS > work.now_ms
    if service.checks_in or too_early:
        raise TransitionRefused(ticket.label, ticket.state, Event.ADMIT)
    if is_over_for(site, ticket.day, appointment_ms, work.now_ms):
        return DoneAnswer(count=0)  # too late: the end of its day ends this ticket
    let_wait(work, ticket, Event.ADMIT, False, None)
    return DoneAnswer(count=1)


def expire_expected(work: Work, command: ExpireExpected) -> DoneAnswer:
    """Mark a ticket absent that was not checked in within `absence_delay_min`, unless it changed meanwhile."""
    ticket = work.ticket(command.ticket)
    due = ticket.absent_at_ms is not None and ticket.absent_at_ms <= work.now_ms
    if ticket.state is not State.EXPECTED or not due:
        return DoneAnswer(count=0)
    work.change(ticket, Event.ABSENT, State.ABSENT, at_desk=None, ended_ms=ticket.absent_at_ms, absent_at_ms=None)
    return DoneAnswer(count=1)


def align_expected(work: Work, command: AlignExpected) -> DoneAnswer:
    """Bring the absence time of a service's expected tickets in line with its current settings."""
    service = work.index.service(command.service)
    if service.checks_in:
        delay_ms = service.absence_delay_min * MINUTE_MS
        rows = work.rows(store.OUT_OF_STEP, service=service.name, delay_ms=delay_ms, limit=command.limit)
    else:
        rows = work.rows(store.OUT_OF_STEP_WITHOUT_CHECK_IN, service=service.name, limit=command.limit)
    for ticket in map(from_row, rows):
        appointment_ms = ticket.appointment_ms or 0
        work.note(ticket, "rescheduled", absent_at_ms=expires_ms(service, appointment_ms))
    return DoneAnswer(count=len(rows))


def let_wait(work: Work, ticket: Ticket, event: Event, priority: bool, desk: str | None) -> Ticket:
    """From expected to waiting: due at its appointment if the visitor is in time, else like a walk-in of now."""
    service = work.index.service(ticket.service)
    appointment_ms = ticket.appointment_ms or work.now_ms
    # A service that admits has no check-in, so a late admission is the hub's doing, not the visitor's.
    in_time = event is Event.ADMIT or work.now_ms <= counts_until_ms(service, appointment_ms)
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


def expires_ms(service: Service, appointment_ms: int) -> int | None:
    """When an expected ticket becomes absent; None for a service without check-in, which admits it before that."""
    return counts_until_ms(service, appointment_ms) if service.checks_in else None
