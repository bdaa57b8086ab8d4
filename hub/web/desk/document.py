"""A desk's picture as the API's document: the same facts, without names."""

from hub.site import Desk
from hub.web import documents as d
from hub.web.desk.picture import AsideTicket, DeskPicture, HeldTicket, NextTicket
from protocol.instants import to_wire


def desk_document(picture: DeskPicture, desk: Desk) -> d.DeskDocument:
    return d.DeskDocument(
        revision=picture.revision,
        at=to_wire(picture.now_ms),
        desk=picture.desk,
        number=picture.number,
        hall=desk.hall,
        mode=picture.mode,
        pausing=picture.pausing,
        closing=picture.closing,
        agent=picture.agent.account if picture.agent else None,
        held=_held(picture.held),
        next=_next(picture.next),
        queues=tuple(
            d.QueueDocument(service=queue.service, letter=queue.letter, waiting=queue.waiting)
            for queue in picture.queues
        ),
        parked=tuple(_aside(ticket) for ticket in picture.parked),
        absent=tuple(_aside(ticket) for ticket in picture.absent),
    )


def _held(held: HeldTicket | None) -> d.HeldDocument | None:
    if held is None:
        return None
    return d.HeldDocument(ticket=held.id, number=held.number, service=held.service_name, state=held.state)


def _next(following: NextTicket | None) -> d.NextDocument | None:
    if following is None:
        return None
    reason = following.reason
    return d.NextDocument(ticket=following.id, number=following.number, why=reason.why, due_at=to_wire(reason.due_ms))


def _aside(ticket: AsideTicket) -> d.AsideDocument:
    return d.AsideDocument(ticket=ticket.id, number=ticket.number, since=to_wire(ticket.since_ms))
