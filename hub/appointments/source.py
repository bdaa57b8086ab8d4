"""What every source of bookings gives and takes. Publik's JSON, a file's columns: only the source itself knows them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from hub.appointments.source_refusal import SourceRefusal, Why
from hub.queue.reports import ReportKind


@dataclass(frozen=True, slots=True)
class Booking:
    """One appointment as its source tells it. `id` is unique in the source, `reference` what a report is addressed to.

    `start_ms`: in ms since 1970 UTC. `code`: what the confirmation says, as `confirmation_code` writes it; None where
    the source does not say, though it might. `gone`: it was cancelled. `lapsed`: it is gone only as its request has
    left the statuses that count, which is what it does once the visitor is here too. `unfit`: it is gone only as it is
    none of those that are asked for.
    """

    id: str
    reference: str
    service: str
    start_ms: int
    code: str | None
    name: str | None = None
    gone: bool = False
    lapsed: bool = False
    unfit: bool = False

    @property
    def was_cancelled(self) -> bool:
        """Whether its source says so, and not only no longer what makes it count."""
        return self.gone and not self.lapsed and not self.unfit


@dataclass(frozen=True, slots=True)
class Flaw:
    """A booking that can't be shown: which, and why. Names nobody.

    `reference`: its request, where that much is known: what was told of it before is not taken to be gone. `if_known`:
    it may never have had a booking, or no other one, so that this is a flaw only where one is known that is not told.
    `services`: it is about what the request has for these; for any where there are none.
    """

    about: str
    why: str
    reference: str | None = None
    if_known: bool = False
    services: tuple[str, ...] = ()

    def may_be_of(self, service: str) -> bool:
        return not self.services or service in self.services


@dataclass(frozen=True, slots=True)
class Missed:
    """A part of the source that gave no list, or none to be believed: the services it is for, how its requests'
    references begin, and why, in one sentence that names nobody. It is the same part whatever the reason.
    """

    services: tuple[str, ...]
    prefix: str
    why: str = field(compare=False)

    def has(self, reference: str, service: str | None = None) -> bool:
        """Whether a request is of it; or what that has for this service."""
        return reference.startswith(self.prefix) and (service is None or service in self.services)


@dataclass(frozen=True, slots=True)
class Listing:
    """What a source answered. Only from a `complete` one may it be concluded that a booking which lacks is gone.

    `as_of_ms`: the source's own time when it was asked: what changes later is in a later listing; None where all is to
    be listed again. `cancelled`: requests that are cancelled; what they had, and is not among the bookings, is gone.
    `later`: what requests have beyond the listed days, as after a move. `missed`: the parts that lack. `parts`: those
    that may not be believed, each of one service and as it is missed then.
    """

    bookings: tuple[Booking, ...]
    flaws: tuple[Flaw, ...] = ()
    complete: bool = False
    as_of_ms: int | None = 0
    cancelled: tuple[str, ...] = ()
    later: tuple[Booking, ...] = ()
    missed: tuple[Missed, ...] = ()
    parts: tuple[Missed, ...] = ()


@dataclass(frozen=True, slots=True)
class Hint:
    """That something changed with this request of the source: look it up. Nothing else in it is believed."""

    reference: str


class SourceAway(Exception):
    """The source was not reached or gave no usable answer: ask again later. `str()` is one sentence, naming nobody.

    `perhaps_done`: what was asked for may have been done all the same (a time-out, a connection cut).
    """

    def __init__(self, reason: str, *, perhaps_done: bool = False) -> None:
        super().__init__(reason)
        self.perhaps_done = perhaps_done


class SourceRefuses(Exception):
    """The source answered no, and will again: somebody must look. `str()` is one sentence, naming nobody."""

    def __init__(self, reason: str, *, why: Why = Why.SAYS_NO, said: str = "") -> None:
        super().__init__(reason)
        self.refusal = SourceRefusal(why, reason, said)

    @property
    def not_offered(self) -> bool:
        """The request's status knows no such step, which is also what a step that was done already looks like."""
        return self.refusal.why is Why.NO_STEP


class BookingGone(Exception):
    """The request is cancelled, or has another booking by now: what became of this one is not told to it. Or there is
    no such request any more, so that nothing is left to cancel.
    """


class Source(Protocol):
    """Where bookings come from. Called by one thread, one call at a time; each raises SourceAway or SourceRefuses."""

    @property
    def title(self) -> str:
        """What staff call it: `Publik`, or the file's name."""

    @property
    def is_file(self) -> bool:
        """Whether it is read, rather than asked: staff are told why it says nothing."""

    def list_all(self, first_day: str, last_day: str) -> Listing:
        """Every booking of these days of the site, both included."""

    def list_changed(self, since_ms: int) -> Listing | None:
        """What changed since; None where the source can't tell, so that all must be listed."""

    def look_up(self, hints: Sequence[Hint]) -> Listing:
        """These requests as they are now."""

    def tells(self, kind: ReportKind) -> bool:
        """Whether it is to be told this at all."""

    def status_of(self, reference: str, booking: str, kind: ReportKind) -> str | None:
        """The status the request is in; None where telling this twice does no harm. Raises BookingGone too."""

    def tell(self, reference: str, booking: str, kind: ReportKind) -> None:
        """Tells what became of a booking."""

    def close(self) -> None:
        """Ends its connections."""
