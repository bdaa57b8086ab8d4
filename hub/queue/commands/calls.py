"""Calling: the button, the page's Suivant, a ticket picked by hand, a parked ticket resumed, a recall."""

from functools import partial
from typing import Any

from hub.queue import claims
from hub.queue.announcements import FULL_MS, play_ms
from hub.queue.answers import DeskAnswer
from hub.queue.commands import announcing
from hub.queue.commands.desks import (
    age_of_gesture,
    done_to,
    held_as_shown,
    is_away,
    need_claim_on_parked,
    need_free_desk,
    need_open_desk,
    need_shown,
    settle,
)
from hub.queue.commands.ending import finish_held
from hub.queue.order import choose
from hub.queue.refusals import NotThisDesk
from hub.queue.requests import ButtonRecall, Next, Pick, Press, Recall, Resume
from hub.queue.states import Event, State
from hub.queue.tickets import Ticket
from hub.queue.transaction import Brief, DeskView, Work
from protocol.messages import DeskOutcome

# A press before the desk's last call, or less than this after it, changes nothing: somebody pressed twice.
BOUNCE_MS = 3_000


def press(work: Work, command: Press, view: DeskView) -> DeskAnswer:
    """A short press: finish the ticket held and call the next."""
    age_of_gesture(work, command.at_ms)
    need_open_desk(view, "press")
    if command.at_ms < view.last_call_ms + BOUNCE_MS:
        return DeskAnswer(outcome=DeskOutcome.TAKEN)
    return _finish_and_call(work, view)


def next_(work: Work, command: Next, view: DeskView) -> DeskAnswer:
    """The page's Suivant: like a press, but refused unless the desk holds the ticket the page showed."""
    need_shown(work, view, command.shown)
    need_open_desk(view, "next")
    return _finish_and_call(work, view)


def pick(work: Work, command: Pick, view: DeskView) -> DeskAnswer:
    """Call this waiting ticket, whichever is due next."""
    need_open_desk(view, "pick")
    need_free_desk(work, view)
    ticket = work.ticket(command.ticket)
    work.check(ticket, Event.CALL)
    if not claims.may_call(view.desk, ticket, partial(is_away, work)):
        raise NotThisDesk(view.desk.name, ticket.label, ticket.state, Event.CALL)
    return _call(work, view, ticket, Event.CALL, None, picked=True)


def resume(work: Work, command: Resume, view: DeskView) -> DeskAnswer:
    """Call a parked ticket again: from the desk that parked it, or from any desk of its service while that is away."""
    need_open_desk(view, "resume")
    need_free_desk(work, view)
    ticket = work.ticket(command.ticket)
    work.check(ticket, Event.RESUME)
    need_claim_on_parked(work, view, ticket, Event.RESUME)
    work.tell_pages(ticket)
    return _call(work, view, ticket, Event.RESUME, None)


def recall(work: Work, command: Recall, view: DeskView) -> DeskAnswer:
    """Announce the called ticket again."""
    held = held_as_shown(work, view, command.shown, "recall")
    work.check(held, Event.RECALL)
    if command.said_ms not in (None, held.said_ms):
        return done_to(held)
    return _say_again(work, view, held)


def button_recall(work: Work, command: ButtonRecall, view: DeskView) -> DeskAnswer:
    """A long press: announce the called ticket again; do nothing if no ticket is called."""
    age_of_gesture(work, command.at_ms)
    if view.held is None or view.held.state is not State.CALLED:
        return DeskAnswer(outcome=DeskOutcome.NOTHING)
    return _say_again(work, view, view.held)


def _finish_and_call(work: Work, view: DeskView) -> DeskAnswer:
    # If the finished ticket was not announced yet, the hall's queue has changed since `view` was read.
    moved_up = view.held is not None and finish_held(work, view, view.held)
    if view.pausing or view.closing:
        settle(work, view)
        return _nobody(view)
    chosen = choose((head.candidate for head in view.heads), work.now_ms)
    if chosen is None:
        work.publish_desks(view.desk.name)
        return _nobody(view)
    head = next(head for head in view.heads if head.candidate is chosen)
    return _call(work, view, head.ticket, Event.CALL, None if moved_up else head.last_play_ms)


def _nobody(view: DeskView) -> DeskAnswer:
    ended = view.held
    return DeskAnswer(
        outcome=DeskOutcome.NOBODY, ticket=ended.id if ended else None, number=ended.label if ended else None
    )


def _call(
    work: Work,
    view: DeskView,
    ticket: Brief | Ticket,
    event: Event,
    last_play_ms: int | None,
    picked: bool = False,
) -> DeskAnswer:
    call = work.next_event
    # The service time of a resumed visit runs from this call on, not from before it was parked.
    anew: dict[str, Any] = {"serving_ms": None} if event is Event.RESUME else {}
    _say(
        work,
        view,
        ticket,
        event,
        call=call,
        last_play_ms=last_play_ms,
        changes={"desk": view.desk.name, "call": call, "called_ms": work.now_ms, **anew},
        picked=picked,
    )
    work.set_desk(view.desk.name, last_call_ms=work.now_ms)
    return DeskAnswer(outcome=DeskOutcome.CALLED, ticket=ticket.id, number=ticket.label)


def _say_again(work: Work, view: DeskView, held: Brief) -> DeskAnswer:
    if held.said_ms is not None and held.call is not None and work.now_ms >= held.said_ms - FULL_MS:
        _say(work, view, held, Event.RECALL, call=held.call, last_play_ms=None, changes={})
    # Otherwise it was not announced yet, and will be.
    return DeskAnswer(outcome=DeskOutcome.CALLED, ticket=held.id, number=held.label)


def _say(
    work: Work,
    view: DeskView,
    ticket: Brief | Ticket,
    event: Event,
    *,
    call: int,
    last_play_ms: int | None,
    changes: dict[str, Any],
    picked: bool = False,
) -> None:
    """Put a call at the end of its hall's announcements.

    `last_play_ms`: when the last of these starts; None to read it from the database.
    """
    service = work.index.service(ticket.service)
    if last_play_ms is None:
        last_play_ms = announcing.last_play_ms(work, service.hall)
    play = play_ms(work.now_ms, last_play_ms)
    at_event = work.next_event
    work.change(
        ticket,
        event,
        State.CALLED,
        at_desk=view.desk.name,
        picked=picked,
        said_ms=play + FULL_MS,
        absent_at_ms=announcing.absent_at_ms(view.desk, play + FULL_MS, service.absence_delay_min),
        **changes,
    )
    announcing.announce(
        work,
        desk=view.desk,
        hall=service.hall,
        ticket=ticket.id,
        number=ticket.label,
        call=call,
        at_event=at_event,
        play=play,
    )
