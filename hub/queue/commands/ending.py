"""Commands that end a call, a visit or a wait: start, finish, absent, withdraw, park, cancel; and undo."""

from typing import Any

from hub.queue import store
from hub.queue.announcements import FULL_MS
from hub.queue.answers import DeskAnswer
from hub.queue.commands import announcing
from hub.queue.commands.desks import done_to, held_as_shown, mode_of, need_claim, need_claim_on_parked, settle
from hub.queue.commands.tickets import keep_name_for_today
from hub.queue.hours import is_over_for
from hub.queue.order import Kind
from hub.queue.refusals import DayOver, EndTooOld, TransitionRefused
from hub.queue.requests import Cancel, Finish, FinishParked, MarkAbsent, Park, Start, Undo, Withdraw
from hub.queue.states import Event, State
from hub.queue.tickets import Ticket
from hub.queue.transaction import Brief, DeskView, Work
from protocol.messages import DeskMode

# How long a finished ticket can be reopened.
REOPEN_MS = 10 * 60_000


def start(work: Work, command: Start, view: DeskView) -> DeskAnswer:
    """Présent: the called visitor is here."""
    held = held_as_shown(work, view, command.shown, Event.START)
    work.check(held, Event.START)
    announcing.say_no_more(work, held.call)
    work.change(held, Event.START, State.SERVING, at_desk=view.desk.name, serving_ms=work.now_ms, absent_at_ms=None)
    return done_to(held)


def finish(work: Work, command: Finish, view: DeskView) -> DeskAnswer:
    """Terminer: the visit is over, nobody is called."""
    held = held_as_shown(work, view, command.shown, Event.FINISH)
    finish_held(work, view, held)
    settle(work, view)
    return done_to(held)


def finish_held(work: Work, view: DeskView, held: Brief) -> bool:
    """End the visit, so that the same command can give the desk another ticket.

    Returns whether the ticket's announcement was removed before it was played.
    """
    unsaid = held.state is State.CALLED and _not_said_yet(work, held)
    if unsaid:
        announcing.say_no_more(work, held.call)
    work.change(
        held,
        Event.FINISH,
        State.SERVED,
        at_desk=view.desk.name,
        frees_desk=True,
        ended_ms=work.now_ms,
        ended_from=held.state,
        absent_at_ms=None,
    )
    return unsaid


def mark_absent(work: Work, command: MarkAbsent, view: DeskView) -> DeskAnswer:
    """Absent: the called visitor did not come."""
    held = held_as_shown(work, view, command.shown, Event.ABSENT)
    work.check(held, Event.ABSENT)
    announcing.take_away(work, held.call)
    work.change(held, Event.ABSENT, State.ABSENT, at_desk=view.desk.name, ended_ms=work.now_ms, absent_at_ms=None)
    settle(work, view)
    return done_to(held)


def withdraw(work: Work, command: Withdraw, view: DeskView) -> DeskAnswer:
    """Annuler l’appel: back to its own place in the queue, or parked again at this desk."""
    held = held_as_shown(work, view, command.shown, Event.WITHDRAW)
    _withdraw(work, view, held)
    settle(work, view)
    return done_to(held)


def park(work: Work, command: Park, view: DeskView) -> DeskAnswer:
    """Mettre de côté."""
    held = held_as_shown(work, view, command.shown, Event.PARK)
    work.check(held, Event.PARK)
    if held.state is State.CALLED:
        announcing.take_away(work, held.call)
    work.change(held, Event.PARK, State.PARKED, at_desk=view.desk.name, absent_at_ms=None)
    settle(work, view)
    return done_to(held)


def undo(work: Work, command: Undo, view: DeskView) -> DeskAnswer:
    """Annuler: withdraw the called ticket; reopen the one the same command finished, without an announcement."""
    held = held_as_shown(work, view, command.shown, Event.WITHDRAW)
    work.check(held, Event.WITHDRAW)
    finished = _finished_with(work, view, held)
    if finished is not None:
        work.check(finished, Event.REOPEN)
        need_reopenable(work, finished)
    _withdraw(work, view, held)
    if finished is None:
        settle(work, view)
        return done_to(held)
    reopen_at(work, view, finished)
    return done_to(finished)


def finish_parked(work: Work, command: FinishParked, view: DeskView) -> DeskAnswer:
    """Finish a parked ticket; the ticket held has a command of its own."""
    ticket = work.ticket(command.ticket)
    if ticket.state is not State.PARKED:
        raise TransitionRefused(ticket.label, ticket.state, Event.FINISH)
    need_claim_on_parked(work, view, ticket, Event.FINISH)
    work.change(
        ticket,
        Event.FINISH,
        State.SERVED,
        at_desk=view.desk.name,
        desk=view.desk.name,
        ended_ms=work.now_ms,
        ended_from=State.PARKED,
        end_known=False,  # it is unknown how much of the time the visitor was at a desk
    )
    work.tell_pages(ticket)
    return done_to(ticket)


