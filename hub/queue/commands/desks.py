"""A desk opens, pauses and closes; and the checks on a desk that commands begin with."""

from functools import partial

from hub.queue import claims, store
from hub.queue.answers import DeskAnswer
from hub.queue.commands.signing import leave
from hub.queue.refusals import ClickTooOld, DeskHoldsNobody, DeskMovedOn, DeskNotOpen, NotThisDesk, Refusal, TooOld
from hub.queue.requests import ButtonMode, SetMode
from hub.queue.states import Event, State
from hub.queue.tickets import Ticket, from_row
from hub.queue.transaction import Brief, DeskView, Work
from hub.site_index import served_by
from protocol.messages import PRESS_LIFE_MS, DeskMode, DeskOutcome

# A page waits 8 s for an answer (desk.html).
CLICK_LIFE_MS = 7_000


def set_mode(work: Work, command: SetMode, view: DeskView) -> DeskAnswer:
    """The page's Pause, Fermer, Rouvrir."""
    need_shown(work, view, command.shown)
    return _set_mode(work, view, command.mode)


def button_mode(work: Work, command: ButtonMode, view: DeskView) -> DeskAnswer:
    """A very long press: the node says whether it means pause or open."""
    age_of_gesture(work, command.at_ms)
    return _set_mode(work, view, command.mode)


def settle(work: Work, view: DeskView) -> None:
    """The desk holds nobody any more: apply a pause or close that waited for this."""
    if view.closing:
        _enter(work, view, DeskMode.CLOSED)
    elif view.pausing:
        _enter(work, view, DeskMode.PAUSED)


def release_bound(work: Work, desk: str) -> None:
    """Release the tickets bound to a desk, because it closes."""
    work.flush()
    for ticket in bound_to(work, desk):
        release(work, ticket)
    # The end of a day may change the same tickets next, and one batch of writes can't change a row twice.
    work.flush()


def bound_to(work: Work, desk: str) -> list[Ticket]:
    """The waiting tickets bound to this desk, the first due first."""
    return [from_row(row) for row in work.rows(store.BOUND_TO_DESK, desk=desk)]


def release(work: Work, ticket: Ticket) -> None:
    work.change(ticket, Event.RELEASE, State.WAITING, at_desk=ticket.bound_desk, bound_desk=None)


def _set_mode(work: Work, view: DeskView, mode: DeskMode) -> DeskAnswer:
    taken = DeskAnswer(outcome=DeskOutcome.TAKEN)
    if mode is DeskMode.OPEN:
        if view.mode is DeskMode.OPEN and not (view.pausing or view.closing):
            return taken
        _enter(work, view, DeskMode.OPEN)
        return taken
    if view.mode is mode:
        return taken
    if mode is DeskMode.PAUSED:
        need_open_desk(view, "pause")
    if view.held is None:
        _enter(work, view, mode)
        return taken
    pausing, closing = mode is DeskMode.PAUSED, mode is DeskMode.CLOSED
    if (view.pausing, view.closing) == (pausing, closing):
        return taken
    work.journal(f"desk_{'pausing' if pausing else 'closing'}", desk=view.desk.name)
    work.set_desk(view.desk.name, pausing=pausing, closing=closing)
    # Other desks see that this one calls nobody any more.
    work.tell_pages_of(served_by(view.desk))
    return taken


def _enter(work: Work, view: DeskView, mode: DeskMode) -> None:
    """Journal and set the mode, and clear a pending pause or close. `since_ms` changes only with the mode."""
    changes: dict[str, object] = {"pausing": False, "closing": False}
    if mode is not view.mode:
        changes |= {"mode": mode, "since_ms": work.now_ms}
    work.journal(f"desk_{mode}", desk=view.desk.name)
    work.set_desk(view.desk.name, **changes)
    # Other desks see the tickets it has parked, and those bound to it, only while it is away.
    work.flush()
    kept = [service for (service,) in work.rows(store.SERVICES_KEPT_BY_DESK, desk=view.desk.name)]
    work.tell_pages_of([*served_by(view.desk), *kept])
    if mode is DeskMode.CLOSED:
        leave(work, view.desk.name, view.agent)
        release_bound(work, view.desk.name)


