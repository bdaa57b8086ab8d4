"""Commands of jobs: absence of a called ticket, the end of a day, publication. Each may run twice."""

from hub.queue import name_store, people_store, store
from hub.queue.answers import DoneAnswer
from hub.queue.commands import announcing
from hub.queue.commands.desks import bound_to, release, release_bound, settle
from hub.queue.commands.signing import leave, signed_on_ms
from hub.queue.hours import day_end_ms, is_open, next_day_ms, outlives_from_ms
from hub.queue.requests import CloseLostDesks, EndDay, ExpireCalled, ForgetRequests, PutOffAbsences, Refresh
from hub.queue.states import HELD, Event, State
from hub.queue.tickets import Ticket, from_row
from hub.queue.transaction import Work
from hub.site import DAY_MS, Desk
from protocol.messages import DeskMode

ENDS_AS = {
    State.EXPECTED: State.ABSENT,
    State.WAITING: State.CANCELLED,
    State.SERVING: State.SERVED,
    State.PARKED: State.SERVED,
}


def expire_called(work: Work, command: ExpireCalled) -> DoneAnswer:
    """Mark a called ticket absent: its visitor did not come within `absence_delay_min` of the announcement's end."""
    ticket = work.ticket(command.ticket)
    due = ticket.absent_at_ms is not None and ticket.absent_at_ms <= work.now_ms
    if ticket.state is not State.CALLED or ticket.call != command.call or not due:
        return DoneAnswer(count=0)
    desk = work.index.find_desk(ticket.desk)
    announcing.take_away(work, ticket.call)
    work.change(
        ticket, Event.ABSENT, State.ABSENT, at_desk=ticket.desk, ended_ms=ticket.absent_at_ms, absent_at_ms=None
    )
    _free(work, desk)
    return DoneAnswer(count=1)


def put_off_absences(work: Work, _command: PutOffAbsences) -> DoneAnswer:
    """Restart the whole `absence_delay_min` of every called ticket from now; no ticket gets less time than before.

    If the desk's `confirms_arrivals` has changed meanwhile, the absence clock is removed or started.
    """
    count = 0
    for ticket in map(from_row, work.rows(store.HELD)):
        if ticket.state is not State.CALLED:
            continue
        desk, service = work.index.find_desk(ticket.desk), work.index.find_service(ticket.service)
        if desk is None or service is None:
            continue  # nobody can record an arrival there any more
        absent_at_ms = announcing.absent_at_ms(desk, work.now_ms, service.absence_delay_min)
        is_later = absent_at_ms is None or absent_at_ms > (ticket.absent_at_ms or 0)
        if absent_at_ms != ticket.absent_at_ms and is_later:
            work.note(ticket, "rescheduled", absent_at_ms=absent_at_ms)
            work.publish_desks(desk.name)
            count += 1
    return DoneAnswer(count=count)


def end_day(work: Work, command: EndDay) -> DoneAnswer:
    """End the tickets of a day and before, a slice at a time; with the last slice, close desks and empty halls.

    A ticket with an appointment later that evening is left alone: it is admitted or becomes absent at its own time.

    - If a service is open at the day's end (round the clock), desks stay open and calls of the last 24 h stay listed.
    - A desk used after the day's end (opened, signed on at, called from, or holding a ticket) stays as it is. If it is
      not closed, the calls made after the day's end stay listed until the next day begins.
    - Any other desk is closed and its agent signed off.
    - Once the next day has begun, no call of the ended day's tickets stays listed, however late it was made.

    The rules use the day's end, not the current time: a hub that was off then still closes that day when it starts.
    """
    left = _open_up_to(work, command.day, command.limit)
    for ticket in left:
        _end(work, ticket)
    if len(left) == command.limit:
        return DoneAnswer(count=len(left))
    work.write(name_store.DELETE_NAMES, now_ms=work.now_ms)
    day, before_ms = _end_work(work, command.day)
    _empty_halls(work, day, before_ms)
    return DoneAnswer(count=len(left))


def _end_work(work: Work, day: str) -> tuple[str, int]:
    """Close the desks of a day that has ended; return which calls leave the halls' lists.

    Those are the calls of tickets up to the day returned ("" for none), and the calls made before the time returned.
    """
    site = work.index.site
    ended_ms = day_end_ms(site, day)
    if any(is_open(service, ended_ms, site.zone) for service in site.services):
        return "", work.now_ms - DAY_MS
    at_work = _close_desks(work, ended_ms)
    if at_work and work.now_ms < next_day_ms(day, site.zone):
        return "", ended_ms
    # By the ticket's day: a press may come between the end of a day and this look, when the next day has begun already.
    return day, 0


