"""Every command as data: what is asked, by whom, with which id. `hub.queue.commands` runs them and answers.

The commands about login sessions are in `hub.queue.people_requests`.

A command does not carry its own time: the writer reads the clock once when it takes the command.
"""

from enum import StrEnum

from msgspec import Struct

from protocol.messages import DeskMode


class Source(StrEnum):
    """Where a command came from."""

    BUTTON = "button"
    PAGE = "page"
    API = "api"
    DISPENSER = "dispenser"
    SYNC = "sync"
    JOB = "job"


class Origin(Struct, frozen=True):
    """Who sent a command, and by what.

    `actor`: a node's name or a person's account; empty for neither. `request`: the request id, None for a job.
    `signed_on`: the command is refused unless the actor is signed on at its desk. `at_ms`: the time of a click on the
    hub's clock, if the page sent it; the command is refused more than 7 s later.
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
    """A command on the ticket the desk holds. `shown`: the id of the ticket the page showed as held, None for none."""

    shown: int | None


# --- by the button ------------------------------------------------------------------------------------------------


class Press(DeskCommand, frozen=True, kw_only=True):
    """A short press. `at_ms`: the time of the gesture on the hub's clock."""

    at_ms: int


class ButtonRecall(DeskCommand, frozen=True, kw_only=True):
    at_ms: int


class ButtonMode(DeskCommand, frozen=True, kw_only=True):
    """A very long press. `mode`: paused or open, whatever the desk's mode was."""

    at_ms: int
    mode: DeskMode


# --- by the page and the API --------------------------------------------------------------------------------------


class Next(AtHeld, frozen=True, kw_only=True):
    """Finish the ticket the desk holds and call the next."""


class Recall(AtHeld, frozen=True, kw_only=True):
    """Announce the called ticket again. `said_ms`: if given, do so only if its latest announcement still ends then."""

    said_ms: int | None = None


class Start(AtHeld, frozen=True, kw_only=True):
    """The called visitor is here."""


class Withdraw(AtHeld, frozen=True, kw_only=True):
    """The ticket was called by mistake: put it back in its own place."""


class MarkAbsent(AtHeld, frozen=True, kw_only=True):
    """The called visitor did not come."""


class Finish(AtHeld, frozen=True, kw_only=True):
    """The visit is over; call nobody."""


class Park(AtHeld, frozen=True, kw_only=True):
    """Park the held ticket."""


class Undo(AtHeld, frozen=True, kw_only=True):
    """Undo a finish-and-call: withdraw the called ticket and reopen the finished one."""


class SetMode(AtHeld, frozen=True, kw_only=True):
    """Pause, close or open the desk. While it holds a ticket, pause and close wait for its end; `open` cancels them."""

    mode: DeskMode


class SignOn(DeskCommand, frozen=True, kw_only=True):
    """Sign the actor on at this desk and off at any other; whoever was signed on here is signed off.

    `only_free`: the page showed that nobody is signed on here; refused if somebody is now. `only_idle`: the page showed
    that the actor leaves no visitor at their previous desk; refused if they would.
    """

    only_free: bool = False
    only_idle: bool = False


class SignOff(DeskCommand, frozen=True, kw_only=True):
    """Sign off whoever is signed on at this desk. `only_own`: refused if that is no longer the actor."""

    only_own: bool = False


class AtTicket(DeskCommand, frozen=True, kw_only=True):
    """A desk's command on one ticket of a list."""

    ticket: int


class Pick(AtTicket, frozen=True, kw_only=True):
    """Call this waiting ticket, whichever is due next."""


class Resume(AtTicket, frozen=True, kw_only=True):
    """Call a parked ticket again."""


class StartAbsent(AtTicket, frozen=True, kw_only=True):
    """The absent visitor came after all: serve them here at once, without an announcement."""


class Reopen(AtTicket, frozen=True, kw_only=True):
    """The ticket was finished by mistake, at most 10 min ago: reopen it."""


class FinishParked(AtTicket, frozen=True, kw_only=True):
    """Finish a parked ticket."""


class Readmit(AtTicket, frozen=True, kw_only=True):
    """Let an absent ticket wait again."""


class CheckIn(AtTicket, frozen=True, kw_only=True):
    """A visitor with an appointment is here; `desk` is empty if no desk sent the command."""

    priority: bool = False


class Cancel(AtTicket, frozen=True, kw_only=True):
    """Cancel a waiting or expected ticket."""


class Transfer(AtTicket, frozen=True, kw_only=True):
    """Move a ticket to a service, or bind it to a desk and keep its service. Exactly one of the two is given.

    `confirmed`: transfer even if no desk of that service is open. `signed_on_unless_waiting`: only the agent signed on
    at the desk may transfer a called, serving or parked ticket; others may transfer a waiting one too.
    """

    service: str | None = None
    to_desk: str | None = None
    confirmed: bool = False
    signed_on_unless_waiting: bool = False


# --- by dispensers, sync and jobs ---------------------------------------------------------------------------------


class Issue(Command, frozen=True, kw_only=True):
    """Issue a ticket to a walk-in.

    `code`: the opaque code with which a phone follows the ticket; whoever makes the command generates it.
    """

    service: str
    code: str
    priority: bool = False


class NotePrinted(Command, frozen=True, kw_only=True):
    of: str
    sure: bool


class Abandon(Command, frozen=True, kw_only=True):
    of: str


class Defer(Command, frozen=True, kw_only=True):
    """The visitor asks for more time: the new due time is the later of now and the old one, plus `by_ms`."""

    ticket: int
    by_ms: int


