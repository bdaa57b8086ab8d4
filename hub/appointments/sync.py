"""From a source's listing to the queue: what changed, in slices of one command each."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice

import structlog

from hub.appointments.comparing import Window, compare, lapsed_of, window_of
from hub.appointments.doubt import kept_in, lost_of, suspected_of
from hub.appointments.rows import here_of, known_from, known_to, last_ticket, names_of, reported_of, unserved_of
from hub.appointments.slices import AMONG_PEOPLE, next_size, rest_s
from hub.appointments.source import Flaw, Hint, Listing, Missed, Source
from hub.database.faults import DatabaseFault
from hub.database.statements import Connection
from hub.failures import Failure, HubFault
from hub.queue.answers import Answer, DoneAnswer
from hub.queue.bookings import Known
from hub.queue.hours import last_ended_day
from hub.queue.requests import BookingChange, CancelBooking, Command, Origin, TakeBookings
from hub.queue.requests import Source as By
from hub.site import Site

log = structlog.get_logger(__name__)

# Hands a command to the writer; what it gives waits for the answer.
Put = Callable[[Command], Callable[[], Answer]]

# A form whose mapping is wrong has a flaw in each of its bookings.
LOGGED_MOST = 20

_SYNC = Origin(By.SYNC, "sync")


class Sync:
    """Keeps the bookings in step with their source; used by one thread.

    `put` hands a command to the writer's queue for jobs; `quiet_s` says how long no person has asked it for anything.
    `pause` waits so many seconds, less where the hub stops. `new_code` makes the word by which a phone follows its
    ticket.
    """

    def __init__(
        self,
        source: Source,
        site: Site,
        put: Put,
        quiet_s: Callable[[], float],
        pause: Callable[[float], object],
        now_ms: Callable[[], int],
        new_code: Callable[[], str],
    ) -> None:
        self._source = source
        self._site = site
        self._put = put
        self._quiet_s = quiet_s
        self._pause = pause
        self._now_ms = now_ms
        self._new_code = new_code
        self._since_ms: int | None = None
        self._size = AMONG_PEOPLE
        self._sure = True
        self.flaws: tuple[Flaw, ...] = ()
        # By part: the last ticket there was when all of it was listed, and believed; where that never was, the last
        # that was lost as it came into doubt.
        self._seen = dict[Missed, int]()
        # By the last pass, and what was looked up since; with what is lost of each.
        self.doubted: dict[Missed, frozenset[str]] = {}
        # By the last pass, unless it failed as a whole.
        self.missed: tuple[Missed, ...] = ()

    def list_all(self, connection: Connection) -> int:
        """A full pass; gives how many changes it made. Raises SourceAway, SourceRefuses, Busy or a Failure."""
        self.missed = ()
        window = window_of(self._site, self._now_ms())
        listing = self._source.list_all(window.first_day, window.last_day)
        return self._keep(connection, listing, whole=True)

    def list_changed(self, connection: Connection) -> int:
        """What changed since the last pass; all of it, where the source can't tell or there was none."""
        self.missed = ()
        listing = self._source.list_changed(self._since_ms) if self._since_ms is not None else None
        if listing is None:
            return self.list_all(connection)
        return self._keep(connection, listing, whole=False)

    def look_up(self, connection: Connection, hints: Sequence[Hint]) -> int:
        """What these hints are about. The next pass looks from where it would have, or at all where there is doubt."""
        listing = self._source.look_up(hints)
        made = self._take(connection, listing, whole=False)
        if self.doubted:
            self._since_ms = None
        return made

    def _keep(self, connection: Connection, listing: Listing, *, whole: bool) -> int:
        self._sure = True
        made = self._take(connection, listing, whole=whole)
        # Only now: of a pass that failed half-way the rest must be told again; of one that left some out, all of it.
        self._since_ms = listing.as_of_ms if self._sure and not self.doubted else None
        self.missed = (*listing.missed, *self.doubted)
        if listing.complete:
            believed = [part for part in listing.parts if part not in self.doubted]
            self._seen |= dict.fromkeys(believed, last_ticket(connection, self._site.name))
        return made

    def _take(self, connection: Connection, listing: Listing, *, whole: bool) -> int:
        known = known_to(connection, self._site.name, listing)
        now_ms = self._now_ms()
        names = names_of(connection, self._site.name, listing, last_ended_day(self._site, now_ms))
        window = window_of(self._site, now_ms)
        lapsed = lapsed_of(listing, known, window)
        here = here_of(connection, self._site.name, lapsed)
        lost = lost_of(listing, known, window, reported_of(connection, self._site.name, lapsed))
        self.doubted = self._doubted_in(connection, listing, known, lost, window, whole=whole)
        for part in self.doubted.keys() - self._seen.keys():
            self._seen[part] = max(each.ticket for each in known if each.id in self.doubted[part])
        kept = kept_in(self.doubted, known, lost)
        found = compare(known, listing, window, self._new_code, names, kept, here)
        made, flaws = 0, list[Flaw]()
        ahead = deque(islice(found.changes, self._size))
        while ahead:
            changes = tuple(ahead.popleft() for _ in range(min(self._size, len(ahead))))
            started_s = time.perf_counter()
            answer = self._put(_slice_of(changes))
            # The next ones are found while the writer, or its database, has these.
            ahead.extend(islice(found.changes, self._size))
            flaws += self._taken(changes, answer)
            made += len(changes)
            spent_s, quiet_s = time.perf_counter() - started_s, self._quiet_s()
            self._size = next_size(self._size, spent_s, quiet_s)
            self._pause(rest_s(spent_s, quiet_s))
        self._note_flaws(listing, [*found.flaws, *flaws], whole=whole)
        return made

    def _doubted_in(
        self,
        connection: Connection,
        listing: Listing,
        known: Sequence[Known],
        lost: frozenset[str],
        window: Window,
        *,
        whole: bool,
    ) -> dict[Missed, frozenset[str]]:
        suspected = suspected_of(listing, known, lost, window, self.doubted, self._seen)
        if suspected and not whole:
            # What did not change stands. Of a whole one that broke off, what it does not speak of proves nothing.
            others = known_from(connection, self._site.name, window.first_day)
            all_known = {each.id: each for each in (*known, *others)}
            suspected = suspected_of(listing, all_known.values(), lost, window, self.doubted, self._seen)
        if not whole:
            # A request may well be there though its list lacks it.
            suspected = {**self.doubted, **suspected}
        asked = frozenset[str]().union(*suspected.values())
        unserved = unserved_of(connection, self._site.name, asked, window.first_day) if asked else frozenset[str]()
        return {part: bookings for part, bookings in suspected.items() if not unserved.isdisjoint(bookings)}

    def _taken(self, changes: Sequence[BookingChange], answered: Callable[[], Answer]) -> list[Flaw]:
        """What was refused of a slice that is at the writer."""
        try:
            answer = answered()
        except (DatabaseFault, HubFault):
            if len(changes) == 1:
                raise
            return self._send_singly(changes)
        refused = answer.refused if isinstance(answer, DoneAnswer) else ()
        references = {change.booking: _reference(change) for change in changes}
        return [Flaw(booking, why, references.get(booking)) for booking, why in refused]

    def _send_singly(self, changes: Sequence[BookingChange]) -> list[Flaw]:
        """One that can't be taken must not keep the others out. Raises its fault where none can."""
        flaws, faults = list[Flaw](), list[Failure]()
        for change in changes:
            try:
                flaws += self._taken((change,), self._put(_slice_of((change,))))
            except (DatabaseFault, HubFault) as fault:
                faults.append(fault)
                flaws.append(Flaw(change.booking, str(fault), _reference(change)))
        if len(faults) == len(changes):
            raise faults[0]
        self._sure = self._sure and not faults
        return flaws

    def _note_flaws(self, listing: Listing, flaws: Sequence[Flaw], *, whole: bool) -> None:
        """What was wrong with a booking stands until it is told again."""
        told = {*(booking.reference for booking in listing.bookings), *listing.cancelled}
        about = {flaw.about for flaw in flaws}
        lacking = (*listing.missed, *self.doubted)
        stand = (each for each in self.flaws if not whole or _may_be_of(each, lacking))
        kept = tuple(each for each in stand if each.about not in about and each.reference not in told)
        new = sorted(set(flaws).difference(self.flaws), key=lambda each: each.about)
        for flaw in new[:LOGGED_MOST]:
            log.warning("appointments.flaw", about=flaw.about, why=flaw.why)
        if len(new) > LOGGED_MOST:
            log.warning("appointments.more_flaws", more=len(new) - LOGGED_MOST)
        self.flaws = (*kept, *flaws)


def _may_be_of(flaw: Flaw, parts: Sequence[Missed]) -> bool:
    """Where its request is not known, of any part."""
    return any(flaw.reference is None or part.has(flaw.reference) for part in parts)


def _slice_of(changes: tuple[BookingChange, ...]) -> TakeBookings:
    return TakeBookings(origin=_SYNC, changes=changes)


def _reference(change: BookingChange) -> str | None:
    return None if isinstance(change, CancelBooking) else change.reference