def close_lost_desks(work: Work, _command: CloseLostDesks) -> DoneAnswer:
    """At a start, close the desks that the site no longer has: tickets bound to them would wait all day.

    A ticket such a desk held is parked, so that another desk of the service can resume or finish it. A ticket bound to
    any desk is also released if the site no longer has its service: it can't be called there.
    """
    for held in map(from_row, work.rows(store.HELD)):
        if work.index.find_desk(held.desk) is None:
            _set_aside(work, held)
    desks = [each for each in work.rows(people_store.DESKS_AND_AGENTS) if work.index.find_desk(each[0]) is None]
    lost = [(name, agent) for name, mode, agent in desks if mode != DeskMode.CLOSED or agent is not None]
    for name, agent in lost:
        _close(work, name, agent)
    for desk in work.index.site.desks:
        for ticket in bound_to(work, desk.name):
            if work.index.find_service(ticket.service) is None:
                release(work, ticket)
    return DoneAnswer(count=len(lost))


def _set_aside(work: Work, held: Ticket) -> None:
    if held.state is State.CALLED:
        announcing.take_away(work, held.call)
    work.change(held, Event.PARK, State.PARKED, at_desk=held.desk, absent_at_ms=None)
    work.tell_pages(held)


def refresh(work: Work, command: Refresh) -> DoneAnswer:
    """Publish desks and halls again. The journal row gives their pictures a new revision."""
    work.journal("refresh")
    work.publish_desks(*command.desks)
    for hall in command.halls:
        work.publish_hall(hall)
    return DoneAnswer(count=len(command.desks) + len(command.halls))


def forget_requests(work: Work, command: ForgetRequests) -> DoneAnswer:
    """Delete a slice, the oldest first: after weeks without a hub, deleting all at once would keep people waiting."""
    oldest = work.rows(store.OLDEST_REQUESTS, before_ms=command.before_ms, limit=command.limit)
    if oldest:
        work.write(store.DELETE_REQUESTS, last_ms=oldest[-1][0])
    return DoneAnswer(count=len(oldest))


def _open_up_to(work: Work, day: str, limit: int) -> list[Ticket]:
    before_ms = outlives_from_ms(work.index.site, day, work.now_ms)
    tickets: list[Ticket] = []
    for statement in store.OPEN_UP_TO_DAY:
        rows = work.rows(statement, day=day, before_ms=before_ms, limit=limit - len(tickets))
        tickets += map(from_row, rows)
    return tickets


def _end(work: Work, ticket: Ticket) -> None:
    ends_as = ENDS_AS.get(ticket.state) or _end_of_called(work, ticket)
    if ticket.state is State.CALLED:
        end_call = announcing.take_away if ends_as is State.ABSENT else announcing.say_no_more
        end_call(work, ticket.call)
    work.change(
        ticket,
        Event.END_DAY,
        ends_as,
        at_desk=ticket.desk,
        ended_ms=work.now_ms,
        ended_from=ticket.state,
        end_known=ends_as is not State.SERVED,
        absent_at_ms=None,
        bound_desk=None,
    )
    if ticket.state in HELD:
        _free(work, work.index.find_desk(ticket.desk))


def _free(work: Work, desk: Desk | None) -> None:
    """The desk holds nobody any more: apply a pause or close that waited for this."""
    if desk is None:
        return
    work.flush()
    view, _ = work.look(desk)
    settle(work, view)


def _end_of_called(work: Work, ticket: Ticket) -> State:
    """The state in which a called ticket ends: where arrivals are not confirmed, the call was the visit."""
    desk = work.index.find_desk(ticket.desk)
    return State.ABSENT if desk is not None and desk.confirms_arrivals else State.SERVED


def _close_desks(work: Work, ended_ms: int) -> bool:
    """Close the desks not used since the day's end; return whether a desk that was used since is open or paused."""
    work.write_desks()
    work.flush()
    at_work = False
    for name, mode, since_ms, last_call_ms, held, agent in work.rows(store.DESKS_AT_WORK):
        came_ms = signed_on_ms(work, name) if agent is not None else 0
        called = last_call_ms > ended_ms and not _day_took_last(work, name)
        if max(since_ms, came_ms) > ended_ms or called or held:
            at_work = at_work or mode != DeskMode.CLOSED
        elif mode != DeskMode.CLOSED:
            _close(work, name, agent)
        else:
            leave(work, name, agent)
    return at_work


def _day_took_last(work: Work, desk: str) -> bool:
    """Whether the desk's last ticket was ended with the day: a call just before that is not work after the day."""
    last = work.rows(store.LAST_HOLD_AT_DESK, desk=desk)
    return bool(last) and last[0][0] == Event.END_DAY


def _close(work: Work, desk: str, agent: str | None) -> None:
    leave(work, desk, agent)
    work.journal("desk_closed", desk=desk)
    work.set_desk(desk, mode=DeskMode.CLOSED, pausing=False, closing=False, since_ms=work.now_ms)
    release_bound(work, desk)


def _empty_halls(work: Work, day: str, before_ms: int) -> None:
    work.flush()
    if not work.rows(store.ANY_ANNOUNCEMENT_TO_DELETE, day=day, before_ms=before_ms):
        return
    work.journal("halls_emptied")
    work.write(store.DELETE_ANNOUNCEMENTS, day=day, before_ms=before_ms)
    for hall in work.index.site.halls:
        work.publish_hall(hall.name)
