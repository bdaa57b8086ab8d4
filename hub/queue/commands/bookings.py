"""Takes in the bookings of a source, in slices.

A slice reads what is known once, raises the ticket counter once, and writes all rows of a kind together. Each change
still has its own journal row, and a refused change does not affect the others.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from msgspec.structs import asdict, replace

from hub.queue import booking_store, name_store, report_store, store
from hub.queue.answers import DoneAnswer
from hub.queue.bookings import (
    KNOWN_FIELDS,
    TEXT_MOST,
    Known,
    Step,
    flaw_of,
    known_from_row,
    of_book,
    of_cancel,
    of_move,
    shown_name,
)
from hub.queue.commands.expected import expires_ms
from hub.queue.commands.tickets import TICKET_IDS, keep_name_for_today
from hub.queue.hours import day_end_for_ms, local_day
from hub.queue.order import Kind
from hub.queue.refusals import Refusal, Unknown
from hub.queue.requests import Book, BookingChange, CancelBooking, Move, TakeBookings
from hub.queue.states import OPEN, Event, State
from hub.queue.tickets import Ticket, from_row
from hub.queue.transaction import Work
from hub.site import Service


@dataclass(frozen=True, slots=True)
class _Look:
    """What is known of the bookings of a slice.

    `known`, `tickets`: their rows and tickets, by booking. `handled`: ids of waiting tickets that people have handled.
    `names`: names by ticket id, read if a change gives one. `last_id`: the last ticket id, None if there is no ticket.
    """

    known: dict[str, Known]
    tickets: dict[str, Ticket]
    handled: frozenset[int]
    names: dict[int, str]
    last_id: int | None


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be done for one booking.

    `step`: for its ticket. `told`, `was`: its new and its old row. `ticket`: the ticket it has so far. `service`: of a
    new or moved ticket. `code`: of a new ticket. `name`: the name the source gives, or None.
    """

    step: Step
    told: Known
    was: Known | None
    ticket: Ticket | None
    service: Service | None = None
    code: str = ""
    name: str | None = None


def take_bookings(work: Work, command: TakeBookings) -> DoneAnswer:
    """Make each change on its own; the answer lists those that are refused."""
    count = 0
    refused: list[tuple[str, str]] = []
    for changes in _distinct(command.changes):
        flaws = {change.booking: flaw for change in changes if (flaw := flaw_of(change)) is not None}
        sound = [change for change in changes if change.booking not in flaws]
        look = _look(work, sound)
        plans = []
        for change in sound:
            try:
                plans.append(_plan(work, look, change))
            except Refusal as refusal:
                flaws[change.booking] = str(refusal)
        work.give_way()
        count += _do(work, look, plans)
        refused += [(each.booking[:TEXT_MOST], flaws[each.booking]) for each in changes if each.booking in flaws]
    return DoneAnswer(count=count, refused=tuple(refused))


def with_ticket(row: Sequence[Any]) -> tuple[Known, Ticket]:
    """A booking and its ticket from a row of `booking_store.KNOWN`, `BY_CODE` or `STANDING_OF_REQUEST`."""
    return known_from_row(row), from_row(row[len(KNOWN_FIELDS) :])


def _distinct(changes: Sequence[BookingChange]) -> Iterator[list[BookingChange]]:
    """Split the changes into runs without a repeated booking: its second change must see the result of the first."""
    run: dict[str, BookingChange] = {}
    for change in changes:
        if change.booking in run:
            yield list(run.values())
            run = {}
        run[change.booking] = change
    if run:
        yield list(run.values())


# --- what is known ------------------------------------------------------------------------------------------------


def _look(work: Work, changes: Sequence[BookingChange]) -> _Look:
    known: dict[str, Known] = {}
    tickets: dict[str, Ticket] = {}
    ids = work.many([change.booking for change in changes])
    last_id, rows = work.rows_with_counter(booking_store.KNOWN, "", TICKET_IDS, ids=ids)
    for row in rows:
        if row[0] is not None:
            booking, ticket = with_ticket(row)
            known[booking.id], tickets[booking.id] = booking, ticket
    booked = {change.booking for change in changes if isinstance(change, Book)}
    for row in rows:
        ticket = from_row(row[len(KNOWN_FIELDS) :])
        if row[0] is None and ticket.booking in booked:
            tickets.setdefault(str(ticket.booking), ticket)
    changed = {change.booking for change in changes if isinstance(change, CancelBooking | Move)}
    waiting = [each.id for name, each in tickets.items() if name in changed and each.state is State.WAITING]
    handled = work.rows(booking_store.HANDLED, ids=work.many(waiting)) if waiting else []
    named = {change.booking for change in changes if isinstance(change, Book | Move) and change.name is not None}
    of_named = [each.id for booking, each in tickets.items() if booking in named]
    names = work.rows(name_store.NAMES, ids=work.many(of_named)) if of_named else []
    return _Look(known, tickets, frozenset(ticket for (ticket,) in handled), dict(names), last_id)


