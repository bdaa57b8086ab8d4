"""Publik as a source of bookings."""

import secrets as dice
import ssl
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from hub.appointments.source import Booking, BookingGone, Flaw, Hint, Listing, Missed, SourceRefuses
from hub.appointments.source_refusal import Why
from hub.publik.chrono import Chrono
from hub.publik.client import LIMITS, Client, Credentials, Limits
from hub.publik.faults import SILENT, Fault, FaultKind, for_source
from hub.publik.mapping import Cancelled, booking_id, is_cancelled, read_entry, reference_of, unseen_bookings
from hub.publik.secrets import Secrets
from hub.publik.times import changed_since, local_day
from hub.publik.wcs import Page, Wcs, status_of
from hub.queue.bookings import TEXT_MOST
from hub.queue.reports import ReportKind
from hub.site import BookingForm, Publik, Site
from protocol.environment import PREFIX, WrongSetting, unread

# A form's list keeps every request ever sent. Nobody books more than a year ahead, so each current booking was sent or
# changed within this time.
LOOKED_BACK = timedelta(days=400)
# Why a form's list is not believed.
_EMPTY = "the list of form {} is empty, although the hub knows bookings of it that are still to come"
_GAPS = "the pages of form {}'s list do not join, so requests between them may be missing"
_LOST = "known bookings of form {}, service {}, are no longer in its list, or fit no agendas, meeting types or statuses"
_PRESENT = {ReportKind.ARRIVED: True, ReportKind.SERVED: True, ReportKind.ABSENT: False}


