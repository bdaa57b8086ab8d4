"""Maps a form's JSON to bookings by the site file's paths. Pure; it ignores values that it does not ask for."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from hub.appointments.source import Booking, Flaw
from hub.publik.answers import says_no
from hub.publik.paths import tables_above, text_at, value_at
from hub.publik.slots import Slot, parse_slot
from hub.publik.times import NotATime, local_time, moment_ms
from hub.publik.wcs import request_id, status_of
from hub.queue.bookings import shown_name
from hub.queue.requests import confirmation_code
from hub.site import BookingForm

# Far outside these years, a conversion between time zones would leave the calendar.
YEARS = range(1971, 2200)
ID_MOST = 100
# The status of a draft, if it has one: w.c.s. leaves drafts out of its lists and shows a single draft without a status.
# A draft's booking is only a lease until the form is sent.
DRAFT = "draft"


@dataclass(frozen=True, slots=True)
class Cancelled:
    """A request in a cancelled status that shows no booking: all bookings it had are gone."""

    reference: str


def reference_of(maps: Sequence[BookingForm], entry: dict[str, Any]) -> str | None:
    """Return the request's reference, such as `form/12`; None if it has no id."""
    request = request_id(entry)
    return None if request is None else f"{maps[0].form}/{request}"


def read_entry(
    maps: Sequence[BookingForm], entry: dict[str, Any], zone: tzinfo
) -> tuple[Booking | Flaw | Cancelled, ...]:
    """Read a request of a form: one result for each booking that the form's mappings find in it.

    If several mappings find the same booking, the first one for which it counts decides. A booking that counts for none
    is gone.
    """
    reference = reference_of(maps, entry)
    if reference is None:
        return (Flaw(f"a request of form {maps[0].form}", "it has no id"),)
    found = _by_booking(maps, entry)
    if not found and all(is_cancelled(each, entry) for each in maps):
        return (Cancelled(reference),)
    return tuple(
        min((_read(each, entry, reference, booking, zone) for each in of_it), key=_place)
        for booking, of_it in found.items()
    )


def is_cancelled(form: BookingForm, entry: dict[str, Any]) -> bool:
    return any(word in form.cancelled_statuses for word in status_of(entry))


def _by_booking(maps: Sequence[BookingForm], entry: dict[str, Any]) -> dict[str, list[BookingForm]]:
    found: dict[str, list[BookingForm]] = {}
    for form in maps:
        booking = booking_id(form, entry)
        if booking is not None and status_of(entry)[0] not in {None, DRAFT}:
            found.setdefault(booking, []).append(form)
    return found


def _place(found: Booking | Flaw) -> int:
    """The rank of one mapping's result for a booking; the lowest is taken.

    A flaw comes right after a booking that counts, since it may hide that the booking counts. Lapsed comes before gone
    and unfit: a lapsed booking still stands for a visitor who is here, even though the other mappings do not want it.
    """
    if isinstance(found, Flaw):
        return 1
    if not found.gone:
        return 0
    return 2 if found.lapsed else 4 if found.unfit else 3


def unseen_bookings(maps: Sequence[BookingForm], entry: dict[str, Any]) -> tuple[Flaw, ...]:
    """Return a flaw for each part of a request that is not shown and may hold a booking.

    w.c.s. leaves `workflow.data` out while it is empty, and if the client sees anonymised data only. So a known booking
    is not gone because its part is not shown. A booking for a service whose part is shown may still have been moved.
    """
    reference = reference_of(maps, entry)
    if reference is None:
        return ()
    if status_of(entry)[0] is None:
        return (Flaw(f"request {reference}", "it shows no status", reference, if_known=True),)
    hidden = defaultdict[str, list[str]](list)
    for each in maps:
        table = _table_of(each.booking)
        if not is_cancelled(each, entry) and not isinstance(value_at(entry, table), dict):
            hidden[table].append(each.service)
    return tuple(
        Flaw(f"request {reference}", f"it shows no {table}", reference, if_known=True, services=tuple(services))
        for table, services in hidden.items()
    )


