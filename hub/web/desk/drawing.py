"""Draws a desk's picture from its rows. Pure: the time comes with the rows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise

from hub.appointments.list_state import ListState
from hub.queue.announcements import FULL_MS
from hub.queue.commands.calls import BOUNCE_MS
from hub.queue.commands.ending import REOPEN_MS
from hub.queue.look_ups import goes_first
from hub.queue.order import Candidate, Kind
from hub.queue.reasons import Waiting, explain, in_order
from hub.queue.states import Event, State
from hub.queue.tickets import Ticket
from hub.site import MINUTE_MS, Desk, Service
from hub.site_index import SiteIndex, served_by
from hub.web.desk.booking_reading import SHOWN
from hub.web.desk.picture import (
    SOON_MS,
    AsideTicket,
    Booking,
    DeskPicture,
    HeldTicket,
    LastAction,
    Mark,
    NextTicket,
    OtherService,
    Row,
    ServiceQueue,
    Stage,
    Undo,
    UndoOffer,
)
from hub.web.desk.reading import DeskNow, DeskRows, JournalRow, Place
from protocol.messages import DeskMode

# At a desk that does not confirm arrivals, a called ticket is drawn as being served after this time.
CALLING_MS = 60_000
LATE_MS = 15 * MINUTE_MS
LONG_MS = 45 * MINUTE_MS
# A picture is drawn anew at least this often.
REDRAW_MS = 60_000

MeanVisit = Callable[[str], int | None]


def draw(rows: DeskRows, index: SiteIndex, desk: Desk, mean_visit_ms: MeanVisit, list_state: ListState) -> DeskPicture:
    """Draw the page of one desk at the time of its rows."""
    now_ms = rows.now_ms
    places = {place.ticket.id: place for place in rows.waiting}
    waiting = [_waiting(place, index, desk) for place in rows.waiting if _may_be_called(place, desk)]
    order = in_order(waiting, now_ms) if rows.desk.mode is DeskMode.OPEN else []
    reason = explain(order, now_ms)
    following = None
    if reason is not None:
        first = places[order[0].candidate.id].ticket
        following = NextTicket(first.id, first.label, first.appointment_ms, reason)
    last = _last_action(rows.events)
    held = _held(rows, rows.held, index, mean_visit_ms) if rows.held else None
    expected = tuple(_booking(ticket, rows, index) for ticket in rows.expected)
    return DeskPicture(
        revision=rows.revision,
        now_ms=now_ms,
        redraw_ms=_redraw_ms(rows, expected),
        desk=desk.name,
        number=desk.number,
        mode=rows.desk.mode,
        pausing=rows.desk.pausing,
        closing=rows.desk.closing,
        mode_since_ms=rows.desk.since_ms,
        agent=rows.agent,
        confirms_arrivals=desk.confirms_arrivals,
        stage=_stage(rows, desk, last),
        held=held,
        next=following,
        next_off_until_ms=rows.desk.last_call_ms + BOUNCE_MS if rows.held else 0,
        queues=_queues(rows, index, desk),
        others=tuple(
            other_service(service, index, rows.counts, rows.desks)
            for service in index.site.services
            if service.name not in served_by(desk)
        ),
        parked=tuple(_aside(ticket, rows.parked_ms.get(ticket.id), index, desk) for ticket in rows.parked),
        absent=tuple(_aside(ticket, ticket.ended_ms, index, desk) for ticket in rows.absent),
        absent_total=rows.absent_total,
        expected=expected,
        more_expected=rows.more_expected,
        list_state=list_state,
        failed_reports=rows.failed_reports,
        last=last,
        undo=_undo(rows),
    )


def other_service(
    service: Service, index: SiteIndex, counts: Mapping[str, int], desks: Mapping[str, DeskNow]
) -> OtherService:
    """How many wait for a service, and whether a desk goes on calling for it. `counts` by service, `desks` by name."""
    is_open = any(desks[each.name].goes_on_calling for each in index.desks_of(service.name))
    return OtherService(service.letter, service.title, counts.get(service.name, 0), is_open)


def _may_be_called(place: Place, desk: Desk) -> bool:
    ticket = place.ticket
    return ticket.bound_desk == desk.name or (ticket.bound_desk is None and ticket.service in served_by(desk))


def _waiting(place: Place, index: SiteIndex, desk: Desk) -> Waiting:
    ticket = place.ticket
    service = index.find_service(ticket.service)
    kind = Kind.OPEN if ticket.bound_desk else ticket.kind
    return Waiting(
        candidate=Candidate(ticket.id, ticket.service, kind, ticket.due_ms, place.handicap_ms, place.early_ms),
        number=ticket.label,
        arrived_ms=ticket.issued_ms or 0,
        appointment_ms=ticket.appointment_ms,
        priority=ticket.priority,
        bound=ticket.bound_desk == desk.name,
        strict=service is not None and goes_first(service, kind),
    )


def _stage(rows: DeskRows, desk: Desk, last: LastAction | None) -> Stage:
    if rows.held is not None:
        return Stage.CALLING if _is_calling(rows.held, desk, rows.now_ms) else Stage.SERVING
    if rows.desk.mode is not DeskMode.OPEN:
        return Stage.PAUSED if rows.desk.mode is DeskMode.PAUSED else Stage.CLOSED
    if last is not None and last.event == Event.ABSENT and last.source == "job":
        return Stage.ABSENT
    return Stage.NOBODY_CALLED if rows.waiting else Stage.NOBODY_WAITING


def _is_calling(held: Ticket, desk: Desk, now_ms: int) -> bool:
    if held.state is not State.CALLED:
        return False
    return desk.confirms_arrivals or now_ms < _said_ms(held) + CALLING_MS


def _said_ms(held: Ticket) -> int:
    return held.said_ms or held.called_ms or 0


def _play_ms(held: Ticket) -> int:
    return _said_ms(held) - FULL_MS


def _held(rows: DeskRows, held: Ticket, index: SiteIndex, mean_visit_ms: MeanVisit) -> HeldTicket:
    service = index.find_service(held.service)
    arrived_ms = held.issued_ms or held.due_ms
    return HeldTicket(
        id=held.id,
        number=held.label,
        service_name=held.service,
        service=service.title if service else held.service,
        state=held.state,
        timer_ms=(held.serving_ms if held.state is State.SERVING else None) or _said_ms(held),
        play_ms=_play_ms(held),
        waited_ms=max(0, (held.called_ms or rows.now_ms) - arrived_ms),
        appointment_ms=held.appointment_ms,
        absent_at_ms=held.absent_at_ms,
        mean_ms=mean_visit_ms(held.service),
        name=rows.names.get(held.id),
        booking_note=held.booking_note,
    )


def _queues(rows: DeskRows, index: SiteIndex, desk: Desk) -> tuple[ServiceQueue, ...]:
    """Main services first, each in the order this desk would take it; the first 50 tickets in all."""
    delays = {each.service: each.delay_min * MINUTE_MS for each in desk.helps}
    served = served_by(desk)
    seen = [(_waiting(place, index, desk), place.ticket) for place in rows.waiting]
    seen.sort(key=lambda pair: pair[0].candidate.rank)
    # Tickets of services that the site no longer has come last, with a limit of their own: they must push none out.
    lost = {ticket.service: ticket.series for _, ticket in seen if index.find_service(ticket.service) is None}
    shown = [pair for pair in seen if pair[1].service not in lost][:SHOWN]
    shown += [pair for pair in seen if pair[1].service in lost][:SHOWN]
    queues = []
    sent_here = [ticket.service for _, ticket in seen if ticket.bound_desk == desk.name]
    for name in dict.fromkeys([*desk.serves, *delays, *sent_here, *lost]):
        service = index.find_service(name)
        mine = [_row(waiting, ticket, index, desk, rows.now_ms) for waiting, ticket in shown if ticket.service == name]
        # Of another service, only the tickets sent to this desk count.
        waits = rows.counts.get(name, 0) if name in served or name in lost else sent_here.count(name)
        count = max(waits, len(mine))
        letter, title = (service.letter, service.title) if service else (lost[name] or "", name)
        queues.append(ServiceQueue(name, letter, title, delays.get(name, 0), count, tuple(mine)))
    return tuple(queues)


def _row(waiting: Waiting, ticket: Ticket, index: SiteIndex, desk: Desk, now_ms: int) -> Row:
    bound_to = ticket.bound_desk if ticket.bound_desk not in {None, desk.name} else None
    return Row(
        id=ticket.id,
        number=ticket.label,
        arrived_ms=waiting.arrived_ms,
        appointment_ms=ticket.appointment_ms,
        due_ms=waiting.due_ms,
        mark=mark_of(ticket, now_ms),
        priority=ticket.priority,
        bound_to=index.desk(bound_to).number if bound_to else None,
        bound_here=ticket.bound_desk == desk.name,
        booking_note=ticket.booking_note,
        missed=ticket.appointment_ms is not None and not _appointment_counts(ticket),
    )


def mark_of(ticket: Ticket, now_ms: int) -> Mark | None:
    """Return a ticket's alarm, None if it has none. The alarms do not change the order."""
    overdue_ms = _overdue_from_ms(ticket)
    if overdue_ms is None or now_ms < overdue_ms:
        return None
    return Mark.LATE if _appointment_counts(ticket) else Mark.LONG