class PublikSource:
    """A `BookingSource` that reads bookings from w.c.s.'s forms and reports to w.c.s. or Chrono what became of them."""

    title = "Publik"
    is_file = False

    def __init__(self, publik: Publik, site: Site, wcs: Wcs, chrono: Chrono | None, close: Callable[[], None]) -> None:
        self._wcs = wcs
        # Used only if it is to be told who came.
        self._presence = chrono if publik.chrono and publik.chrono.presence else None
        self._triggers = {kind: getattr(publik.triggers, kind.value) for kind in ReportKind}
        self._tell_form = wcs.act if publik.triggers.how == "action" else wcs.jump
        self._zone = zone_of(publik, site)
        # Days are in the site's time zone: in Publik's, a complete listing could lack bookings of the site's today.
        self._zone_of_days = ZoneInfo(site.zone)
        self._close = close
        self._forms: dict[str, list[BookingForm]] = defaultdict(list)
        for form in publik.forms:
            self._forms[form.form].append(form)

    @classmethod
    def open(
        cls, publik: Publik, site: Site, secrets: Secrets, now_ms: Callable[[], int], limits: Limits = LIMITS
    ) -> "PublikSource":
        """Connects to nothing yet. Raises WrongSetting if the key or password that `login` asks for is missing."""
        client = open_client(publik.address, publik, secrets, now_ms, limits)
        direct = open_client(publik.chrono.address, publik, secrets, now_ms, limits) if publik.chrono else None
        chrono = Chrono(direct) if direct else None
        return cls(publik, site, Wcs(client), chrono, partial(_close_all, client, direct))

    def list_all(self, first_day: str, last_day: str) -> Listing:
        """Return every booking of these days at the site, both included."""
        back = date.fromisoformat(first_day) - LOOKED_BACK
        found = self._listing(str(back), None)
        if not found.complete:
            # Nothing is concluded from what an incomplete listing lacks, so it keeps bookings that are gone or on other
            # days.
            return found
        # Lapsed bookings stay in the listing: a missing one would count as gone, even if its visitor is here already.
        wanted = tuple(each for each in found.bookings if each.lapsed or first_day <= self._day(each) <= last_day)
        later = tuple(each for each in found.bookings if not each.lapsed and self._day(each) > last_day)
        cancelled = (*found.cancelled, *(each.reference for each in found.bookings if each.was_cancelled))
        return replace(found, bookings=wanted, later=later, cancelled=cancelled)

    def list_changed(self, since_ms: int) -> Listing | None:
        found = self._listing(changed_since(since_ms, self._zone), since_ms)
        return replace(found, complete=False)

    def look_up(self, hints: Sequence[Hint]) -> Listing:
        """Return these requests, without those that are gone: only a complete listing can tell that."""
        gathered = _Gathered()
        for reference in dict.fromkeys(hint.reference for hint in hints):
            form, id_ = _parts(reference)
            if form not in self._forms:
                continue
            try:
                entry = self._wcs.request(form, id_)
                found = read_entry(self._forms[form], entry, self._zone)
                # If the request shows no booking at all, nothing is concluded from it anyway.
                gathered.add(reference, (*found, *unseen_bookings(self._forms[form], entry)) if found else ())
            except Fault as fault:
                if fault.kind is not FaultKind.UNKNOWN:
                    raise for_source(fault) from fault
        parts = [part for form in self._forms for part in self._parts_of(form, _LOST)]
        return replace(gathered.listing(complete=False), parts=tuple(parts))

    def tells(self, kind: ReportKind) -> bool:
        return bool(self._triggers[kind]) or self._marks(kind)

    def status_of(self, reference: str, booking: str, kind: ReportKind) -> str | None:
        if not self.tells(kind):
            return None
        form, id_ = _parts(reference)
        try:
            entry = self._wcs.request(form, id_)
        except Fault as fault:
            if kind is ReportKind.CANCELLED and fault.kind is FaultKind.UNKNOWN:
                raise BookingGone from fault
            raise for_source(fault, Why.GONE) from fault
        if _is_gone(self._forms.get(form, ()), entry, booking):
            raise BookingGone
        # A presence may safely be marked twice, and the form's status says nothing about it.
        if self._marks(kind):
            return None
        status, _name = status_of(entry)
        if status is None:
            raise SourceRefuses(f"request {reference} shows no status in its workflow", why=Why.ODD)
        if len(status) > TEXT_MOST or not status.isprintable():
            raise SourceRefuses(
                f"request {reference} shows a status whose id is too long or not printable", why=Why.ODD
            )
        return status

    def tell(self, reference: str, booking: str, kind: ReportKind) -> None:
        trigger = self._triggers[kind]
        try:
            if self._presence and kind in _PRESENT:
                self._presence.mark(booking, present=_PRESENT[kind])
            elif trigger:
                self._tell_form(*_parts(reference), trigger)
        except Fault as fault:
            raise for_source(fault, Why.GONE if self._marks(kind) else Why.NO_STEP) from fault

    def close(self) -> None:
        self._close()

    def _marks(self, kind: ReportKind) -> bool:
        return self._presence is not None and kind in _PRESENT

    def _day(self, booking: Booking) -> str:
        """The booking's day at the site; empty if it is gone."""
        return "" if booking.gone else str(local_day(booking.start_ms, self._zone_of_days))

    def _listing(self, since: str, since_ms: int | None) -> Listing:
        """Read each form's list once. If one form fails, the news of the others is still returned.

        An incomplete listing keeps `since_ms` as its time, so that the next one starts there again.
        """
        gathered, failed, missed, parts = _Gathered(), list[Fault](), list[Missed](), list[Missed]()
        for form in self._forms:
            try:
                listed = self._gather(form, since, gathered)
                parts += self._parts_of(form, _LOST if listed else _EMPTY)
            except Fault as fault:
                if fault.kind in SILENT:
                    raise for_source(fault) from fault
                failed.append(fault)
                missed.append(self._missed(form, str(fault)))
            else:
                if form in gathered.gaps:
                    missed.append(self._missed(form, _GAPS.format(form)))
        if len(failed) == len(self._forms):
            raise for_source(failed[0]) from failed[0]
        found = replace(gathered.listing(complete=not missed), missed=tuple(missed), parts=tuple(parts))
        return found if found.complete else replace(found, as_of_ms=since_ms)

    def _missed(self, form: str, why: str) -> Missed:
        return Missed(tuple(each.service for each in self._forms[form]), f"{form}/", why)

    def _parts_of(self, form: str, why: str) -> list[Missed]:
        """The parts of a form that can be doubted: one per service, since an agenda may be renamed for one only."""
        services = dict.fromkeys(each.service for each in self._forms[form])
        return [Missed((service,), f"{form}/", why.format(form, service)) for service in services]

    def _gather(self, form: str, since: str, gathered: "_Gathered") -> bool:
        """Read one form's list; return whether it lists anything.

        After a list of several pages, ask once more for what changed since the first page: w.c.s. may sort by change,
        and a request that moves to the front meanwhile is on no page.
        """
        first, fresh = None, 0
        for page in self._wcs.pages(form, since):
            gathered.add_page(page, self._forms[form], self._zone)
            first = page if first is None else first
            fresh += bool(page.entries)
        if first is not None and fresh > 1:
            for page in self._wcs.pages(form, changed_since(first.as_of_ms, self._zone)):
                gathered.add_page(page, self._forms[form], self._zone)
        return fresh > 0


