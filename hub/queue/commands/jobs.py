"""What nobody asks for in person: absence of a called ticket, the end of a day, publication. Each may run twice."""

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
    """The called visitor did not come within `absence_delay` of the announcement's end."""
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
    """Who is called has the whole `absence_delay` once more, from now on; nobody has less than before.

    Where the desk's setting has changed meanwhile, they become absent by themselves no more, or do from now on.
    """
    count = 0
    for ticket in map(from_row, work.rows(store.HELD)):
        if ticket.state is not State.CALLED:
            continue
        desk, service = work.index.find_desk(ticket.desk), work.index.find_service(ticket.service)
        if desk is None or service is None:
            continue  # nobody can say it there any more
        absent_at_ms = announcing.absent_at_ms(desk, work.now_ms, service.absence_delay_min)
        is_later = absent_at_ms is None or absent_at_ms > (ticket.absent_at_ms or 0)
        if absent_at_ms != ticket.absent_at_ms and is_later:
            work.note(ticket, "rescheduled", absent_at_ms=absent_at_ms)
            work.publish_desks(desk.name)
            count += 1
    return DoneAnswer(count=count)


def end_day(work: Work, command: EndDay) -> DoneAnswer:
    """Ends the tickets of a day and before, a slice at a time; with the last one desks close and halls are emptied.

    An appointment of the evening is left: who has it is admitted, or becomes absent, by its own time.

    Desks at work stay open, and what was called since stays listed, of an evening until the next day begins: where a
    service is open at that end (round the clock), and at those that were opened after it. Where a desk is left closed,
    nobody stays signed on, but who came after the end of that day. All of it goes by that end, not by now: a hub that
    was off then closes the day before it begins another one, at whatever hour.
    """
    left = _open_up_to(work, command.day, command.limit)
    for ticket in left:
        _end(work, ticket)
    if len(left) == command.limit:
        return DoneAnswer(count=len(left))
    work.write(name_store.DELETE_NAMES, now_ms=work.now_ms)
    _empty_halls(work, _end_work(work, command.day))
    return DoneAnswer(count=len(left))


def _end_work(work: Work, day: str) -> int:
    """Closes the desks of a day that has ended; until when its calls are to leave the halls' lists."""
    site = work.index.site
    ended_ms = day_end_ms(site, day)
    if any(is_open(service, ended_ms, site.zone) for service in site.services):
        return work.now_ms - DAY_MS
    at_work = _close_desks(work, ended_ms)
    over_ms = max(ended_ms, next_day_ms(day, site.zone))
    if over_ms <= work.now_ms:
        return over_ms
    # A press between the end and the look at it is of that day too.
    return ended_ms if at_work else work.now_ms + 1


def close_lost_desks(work: Work, _command: CloseLostDesks) -> DoneAnswer:
    """At a start: nobody stands at such a desk any more, and who waits for it alone would wait all day.

    Whom it held is set aside, so that another desk of the service goes on or ends it. Who waits for a desk under a
    service that the site no longer has can't be called there: freed too.
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
    """A journal row of its own gives the pictures a new revision."""
    work.journal("refresh")
    work.publish_desks(*command.desks)
    for hall in command.halls:
        work.publish_hall(hall)
    return DoneAnswer(count=len(command.desks) + len(command.halls))


def forget_requests(work: Work, command: ForgetRequests) -> DoneAnswer:
    """A slice, the oldest first: after weeks without a hub all of them would keep people waiting."""
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
    """The desk holds nobody any more; a pause or close that waited for this takes effect."""
    if desk is None:
        return
    work.flush()
    view, _ = work.look(desk)
    settle(work, view)


def _end_of_called(work: Work, ticket: Ticket) -> State:
    """Where arrivals are not confirmed, a called ticket was the visit."""
    desk = work.index.find_desk(ticket.desk)
    return State.ABSENT if desk is not None and desk.confirms_arrivals else State.SERVED


def _close_desks(work: Work, ended_ms: int) -> bool:
    """Closes those that were left open at the end of the day; whether one that is not closed is at work since."""
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
    """Whether whom a desk called last was ended with the day: a press just before that is no work after it."""
    last = work.rows(store.LAST_HOLD_AT_DESK, desk=desk)
    return bool(last) and last[0][0] == Event.END_DAY


def _close(work: Work, desk: str, agent: str | None) -> None:
    leave(work, desk, agent)
    work.journal("desk_closed", desk=desk)
    work.set_desk(desk, mode=DeskMode.CLOSED, pausing=False, closing=False, since_ms=work.now_ms)
    release_bound(work, desk)


def _empty_halls(work: Work, before_ms: int) -> None:
    work.flush()
    if not work.rows(store.ANY_ANNOUNCEMENT, before_ms=before_ms):
        return
    work.journal("halls_emptied")
    work.write(store.DELETE_ANNOUNCEMENTS_BEFORE, before_ms=before_ms)
    for hall in work.index.site.halls:
        work.publish_hall(hall.name)
