"""What each command answers, as data. Answers are kept under the request's id; a repeat gets the first answer."""

from msgspec import Struct

from protocol.messages import Arrival, DeskOutcome


class DeskAnswer(Struct, frozen=True, kw_only=True, tag_field="type", tag="desk"):
    """What a desk's command did. `ticket`, `number`: the ticket it called, or else the one it acted on."""

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
    """The answer to a check-in by code.

    `ticket`: set if the visitor is here. `hall`: where to wait, if that is not the dispenser's hall. `desk`: the desk
    that calls, if `arrival` is called.
    """

    arrival: Arrival
    appointment_ms: int | None = None
    service: str | None = None
    hall: str | None = None
    ticket: TicketAnswer | None = None
    desk: str | None = None


class DoneAnswer(Struct, frozen=True, kw_only=True, tag_field="type", tag="done"):
    """The answer of a command that has no more to tell.

    `count`: how many tickets or rows it ended, changed, deleted …; the caller may repeat it for the rest. `refused`:
    the refused bookings of a slice, each with the reason in one sentence.
    """

    count: int = 0
    refused: tuple[tuple[str, str], ...] = ()


class SessionAnswer(Struct, frozen=True, kw_only=True, tag_field="type", tag="session"):
    session: int


class RefusedAnswer(Struct, frozen=True, kw_only=True, tag_field="type", tag="refused"):
    """A refusal as it is kept and repeated: `code`, one sentence (`detail`) and the facts."""

    code: str
    detail: str
    facts: dict[str, str | int | None] = {}


Answer = DeskAnswer | TicketAnswer | CheckInAnswer | DoneAnswer | SessionAnswer | RefusedAnswer
