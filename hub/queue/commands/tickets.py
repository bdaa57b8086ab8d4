"""A visitor's ticket: issued, printed, abandoned by its dispenser, deferred."""

from hub.queue import name_store, store
from hub.queue.answers import DoneAnswer, TicketAnswer
from hub.queue.commands.desks import open_desks_of
from hub.queue.estimate import wait_range_min
from hub.queue.hours import day_end_ms, issues_tickets
from hub.queue.order import Kind, due_ms_of_walk_in
from hub.queue.refusals import Abandoned, NumbersUsedUp, ServiceClosed, WaitsForDesk
from hub.queue.requests import Abandon, Defer, Issue, NotePrinted, Source
from hub.queue.states import Event, State
from hub.queue.tickets import Ticket, from_row
from hub.queue.transaction import Work
from hub.site import MINUTE_MS, Service

LAST_NUMBER = 999
# The series that counts ticket ids. It is not a letter, so no service has it.
TICKET_IDS = "ticket"


def issue(work: Work, command: Issue) -> TicketAnswer:
    """Issue a ticket to a walk-in."""
    service = work.index.service(command.service)
    if command.origin.request is not None and _was_abandoned(work, command.origin.request):
        raise Abandoned(command.origin.request)
    if not issues_tickets(service, work.now_ms, work.index.site.zone):
        raise ServiceClosed(service.name)
    series, number = number_for(work, service)
    ticket = Ticket(
        id=work.counter("", TICKET_IDS),
        day=work.today,
        service=service.name,
        series=series,
        number=number,
        state=State.WAITING,
        kind=Kind.OPEN,
        due_ms=due_as_walk_in(service, work.now_ms, command.priority),
        priority=command.priority,
        code=command.code,
        issued_ms=work.now_ms,
        request=command.origin.request,
    )
    work.insert(ticket, Event.ISSUE)
    return ticket_answer(work, ticket)


def note_printed(work: Work, command: NotePrinted) -> DoneAnswer:
    """Journal whether the dispenser printed the ticket for sure or perhaps."""
    rows = work.rows(store.TICKET_BY_REQUEST, of=command.of)
    if not rows:
        return DoneAnswer(count=0)
    ticket = from_row(rows[0])
    work.journal("printed" if command.sure else "perhaps_printed", ticket=ticket.id)
    return DoneAnswer(count=1)


def abandon(work: Work, command: Abandon) -> DoneAnswer:
    """The dispenser printed nothing: cancel the ticket it requested.

    A request id that is not known yet is noted, so that its late delivery issues nothing.
    """
    rows = work.rows(store.TICKET_BY_REQUEST, of=command.of)
    if not rows:
        if not _was_abandoned(work, command.of):
            work.write(store.INSERT_REQUEST, id=_mark(command.of), at_ms=work.now_ms, answer="{}")
        return DoneAnswer(count=0)
    ticket = from_row(rows[0])
    if ticket.state is not State.WAITING:
        return DoneAnswer(count=0)  # called or ended already: staff have dealt with the visitor
    work.change(ticket, Event.CANCEL, State.CANCELLED, at_desk=None, ended_ms=work.now_ms)
    return DoneAnswer(count=1)


def defer(work: Work, command: Defer) -> DoneAnswer:
    """Give the visitor more time."""
    ticket = work.ticket(command.ticket)
    work.check(ticket, Event.DEFER)
    if ticket.bound_desk is not None:
        raise WaitsForDesk(ticket.label, ticket.state, ticket.bound_desk, Event.DEFER)
    due_ms = max(ticket.due_ms, work.now_ms) + command.by_ms
    work.change(ticket, Event.DEFER, State.WAITING, at_desk=None, due_ms=due_ms, kind=Kind.DEFERRED)
    return DoneAnswer(count=1)


def number_for(work: Work, service: Service) -> tuple[str, int]:
    """The service's letter and its next number today; raises the counter in this transaction.

    Raises NumbersUsedUp after number 999.
    """
    rows = work.rows(store.COUNTER, day=work.today, series=service.letter)
    if rows and rows[0][0] >= LAST_NUMBER:
        raise NumbersUsedUp(service.name)
    return service.letter, work.counter(work.today, service.letter)


def due_as_walk_in(service: Service, now_ms: int, priority: bool) -> int:
    head_start_ms = service.priority_head_start_min * MINUTE_MS if priority else None
    return due_ms_of_walk_in(now_ms, service.target_wait_min * MINUTE_MS, head_start_ms)


def keep_name_for_today(work: Work, cancelled: Ticket) -> None:
    """Delete the name of a ticket cancelled before its day at the end of today: until then staff may ask who it was."""
    if cancelled.day > work.today:
        work.write(name_store.MOVE_NAME, of_ticket=cancelled.id, to_ms=day_end_ms(work.index.site, work.today))


def ticket_answer(work: Work, ticket: Ticket) -> TicketAnswer:
    """The answer with the number, the people ahead, and a range of waiting times if enough visits were measured."""
    work.flush()
    ahead = work.rows(store.PEOPLE_AHEAD, service=ticket.service, due_ms=ticket.due_ms, id=ticket.id)[0][0]
    return TicketAnswer(
        ticket=ticket.id,
        number=ticket.label,
        service=ticket.service,
        code=ticket.code,
        people_ahead=ahead,
        issued_ms=ticket.issued_ms or work.now_ms,
        wait_min=wait_range_min(ahead, work.mean_visit_ms(ticket.service), open_desks_of(work, ticket.service)),
        appointment_ms=ticket.appointment_ms,
    )


def _mark(request: str) -> str:
    """The id under which an abandoned request is noted that the hub has not received yet."""
    return f"{Source.DISPENSER}:abandoned:{request}"


def _was_abandoned(work: Work, request: str) -> bool:
    return bool(work.rows(store.REQUEST_BY_ID, id=_mark(request)))