class _Gathered:
    """What was read so far."""

    def __init__(self) -> None:
        self.found: dict[str, Sequence[Booking | Flaw | Cancelled]] = {}
        self.flaws: list[Flaw] = []
        # The forms whose pages leave gaps.
        self.gaps = set[str]()
        self.as_of_ms: int | None = None

    def add_page(self, page: Page, maps: Sequence[BookingForm], zone: ZoneInfo) -> None:
        if not page.linked:
            self.gaps.add(maps[0].form)
        self.as_of_ms = page.as_of_ms if self.as_of_ms is None else min(page.as_of_ms, self.as_of_ms)
        for entry in page.entries:
            found = (*read_entry(maps, entry, zone), *unseen_bookings(maps, entry))
            if reference := reference_of(maps, entry):
                self.add(reference, found)
            else:
                self.flaws += [each for each in found if isinstance(each, Flaw)]

    def add(self, reference: str, found: Sequence[Booking | Flaw | Cancelled]) -> None:
        """Add a request, replacing an earlier result for it."""
        self.found[reference] = found

    def listing(self, *, complete: bool) -> Listing:
        found = [each for of_request in self.found.values() for each in of_request]
        bookings = tuple(each for each in found if isinstance(each, Booking))
        flaws = (*(each for each in found if isinstance(each, Flaw)), *self.flaws)
        cancelled = tuple(each.reference for each in found if isinstance(each, Cancelled))
        # A flaw without a reference may be of any missing booking, so then nothing may be concluded.
        proves = complete and not self.flaws
        return Listing(bookings, flaws, proves, self.as_of_ms or 0, cancelled)


def open_client(
    address: str, publik: Publik, secrets: Secrets, now_ms: Callable[[], int], limits: Limits = LIMITS
) -> Client:
    """Open a client for w.c.s. or Chrono. Raises WrongSetting."""
    if publik.login == "basic":
        if not secrets.password:
            raise WrongSetting(
                f"{PREFIX}PUBLIK_PASSWORD_FILE", None, "a file whose first line is the API client's password"
            )
        credentials = Credentials(publik.client, password=secrets.password)
    else:
        if not secrets.key:
            raise WrongSetting(f"{PREFIX}PUBLIK_KEY_FILE", None, "a file whose first line is the API client's key")
        credentials = Credentials(publik.client, key=secrets.key)
    # An address without TLS is on this machine, which no proxy leads to.
    proxy = secrets.proxy if address.startswith("https:") else ""
    try:
        return Client(
            address,
            credentials,
            now_ms=now_ms,
            new_nonce=_nonce,
            ca_file=secrets.ca_file,
            proxy=proxy,
            limits=limits,
        )
    except OSError as error:
        why = "this one has none" if isinstance(error, ssl.SSLError) else unread(error)
        wanted = f"a PEM file with certificates, but {why}"
        raise WrongSetting(f"{PREFIX}PUBLIK_CA_FILE", str(secrets.ca_file), wanted) from None


def zone_of(publik: Publik, site: Site) -> ZoneInfo:
    return ZoneInfo(publik.zone or site.zone)


def _nonce() -> str:
    return dice.token_hex(16)


def _is_gone(maps: Sequence[BookingForm], entry: dict[str, Any], booking: str) -> bool:
    """Whether a request is cancelled for this booking, or shows only other bookings."""
    named = [(each, found) for each in maps if (found := booking_id(each, entry)) is not None]
    of_it = [each for each, found in named if found == booking]
    if named and not of_it:
        # It may be in a part that the request does not show.
        return not unseen_bookings(maps, entry)
    # Nothing is known about a form that is no longer in the site file.
    return bool(maps) and all(is_cancelled(each, entry) for each in of_it or maps)


def _parts(reference: str) -> tuple[str, str]:
    form, _, id_ = reference.partition("/")
    return form, id_


def _close_all(*clients: Client | None) -> None:
    for client in clients:
        if client:
            client.close()
