"""Every command as data: what is asked, by whom, with which id. `hub.queue.commands` does them, and answers.

Those of who is logged in stand in `hub.queue.people_requests`.

A command says nothing of the time: the writer reads the clock once when it takes the command.
"""

from enum import StrEnum

from msgspec import Struct

from protocol.messages import DeskMode


class Source(StrEnum):
    """By what a command came."""

    BUTTON = "button"
    PAGE = "page"
    API = "api"
    DISPENSER = "dispenser"
    SYNC = "sync"
    JOB = "job"


class Origin(Struct, frozen=True):
    """`actor`: a node's name, or a person's account; empty where nobody in person. `request`: the id, None for a job.

    `signed_on`: the actor must be who is signed on at the command's desk, else it is refused. `at_ms`: the moment of a
    click on the hub's clock, where its page said so: it lives 7 s.
    """

    source: Source
    actor: str = ""
    request: str | None = None
    signed_on: bool = False
    at_ms: int | None = None


class Command(Struct, frozen=True, kw_only=True):
    origin: Origin


class DeskCommand(Command, frozen=True, kw_only=True):
    desk: str


class AtHeld(DeskCommand, frozen=True, kw_only=True):
    """A command to what the desk holds. `shown`: the id of the ticket its page showed as held, None for nobody."""

    shown: int | None


# --- by the button ------------------------------------------------------------------------------------------------


class Press(DeskCommand, frozen=True, kw_only=True):
    """`at_ms`: the moment of the gesture on the hub's clock."""

    at_ms: int


class ButtonRecall(DeskCommand, frozen=True, kw_only=True):
    at_ms: int


class ButtonMode(DeskCommand, frozen=True, kw_only=True):
    """`mode`: paused or open, whatever the desk was."""

    at_ms: int
    mode: DeskMode


# --- by the page and the API --------------------------------------------------------------------------------------


class Next(AtHeld, frozen=True, kw_only=True):
    """Finish what the desk holds, call the next."""


class Recall(AtHeld, frozen=True, kw_only=True):
    """Say the called ticket again. `said_ms`: only where its last saying is still the one that ends then."""

    said_ms: int | None = None


class Start(AtHeld, frozen=True, kw_only=True):
    """The called visitor is here."""


class Withdraw(AtHeld, frozen=True, kw_only=True):
    """Called by mistake: back to its own place."""


class MarkAbsent(AtHeld, frozen=True, kw_only=True):
    """The called visitor did not come."""


class Finish(AtHeld, frozen=True, kw_only=True):
    """The visit is over; calls nobody."""


class Park(AtHeld, frozen=True, kw_only=True):
    """Set the held ticket aside."""


class Undo(AtHeld, frozen=True, kw_only=True):
    """Undo a finish-and-call: what was called is withdrawn, what was finished is reopened."""


class SetMode(AtHeld, frozen=True, kw_only=True):
    """Pause, close or open. While a ticket is held, pause and close wait for its end; `open` takes them back."""

    mode: DeskMode


class SignOn(DeskCommand, frozen=True, kw_only=True):
    """The actor works at this desk from now on and at no other; whoever was signed on here no longer is.

    `only_free`: the actor was shown that nobody is here; refused where somebody is by now. `only_idle`: that they leave
    no visitor at the desk where they were; refused where they would.
    """

    only_free: bool = False
    only_idle: bool = False


class SignOff(DeskCommand, frozen=True, kw_only=True):
    """Nobody is signed on at this desk any more. `only_own`: refused where that is not the actor by now."""

    only_own: bool = False


class AtTicket(DeskCommand, frozen=True, kw_only=True):
    """A command to one ticket of a list, by a desk."""

    ticket: int


class Pick(AtTicket, frozen=True, kw_only=True):
    """Call this waiting ticket, whoever is due."""


class Resume(AtTicket, frozen=True, kw_only=True):
    """Call a ticket again that was set aside."""


class StartAbsent(AtTicket, frozen=True, kw_only=True):
    """The absent visitor came after all: served here at once, without an announcement."""


class Reopen(AtTicket, frozen=True, kw_only=True):
    """Finished by mistake, within 10 min."""


class FinishParked(AtTicket, frozen=True, kw_only=True):
    """End a ticket that was set aside."""


class Readmit(AtTicket, frozen=True, kw_only=True):
    """An absent ticket waits again."""


class CheckIn(AtTicket, frozen=True, kw_only=True):
    """A booked visitor is here; `desk` may be empty where it is not a desk that says so."""

    priority: bool = False


class Cancel(AtTicket, frozen=True, kw_only=True):
    """A waiting or expected ticket is no longer wanted."""


class Transfer(AtTicket, frozen=True, kw_only=True):
    """To a service, or to a desk under the ticket's own service (then bound to it). One of the two is named.

    `confirmed`: yes, though no desk of that service is open. `signed_on_unless_waiting`: one that is called, served
    or set aside is moved on by who is signed on at the desk alone, one that waits by others too.
    """

    service: str | None = None
    to_desk: str | None = None
    confirmed: bool = False
    signed_on_unless_waiting: bool = False


# --- by dispensers, sync and jobs ---------------------------------------------------------------------------------


class Issue(Command, frozen=True, kw_only=True):
    """`code`: the opaque word by which a phone follows the ticket, made where the command is made."""

    service: str
    code: str
    priority: bool = False