def cancel(work: Work, command: Cancel, view: DeskView) -> DeskAnswer:
    """Cancel a waiting or expected ticket."""
    ticket = work.ticket(command.ticket)
    work.check(ticket, Event.CANCEL)
    need_claim(work, view, ticket, Event.CANCEL)
    work.change(ticket, Event.CANCEL, State.CANCELLED, at_desk=view.desk.name, ended_ms=work.now_ms, absent_at_ms=None)
    keep_name_for_today(work, ticket)
    return done_to(ticket)


def reopen_at(work: Work, view: DeskView, ticket: Ticket) -> None:
    """Give the desk back the ticket it finished, without an announcement."""
    if ticket.ended_from is None:
        raise TransitionRefused(ticket.label, ticket.state, Event.REOPEN)
    said_ms, absent_at_ms = _clock_of_reopened(work, view, ticket)
    work.change(
        ticket,
        Event.REOPEN,
        ticket.ended_from,
        at_desk=view.desk.name,
        said_ms=said_ms,
        absent_at_ms=absent_at_ms,
        ended_ms=None,
        ended_from=None,
        end_known=True,
    )


def _clock_of_reopened(work: Work, view: DeskView, ticket: Ticket) -> tuple[int | None, int | None]:
    """The ticket's new `said_ms` and `absent_at_ms`.

    An announcement not played before the finish is no longer played; `said_ms` is now at most, so a recall may play it.
    """
    if ticket.ended_from is not State.CALLED or ticket.said_ms is None:
        return ticket.said_ms, None
    said_ms = min(ticket.said_ms, work.now_ms)
    if work.index.hall_of(ticket.service) is None:
        return said_ms, None  # the site file no longer has the service
    delay_min = work.index.service(ticket.service).absence_delay_min
    return said_ms, announcing.absent_at_ms(view.desk, work.now_ms, delay_min)


def need_reopenable(work: Work, ticket: Ticket) -> None:
    """Raise a Refusal unless the ticket was finished at most 10 min ago and its day has not ended.

    On the next day its number goes to another ticket.
    """
    need_its_day(work, ticket, Event.REOPEN)
    age_ms = work.now_ms - (ticket.ended_ms or 0)
    if age_ms > REOPEN_MS:
        raise EndTooOld(ticket.label, ticket.state, age_ms, REOPEN_MS)


def need_its_day(work: Work, ticket: Ticket, event: Event) -> None:
    """Raise DayOver if the day on which a returning ticket would wait has ended for it.

    The end of a day does not affect a ticket whose appointment is later, even on the same evening.
    """
    site, day = work.index.site, ticket.day_to_wait_on(work.today)
    if is_over_for(site, day, ticket.appointment_ms or 0, work.now_ms):
        raise DayOver(ticket.label, ticket.state, day, event)


def _withdraw(work: Work, view: DeskView, held: Brief) -> None:
    work.check(held, Event.WITHDRAW)
    ticket = work.ticket(held.id)
    aside = _was_set_aside(work, held)
    announcing.take_away(work, held.call)
    work.change(
        ticket,
        Event.WITHDRAW,
        State.PARKED if aside else State.WAITING,
        at_desk=view.desk.name,
        frees_desk=True,
        **({"absent_at_ms": None} if aside else back_in_line(still_bound(work, ticket))),
    )


def _was_set_aside(work: Work, held: Brief) -> bool:
    """Whether the ticket was called by `resume`. It is then parked again: in the queue it would seem a new visit."""
    [(called, *_), *_] = work.rows(store.CALL_AND_BEFORE, call=held.call)
    return bool(called == Event.RESUME)


def back_in_line(bound_desk: str | None) -> dict[str, Any]:
    """The columns of a ticket that waits again in its own place: of kind open, with no desk and no call."""
    return {
        "desk": None,
        "bound_desk": bound_desk,
        "kind": Kind.OPEN,
        "call": None,
        "called_ms": None,
        "said_ms": None,
        "absent_at_ms": None,
    }


def still_bound(work: Work, ticket: Ticket) -> str | None:
    """The desk the ticket is bound to, or None if that desk is closed: then any desk of its service may take it.

    Also None if the site no longer has its service: it can't be called, but would be first in line at that desk.
    """
    desk = ticket.bound_desk
    if desk is None or work.index.find_service(ticket.service) is None or mode_of(work, desk) is DeskMode.CLOSED:
        return None
    return desk


def _finished_with(work: Work, view: DeskView, held: Brief) -> Ticket | None:
    """The ticket finished at this desk by the command that called `held`; None if it has changed since."""
    rows = work.rows(store.CALL_AND_BEFORE, call=held.call)
    if len(rows) <= 1:
        return None
    (called, _, request, _, _), (ended, ticket_id, ended_by, desk, at_ms) = rows
    same_command = request is not None and request == ended_by
    if not same_command or (called, ended, desk) != (Event.CALL, Event.FINISH, view.desk.name):
        return None
    ticket = work.ticket(ticket_id)
    return ticket if (ticket.desk, ticket.ended_ms) == (desk, at_ms) else None


def _not_said_yet(work: Work, held: Brief) -> bool:
    return held.said_ms is not None and work.now_ms < held.said_ms - FULL_MS
