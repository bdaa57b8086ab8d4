"""A desk opens, pauses and closes; and what a command asks of a desk before it does anything."""

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
    """A very long press: the node says which of pause and open it means."""
    age_of_gesture(work, command.at_ms)
    return _set_mode(work, view, command.mode)


def settle(work: Work, view: DeskView) -> None:
    """The desk holds nobody any more: a pause or close that was waiting for this takes effect."""
    if view.closing:
        _enter(work, view, DeskMode.CLOSED)
    elif view.pausing:
        _enter(work, view, DeskMode.PAUSED)


def release_bound(work: Work, desk: str) -> None:
    """Sets the tickets free that wait for this one desk: it closes."""
    work.flush()
    for ticket in bound_to(work, desk):
        release(work, ticket)
    # The end of a day goes on with these very tickets: two writes of one row can't go together.
    work.flush()


def bound_to(work: Work, desk: str) -> list[Ticket]:
    """The tickets that wait for this one desk, in their order."""
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
    if view.held is None:
        _enter(work, view, mode)
        return taken
    pausing, closing = mode is DeskMode.PAUSED, mode is DeskMode.CLOSED
    if (view.pausing, view.closing) == (pausing, closing):
        return taken
    work.journal(f"desk_{'pausing' if pausing else 'closing'}", desk=view.desk.name)
    work.set_desk(view.desk.name, pausing=pausing, closing=closing)
    return taken


def _enter(work: Work, view: DeskView, mode: DeskMode) -> None:
    """Journals and sets the mode; one that was open all along only takes its pause back."""
    changes: dict[str, object] = {"pausing": False, "closing": False}
    if mode is not view.mode:
        changes |= {"mode": mode, "since_ms": work.now_ms}
    work.journal(f"desk_{mode}", desk=view.desk.name)
    work.set_desk(view.desk.name, **changes)
    # Others see whom it has set aside, and who waits for it, while it is away alone.
    work.flush()
    kept = [service for (service,) in work.rows(store.SERVICES_KEPT_BY_DESK, desk=view.desk.name)]
    work.tell_pages_of([*served_by(view.desk), *kept])
    if mode is DeskMode.CLOSED:
        leave(work, view.desk.name, view.agent)
        release_bound(work, view.desk.name)


def mode_of(work: Work, desk: str) -> DeskMode:
    """What another desk is doing; closed where the site no longer has it."""
    return DeskMode(dict(work.rows(store.DESK_MODES)).get(desk, DeskMode.CLOSED))


def open_desks_of(work: Work, service: str) -> int:
    modes = dict(work.rows(store.DESK_MODES))
    return sum(modes.get(desk.name) == DeskMode.OPEN for desk in work.index.desks_of(service))


def is_away(work: Work, desk: str) -> bool:
    """Whether another desk is paused, closed or no longer of the site: others of its services stand in for it."""
    return mode_of(work, desk) is not DeskMode.OPEN


def need_open_desk(view: DeskView, event: str) -> None:
    if view.mode is not DeskMode.OPEN:
        raise DeskNotOpen(view.desk.name, view.mode, event)


def need_free_desk(work: Work, view: DeskView) -> None:
    """For what is only offered where nobody is held."""
    need_shown(work, view, None)


def need_shown(work: Work, view: DeskView, shown: int | None) -> None:
    """Whoever asks was shown this ticket as held, None for nobody: where that is no longer so, somebody was faster."""
    if (view.held.id if view.held else None) != shown:
        raise _moved_on(work, view)


def held_as_shown(work: Work, view: DeskView, shown: int | None, event: str) -> Brief:
    """The ticket held, provided it is the one that was shown."""
    need_shown(work, view, shown)
    if view.held is None:
        raise DeskHoldsNobody(view.desk.name, event)
    return view.held


def need_claim(work: Work, view: DeskView, ticket: Ticket, event: Event) -> None:
    """For a ticket that no desk holds and none has set aside."""
    if not claims.may_decide_on(work.index, view.desk, ticket):
        raise NotThisDesk(view.desk.name, ticket.label, ticket.state, event)


def need_claim_on_parked(work: Work, view: DeskView, ticket: Ticket, event: Event) -> None:
    """For a ticket that was set aside."""
    if not claims.may_go_on_with(work.index, view.desk, ticket, partial(is_away, work)):
        raise NotThisDesk(view.desk.name, ticket.label, ticket.state, event)


def _moved_on(work: Work, view: DeskView) -> Refusal:
    """Who was faster: the last thing by which this desk took a ticket or let one go."""
    rows = work.rows(store.LAST_HOLD_AT_DESK, desk=view.desk.name)
    if not rows:
        return DeskMovedOn(view.desk.name)
    did, ticket_id, source, actor, at_ms = rows[0]
    return DeskMovedOn(view.desk.name, Event(did), work.ticket(ticket_id).label, source, actor, at_ms)


def age_of_click(work: Work) -> None:
    """A page that was not answered says so; what was on its way must not be done after that."""
    if work.origin.at_ms is not None and work.now_ms - work.origin.at_ms > CLICK_LIFE_MS:
        raise ClickTooOld("the click", work.now_ms - work.origin.at_ms, CLICK_LIFE_MS)


def age_of_gesture(work: Work, at_ms: int) -> None:
    """A press lives 10 s: nobody wants a call made minutes later."""
    age_ms = work.now_ms - at_ms
    if age_ms > PRESS_LIFE_MS:
        raise TooOld("the press", age_ms, PRESS_LIFE_MS)


def done_to(ticket: Ticket | Brief) -> DeskAnswer:
    """It was done to this ticket."""
    return DeskAnswer(outcome=DeskOutcome.TAKEN, ticket=ticket.id, number=ticket.label)
