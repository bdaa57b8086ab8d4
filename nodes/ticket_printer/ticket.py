"""The words of a ticket: from the hub's answer to the lines that a visitor reads. Pure."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from nodes.signs import in_lexend, shown
from nodes.ticket_printer.words import Words
from protocol.messages import TicketPrinterConfig, TicketReply

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"([^0-9]*)([0-9]+)")

# Estimates below this are too imprecise to promise.
_LEAST_PROMISE_MIN = 5

# In English, for the catalogue's tools; indexed by `datetime.weekday()` and `month - 1`.
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


@dataclass(frozen=True, slots=True)
class Ticket:
    """The words of one paper, roughly from top to bottom; None leaves a line out.

    `number` is the letter and the digits; `headline` is what matters most after it, `label` a word above the headline,
    `notes` are sentences below it. `follow` is the QR code's address; without it the hints are not printed either.
    """

    town: str
    service: str | None
    number: tuple[str, str] | None
    appointment: str | None
    label: str | None
    headline: str
    ahead: str | None
    follow: str | None
    follow_hint: str
    screens_hint: str
    date: str
    absent_hint: str | None
    notes: tuple[str, ...] = ()
    duplicate: str | None = None


def ticket_of(reply: TicketReply, config: TicketPrinterConfig, words: Words, *, duplicate: bool = False) -> Ticket:
    """The ticket for this answer of the hub. Raises ZoneInfoNotFoundError if the zone does not exist."""
    zone = ZoneInfo(config.zone)
    label, headline = _wait(reply.wait_min, words)
    return Ticket(
        town=printable(config.town),
        service=printable(reply.service_name),
        number=split_number(reply.number),
        appointment=appointment_words(reply.appointment_at, zone, words),
        label=label,
        headline=headline,
        ahead=people_words(reply.people_ahead, words),
        follow=follow_address(config, reply.code),
        follow_hint=words.one("Follow your place on your phone."),
        screens_hint=words.one("Or watch the screens."),
        date=date_words(local_time(reply.issued_at, zone), words),
        absent_hint=words.one("Called while you were away? See the reception."),
        duplicate=words.one("DUPLICATE") if duplicate else None,
    )


def follow_address(config: TicketPrinterConfig, code: str) -> str | None:
    """The QR code's address; None if the town has no page to follow a ticket."""
    return None if config.follow_url is None else config.follow_url + code


def test_ticket(config: TicketPrinterConfig, at_ms: int | None, words: Words) -> Ticket:
    """A paper with all the parts of a ticket that cannot be mistaken for one. `at_ms`: the hub's time, if known."""
    return Ticket(
        town=printable(config.town),
        service=words.one("Test of the ticket printer"),
        number=("", words.one("TEST")),
        appointment=None,
        label=None,
        headline="éèàçùâêîôû ëïü œ Œ € « »",
        ahead="0123456789",
        follow=config.follow_url,
        follow_hint=words.one("Follow your place on your phone."),
        screens_hint=words.one("Or watch the screens."),
        date="" if at_ms is None else date_words(local_time(at_ms, ZoneInfo(config.zone)), words),
        absent_hint=words.one("Called while you were away? See the reception."),
    )


def split_number(number: str) -> tuple[str, str]:
    """Split `A012` into `A` and `012`. Any other number becomes an empty letter and the whole text."""
    found = _NUMBER.fullmatch(number)
    return ("", printable(number)) if found is None else (printable(found[1]), found[2])


def local_time(moment_ms: int, zone: ZoneInfo) -> datetime:
    return (_EPOCH + timedelta(milliseconds=moment_ms)).astimezone(zone)


def date_words(moment: datetime, words: Words) -> str:
    """`mardi 24 novembre 2026, 10:22`: names from the catalogue, since a Pi has no French locale."""
    return words.one("{weekday} {day} {month} {year}, {time}").format(
        weekday=words.one(_WEEKDAYS[moment.weekday()]),
        day=words.one("1st") if moment.day == 1 else moment.day,
        month=words.one(_MONTHS[moment.month - 1]),
        year=moment.year,
        time=clock_words(moment),
    )


def clock_words(moment: datetime) -> str:
    return f"{moment.hour}:{moment.minute:02d}"


def appointment_words(moment_ms: int | None, zone: ZoneInfo, words: Words) -> str | None:
    if moment_ms is None:
        return None
    return words.one("APPT {time}").format(time=clock_words(local_time(moment_ms, zone)))


def people_words(people: int, words: Words) -> str:
    if people == 0:
        return words.one("Nobody before you")
    return words.many("{people} person before you", "{people} people before you", people).format(people=people)


def range_words(wait_min: tuple[int, int], words: Words) -> str:
    """The least and most minutes in everyday words."""
    least, most = wait_min
    if least == 0:
        return words.one("less than {most} min").format(most=max(most, _LEAST_PROMISE_MIN))
    if least >= most:
        return words.one("about {most} min").format(most=least)
    return words.one("between {least} and {most} min").format(least=least, most=most)


def printable(text: str) -> str:
    """The text on one line, in characters that both the font and the printer's Western code page have."""
    return shown(text, lambda sign: in_lexend(sign) and _in_code_page(sign))


def _in_code_page(sign: str) -> bool:
    try:
        sign.encode("cp1252")
    except UnicodeEncodeError:
        return False
    return True


def _wait(wait_min: tuple[int, int] | None, words: Words) -> tuple[str | None, str]:
    if wait_min is None:
        return None, words.one("Wait: see the screens")
    return words.one("Estimated wait"), range_words(wait_min, words)