def _overdue_from_ms(ticket: Ticket) -> int | None:
    if _appointment_counts(ticket):
        return ticket.due_ms + LATE_MS + 1
    return None if ticket.issued_ms is None else ticket.issued_ms + LONG_MS


def _appointment_counts(ticket: Ticket) -> bool:
    """Whether a ticket waits by its appointment's time.

    A visitor who came too late for it waits like a walk-in, and must not raise an alarm on arrival.
    """
    return ticket.appointment_ms is not None and (
        ticket.kind is not Kind.OPEN or ticket.due_ms == ticket.appointment_ms
    )


def _aside(ticket: Ticket, since_ms: int | None, index: SiteIndex, desk: Desk) -> AsideTicket:
    other = index.number_of(ticket.desk) if ticket.desk and ticket.desk != desk.name else None
    return AsideTicket(ticket.id, ticket.label, since_ms or ticket.called_ms or 0, other)


def _booking(ticket: Ticket, rows: DeskRows, index: SiteIndex) -> Booking:
    service = index.service(ticket.service)
    at_ms = ticket.appointment_ms or 0
    facts = rows.bookings.get(ticket.id)
    return Booking(
        id=ticket.id,
        code=facts.code if facts else "",
        letter=service.letter,
        service=service.title,
        appointment_ms=at_ms,
        callable_ms=at_ms - service.early_call_min * MINUTE_MS,
        missed=ticket.state is State.ABSENT,
        name=rows.names.get(ticket.id),
    )