# --- what is to be done -------------------------------------------------------------------------------------------


def _plan(work: Work, look: _Look, change: BookingChange) -> _Plan:
    """Plan one change, without writing anything. Raises a Refusal."""
    known, ticket = look.known.get(change.booking), look.tickets.get(change.booking)
    if isinstance(change, Book):
        return _plan_book(work, known, ticket, change)
    if known is None or ticket is None:
        raise Unknown("booking", change.booking)
    if isinstance(change, Move):
        return _plan_move(work, known, ticket, change, ticket.id in look.handled)
    if known.gone:
        return _Plan(Step.KEEP, known, known, ticket)
    step = of_cancel(ticket, ticket.id in look.handled, moved=change.moved)
    if change.lapsed and step is not Step.CANCEL and ticket.state is not State.CANCELLED:
        return _Plan(Step.KEEP, known, known, ticket)
    return _Plan(step, replace(known, gone=True), known, ticket)


def _plan_book(work: Work, known: Known | None, ticket: Ticket | None, change: Book) -> _Plan:
    service = work.index.service(change.service)
    if known is not None and not known.gone:
        return _Plan(Step.KEEP, known, known, ticket)
    day = local_day(change.appointment_ms, work.index.site.zone)
    told = Known(
        id=change.booking,
        ticket=ticket.id if ticket else 0,
        reference=change.reference,
        service=change.service,
        start_ms=change.appointment_ms,
        day=day,
        code=change.confirmation,
        gone=False,
    )
    step = of_book(ticket, change.appointment_ms, day, work.now_ms)
    return _Plan(step, told, known, ticket, service, change.code, shown_name(change.name))


def _plan_move(work: Work, known: Known, ticket: Ticket, change: Move, was_handled: bool) -> _Plan:
    if known.gone:
        raise Unknown("booking", change.booking)
    day = local_day(change.appointment_ms, work.index.site.zone)
    told = replace(
        known,
        service=known.service if change.service is None else work.index.service(change.service).name,
        start_ms=change.appointment_ms,
        day=day,
        reference=known.reference if change.reference is None else change.reference,
        code=known.code if change.confirmation is None else change.confirmation,
    )
    step, name = of_move(known, ticket, change, day, work.now_ms, was_handled), shown_name(change.name)
    if step is Step.MOVE:
        # Reception may have transferred the ticket: it changes its service only if the source names another one.
        service = work.index.service(change.service or ticket.service)
        return _Plan(step, told, known, ticket, service, name=name)
    new_service = work.index.service(told.service) if step is Step.NEW else None
    return _Plan(step, told, known, ticket, new_service, _another_code(ticket), name)


# --- doing it -----------------------------------------------------------------------------------------------------


def _do(work: Work, look: _Look, plans: Sequence[_Plan]) -> int:
    """Carry out the plans; return how many changed anything."""
    plans = [
        plan for plan in plans if plan.step is not Step.KEEP or plan.told != plan.was or _renames(work, look, plan)
    ]
    new = [plan for plan in plans if plan.step is Step.NEW]
    _release(work, new)
    next_id = (look.last_id or 0) + 1
    if new:
        work.raise_counter("", TICKET_IDS, look.last_id, by=len(new))
    # New tickets first: writes of one kind are done together where the first of them stands, so a name must not come
    # before a new ticket.
    for plan in (*new, *(plan for plan in plans if plan.step is not Step.NEW)):
        told = plan.told
        if plan.step is Step.NEW:
            told, next_id = replace(told, ticket=next_id), next_id + 1
            work.insert(_expected(plan, told), Event.BOOK)
            _name(work, plan, told)
        elif plan.ticket is not None:
            _keep_name(work, look, plan, plan.ticket)
            _change(work, plan, plan.ticket)
        if told.gone and not (plan.was and plan.was.gone):
            work.write(report_store.DROP_ABSENCE, of_booking=told.id)
        _keep(work, told, plan.was)
    return len(plans)


def _name(work: Work, plan: _Plan, told: Known) -> None:
    """Store the name for a new ticket: the source's, or else the previous ticket's; none if its day is over."""
    delete_after_ms = day_end_for_ms(work.index.site, told.day, told.start_ms)
    if delete_after_ms <= work.now_ms:
        return
    if plan.name is not None:
        work.write(name_store.INSERT_NAME, ticket=told.ticket, name=plan.name, delete_after_ms=delete_after_ms)
    elif plan.ticket is not None:
        work.write(name_store.COPY_NAME, of_ticket=plan.ticket.id, to_ticket=told.ticket, to_ms=delete_after_ms)


