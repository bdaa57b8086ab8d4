"""What a change of a booking means for its ticket. Pure: the rows and the time are arguments.

Whether the source changed a booking is decided against what it said last (`Known`), because staff may have changed the
ticket since. Two comparisons use the ticket itself: whether an expected one must move, and which mark another one gets.
"""

import re
import unicodedata
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from msgspec import Struct

from hub.queue.requests import Book, BookingChange, Move
from hub.queue.states import OPEN, State
from hub.queue.tickets import Ticket

# The longest text that a source may give for an id, a request or a code.
TEXT_MOST = 300
NAME_MOST = 120
# Year 2200: a later time was given in another unit, or as a joke.
LATEST_MS = 7_258_118_400_000
# These join letters of some scripts and compound emoji; other invisible characters only reverse a line's direction.
_JOINERS = "\u200c\u200d"
_NO_TEXT = re.compile("[\0\ud800-\udfff]")


class Known(Struct, frozen=True, kw_only=True):
    """A booking as its source last gave it, and the id of its ticket."""

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
    """A booking from its columns in the order of `KNOWN_FIELDS`; columns after these are ignored."""
    values = dict(zip(KNOWN_FIELDS, row, strict=False))
    return Known(**{**values, "gone": bool(values["gone"])})


class Step(StrEnum):
    """What to do with the ticket; the booking's own row is updated in any case."""

    KEEP = "keep"
    NEW = "new"  # make another ticket; the old one is cancelled if it waits, detached from the booking if it has ended
    MOVE = "move"
    CANCEL = "cancel"
    MARK_MOVED = "moved"
    MARK_CANCELLED = "cancelled"
    UNMARK = "restored"


def of_book(ticket: Ticket | None, start_ms: int, day: str, now_ms: int) -> Step:
    """The step for a booking that is new, or back after it was gone."""
    if ticket is None or ticket.state is State.CANCELLED:
        return Step.NEW
    if ticket.state is State.EXPECTED:
        return Step.MOVE
    if _is_another_visit(ticket, start_ms, day, now_ms):
        return Step.NEW
    # A served visitor is not expected at another time of that day, so the only change may be to remove a mark.
    return _marked(ticket, moved=start_ms != ticket.appointment_ms and ticket.state is not State.SERVED)


def of_move(known: Known, ticket: Ticket, change: Move, day: str, now_ms: int, was_handled: bool) -> Step:
    """The step for a booking with another time, another service, or only another code. After check-in people decide.

    `was_handled`: people have already handled the waiting ticket. A ticket that was marked as moved and has ended does
    not stand for the new time, so even an unchanged time may lead to a new ticket.
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
    """The step for a booking that was cancelled at its source.

    `was_handled`: people have already handled the waiting ticket. `moved`: another booking has replaced this one.
    """
    if ticket.state is State.EXPECTED or (ticket.state is State.WAITING and not was_handled):
        return Step.CANCEL
    mark = Step.MARK_MOVED if moved else Step.MARK_CANCELLED
    # Served tickets are marked too, because they may be reopened.
    return Step.KEEP if ticket.state is State.CANCELLED or ticket.booking_note == mark else mark


def flaw_of(change: BookingChange) -> str | None:
    """Why the database cannot store a text or a time of the change; None if it can."""
    if isinstance(change, Book | Move) and not 0 <= change.appointment_ms < LATEST_MS:
        return "its time is before 1970 or after 2199"
    texts = {"booking": change.booking}
    if isinstance(change, Book | Move):
        texts |= {"reference": change.reference or "", "confirmation": change.confirmation or ""}
    for name, text in texts.items():
        if len(text) > TEXT_MOST:
            return f"its {name} is longer than {TEXT_MOST} characters"
        if _NO_TEXT.search(text):
            return f"its {name} contains a character that the database cannot store"
    return None


def shown_name(text: str | None) -> str | None:
    """A name on one line, at most 120 characters long; None if nothing is left of it.

    Any script, emoji and markup are kept. Invisible characters, which can reverse a line, become spaces. Idempotent.
    """
    if text is None:
        return None
    kept = unicodedata.normalize("NFC", text)
    if not kept.isprintable():
        kept = "".join(map(_visible, kept))
    return " ".join(kept.split())[:NAME_MOST].strip() or None


def _visible(sign: str) -> str:
    return sign if sign in _JOINERS or not unicodedata.category(sign).startswith("C") else " "


def _is_another_visit(ticket: Ticket, start_ms: int, day: str, now_ms: int) -> bool:
    """Whether the ticket has ended and its booking is still to come, so that the visitor gets another ticket."""
    if ticket.state in OPEN or start_ms <= now_ms:
        return False
    return ticket.state is State.ABSENT or day > ticket.day


def _marked(ticket: Ticket, *, moved: bool) -> Step:
    """The step that marks or unmarks, for the agent, a ticket that stays as it is."""
    if moved and ticket.state is not State.SERVED:
        return Step.KEEP if ticket.booking_note == Step.MARK_MOVED else Step.MARK_MOVED
    return Step.UNMARK if ticket.booking_note is not None and not moved else Step.KEEP
