"""Transferring a ticket to another service or to one desk."""

from hub.queue.answers import DeskAnswer
from hub.queue.commands import announcing
from hub.queue.commands.desks import done_to, mode_of, need_claim, need_claim_on_parked, open_desks_of, settle
from hub.queue.commands.ending import back_in_line
from hub.queue.commands.signing import need_signed_on
from hub.queue.refusals import DeskNotOpen, NoOpenDesk, NotThisDesk, Unknown
from hub.queue.requests import Transfer
from hub.queue.states import HELD, Event, State
from hub.queue.tickets import Ticket
from hub.queue.transaction import DeskView, Work
from protocol.messages import DeskMode


def transfer(work: Work, command: Transfer, view: DeskView) -> DeskAnswer:
    """Transfer a ticket to another service, or to a desk: it keeps its service then and is bound to that desk."""
    ticket = work.ticket(command.ticket)
    work.check(ticket, Event.TRANSFER)
    if ticket.state in HELD and ticket.desk != view.desk.name:
        raise NotThisDesk(view.desk.name, ticket.label, ticket.state, Event.TRANSFER)
    if command.signed_on_unless_waiting and ticket.state is not State.WAITING:
        need_signed_on(work, view)
    if ticket.state is State.PARKED:
        need_claim_on_parked(work, view, ticket, Event.TRANSFER)
    if ticket.state is State.WAITING:
        need_claim(work, view, ticket, Event.TRANSFER)
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
    work.publish_service(ticket.service)
    if ticket.state is State.PARKED:
        work.tell_pages(ticket)
    if view.held is not None and view.held.id == ticket.id:
        settle(work, view)
    return done_to(ticket)


def _destination(work: Work, ticket: Ticket, command: Transfer) -> tuple[str, str | None]:
    """The service and the desk a transfer leads to. Raises a Refusal if there is none or it must be confirmed."""
    if command.to_desk is not None:
        desk = work.index.find_desk(command.to_desk)
        if desk is None:
            raise Unknown("to_desk", command.to_desk)
        mode = mode_of(work, desk.name)
        if mode is DeskMode.CLOSED:
            raise DeskNotOpen(desk.name, mode, Event.TRANSFER)
        # Raises if the site no longer has the service: the ticket could not be called, but would be first in line.
        return work.index.service(ticket.service).name, desk.name
    if command.service is None:
        raise Unknown("service", "")
    service = work.index.service(command.service)
    if not command.confirmed and not open_desks_of(work, service.name):
        raise NoOpenDesk(service.name, ticket.label, ticket.state)
    return service.name, None
