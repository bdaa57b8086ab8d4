"""What a change of a booking means for its ticket. Pure: the rows and the time come in.

Compared is always with what the source said last (`Known`), never with the ticket, whose life goes on by itself.
"""

import re
import unicodedata
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from msgspec import Struct

from hub.queue.refusals import BadBooking
from hub.queue.requests import Book, BookingChange, Move
from hub.queue.states import OPEN, State
from hub.queue.tickets import Ticket

# The longest text that a source may give for an id, a request or a code; longer ones are no such thing.
TEXT_MOST = 300
NAME_MOST = 120
# Year 2200: what lies beyond it was given in another unit, or as a joke.
LATEST_MS = 7_258_118_400_000
# Letters of some scripts and compound emoji are joined by these; other invisible signs only turn a line round.
_JOINERS = "\u200c\u200d"
_NO_TEXT = re.compile("[\0\ud800-\udfff]")


class Known(Struct, frozen=True, kw_only=True):
    """A booking as its source told it last, and its ticket."""

    id: str
    ticket: int
    reference: str
    service: str
    start_ms: int
    day: str
    code: str
    gone: bool


KNOWN_FIELDS = Known.__struct_fields__


def known_from_row(row: Sequence[Any]) -> Known:
    """A booking from its columns in the order of `KNOWN_FIELDS`; what stands behind them is not looked at."""
    values = dict(zip(KNOWN_FIELDS, row, strict=False))
    return Known(**{**values, "gone": bool(values["gone"])})


class Step(StrEnum):
    """What is to be done to the ticket; the booking's own row is kept in any case."""

    KEEP = "keep"
    NEW = "new"  # another ticket; an ended one lets go of the booking, one that only waits is cancelled
    MOVE = "move"
    CANCEL = "cancel"
    MARK_MOVED = "moved"
    MARK_CANCELLED = "cancelled"
    UNMARK = "restored"


def of_book(ticket: Ticket | None, start_ms: int, day: str, now_ms: int) -> Step:
    """A booking that is new, or back again after it was gone."""
    if ticket is None or ticket.state is State.CANCELLED:
        return Step.NEW
    if ticket.state is State.EXPECTED:
        return Step.MOVE
    if _is_another_visit(ticket, start_ms, day, now_ms):
        return Step.NEW
    # Who was served is not expected at another time of that day: that the booking stands again is all there is to it.
    return _marked(ticket, moved=start_ms != ticket.appointment_ms and ticket.state is not State.SERVED)


def of_move(known: Known, ticket: Ticket, change: Move, day: str, now_ms: int, was_handled: bool) -> Step:
    """Another time, another service, or only another code. After check-in people decide.

    `was_handled`: people have to do with a waiting ticket already. One that was marked as moved and has ended says no
    more of the time to come.
    """
    other_service = change.service is not None and change.service != known.service
    if ticket.state is State.EXPECTED:
        other = change.appointment_ms != ticket.appointment_ms or change.service not in (None, ticket.service)
        return Step.MOVE if other else Step.KEEP
    is_left = ticket.booking_note == Step.MARK_MOVED and ticket.state not in OPEN
    if change.appointment_ms == known.start_ms and not other_service and not is_left:
        return Step.KEEP
    if ticket.state is State.CANCELLED:
        return Step.NEW if change.appointment_ms > now_ms else Step.KEEP
    if ticket.state is State.WAITING and not was_handled and change.appointment_ms > now_ms:
        return Step.NEW
    if _is_another_visit(ticket, change.appointment_ms, day, now_ms):
        return Step.NEW
    return _marked(ticket, moved=other_service or change.appointment_ms != ticket.appointment_ms)


def of_cancel(ticket: Ticket, was_handled: bool, *, moved: bool = False) -> Step:
    """Cancelled at its source. `was_handled`: people have to do with a waiting ticket already. `moved`: another booking
    stands in its place.
    """
    if ticket.state is State.EXPECTED or (ticket.state is State.WAITING and not was_handled):
        return Step.CANCEL
    mark = Step.MARK_MOVED if moved else Step.MARK_CANCELLED
    # Who was served too, for a visit may be reopened.
    return Step.KEEP if ticket.state is State.CANCELLED or ticket.booking_note == mark else mark


def check(change: BookingChange) -> None:
    """Raises BadBooking where a text or a time is none that a database keeps."""
    if isinstance(change, Book | Move) and not 0 <= change.appointment_ms < LATEST_MS:
        raise BadBooking(_shown(change.booking), "its time is none of this century or the next")
    texts = {"booking": change.booking}
    if isinstance(change, Book | Move):
        texts |= {"reference": change.reference or "", "confirmation": change.confirmation or ""}
    for name, text in texts.items():
        if len(text) > TEXT_MOST:
            raise BadBooking(_shown(change.booking), f"its {name} is longer than {TEXT_MOST} signs")
        if _NO_TEXT.search(text):
            raise BadBooking(_shown(change.booking), f"its {name} holds a sign that no text has")


def shown_name(text: str | None) -> str | None:
    """A name on one line, whatever source it comes from: any script, emoji and markup as they are; what is invisible
    and turns lines round goes. The same again changes nothing.
    """
    if text is None:
        return None
    kept = unicodedata.normalize("NFC", text)
    if not kept.isprintable():
        kept = "".join(map(_visible, kept))
    return " ".join(kept.split())[:NAME_MOST].strip() or None


def _visible(sign: str) -> str:
    return sign if sign in _JOINERS or not unicodedata.category(sign).startswith("C") else " "


def _shown(booking: str) -> str:
    return booking.encode("ascii", "backslashreplace").decode()[:TEXT_MOST]


def _is_another_visit(ticket: Ticket, start_ms: int, day: str, now_ms: int) -> bool:
    """An ended ticket whose booking is still to come: the visitor comes again, under another ticket."""
    if ticket.state in OPEN or start_ms <= now_ms:
        return False
    return ticket.state is State.ABSENT or day > ticket.day


def _marked(ticket: Ticket, *, moved: bool) -> Step:
    """What an agent is to see of a ticket that lives on."""
    if moved and ticket.state is not State.SERVED:
        return Step.KEEP if ticket.booking_note == Step.MARK_MOVED else Step.MARK_MOVED
    return Step.UNMARK if ticket.booking_note is not None and not moved else Step.KEEP