class Book(Struct, frozen=True, kw_only=True):
    """Expect a booking; a booking that is already known changes nothing.

    `booking`: the source's own id, unique in the site. `reference`: the source's request it belongs to, used to report
    back. `appointment_ms`: its time. `confirmation`: the code on the visitor's confirmation (see `confirmation_code`).
    `code`: the opaque code with which a phone follows the ticket.
    """

    booking: str
    reference: str
    service: str
    appointment_ms: int
    confirmation: str
    code: str
    name: str | None = None


class Move(Struct, frozen=True, kw_only=True):
    """A booking was changed at its source: a new time, or other new values.

    A visitor who was only admitted is expected anew. After check-in people decide, so the ticket is only marked.

    `service`: set if the source names another one now; of existing tickets, only an expected one changes to it.
    `reference`, `confirmation`: set if they changed, whatever the state of the ticket. `name`: the source's current
    name, None if it gives none; used only while the ticket is open.
    """

    booking: str
    appointment_ms: int
    service: str | None = None
    reference: str | None = None
    confirmation: str | None = None
    name: str | None = None


class CancelBooking(Struct, frozen=True, kw_only=True):
    """A booking was cancelled at its source or is no longer there.

    An expected ticket is cancelled. So is an admitted one that no person has handled yet. Any other is only marked.

    `lapsed`: the request only moved on to another status. The ticket of a visitor who is not here yet is cancelled; any
    other booking stays as the source last gave it. `moved`: the request has another booking now.
    """

    booking: str
    lapsed: bool = False
    moved: bool = False


BookingChange = Book | Move | CancelBooking


# A slice of 20 takes 5 ms on PostgreSQL, commit included; one of 32 took 8 ms. For 10,000 bookings both take as long.
BOOKINGS_A_SLICE = 20


class TakeBookings(Command, frozen=True, kw_only=True):
    """A slice of the changes a sync found; it is small so that people do not wait for it.

    Answers how many changes had an effect, and which were refused. A refused change does not affect the others.
    """

    changes: tuple[BookingChange, ...]


class CheckInByCode(Command, frozen=True, kw_only=True):
    """A visitor with an appointment is at the dispenser.

    `confirmation`: the code scanned or typed, as `confirmation_code` returns it. `hall`: the dispenser's hall, None if
    it is not known.
    """

    confirmation: str
    hall: str | None = None
    priority: bool = False


class PlanReports(Command, frozen=True, kw_only=True):
    """Read the next journal rows, at most `limit`, and plan the reports to the source of the bookings."""

    limit: int = 200


class BeginReport(Command, frozen=True, kw_only=True):
    """The report is about to be sent: after a crash from here on, it is unknown whether it was.

    `status_before`: the status of the form before the report.
    """

    report: int
    status_before: str | None = None


class EndReport(Command, frozen=True, kw_only=True):
    """The result of sending a report.

    Without `error` it is done. With `error` it is retried at `again_ms`; without `again_ms` it has failed for good.

    `undone`: it certainly did not reach the source, so the next try counts as a first one. `dropped`: it is not sent.
    """

    report: int
    error: str | None = None
    again_ms: int | None = None
    undone: bool = False
    dropped: bool = False


class RetryReport(Command, frozen=True, kw_only=True):
    """Send a report that failed for good again; an agent asked for it."""

    report: int


class ForgetBookings(Command, frozen=True, kw_only=True):
    """Delete at most `limit` bookings of days before `day`, with their reports.

    A booking with an open ticket is kept; one with an unfinished or failed report is kept for 30 days.
    """

    day: str
    limit: int = 200


class Admit(Command, frozen=True, kw_only=True):
    """Admit an expected ticket of a service without check-in, at its appointment − `early_call_min`."""

    ticket: int


class ExpireExpected(Command, frozen=True, kw_only=True):
    """Mark an expected ticket absent: its `absence_delay_min` is over."""

    ticket: int


class ExpireCalled(Command, frozen=True, kw_only=True):
    """Mark a called ticket absent: the visitor did not come to a desk that confirms arrivals.

    `call`: the call whose absence is due.
    """

    ticket: int
    call: int


class PutOffAbsences(Command, frozen=True, kw_only=True):
    """Restart the absence delay of called tickets: no arrival could be recorded while the hub or database was away."""


class EndDay(Command, frozen=True, kw_only=True):
    """End at most `limit` tickets of `day` and before, so that a person's command never waits long behind it."""

    day: str
    limit: int = 20


class AlignExpected(Command, frozen=True, kw_only=True):
    """Update at most `limit` expected tickets of a service that were booked under other settings."""

    service: str
    limit: int = 50


class CloseLostDesks(Command, frozen=True, kw_only=True):
    """Close the desks that the site file no longer has, and release the tickets bound to them."""


class Refresh(Command, frozen=True, kw_only=True):
    """Publish these again: the configuration or the opening hours changed what they show, not a ticket."""

    desks: tuple[str, ...] = ()
    halls: tuple[str, ...] = ()


class ForgetRequests(Command, frozen=True, kw_only=True):
    """Delete the oldest answers from before `before_ms`, about `limit` of them: nobody repeats those requests now."""

    before_ms: int
    limit: int = 200


def confirmation_code(text: str) -> str:
    """Normalise a typed, scanned or sent code: upper-case letters and digits only; of a URL, only its last part."""
    last = text.strip().rstrip("/").rpartition("/")[2]
    return "".join(sign for sign in last.upper() if sign.isalnum())