def _table_of(path: str) -> str:
    """The part of a request that holds all values of this kind."""
    return "workflow.data" if path.startswith("workflow.data.") else path.partition(".")[0]


def booking_id(form: BookingForm, entry: dict[str, Any]) -> str | None:
    """Return the booking's id; None before a booking is made, and on a waiting list.

    w.c.s. stores an action's answer as `…_response` only if the call succeeded. A failed call, even one to move this
    booking, leaves the previous answer in place and is reported beside it: the stored answer is the last good one.
    """
    for around in tables_above(entry, form.booking):
        if says_no(around) or around.get("in_waiting_list") is True:
            return None
    return text_at(entry, form.booking)


def start_of(form: BookingForm, entry: dict[str, Any]) -> tuple[datetime, Slot | None] | None:
    """Return the start as written, and its slot if the path leads to one; None if nothing is there. Raises NotATime."""
    text = text_at(entry, form.start)
    if text is None:
        return None
    slot = parse_slot(text)
    return (slot.start, slot) if slot else (local_time(text), None)


def visitor_name(form: BookingForm, entry: dict[str, Any]) -> str | None:
    return shown_name(" ".join(text_at(entry, path) or "" for path in form.names))


def code_of(form: BookingForm, entry: dict[str, Any], booking: str) -> str | None:
    """Return the code on the confirmation: the booking's id, or the value at `form.code`, None if that is missing."""
    if not form.code:
        return confirmation_code(booking)
    return confirmation_code(text_at(entry, form.code) or "") or None


def _read(form: BookingForm, entry: dict[str, Any], reference: str, booking: str, zone: tzinfo) -> Booking | Flaw:
    status = status_of(entry)
    if len(booking) > ID_MOST or not booking.isprintable():
        return Flaw(f"request {reference}", "its booking's id is too long or not printable", reference)
    start_ms, slot, why = _start(form, entry, zone)
    agenda = text_at(entry, form.agenda) if form.agenda else None
    cancelled, fits = is_cancelled(form, entry), _counts(form, agenda, slot)
    unfit = not cancelled and not fits
    lapsed = not cancelled and fits and bool(form.statuses) and not any(each in form.statuses for each in status)
    gone = cancelled or unfit or lapsed
    why = why or _why_unknown(form, agenda, slot)
    if why and not gone:
        return Flaw(f"booking {booking} (request {reference})", why, reference)
    name = None if gone else visitor_name(form, entry)
    code = code_of(form, entry, booking)
    return Booking(booking, reference, form.service, start_ms, code, name, gone, lapsed, unfit)


def _counts(form: BookingForm, agenda: str | None, slot: Slot | None) -> bool:
    """Whether the booking fits the configured agendas and meeting types, as far as these are known."""
    if form.agendas and agenda is not None and agenda not in form.agendas:
        return False
    return not form.meeting_types or slot is None or slot.meeting_type in form.meeting_types


def _why_unknown(form: BookingForm, agenda: str | None, slot: Slot | None) -> str:
    """Why it is unknown whether the booking counts; empty if it is known."""
    if form.agendas and agenda is None:
        return f"{form.agenda} is missing"
    if form.meeting_types and slot is None:
        return f"{form.start} is not a slot, so its meeting type is unknown"
    return ""


def _start(form: BookingForm, entry: dict[str, Any], zone: tzinfo) -> tuple[int, Slot | None, str]:
    """Return the start in ms since 1970 UTC, the slot and an empty text; or 0, None and why it can't be read."""
    try:
        found = start_of(form, entry)
    except NotATime:
        return 0, None, f"{form.start} is neither a time nor a slot"
    if found is None:
        return 0, None, f"{form.start} is missing"
    moment, slot = found
    if moment.year not in YEARS:
        return 0, None, f"{form.start} is a time outside the years {YEARS.start} to {YEARS.stop - 1}"
    return moment_ms(moment, zone), slot, ""
