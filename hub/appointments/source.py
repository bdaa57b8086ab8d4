"""The interface of every source of bookings. Only the source itself knows Publik's JSON or a file's columns."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from hub.appointments.source_refusal import SourceRefusal, Why
from hub.queue.reports import ReportKind


@dataclass(frozen=True, slots=True)
class Booking:
    """One appointment as its source gives it.

    - `id`: unique in the source. `reference`: the request that reports are addressed to.
    - `start_ms`: in ms since 1970 UTC.
    - `code`: the confirmation's code, in the form of `confirmation_code`; None if it should be there but is missing.
    - `gone`: the booking no longer counts, because it was cancelled or for one of the next two reasons.
    - `lapsed`: gone only because its request has left the statuses that count. Requests also do so once the visitor is
      here.
    - `unfit`: gone only because it does not match the agendas or meeting types that the site file names.
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
        """Whether the source says that it was cancelled, rather than no longer giving what makes it count."""
        return self.gone and not self.lapsed and not self.unfit


@dataclass(frozen=True, slots=True)
class Flaw:
    """A booking that can't be shown: which one, and why. Names no visitor.

    - `reference`: its request, if known. The known bookings of that request are not taken to be gone.
    - `if_known`: the request may have no such booking at all. It is a flaw only if a booking of the request is known
      that the listing lacks.
    - `services`: the flaw concerns the request's bookings for these services; if empty, for any service.
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
    """A part of the source that gave no list, or none that is believed.

    `services`: those it is for. `prefix`: how its requests' references begin. `why`: one sentence that names no
    visitor; parts that differ only in it are equal.
    """

    services: tuple[str, ...]
    prefix: str
    why: str = field(compare=False)

    def has(self, reference: str, service: str | None = None) -> bool:
        """Whether the request belongs to this part and, if given, the service too."""
        return reference.startswith(self.prefix) and (service is None or service in self.services)


@dataclass(frozen=True, slots=True)
class Listing:
    """What a source answered.

    - `complete`: whether a booking that it lacks is gone. An incomplete listing proves nothing about what it lacks.
    - `as_of_ms`: the source's own time when it was asked; later changes are in a later listing. None if all must be
      listed again.
    - `cancelled`: references of cancelled requests. Their bookings that are not in `bookings` are gone.
    - `later`: bookings beyond the listed days, for example after a move.
    - `missed`: the parts that are missing.
    - `parts`: the parts that may turn out not to be believed, one per service, each as `missed` gets it then.
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
    """The source says that this request changed. Only the reference is used; the request is then looked up."""

    reference: str


class SourceAway(Exception):
    """The source was not reached or gave no usable answer: ask again later. `str()` is one sentence, naming nobody.

    `perhaps_done`: the source may have done what was asked (after a time-out, or if the connection was cut).
    """

    def __init__(self, reason: str, *, perhaps_done: bool = False) -> None:
        super().__init__(reason)
        self.perhaps_done = perhaps_done


class SourceRefuses(Exception):
    """The source refused, and would refuse again: somebody must look. `str()` is one sentence, naming nobody."""

    def __init__(self, reason: str, *, why: Why = Why.SAYS_NO, said: str = "") -> None:
        super().__init__(reason)
        self.refusal = SourceRefusal(why, reason, said)

    @property
    def not_offered(self) -> bool:
        """The request's status does not offer this step. A step that was done already looks the same."""
        return self.refusal.why is Why.NO_STEP


class BookingGone(Exception):
    """Nothing is left to report.

    The request is cancelled or has another booking by now; or, for a cancellation, the request no longer exists.
    """


class BookingSource(Protocol):
    """Where bookings come from. Called by one thread, one call at a time.

    Calls that reach the source raise SourceAway or SourceRefuses.
    """

    @property
    def title(self) -> str:
        """Its name for staff: `Publik`, or the file's name."""

    @property
    def is_file(self) -> bool:
        """Whether it is a file: a message about a late list then speaks of a file."""

    def list_all(self, first_day: str, last_day: str) -> Listing:
        """Every booking of the site from `first_day` to `last_day` inclusive."""

    def list_changed(self, since_ms: int) -> Listing | None:
        """What changed since `since_ms`; None if the source can't tell, so that all must be listed."""

    def look_up(self, hints: Sequence[Hint]) -> Listing:
        """The current state of these requests."""

    def tells(self, kind: ReportKind) -> bool:
        """Whether the source takes reports of this kind."""

    def status_of(self, reference: str, booking: str, kind: ReportKind) -> str | None:
        """The request's status; None if sending this report twice does no harm. Raises BookingGone too."""

    def tell(self, reference: str, booking: str, kind: ReportKind) -> None:
        """Report what became of a booking."""

    def close(self) -> None:
        """Close its connections."""