class NotePrinted(Command, frozen=True, kw_only=True):
    of: str
    sure: bool


class Abandon(Command, frozen=True, kw_only=True):
    of: str


class Defer(Command, frozen=True, kw_only=True):
    """The visitor asks for more time: due at the later of now and its due time, plus `by_ms`."""

    ticket: int
    by_ms: int


class Book(Struct, frozen=True, kw_only=True):
    """A booking that is to be expected; one that is known already changes nothing.

    `booking`: the source's own id, unique in the site; `reference`: the request it belongs to, for telling it back.
    `appointment_ms`: when it is. `confirmation`: what the visitor's confirmation says (see `confirmation_code`).
    `code`: the opaque word by which a phone follows the ticket.
    """

    booking: str
    reference: str
    service: str
    appointment_ms: int
    confirmation: str
    code: str
    name: str | None = None


class Move(Struct, frozen=True, kw_only=True):
    """A new time. Who was only admitted is expected anew; after check-in people decide: the ticket is only marked.

    `service`: where the source names another one now, for a ticket that is still expected. `reference`, `confirmation`:
    where they are others now, whatever has become of the ticket. `name`: what the source says now, None where it says
    none; for who has not left yet.
    """

    booking: str
    appointment_ms: int
    service: str | None = None
    reference: str | None = None
    confirmation: str | None = None
    name: str | None = None


class CancelBooking(Struct, frozen=True, kw_only=True):
    """Cancelled at its source, or no longer there: an expected one ends, an admitted one too until people have to do
    with it; others are marked.

    `lapsed`: only moved on there. It ends for who is not here yet; for all others it stands, as it was told last.
    `moved`: its request has another booking now.
    """

    booking: str
    lapsed: bool = False
    moved: bool = False


BookingChange = Book | Move | CancelBooking


# A slice of so many takes 5 ms on PostgreSQL, commit included, one of 32 took 8; ten thousand take as long by either.
BOOKINGS_A_SLICE = 20


class TakeBookings(Command, frozen=True, kw_only=True):
    """A slice of what a sync found, each change done by itself; small enough not to keep people waiting.

    Answers how many changed anything, and which were refused: those never spoil the rest.
    """

    changes: tuple[BookingChange, ...]


class CheckInByCode(Command, frozen=True, kw_only=True):
    """A visitor with an appointment is at the dispenser. `confirmation`: the code read or typed, as `confirmation_code`
    writes it. `hall`: where the dispenser stands, None where that is not known.
    """

    confirmation: str
    hall: str | None = None
    priority: bool = False


class PlanReports(Command, frozen=True, kw_only=True):
    """Looks at the next journal rows, at most `limit`, for what the sources of bookings must be told."""

    limit: int = 200


class BeginReport(Command, frozen=True, kw_only=True):
    """The report is about to be sent: from here on a crash leaves open whether it was. `status_before`: the form's."""

    report: int
    status_before: str | None = None


class EndReport(Command, frozen=True, kw_only=True):
    """What became of a sending. Done without `error`; else tried again at `again_ms`, or failed for good without it.

    `undone`: it surely did not reach the source, so that the next try is a first one. `dropped`: it is not told at all.
    """

    report: int
    error: str | None = None
    again_ms: int | None = None
    undone: bool = False
    dropped: bool = False


class RetryReport(Command, frozen=True, kw_only=True):
    """An agent wants a report that failed for good to be sent once more."""

    report: int


class ForgetBookings(Command, frozen=True, kw_only=True):
    """Deletes at most `limit` bookings of days before `day`, with their reports; one still to be told is kept."""

    day: str
    limit: int = 200


class Admit(Command, frozen=True, kw_only=True):
    """An expected ticket of a service without check-in, at its appointment − `early_call`."""

    ticket: int


class ExpireExpected(Command, frozen=True, kw_only=True):
    """An expected ticket whose `absence_delay` is over."""

    ticket: int


class ExpireCalled(Command, frozen=True, kw_only=True):
    """A called ticket that did not come to a desk that confirms arrivals. `call`: which call of it was due."""

    ticket: int
    call: int


class PutOffAbsences(Command, frozen=True, kw_only=True):
    """The hub or its database was away: nobody could say that the called visitors are here."""


class EndDay(Command, frozen=True, kw_only=True):
    """Ends at most `limit` tickets of `day` and before, so that a person's command never waits long behind it."""

    day: str
    limit: int = 20


class AlignExpected(Command, frozen=True, kw_only=True):
    """At most `limit` of a service's expected tickets, booked under other settings, are brought in step with them."""

    service: str
    limit: int = 50


class CloseLostDesks(Command, frozen=True, kw_only=True):
    """Closes the desks that the site file has no more, and sets free who waits for them alone."""


class Refresh(Command, frozen=True, kw_only=True):
    """Publish these anew: the site's configuration or its hours changed what they show, no ticket did."""

    desks: tuple[str, ...] = ()
    halls: tuple[str, ...] = ()


class ForgetRequests(Command, frozen=True, kw_only=True):
    """Deletes at most `limit` answers of requests before this moment, the oldest: nobody repeats them any more."""

    before_ms: int
    limit: int = 200


def confirmation_code(text: str) -> str:
    """What was typed, scanned or sent as one code: capitals and digits alone; of an address, its last part."""
    last = text.strip().rstrip("/").rpartition("/")[2]
    return "".join(sign for sign in last.upper() if sign.isalnum())
