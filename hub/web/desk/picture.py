"""The page of one desk as plain data: what it says and offers at one moment. Nothing here draws, reads or waits."""

from dataclasses import dataclass
from enum import StrEnum

from hub.appointments.list_state import ListState
from hub.queue.reasons import Reason
from hub.queue.states import Event, State
from protocol.messages import DeskMode

# This close to an announcement, the page no longer counts down to it.
SOON_MS = 1_000


class Stage(StrEnum):
    """What the page says in the held ticket's place."""

    NOBODY_CALLED = "nobody_called"
    NOBODY_WAITING = "nobody_waiting"
    ABSENT = "absent"  # the absence job ended the call; the desk holds nobody
    CALLING = "calling"
    SERVING = "serving"
    PAUSED = "paused"
    CLOSED = "closed"


class Undo(StrEnum):
    """What the button at the end of the last-action line does."""

    WITHDRAW = "withdraw"
    UNDO = "undo"
    REOPEN = "reopen"


class Mark(StrEnum):
    LATE = "late"  # its appointment is more than 15 min overdue
    LONG = "long"  # a walk-in that has waited 45 min


@dataclass(frozen=True, slots=True)
class SignedOn:
    """Who is signed on at a desk: account, display name, since when. `before`: the account they took it over from."""

    account: str
    name: str
    since_ms: int
    before: str | None = None


@dataclass(frozen=True, slots=True)
class HeldTicket:
    """The ticket that a desk holds. `timer_ms`: when its timer starts. `play_ms`: when its announcement starts.

    `absent_at_ms`: when the absence job marks it absent, None if it does not.
    """

    id: int
    number: str
    service_name: str
    service: str
    state: State
    timer_ms: int
    play_ms: int
    waited_ms: int
    appointment_ms: int | None = None
    absent_at_ms: int | None = None
    mean_ms: int | None = None
    name: str | None = None
    booking_note: str | None = None


@dataclass(frozen=True, slots=True)
class NextTicket:
    id: int
    number: str
    appointment_ms: int | None
    reason: Reason


@dataclass(frozen=True, slots=True)
class Row:
    """One waiting ticket in the list. `bound_to`: the number of the other desk it waits for, if it does.

    `missed`: it came too late for its appointment, and waits like one without.
    """

    id: int
    number: str
    arrived_ms: int
    appointment_ms: int | None
    due_ms: int
    mark: Mark | None
    priority: bool = False
    bound_to: str | None = None
    bound_here: bool = False
    booking_note: str | None = None
    missed: bool = False


@dataclass(frozen=True, slots=True)
class ServiceQueue:
    """`waiting`: how many wait. `rows`: the first of them. `helping_ms`: the delay if the desk only helps out."""

    service: str
    letter: str
    title: str
    helping_ms: int
    waiting: int
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class OtherService:
    letter: str
    title: str
    waiting: int
    has_open_desk: bool

    @property
    def is_left_waiting(self) -> bool:
        """Whether somebody waits and no desk is open to call them."""
        return self.waiting > 0 and not self.has_open_desk


@dataclass(frozen=True, slots=True)
class AsideTicket:
    """A ticket set aside or absent since `since_ms`. `of_desk`: the number of its desk, if that is another one."""

    id: int
    number: str
    since_ms: int
    of_desk: str | None = None


@dataclass(frozen=True, slots=True)
class Booking:
    """An expected visitor. `code`: that of the confirmation. `missed`: they did not come within the service's delay."""

    id: int
    code: str
    letter: str
    service: str
    appointment_ms: int
    callable_ms: int
    missed: bool
    name: str | None = None


@dataclass(frozen=True, slots=True)
class LastAction:
    """The last action at a desk. `event`: a ticket's event, or one such as `desk_open`, with an empty number.

    `appointment_ms`: that of the ticket; it names a ticket without number. `who`: the display name of the person who
    did it, None if it was no person, or is not known.
    """

    at_ms: int
    event: str
    number: str
    source: str
    who: str | None = None
    finished: str | None = None
    appointment_ms: int | None = None


@dataclass(frozen=True, slots=True)
class UndoOffer:
    kind: Undo
    ticket: int
    number: str


@dataclass(frozen=True, slots=True)
class DeskPicture:
    """Everything the page of a desk shows. Times in ms since 1970 UTC.

    `next_off_until_ms`: right after a call, the button Suivant is off until then. `redraw_ms`: when the picture changes
    by time alone. `agent`: who is signed on. `list_state`: how old the list of bookings is. `failed_reports`: how many
    reports its source refused.
    """

    revision: tuple[int, int]
    now_ms: int
    redraw_ms: int
    desk: str
    number: str
    mode: DeskMode
    pausing: bool
    closing: bool
    mode_since_ms: int
    agent: SignedOn | None
    confirms_arrivals: bool
    stage: Stage
    held: HeldTicket | None
    next: NextTicket | None
    next_off_until_ms: int
    queues: tuple[ServiceQueue, ...]
    others: tuple[OtherService, ...]
    parked: tuple[AsideTicket, ...]
    absent: tuple[AsideTicket, ...]
    absent_total: int
    expected: tuple[Booking, ...]
    more_expected: bool
    list_state: ListState
    failed_reports: int
    last: LastAction | None
    undo: UndoOffer | None

    @property
    def waiting(self) -> int:
        return sum(queue.waiting for queue in self.queues)

    @property
    def undoes_last(self) -> bool:
        """Whether `undo` undoes exactly the last action: the call, and the finish if one was in the same command."""
        if self.last is None or self.undo is None or self.last.number != self.undo.number:
            return False
        if self.last.event not in {Event.CALL, Event.RESUME}:
            return False
        return (self.undo.kind is Undo.UNDO) == (self.last.finished is not None)

    @property
    def has_bookings(self) -> bool:
        """Whether there is anything to show about appointments."""
        return bool(self.expected or self.list_state.source or self.failed_reports)

    @property
    def is_open(self) -> bool:
        return self.mode is DeskMode.OPEN

    @property
    def may_take(self) -> bool:
        """Whether the desk is open and holds nobody, so that it may pick, resume, reopen, or start an absent ticket."""
        return self.is_open and self.held is None

    @property
    def is_called(self) -> bool:
        """Whether the held ticket's state is `called`, whatever is drawn."""
        return self.held is not None and self.held.state is State.CALLED

    @property
    def may_recall(self) -> bool:
        """Whether the held ticket may be called again. Before its announcement there is nothing to say again."""
        return self.held is not None and self.is_called and self.held.play_ms - SOON_MS <= self.now_ms

    @property
    def may_next(self) -> bool:
        """Whether the button Suivant would do anything now."""
        if not self.is_open or self.next_off_until_ms > self.now_ms:
            return False
        return self.held is not None or self.next is not None
