"""Turns a command's answer into the reply to a node. Pure."""

from hub.queue.answers import Answer, CheckInAnswer, DeskAnswer, DoneAnswer, RefusedAnswer, SessionAnswer, TicketAnswer
from hub.site import Desk
from hub.site_index import SiteIndex
from protocol import messages as wire
from protocol.instants import Instant


def reply_of(index: SiteIndex, hall: str | None, request: str, answer: Answer) -> wire.Reply:
    """The reply to a node. `hall`: where the node stands, None if that is not known."""
    match answer:
        case DeskAnswer():
            return wire.DeskReply(id=request, outcome=answer.outcome, number=answer.number)
        case TicketAnswer():
            return wire.TicketReply(
                id=request,
                number=answer.number,
                service_name=_title(index, answer.service) or "",
                people_ahead=answer.people_ahead,
                issued_at=Instant(answer.issued_ms),
                code=answer.code,
                wait_min=answer.wait_min,
                appointment_at=_instant(answer.appointment_ms),
            )
        case CheckInAnswer():
            return _check_in_reply(index, hall, request, answer)
        case DoneAnswer():
            return wire.Done(id=request)
        case SessionAnswer():
            raise TypeError("no node opens a session")
        case RefusedAnswer():
            return wire.Refused(id=request, code=answer.code, detail=answer.detail)


def _check_in_reply(index: SiteIndex, hall: str | None, request: str, answer: CheckInAnswer) -> wire.CheckInReply:
    ticket = answer.ticket
    desk = index.find_desk(answer.desk)
    return wire.CheckInReply(
        id=request,
        arrival=answer.arrival,
        appointment_at=_instant(answer.appointment_ms),
        service_name=_title(index, answer.service),
        hall=_where(index, answer.hall) if desk is None else _way_to(index, hall, desk),
        desk=desk.number if desk else None,
        number=ticket.number if ticket else None,
        people_ahead=ticket.people_ahead if ticket else 0,
        issued_at=_instant(ticket.issued_ms if ticket else None),
        code=ticket.code if ticket else None,
        wait_min=ticket.wait_min if ticket else None,
    )


def _way_to(index: SiteIndex, hall: str | None, desk: Desk) -> str | None:
    """Where the calling desk is; None if it is in the node's own hall."""
    return None if desk.hall == hall else desk.place or _where(index, desk.hall)


# A repeated answer may be days old and name what the site file no longer has.


def _title(index: SiteIndex, service: str | None) -> str | None:
    found = index.find_service(service) if service is not None else None
    return found.title if found else None


def _where(index: SiteIndex, hall: str | None) -> str | None:
    return index.hall(hall).title if hall is not None and index.has_hall(hall) else None


def _instant(moment_ms: int | None) -> Instant | None:
    return None if moment_ms is None else Instant(moment_ms)