def _renames(work: Work, look: _Look, plan: _Plan) -> bool:
    """Whether the booking's ticket gets a first or another name; only while the ticket is open and its day goes on."""
    ticket = plan.ticket
    if plan.name is None or ticket is None or ticket.state not in OPEN or look.names.get(ticket.id) == plan.name:
        return False
    return _name_ends_ms(work, plan, ticket) > work.now_ms


def _keep_name(work: Work, look: _Look, plan: _Plan, ticket: Ticket) -> None:
    """Store the source's current name until the end of the ticket's day. The journal never has a name."""
    ends_ms = _name_ends_ms(work, plan, ticket)
    if _renames(work, look, plan):
        if ticket.id in look.names:
            work.write(name_store.SET_NAME, of_ticket=ticket.id, to_name=plan.name, to_ms=ends_ms)
        else:
            work.write(name_store.INSERT_NAME, ticket=ticket.id, name=plan.name, delete_after_ms=ends_ms)
        if ticket.day <= work.today:
            work.tell_pages(ticket)
    elif plan.step is Step.MOVE and ends_ms != _ends_ms(work, ticket):
        if ends_ms > work.now_ms:
            work.write(name_store.MOVE_NAME, of_ticket=ticket.id, to_ms=ends_ms)
        else:
            work.write(name_store.DELETE_NAME, of_ticket=ticket.id)


def _name_ends_ms(work: Work, plan: _Plan, ticket: Ticket) -> int:
    if plan.step is Step.MOVE:
        return day_end_for_ms(work.index.site, plan.told.day, plan.told.start_ms)
    return _ends_ms(work, ticket)


def _ends_ms(work: Work, ticket: Ticket) -> int:
    return day_end_for_ms(work.index.site, ticket.day, ticket.appointment_ms or 0)


def _release(work: Work, new: Sequence[_Plan]) -> None:
    """Detach bookings from their old tickets before they get new ones: a booking has one ticket that is not cancelled.

    A waiting ticket is cancelled; an ended one loses its booking.
    """
    for plan in new:
        if plan.ticket is None or plan.ticket.state is State.CANCELLED:
            continue
        if plan.ticket.state is State.WAITING:
            _cancel(work, plan.ticket)
        else:
            work.note(plan.ticket, "booking_released", booking=None)
            work.write(report_store.DROP_ABSENCE, of_booking=plan.told.id)
    # The unique index on the booking is checked row by row.
    work.flush()


def _keep(work: Work, told: Known, was: Known | None) -> None:
    values = asdict(told)
    if was is None:
        work.write(booking_store.INSERT_BOOKING, **values)
    elif told != was:
        of_id = values.pop("id")
        work.write(booking_store.UPDATE_BOOKING, guarded=True, of_id=of_id, **store.prefixed(values.items()))


def _expected(plan: _Plan, told: Known) -> Ticket:
    return Ticket(
        id=told.ticket,
        day=told.day,
        service=told.service,
        state=State.EXPECTED,
        kind=Kind.TIMED,
        due_ms=told.start_ms,
        code=plan.code,
        appointment_ms=told.start_ms,
        booking=told.id,
        absent_at_ms=_expires_ms(plan, told),
    )


def _change(work: Work, plan: _Plan, ticket: Ticket) -> None:
    match plan.step:
        case Step.MOVE:
            _move(work, plan, ticket)
        case Step.CANCEL:
            _cancel(work, ticket)
        case Step.MARK_MOVED | Step.MARK_CANCELLED:
            _mark(work, ticket, f"booking_{plan.step}", plan.step)
        case Step.UNMARK:
            _mark(work, ticket, f"booking_{plan.step}", None)


def _cancel(work: Work, ticket: Ticket) -> None:
    work.change(ticket, Event.CANCEL, State.CANCELLED, at_desk=None, ended_ms=work.now_ms, absent_at_ms=None)
    keep_name_for_today(work, ticket)


def _move(work: Work, plan: _Plan, ticket: Ticket) -> None:
    told = plan.told
    service = plan.service.name if plan.service else ticket.service
    elsewhere: dict[str, Any] = {"service": service} if service != ticket.service else {}
    work.change(
        ticket,
        Event.MOVE,
        State.EXPECTED,
        at_desk=None,
        appointment_ms=told.start_ms,
        due_ms=told.start_ms,
        day=told.day,
        absent_at_ms=_expires_ms(plan, told),
        **elsewhere,
    )


def _mark(work: Work, ticket: Ticket, event: str, note: str | None) -> None:
    work.note(ticket, event, booking_note=note)
    work.tell_pages(ticket)


def _expires_ms(plan: _Plan, told: Known) -> int | None:
    return expires_ms(plan.service, told.start_ms) if plan.service else None


def _another_code(ticket: Ticket) -> str:
    """A follow code for a booking's next ticket if the change has none; as hard to guess as the first code."""
    return sha256(f"{ticket.code}:{ticket.id}".encode()).hexdigest()[: max(16, len(ticket.code))]
