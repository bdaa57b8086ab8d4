"""Tickets that come back: absent and served after all, absent and waiting again, finished by mistake."""

from hub.queue.answers import DeskAnswer
from hub.queue.commands.desks import done_to, need_claim, need_free_desk, need_open_desk
from hub.queue.commands.ending import back_in_line, need_its_day, need_reopenable, reopen_at, still_bound
from hub.queue.commands.tickets import due_as_walk_in, number_for
from hub.queue.order import Kind
from hub.queue.refusals import NotThisDesk, TransitionRefused
from hub.queue.requests import Readmit, Reopen, StartAbsent
from hub.queue.states import Event, State
from hub.queue.tickets import Ticket
from hub.queue.transaction import DeskView, Work


def start_absent(work: Work, command: StartAbsent, view: DeskView) -> DeskAnswer:
    """Il est là: the absent visitor came after all; serve them here at once, without an announcement."""
    need_open_desk(view, Event.START)
    need_free_desk(work, view)
    ticket = work.ticket(command.ticket)
    if ticket.state is not State.ABSENT or ticket.call is None:
        raise TransitionRefused(ticket.label, ticket.state, Event.START)
    need_its_day(work, ticket, Event.START)
    need_claim(work, view, ticket, Event.START)
    work.change(
        ticket,
        Event.START,
        State.SERVING,
        at_desk=view.desk.name,
        desk=view.desk.name,
        serving_ms=work.now_ms,
        ended_ms=None,
    )
    work.tell_pages(ticket)
    return done_to(ticket)


def reopen(work: Work, command: Reopen, view: DeskView) -> DeskAnswer:
    """Rouvrir: reopen a ticket that was finished by mistake at most 10 min ago."""
    need_open_desk(view, Event.REOPEN)
    need_free_desk(work, view)
    ticket = work.ticket(command.ticket)
    work.check(ticket, Event.REOPEN)
    if ticket.desk != view.desk.name:
        raise NotThisDesk(view.desk.name, ticket.label, ticket.state, Event.REOPEN)
    need_reopenable(work, ticket)
    reopen_at(work, view, ticket)
    return done_to(ticket)


def readmit(work: Work, command: Readmit, view: DeskView) -> DeskAnswer:
    """Remettre en file: keeps its due time if it was called before, else is due like a walk-in of now."""
    ticket = work.ticket(command.ticket)
    work.check(ticket, Event.READMIT)
    need_its_day(work, ticket, Event.READMIT)
    need_claim(work, view, ticket, Event.READMIT)
    ticket = readmit_ticket(work, ticket, at_desk=view.desk.name)
    return done_to(ticket)


def readmit_ticket(work: Work, ticket: Ticket, at_desk: str | None, *, priority: bool = False) -> Ticket:
    """Let an absent ticket wait again and return it. `priority`: used only if it was never called.

    A ticket that was called is returned as it was before.
    """
    if ticket.call is not None:
        work.change(
            ticket,
            Event.READMIT,
            State.WAITING,
            at_desk=at_desk,
            ended_ms=None,
            **back_in_line(still_bound(work, ticket)),
        )
        return ticket
    service = work.index.service(ticket.service)
    series, number = number_for(work, service)
    work.change(
        ticket,
        Event.READMIT,
        State.WAITING,
        at_desk=at_desk,
        series=series,
        number=number,
        day=work.today,
        issued_ms=work.now_ms,
        priority=priority,
        kind=Kind.OPEN,
        due_ms=due_as_walk_in(service, work.now_ms, priority),
        ended_ms=None,
    )
    return work.reread(ticket)
