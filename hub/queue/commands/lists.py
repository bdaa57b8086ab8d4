"""What an agent does to a ticket of a list: absent, set aside, finished, waiting, expected."""

from functools import partial

from hub.queue import claims, store
from hub.queue.answers import DeskAnswer
from hub.queue.commands import announcing
from hub.queue.commands.desks import is_away, mode_of, need_free_desk, need_open_desk, settle
from hub.queue.commands.ending import back_in_line, need_its_day, need_reopenable, reopen_at, still_bound
from hub.queue.commands.signing import need_signed_on
from hub.queue.commands.tickets import due_as_walk_in, keep_name_for_today, number_for
from hub.queue.order import Kind
from hub.queue.refusals import DeskNotOpen, NoOpenDesk, NotThisDesk, TransitionRefused, Unknown
from hub.queue.requests import Cancel, FinishParked, Readmit, Reopen, StartAbsent, Transfer
from hub.queue.states import HELD, Event, State
from hub.queue.tickets import Ticket
from hub.queue.transaction import DeskView, Work
from protocol.messages import DeskMode, DeskOutcome


def start_absent(work: Work, command: StartAbsent, view: DeskView) -> DeskAnswer:
    """Il est là: the absent visitor came after all and is served here at once, without an announcement."""
    need_open_desk(view, Event.START)
    need_free_desk(work, view)
    ticket = work.ticket(command.ticket)
    if ticket.state is not State.ABSENT or ticket.call is None:
        raise TransitionRefused(ticket.label, ticket.state, Event.START)
    need_its_day(work, ticket, Event.START)
    _need_service(work, view, ticket, Event.START)
    work.change(
        ticket,
        Event.START,
        State.SERVING,
        at_desk=view.desk.name,
        desk=view.desk.name,
        serving_ms=work.now_ms,
        ended_ms=None,
    )
    work.publish_desk(view.desk.name)
    work.tell_pages(ticket)
    return _done(ticket)


def reopen(work: Work, command: Reopen, view: DeskView) -> DeskAnswer:
    """Rouvrir: finished by mistake, within 10 min."""
    need_open_desk(view, Event.REOPEN)
    need_free_desk(work, view)
    ticket = work.ticket(command.ticket)
    work.check(ticket, Event.REOPEN)
    if ticket.desk != view.desk.name:
        raise NotThisDesk(view.desk.name, ticket.label, Event.REOPEN)
    need_reopenable(work, ticket)
    reopen_at(work, view, ticket)
    return _done(ticket)


def finish_parked(work: Work, command: FinishParked, view: DeskView) -> DeskAnswer:
    """Ends a ticket that was set aside; the one held is ended by its own command."""
    ticket = work.ticket(command.ticket)
    if ticket.state is not State.PARKED:
        raise TransitionRefused(ticket.label, ticket.state, Event.FINISH)
    _need_own(work, view, ticket, Event.FINISH)
    work.change(
        ticket,
        Event.FINISH,
        State.SERVED,
        at_desk=view.desk.name,
        desk=view.desk.name,
        ended_ms=work.now_ms,
        ended_from=State.PARKED,
        end_known=False,  # how long of it the visitor was at a desk, nobody knows
    )
    work.publish_desk(view.desk.name)
    work.tell_pages(ticket)
    return _done(ticket)


def readmit(work: Work, command: Readmit, view: DeskView) -> DeskAnswer:
    """Remettre en file: its own due time after a call, else like a walk-in of now."""
    ticket = work.ticket(command.ticket)
    work.check(ticket, Event.READMIT)
    need_its_day(work, ticket, Event.READMIT)
    _need_service(work, view, ticket, Event.READMIT)
    ticket = readmit_ticket(work, ticket, at_desk=view.desk.name)
    work.publish_desk(view.desk.name)
    return _done(ticket)


def readmit_ticket(work: Work, ticket: Ticket, at_desk: str | None, *, priority: bool = False) -> Ticket:
    """An absent ticket waits again; gives it as it is now. `priority`: said now, of one that was never called."""
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


def cancel(work: Work, command: Cancel, view: DeskView) -> DeskAnswer:
    """No longer wanted: a waiting or an expected ticket."""
    ticket = work.ticket(command.ticket)
    work.check(ticket, Event.CANCEL)
    _need_service(work, view, ticket, Event.CANCEL)
    work.change(ticket, Event.CANCEL, State.CANCELLED, at_desk=view.desk.name, ended_ms=work.now_ms, absent_at_ms=None)
    keep_name_for_today(work, ticket)
    work.publish_desk(view.desk.name)
    return _done(ticket)


def transfer(work: Work, command: Transfer, view: DeskView) -> DeskAnswer:
    """To another service, or to a desk: there the ticket keeps its service and waits for that desk alone."""
    ticket = work.ticket(command.ticket)
    work.check(ticket, Event.TRANSFER)
    if ticket.state in HELD and ticket.desk != view.desk.name:
        raise NotThisDesk(view.desk.name, ticket.label, Event.TRANSFER)
    if command.waiting_only and ticket.state is not State.WAITING:
        need_signed_on(work, view)
    if ticket.state is State.PARKED:
        _need_own(work, view, ticket, Event.TRANSFER)
    if ticket.state is State.WAITING:
        _need_service(work, view, ticket, Event.TRANSFER)
    service, bound_desk = _destination(work, ticket, command)
    if ticket.state is State.CALLED:
        announcing.take_away(work, ticket.call)
    work.change(
        ticket,
        Event.TRANSFER,
        State.WAITING,
        at_desk=view.desk.name,
        frees_desk=True,
        service=service,
        serving_ms=None,
        **back_in_line(bound_desk),
    )
    work.publish_desk(view.desk.name)
    work.publish_service(ticket.service)
    if ticket.state is State.PARKED:
        work.tell_pages(ticket)
    if view.held is not None and view.held.id == ticket.id:
        settle(work, view)
    return _done(ticket)


def _destination(work: Work, ticket: Ticket, command: Transfer) -> tuple[str, str | None]:
    """The service and the desk a transfer leads to. Raises where there is none, or it must be confirmed."""
    if command.to_desk is not None:
        desk = work.index.find_desk(command.to_desk)
        if desk is None:
            raise Unknown("to_desk", command.to_desk)
        mode = mode_of(work, desk.name)
        if mode is DeskMode.CLOSED:
            raise DeskNotOpen(desk.name, mode, Event.TRANSFER)
        # Nobody is called under a service that the site no longer has: it would stand before all others there.
        return work.index.service(ticket.service).name, desk.name
    if command.service is None:
        raise Unknown("service", "")
    service = work.index.service(command.service)
    modes = dict(work.rows(store.DESK_MODES))
    served = any(modes.get(desk.name) == DeskMode.OPEN for desk in work.index.desks_of(service.name))
    if not served and not command.confirmed:
        raise NoOpenDesk(service.name, ticket.label)
    return service.name, None


def _need_service(work: Work, view: DeskView, ticket: Ticket, event: Event) -> None:
    if not claims.may_decide_on(work.index, view.desk, ticket):
        raise NotThisDesk(view.desk.name, ticket.label, event)


def _need_own(work: Work, view: DeskView, ticket: Ticket, event: Event) -> None:
    if not claims.may_go_on_with(work.index, view.desk, ticket, partial(is_away, work)):
        raise NotThisDesk(view.desk.name, ticket.label, event)


def _done(ticket: Ticket) -> DeskAnswer:
    return DeskAnswer(outcome=DeskOutcome.TAKEN, ticket=ticket.id, number=ticket.label)
