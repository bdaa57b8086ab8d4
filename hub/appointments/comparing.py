"""What changed between the known bookings and what a source says now. Pure; new follow codes come from a callback.

Bookings are compared with bookings, never with tickets: what has become of a ticket is the queue's business.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType

from hub.appointments.source import Booking, Flaw, Listing
from hub.queue.bookings import Known, shown_name
from hub.queue.hours import local_day, next_day_ms
from hub.queue.requests import Book, BookingChange, CancelBooking, Move, confirmation_code
from hub.site import Site

_NO_NAMES: Mapping[int, str | None] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Window:
    """Which bookings count: those of these services, from `first_day` to `last_day` inclusive, except on days off.

    Days are local. `first_ms`, `end_ms`: the start of the first day, and of the day after the last.
    """

    zone: str
    first_day: str
    last_day: str
    first_ms: int
    end_ms: int
    days_off: frozenset[str]
    services: frozenset[str]

    def lists(self, day: str) -> bool:
        return self.first_day <= day <= self.last_day

    def counts(self, start_ms: int) -> bool:
        # Check the bounds first: a source may give a year that `local_day` can't represent.
        within = self.first_ms <= start_ms < self.end_ms
        return within and (not self.days_off or local_day(start_ms, self.zone) not in self.days_off)


@dataclass(frozen=True, slots=True)
class Found:
    """The result of a comparison.

    `changes`: in the order in which they must be made. Computed lazily: ten thousand at once would keep the interpreter
    from people's commands for a while. `flaws`: what can't be shown, and why; complete once `changes` is exhausted.
    """

    changes: Iterator[BookingChange]
    flaws: list[Flaw]


def window_of(site: Site, now_ms: int) -> Window:
    """From today to `days_ahead` later. All of today counts: a visitor who comes late may still be served."""
    today = date.fromisoformat(local_day(now_ms, site.zone))
    yesterday = today - timedelta(days=1)
    last = today + timedelta(days=site.appointments.days_ahead)
    return Window(
        zone=site.zone,
        first_day=today.isoformat(),
        last_day=last.isoformat(),
        first_ms=next_day_ms(yesterday.isoformat(), site.zone),
        end_ms=next_day_ms(last.isoformat(), site.zone),
        days_off=frozenset(site.appointments.days_off),
        services=frozenset(service.name for service in site.services),
    )


def lapsed_of(listing: Listing, known: Iterable[Known], window: Window) -> list[str]:
    """Ids of known bookings that lapsed and would end unless their visitors are here: few of all that ever lapsed."""
    lapsed = {booking.id for booking in listing.bookings if booking.lapsed}
    return [each.id for each in known if each.id in lapsed and not each.gone and each.day >= window.first_day]


def compare(
    known: Iterable[Known],
    listing: Listing,
    window: Window,
    new_code: Callable[[], str],
    names: Mapping[int, str | None] = _NO_NAMES,
    kept: frozenset[str] = frozenset(),
    here: frozenset[str] = frozenset(),
) -> Found:
    """Compare the known bookings with a listing.

    `known`: all bookings the listing may be about: those with its ids and references and, if it is complete, of its
    days. `names`: visitors' names by ticket id, None for a ticket without one; only tickets whose name may change.
    `kept`: lost bookings of a part in doubt; they do not end. `here`: of the lapsed bookings, those whose visitors are
    or were here.

    A booking is gone
    - if a complete listing lacks it;
    - at once, if its request names another booking now: that is how a move looks, a new booking and the old one
      cancelled;
    - at once, if its request is cancelled and names no booking.
    """
    by_id = {each.id: each for each in known}
    told = {each.id for each in (*listing.bookings, *listing.later)}
    unseen = [each for each in by_id.values() if each.id not in told and _may_be_told(each, window)]
    services = defaultdict[str | None, set[str]](set)
    for each in unseen:
        services[each.reference].add(each.service)
    flaws = [flaw for flaw in listing.flaws if not flaw.if_known or any(map(flaw.may_be_of, services[flaw.reference]))]
    changes = _found(by_id, listing, window, new_code, names, flaws)

    def is_idle(change: BookingChange) -> bool:
        if not isinstance(change, CancelBooking):
            return False
        # Lapsed, but the visitor is here: the cancellation would change nothing.
        return change.booking in kept or (change.lapsed and change.booking in here)

    return Found((each for each in changes if not is_idle(each)), flaws)


def _found(
    known: Mapping[str, Known],
    listing: Listing,
    window: Window,
    new_code: Callable[[], str],
    names: Mapping[int, str | None],
    flaws: list[Flaw],
) -> Iterator[BookingChange]:
    told, twice = one_of_each(listing, known)
    flaws += twice
    spared = spared_by(known.values(), listing.flaws)
    gone: set[str] = set()
    moved_on = {each.reference for each in listing.later}
    dropped = _dropped(known, told, listing, spared)
    for change in _of_told(told, known, dropped, moved_on, window, new_code, names, flaws):
        if isinstance(change, CancelBooking):
            gone.add(change.booking)
        yield change
    if listing.complete:
        vanished = _vanished(known.values(), told, spared, window)
        yield from (CancelBooking(booking=each) for each in vanished if each not in gone)


def _of_told(
    told: Mapping[str, Booking],
    known: Mapping[str, Known],
    dropped: dict[str, list[str]],
    moved_on: Collection[str],
    window: Window,
    new_code: Callable[[], str],
    names: Mapping[int, str | None],
    flaws: list[Flaw],
) -> Iterator[BookingChange]:
    for booking in told.values():
        if booking.service not in window.services:
            # The service's value is not repeated: in a shifted row it may be a visitor's name.
            why = f"its service is not one of the site's: {', '.join(sorted(window.services))}"
            flaws.append(Flaw(booking.id, why, booking.reference))
            continue
        if _is_moved_to(booking, known.get(booking.id)):
            # Cancel a move's old booking just before its new one, so that both are in one slice or in consecutive ones.
            for old in dropped.pop(booking.reference, ()):
                yield CancelBooking(booking=old, moved=True)
        yield from _changes(known.get(booking.id), booking, window, new_code, names)
    for reference, olds in dropped.items():
        yield from (CancelBooking(booking=old, moved=reference in moved_on) for old in olds)


def _is_moved_to(booking: Booking, known: Known | None) -> bool:
    """Whether the booking is new to its request, and so replaces one that the request no longer names.

    A lapsed booking counts: the hub's own trigger may have moved the request on because the visitor is here.
    """
    return is_new(booking, known) and (booking.lapsed or not booking.gone)


def is_new(booking: Booking, known: Known | None) -> bool:
    return known is None or known.gone or known.reference != booking.reference


def _changes(
    known: Known | None,
    booking: Booking,
    window: Window,
    new_code: Callable[[], str],
    names: Mapping[int, str | None],
) -> Iterator[BookingChange]:
    """The changes that one booking of the listing requires."""
    wanted = not booking.gone and window.counts(booking.start_ms)
    if known is None or known.gone:
        if wanted:
            yield _book(booking, known, new_code)
        return
    if not wanted:
        # A booking of a past day is over: only a cancellation still matters, not that it lapsed or left the window.
        if known.day >= window.first_day or (booking.gone and not booking.lapsed):
            yield CancelBooking(booking=booking.id, lapsed=booking.lapsed)
        return
    move = Move(
        booking=booking.id,
        appointment_ms=booking.start_ms,
        service=_other(booking.service, known.service),
        reference=_other(booking.reference, known.reference),
        confirmation=_other(booking.code or known.code, known.code),
        name=booking.name,
    )
    moved = booking.start_ms != known.start_ms or move.service or move.reference or move.confirmation
    if moved or _is_named_otherwise(known, booking, names):
        yield move


def _is_named_otherwise(known: Known, booking: Booking, names: Mapping[int, str | None]) -> bool:
    name = shown_name(booking.name)
    return name is not None and known.ticket in names and names[known.ticket] != name


def _other(told: str, known: str) -> str | None:
    return told if told != known else None


def _book(booking: Booking, before: Known | None, new_code: Callable[[], str]) -> Book:
    """`before`: the booking as last known, if it is back after it was gone."""
    return Book(
        booking=booking.id,
        reference=booking.reference,
        service=booking.service,
        appointment_ms=booking.start_ms,
        # Without any code, visitors can check in with the booking's id.
        confirmation=booking.code or (before and before.code) or confirmation_code(booking.id),
        code=new_code(),
        name=booking.name,
    )


def one_of_each(listing: Listing, known: Mapping[str, Known]) -> tuple[dict[str, Booking], list[Flaw]]:
    """The bookings by id. If a request lists one twice, the last counts; if two requests list it, one gets a flaw.

    In a partial listing, a request that ends also reports as gone a booking that another request took over. That is
    ignored: only the request that has the booking now can say that it is gone.
    """
    told: dict[str, Booking] = {}
    flaws: list[Flaw] = []
    for booking in listing.bookings:
        if booking.gone and not listing.complete and _is_of_another(booking, known.get(booking.id)):
            continue
        other = told.get(booking.id)
        if other is None or other.reference == booking.reference:
            told[booking.id] = booking
            continue
        kept, left = _preferred(other, booking, known.get(booking.id))
        told[booking.id] = kept
        if not left.gone:
            flaws.append(
                Flaw(booking.id, f"the request {kept.reference} has this booking too, and keeps it", left.reference)
            )
    return told, flaws


def _is_of_another(booking: Booking, known: Known | None) -> bool:
    return known is not None and known.reference != booking.reference


def _preferred(first: Booking, second: Booking, known: Known | None) -> tuple[Booking, Booking]:
    """Which of two requests keeps a booking: the one not cancelled, then the one known already, then the first."""
    if first.gone != second.gone:
        return (second, first) if first.gone else (first, second)
    second_known = known is not None and known.reference == second.reference
    return (second, first) if second_known else (first, second)


def spared_by(known: Iterable[Known], flaws: Iterable[Flaw]) -> frozenset[str]:
    """Ids of the bookings that a flaw of their request may be about. They are not taken to be gone."""
    by_request = defaultdict[str | None, list[Flaw]](list)
    for flaw in flaws:
        by_request[flaw.reference].append(flaw)
    return frozenset(
        each.id for each in known if any(flaw.may_be_of(each.service) for flaw in by_request.get(each.reference, ()))
    )


def _dropped(
    known: Mapping[str, Known], told: Mapping[str, Booking], listing: Listing, spared: Collection[str]
) -> dict[str, list[str]]:
    """By request: ids of the bookings it no longer names, although the request itself is in the listing."""
    found = (*told.values(), *listing.later)
    named = {booking.id for booking in found}
    listed = {*(booking.reference for booking in found), *listing.cancelled}
    dropped: dict[str, list[str]] = {}
    for each in known.values():
        if not each.gone and each.reference in listed and each.id not in named and each.id not in spared:
            dropped.setdefault(each.reference, []).append(each.id)
    return dropped


def _may_be_told(known: Known, window: Window) -> bool:
    """Whether a complete listing would contain this booking if it still stood."""
    return not known.gone and window.lists(known.day)


def _vanished(
    known: Iterable[Known], told: Mapping[str, Booking], spared: Collection[str], window: Window
) -> Iterator[str]:
    """Ids of the bookings of the listed days that a complete listing lacks."""
    for each in known:
        if _may_be_told(each, window) and each.id not in told and each.id not in spared:
            yield each.id