def _last_action(events: Sequence[JournalRow]) -> LastAction | None:
    """Return the last action at the desk. A finish and call in one command is the call, with the number it finished."""
    if not events:
        return None
    last = events[0]
    finished = next((event.label for event in events[1:] if _is_finish_with(event, last)), None)
    return LastAction(last.at_ms, last.event, last.label, last.source, last.who, finished, last.appointment_ms)


def _is_finish_with(event: JournalRow, call: JournalRow) -> bool:
    return (
        event.event == Event.FINISH
        and call.event == Event.CALL
        and event.request == call.request
        and event.at_ms == call.at_ms
    )


def _undo(rows: DeskRows) -> UndoOffer | None:
    """Return what key N undoes: the call just made, with the finish in the same command, or the visit just ended."""
    if not rows.holds:
        return None
    if rows.held is not None:
        return _undo_call(rows.holds, rows.held, rows.now_ms)
    last = rows.holds[0]
    if last.event != Event.FINISH or rows.desk.mode is not DeskMode.OPEN or rows.now_ms - last.at_ms >= REOPEN_MS:
        return None
    return UndoOffer(Undo.REOPEN, last.ticket or 0, last.label)


def _undo_call(holds: Sequence[JournalRow], held: Ticket, now_ms: int) -> UndoOffer | None:
    if held.state is not State.CALLED:
        return None
    calls = ((call, ended) for call, ended in pairwise(holds) if call.id == held.call)
    before = next((ended for call, ended in calls if _is_finish_with(ended, call)), None)
    since = {hold.ticket for hold in holds if hold.id > (held.call or 0)}
    # If it is too late to reopen what was finished, or it was taken up again since, only the call is withdrawn.
    finished = before is not None and now_ms - before.at_ms < REOPEN_MS and before.ticket not in since
    return UndoOffer(Undo.UNDO if finished else Undo.WITHDRAW, held.id, held.label)


def _redraw_ms(rows: DeskRows, expected: Iterable[Booking]) -> int:
    """Return the next time at which the same rows draw another picture."""
    moments = [*_moments(rows), *(booking.callable_ms for booking in expected)]
    return min((moment for moment in moments if moment > rows.now_ms), default=rows.now_ms + REDRAW_MS)


def _moments(rows: DeskRows) -> Iterable[int]:
    yield rows.now_ms + REDRAW_MS
    if rows.held is not None:
        yield rows.desk.last_call_ms + BOUNCE_MS
        yield _play_ms(rows.held) - SOON_MS
        yield _said_ms(rows.held) + CALLING_MS
    for hold in rows.holds:
        yield hold.at_ms + REOPEN_MS
    for place in rows.waiting:
        ticket = place.ticket
        overdue_ms = _overdue_from_ms(ticket)
        if overdue_ms is not None:
            yield overdue_ms
        if ticket.kind is not Kind.OPEN:
            yield ticket.due_ms - place.early_ms
