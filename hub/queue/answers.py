"""What each command answers, as data: kept under the request's id and repeated to whoever asks again."""

from msgspec import Struct

from protocol.messages import Arrival, DeskOutcome


class DeskAnswer(Struct, frozen=True, kw_only=True, tag_field="type", tag="desk"):
    """What a desk's command did. `ticket`, `number`: the ticket called, or else the one it was done to."""

    outcome: DeskOutcome
    ticket: int | None = None
    number: str | None = None


class TicketAnswer(Struct, frozen=True, kw_only=True, tag_field="type", tag="ticket"):
    ticket: int
    number: str
    service: str
    code: str
    people_ahead: int
    issued_ms: int
    wait_min: tuple[int, int] | None = None
    appointment_ms: int | None = None


class CheckInAnswer(Struct, frozen=True, kw_only=True, tag_field="type", tag="check_in"):
    """`number` and what follows it: where the visitor has one. `hall`: where to wait, if that is not the dispenser's.

    `desk`: who calls, where `arrival` is called.
    """

    arrival: Arrival
    appointment_ms: int | None = None
    service: str | None = None
    hall: str | None = None
    ticket: TicketAnswer | None = None
    desk: str | None = None


class DoneAnswer(Struct, frozen=True, kw_only=True, tag_field="type", tag="done"):
    """`count`: how many tickets were ended, printed, cancelled …; what is left may be asked for again.

    `refused`: of a slice of bookings those that could not be taken, each with the reason in one sentence.
    """

    count: int = 0
    refused: tuple[tuple[str, str], ...] = ()


class SessionAnswer(Struct, frozen=True, kw_only=True, tag_field="type", tag="session"):
    session: int


class RefusedAnswer(Struct, frozen=True, kw_only=True, tag_field="type", tag="refused"):
    """A refusal as it is kept and repeated: `code`, one sentence, and the facts."""

    code: str
    detail: str
    facts: dict[str, str | int | None] = {}


Answer = DeskAnswer | TicketAnswer | CheckInAnswer | DoneAnswer | SessionAnswer | RefusedAnswer