def mode_of(work: Work, desk: str) -> DeskMode:
    """The mode of another desk; one that the site no longer has is closed."""
    return DeskMode(dict(work.rows(store.DESK_MODES)).get(desk, DeskMode.CLOSED))


def open_desks_of(work: Work, service: str) -> int:
    """How many desks call a service's tickets. One that pauses or closes after its visitor calls nobody any more."""
    calling = {name for (name,) in work.rows(store.CALLING_DESKS)}
    return sum(desk.name in calling for desk in work.index.desks_of(service))


def is_away(work: Work, desk: str) -> bool:
    """Whether another desk is paused, closed or no longer at the site: then desks of its services stand in for it."""
    return mode_of(work, desk) is not DeskMode.OPEN


def need_open_desk(view: DeskView, event: str) -> None:
    if view.mode is not DeskMode.OPEN:
        raise DeskNotOpen(view.desk.name, view.mode, event)


def need_free_desk(work: Work, view: DeskView) -> None:
    """For commands that pages offer only while the desk holds nobody. Raises DeskMovedOn if it holds a ticket."""
    need_shown(work, view, None)


def need_shown(work: Work, view: DeskView, shown: int | None) -> None:
    """Raise DeskMovedOn unless the desk holds the ticket the page showed (None for none): somebody was faster."""
    if (view.held.id if view.held else None) != shown:
        raise _moved_on(work, view)


def held_as_shown(work: Work, view: DeskView, shown: int | None, event: str) -> Brief:
    """The ticket held. Raises DeskMovedOn if it is not the one shown, DeskHoldsNobody if both are none."""
    need_shown(work, view, shown)
    if view.held is None:
        raise DeskHoldsNobody(view.desk.name, event)
    return view.held


def need_claim(work: Work, view: DeskView, ticket: Ticket, event: Event) -> None:
    """For a ticket that is neither held nor parked: raise NotThisDesk unless this desk may decide on it."""
    if not claims.may_decide_on(work.index, view.desk, ticket):
        raise NotThisDesk(view.desk.name, ticket.label, ticket.state, event)


def need_claim_on_parked(work: Work, view: DeskView, ticket: Ticket, event: Event) -> None:
    """For a parked ticket: raise NotThisDesk unless this desk may go on with it."""
    if not claims.may_go_on_with(work.index, view.desk, ticket, partial(is_away, work)):
        raise NotThisDesk(view.desk.name, ticket.label, ticket.state, event)


def _moved_on(work: Work, view: DeskView) -> Refusal:
    """The refusal, with who was faster: the last event by which this desk took or released a ticket."""
    rows = work.rows(store.LAST_HOLD_AT_DESK, desk=view.desk.name)
    if not rows:
        return DeskMovedOn(view.desk.name)
    did, ticket_id, source, actor, at_ms = rows[0]
    return DeskMovedOn(view.desk.name, Event(did), work.ticket(ticket_id).label, source, actor, at_ms)


def age_of_click(work: Work) -> None:
    """Raise ClickTooOld for a click older than 7 s: its page gives up after 8 s, and nothing may be done after that."""
    if work.origin.at_ms is not None and work.now_ms - work.origin.at_ms > CLICK_LIFE_MS:
        raise ClickTooOld("the click", work.now_ms - work.origin.at_ms, CLICK_LIFE_MS)


def age_of_gesture(work: Work, at_ms: int) -> None:
    """Raise TooOld for a press older than 10 s: nobody wants a call made minutes later."""
    age_ms = work.now_ms - at_ms
    if age_ms > PRESS_LIFE_MS:
        raise TooOld("the press", age_ms, PRESS_LIFE_MS)


def done_to(ticket: Ticket | Brief) -> DeskAnswer:
    """The answer that the command was done to this ticket."""
    return DeskAnswer(outcome=DeskOutcome.TAKEN, ticket=ticket.id, number=ticket.label)
