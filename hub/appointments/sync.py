"""Brings the changes of a source's listing into the queue, in slices of one command each."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice

import structlog

from hub.appointments.comparing import Window, compare, lapsed_of, window_of
from hub.appointments.doubt import kept_in, lost_of, suspected_of
from hub.appointments.rows import here_of, known_from, known_to, last_ticket, names_of, reported_of, unserved_of
from hub.appointments.slices import AMONG_PEOPLE, next_size, rest_s
from hub.appointments.source import BookingSource, Flaw, Hint, Listing, Missed
from hub.database.faults import DatabaseFault
from hub.database.statements import Connection
from hub.failures import Failure, HubFault
from hub.queue.answers import Answer, DoneAnswer
from hub.queue.bookings import Known
from hub.queue.hours import last_ended_day
from hub.queue.requests import BookingChange, CancelBooking, Command, Origin, Source, TakeBookings
from hub.site import Site

log = structlog.get_logger(__name__)

# Hands a command to the writer and returns a function that waits for the answer.
Put = Callable[[Command], Callable[[], Answer]]

# Flaws logged per pass: a form whose mapping is wrong has one in each of its bookings.
LOGGED_MOST = 20

_SYNC = Origin(Source.SYNC, "sync")


class Sync:
    """Keeps the bookings in step with their source; used by one thread.

    `put` hands a command to the writer's queue for jobs. `quiet_s` gives for how long no person has asked the hub for
    anything. `pause` waits the given seconds, or less if the hub stops. `new_code` makes the code by which a phone
    follows its ticket.
    """

    def __init__(
        self,
        source: BookingSource,
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
        # By part: the last ticket at the last complete listing that was believed; if there was none, the last of the
        # tickets whose loss put the part in doubt.
        self._seen = dict[Missed, int]()
        # The parts in doubt after the last pass and the look-ups since, each with its lost bookings.
        self.doubted: dict[Missed, frozenset[str]] = {}
        # The parts that the last pass lacked or that are in doubt; empty if it failed as a whole.
        self.missed: tuple[Missed, ...] = ()

    def list_all(self, connection: Connection) -> int:
        """Make a full pass. Returns the number of changes. Raises SourceAway, SourceRefuses, Busy or a Failure."""
        self.missed = ()
        window = window_of(self._site, self._now_ms())
        listing = self._source.list_all(window.first_day, window.last_day)
        return self._keep(connection, listing, whole=True)

    def list_changed(self, connection: Connection) -> int:
        """Take what changed since the last pass, or all if the source can't tell or there was no pass."""
        self.missed = ()
        listing = self._source.list_changed(self._since_ms) if self._since_ms is not None else None
        if listing is None:
            return self.list_all(connection)
        return self._keep(connection, listing, whole=False)

    def look_up(self, connection: Connection, hints: Sequence[Hint]) -> int:
        """Look up the hinted requests. The next pass still starts where it would have, or lists all if in doubt."""
        listing = self._source.look_up(hints)
        made = self._take(connection, listing, whole=False)
        if self.doubted:
            self._since_ms = None
        return made

    def _keep(self, connection: Connection, listing: Listing, *, whole: bool) -> int:
        self._sure = True
        made = self._take(connection, listing, whole=whole)
        # Set only now, so that a pass that failed half-way is repeated. If changes were left out or parts are in doubt,
        # the next pass lists all.
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
            # Compute the next changes while the writer, or its database, works on these.
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
            # Bookings that a list of changes does not mention stand, so include them. An incomplete full pass says
            # nothing about what it does not mention.
            others = known_from(connection, self._site.name, window.first_day)
            all_known = {each.id: each for each in (*known, *others)}
            suspected = suspected_of(listing, all_known.values(), lost, window, self.doubted, self._seen)
        if not whole:
            # A look-up may find a request that the form's list lacks: it ends no doubt.
            suspected = {**self.doubted, **suspected}
        asked = frozenset[str]().union(*suspected.values())
        unserved = unserved_of(connection, self._site.name, asked, window.first_day) if asked else frozenset[str]()
        return {part: bookings for part, bookings in suspected.items() if not unserved.isdisjoint(bookings)}

    def _taken(self, changes: Sequence[BookingChange], answered: Callable[[], Answer]) -> list[Flaw]:
        """Wait for a slice's answer. Returns a flaw for each change that was refused."""
        try:
            answer = answered()
        except (DatabaseFault, HubFault):
            if len(changes) == 1:
                raise
            return self._send_singly(changes)
        if not isinstance(answer, DoneAnswer):
            raise TypeError(f"a slice of bookings is never answered with {type(answer).__name__}")
        references = {change.booking: _reference(change) for change in changes}
        return [Flaw(booking, why, references.get(booking)) for booking, why in answer.refused]

    def _send_singly(self, changes: Sequence[BookingChange]) -> list[Flaw]:
        """Send each change alone, so that one that can't be taken does not block the others.

        Raises the first fault if all fail.
        """
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
        """Keep a booking's flaw until the source lists the booking again. Log the new ones."""
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
    """Whether the flaw may concern one of these parts; a flaw of an unknown request may concern any."""
    return any(flaw.reference is None or part.has(flaw.reference) for part in parts)


def _slice_of(changes: tuple[BookingChange, ...]) -> TakeBookings:
    return TakeBookings(origin=_SYNC, changes=changes)


def _reference(change: BookingChange) -> str | None:
    return None if isinstance(change, CancelBooking) else change.reference
