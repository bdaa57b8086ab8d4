"""A hall's queue of announcements: adding one, moving it up and removing it."""

from hub.queue import store
from hub.queue.announcements import FULL_MS, GOES_OUT_MS, KEPT_MS, Announcement
from hub.queue.transaction import Work
from hub.site import Desk
from protocol.messages import CHIME_MS

# Announcements that start within this time count as sent. The extra 100 ms cover what the outbox sends between a
# command's time and its commit.
GONE_MS = GOES_OUT_MS + 100
# A longer queue lasts more than a minute: a gap of one slot is not noticed there, but moving all of it would be.
MOVED_MOST = 16


def absent_at_ms(desk: Desk, said_ms: int, absence_delay_min: int) -> int | None:
    """When a called ticket becomes absent without a command; None if the desk does not confirm arrivals."""
    return said_ms + absence_delay_min * 60_000 if desk.confirms_arrivals else None


def announce(
    work: Work, *, desk: Desk, hall: str, ticket: int, number: str, call: int, at_event: int, play: int
) -> None:
    """Put one announcement of a call at the end of its hall's queue."""
    work.write(
        store.INSERT_ANNOUNCEMENT,
        id=at_event,
        hall=hall,
        call=call,
        ticket=ticket,
        number=number,
        desk=desk.name,
        at_ms=work.now_ms,
        play_ms=play,
        length_ms=FULL_MS,
    )
    work.write(store.SET_LAST_PLAY, guarded=True, hall=hall, play_ms=play)
    work.effects.announcements.append(Announcement(at_event, call, hall, ticket, number, desk.name, play, FULL_MS))
    work.publish_hall(hall)


def last_play_ms(work: Work, hall: str) -> int:
    """When the last announcement of the hall starts or started; 0 if the database has no such hall."""
    rows = work.rows(store.HALL_LAST_PLAY, hall=hall)
    return rows[0][0] if rows else 0


def say_no_more(work: Work, call: int | None) -> None:
    """Remove the call's unsent announcements from the queue; the call stays listed and a running picture stays.

    An announcement already sent to the displays is played. It keeps its place, so that nothing overlaps it.
    """
    if call is None:
        return
    _close_gap(work, call, taken_away=False)
    work.write(store.SILENCE_ANNOUNCEMENTS, of_call=call, gone_ms=work.now_ms + GONE_MS)


def take_away(work: Work, call: int | None) -> None:
    """Remove a call: its row, its running picture and its unsent announcements."""
    if call is None:
        return
    hall = _close_gap(work, call, taken_away=True)
    work.write(store.DELETE_CALL, of_call=call)
    if hall is not None and work.index.has_hall(hall):
        work.publish_hall(hall)


def _close_gap(work: Work, call: int, *, taken_away: bool) -> str | None:
    """Move up the announcements behind one that leaves the queue, in the same order. Returns the call's hall.

    The hall is the one where the call was made: the site file may give its service another hall by now, or have no such
    service. An announcement already sent keeps its time. In a very long queue the gap stays.
    """
    # If one command takes away several calls, the rows of the previous one must be gone before the next is read.
    work.flush()
    sayings = work.rows(store.ANNOUNCEMENTS_OF_CALL, call=call)
    hall: str | None = sayings[0][1] if sayings else None
    leaving = [play for _, _, play, length, _ in sayings if length > 0]
    free_ms = _free_ms(work.now_ms, leaving[-1], taken_away=taken_away) if leaving else None
    if hall is None or free_ms is None:
        return hall
    behind = work.rows(store.BEHIND, hall=hall, after_ms=leaving[-1], limit=MOVED_MOST + 1)
    if len(behind) > MOVED_MOST:
        return hall
    next_ms = behind[0][3] if behind else last_play_ms(work, hall) + KEPT_MS
    # A call taken away from the gap behind this one may still sound there, although it has no row any more.
    if free_ms > leaving[-1] and next_ms > leaving[-1] + KEPT_MS:
        return hall
    last = free_ms - KEPT_MS
    for announcement_id, moved_call, ticket, planned_ms in behind:
        last = min(planned_ms, max(work.now_ms + GONE_MS + 1, last + KEPT_MS))
        if last < planned_ms:
            work.write(store.MOVE_ANNOUNCEMENT, of_id=announcement_id, to_ms=last)
            _move_absence(work, ticket, moved_call, earlier_by_ms=planned_ms - last)
    work.write(store.SET_LAST_PLAY, guarded=True, hall=hall, play_ms=last)
    work.flush()
    return hall


def _free_ms(now_ms: int, play_ms: int, *, taken_away: bool) -> int | None:
    """When another announcement may start in place of one that ends now; None if that one keeps its place.

    An announcement already sent leaves the displays with its call. But a display may have started it, or may start it
    before it learns of that, so its chime gets its time.
    """
    if play_ms > now_ms + GONE_MS:
        return play_ms
    if not taken_away or now_ms >= play_ms + KEPT_MS:
        return None
    return play_ms + CHIME_MS


def _move_absence(work: Work, ticket_id: int, call: int, earlier_by_ms: int) -> None:
    ticket = work.ticket(ticket_id)
    if ticket.call != call or ticket.said_ms is None:
        return
    absent = None if ticket.absent_at_ms is None else ticket.absent_at_ms - earlier_by_ms
    work.note(ticket, "announce_earlier", said_ms=ticket.said_ms - earlier_by_ms, absent_at_ms=absent)
    work.publish_desks(ticket.desk)
