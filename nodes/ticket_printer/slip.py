"""The paper for a visitor who checked in an appointment: a ticket, or what to do instead. Pure."""

import re
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from nodes.ticket_printer.ticket import (
    Ticket,
    appointment_words,
    clock_words,
    date_words,
    follow_address,
    local_time,
    people_words,
    printable,
    range_words,
    split_number,
)
from nodes.ticket_printer.words import Words
from protocol.messages import Arrival, CheckInReply, TicketPrinterConfig

_HOLE = re.compile(r"\{(\w+)\}")
_RANGE = "Estimated wait: {range}"


@dataclass(frozen=True, slots=True)
class _Told:
    """A headline and notes. A note with a placeholder is left out if its value is unknown."""

    headline: str
    notes: tuple[str, ...]


# In English, for the catalogue's tools. Visitors who wait, with a number:
_WAITS = {
    # No time is promised: a desk that finds nobody else calls whoever is early at once.
    Arrival.EARLY: _Told(
        "You are early", ("Your appointment is at {time}.", "You may be called before: please stay in the hall.")
    ),
    Arrival.ON_TIME: _Told("You are on time", ("Please wait to be called.", _RANGE)),
    Arrival.LATE: _Told("Your appointment still holds", ("You are a little late. Please wait to be called.", _RANGE)),
    Arrival.MISSED: _Told("Your appointment is over", ("You now wait like visitors without an appointment.", _RANGE)),
    Arrival.AGAIN: _Told("You are checked in already", ("Your number stays the same. Please wait to be called.",)),
}
# Visitors who are called, with a number:
_CALLED = _Told("You are called: desk {desk}", ("Go there now.",))
_CALLED_SOMEWHERE = _Told("You are called", ("Look at the screens, or see the reception.",))
# Visitors whom the dispenser cannot help:
_HELPLESS = {
    Arrival.ABSENT: _Told("You were called", ("Nobody came to the desk.", "See the reception.")),
    Arrival.WRONG_DAY: _Told("Not today", ("Your appointment: {date}", "Come back then, or see the reception.")),
    Arrival.CANCELLED: _Told("Appointment cancelled", ("Your appointment: {date}", "See the reception.")),
    Arrival.ENDED: _Told("Visit ended", ("Your appointment: {date}", "A question? See the reception.")),
    Arrival.UNKNOWN: _Told(
        "Unknown code",
        ("No appointment has this code. Compare it with your confirmation and try again.", "Or see the reception."),
    ),
}
_DAY_OVER = _Told("Not today", ("Your appointment: {date}", "That day is over. See the reception."))
_TODAY_OVER = _Told("Your appointment is over", ("Your appointment: {date}", "See the reception."))


def slip_of(
    reply: CheckInReply, config: TicketPrinterConfig, words: Words, at_ms: int | None, *, duplicate: bool = False
) -> Ticket:
    """The paper for this answer of the hub. `at_ms`: the hub's time, if known.

    Raises ZoneInfoNotFoundError if the zone does not exist.
    """
    zone = ZoneInfo(config.zone)
    told = _told(reply, zone, at_ms)
    holes = _holes(reply, zone, words)
    number = None if reply.arrival in _HELPLESS else reply.number
    waits = number is not None and reply.arrival in _WAITS
    dated_ms = at_ms if number is None or reply.issued_at is None else reply.issued_at
    return Ticket(
        town=printable(config.town),
        service=None if reply.service_name is None else printable(reply.service_name),
        number=None if number is None else split_number(number),
        appointment=None if number is None else appointment_words(reply.appointment_at, zone, words),
        label=None,
        headline=words.one(told.headline).format(**holes),
        notes=(*_notes(told, holes, words), *_hall(reply, words)),
        ahead=people_words(reply.people_ahead, words) if waits else None,
        follow=follow_address(config, reply.code) if waits and reply.code is not None else None,
        follow_hint=words.one("Follow your place on your phone."),
        screens_hint=words.one("Or watch the screens."),
        date="" if dated_ms is None else date_words(local_time(dated_ms, zone), words),
        absent_hint=words.one("Called while you were away? See the reception.") if waits else None,
        duplicate=words.one("DUPLICATE") if waits and (duplicate or reply.arrival is Arrival.AGAIN) else None,
    )


def _told(reply: CheckInReply, zone: ZoneInfo, at_ms: int | None) -> _Told:
    if reply.arrival is Arrival.CALLED:
        return _CALLED_SOMEWHERE if reply.desk is None else _CALLED
    if reply.arrival is Arrival.WRONG_DAY and reply.appointment_at is not None and at_ms is not None:
        return _wrong_day(local_time(reply.appointment_at, zone), local_time(at_ms, zone))
    return (_WAITS | _HELPLESS)[reply.arrival]


def _wrong_day(appointment: datetime, now: datetime) -> _Told:
    if appointment >= now:
        return _HELPLESS[Arrival.WRONG_DAY]
    return _TODAY_OVER if appointment.date() == now.date() else _DAY_OVER


def _holes(reply: CheckInReply, zone: ZoneInfo, words: Words) -> dict[str, str]:
    """The known values of the placeholders."""
    found = {} if reply.desk is None else {"desk": printable(reply.desk)}
    if reply.wait_min is not None:
        found["range"] = _unbroken(range_words(reply.wait_min, words))
    if reply.appointment_at is not None:
        moment = local_time(reply.appointment_at, zone)
        found |= {"time": clock_words(moment), "date": _unbroken(date_words(moment, words))}
    return found


def _unbroken(text: str) -> str:
    """The text with no-break spaces, so that it stays on one line."""
    return text.replace(" ", "\u00a0")


def _notes(told: _Told, holes: dict[str, str], words: Words) -> list[str]:
    return [words.one(note).format(**holes) for note in told.notes if set(_HOLE.findall(note)) <= holes.keys()]


def _hall(reply: CheckInReply, words: Words) -> list[str]:
    """Where to go, for a visitor who waits or is called in another hall than this one."""
    if reply.hall is None or reply.arrival in _HELPLESS:
        return []
    sentence = "Hall: {hall}" if reply.arrival is Arrival.CALLED else "Wait in the hall: {hall}"
    return [words.one(sentence).format(hall=printable(reply.hall))]
