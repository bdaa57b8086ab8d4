"""Typed messages, their limits, and the only way to read them: parse or refuse.

Every message is a JSON object in UTF-8 and is sent with `v`, the version of the contract. A receiver ignores fields
that it does not know, so that a newer sender may add some. It refuses another `v`, and reads a message without one as
version 1, since the topic names the version too.
"""

from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Final, Generic, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from protocol.environment import like
from protocol.instants import Instant, from_wire, to_wire
from protocol.topics import NAME

VERSION: Final = 1

# A hall's picture with 20 services, 4 messages and 60 calls is smaller than this; anything larger is not ours.
MAX_PAYLOAD_BYTES = 16_384

# How long a press is valid; nobody wants a call that is made minutes later.
PRESS_LIFE_MS = 10_000
# After this long without a beat, what a node shows may be old.
BEAT_LOST_MS = 15_000
BEAT_PERIOD_MS = 3_000
ECHO_PERIOD_MS = 5_000
# A ticket request that is not answered within this prints nothing.
TICKET_ANSWER_MS = 5_000
# An announcement that is later than this is not shown or played.
ANNOUNCEMENT_LATE_MS = 20_000
# The length of the chime.
CHIME_MS = 1_500

Version = Literal[1]
# \Z, since $ also matches before a trailing newline.
RequestId = Annotated[str, Meta(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z")]
Name = Annotated[
    str, like(rf"^{NAME.pattern}\Z", "at most 32 lower-case letters, digits and hyphens, such as civil-status")
]
Count = Annotated[int, Meta(ge=0)]
Text = Annotated[str, Meta(max_length=200)]

# [generation, n]. A new or restored database has a later generation. A receiver ignores a revision that is not greater
# than the one it has.
Revision = tuple[int, int]


class BadMessage(ValueError):
    """A payload that is not a message of its topic. `str()` says where and why."""


class Role(StrEnum):
    DESK_BUTTON = "desk_button"
    DISPLAY = "display"
    TICKET_PRINTER = "ticket_printer"


class NodeWarning(StrEnum):
    """The first word of a node's warning; a colon and details may follow. Other versions may send other words."""

    PAPER_OUT = "paper_out"
    PAPER_NEAR_END = "paper_near_end"
    COVER_OPEN = "cover_open"
    PRINTER_ERROR = "printer_error"
    PRINTER_OFFLINE = "printer_offline"
    PRINTER_UNREACHABLE = "printer_unreachable"
    PRINTER_SILENT = "printer_silent"
    SPOOL_FAILED = "spool_failed"
    HUB_SILENT = "hub_silent"
    SCANNER_AWAY = "scanner_away"
    PINS_UNUSABLE = "pins_unusable"
    MUTE = "mute"
    TOO_SMALL = "too_small"
    DISK = "disk"
    MESSAGES_REFUSED = "messages_refused"


class _Message(Struct, frozen=True, kw_only=True):
    v: Version = VERSION


# --- hub to all ---------------------------------------------------------------------------------------------------


class HubStatus(_Message, frozen=True, kw_only=True):
    """Retained; the hub's will has `online: false`. `boot` identifies one run of the program."""

    online: bool
    version: Text
    boot: Text


class Beat(_Message, frozen=True, kw_only=True):
    """The hub's time, every 3 s."""

    at: Instant


# --- node to hub --------------------------------------------------------------------------------------------------


class NodeStatus(_Message, frozen=True, kw_only=True):
    """Retained; the node's will has `online: false`."""

    online: bool
    role: Role
    version: Text
    boot: Text


class Telemetry(_Message, frozen=True, kw_only=True):
    """A node's periodic report. `stuck`: the pins held for 10 s or more. `warnings`: see NodeWarning."""

    uptime_s: Count
    memory_mib: float
    stuck: tuple[int, ...] = ()
    warnings: tuple[Text, ...] = ()


class Echo(_Message, frozen=True, kw_only=True):
    count: Count


class _Gesture(_Message, frozen=True, kw_only=True):
    """`beat` + `since_ms` is the moment of the gesture by the hub's clock.

    `beat` is the time in the last beat that the node received, `since_ms` the time from its arrival to the gesture by
    the node's monotonic clock.
    """

    id: RequestId
    beat: Instant
    since_ms: Count

    @property
    def at_ms(self) -> int:
        return self.beat + self.since_ms


class Press(_Gesture, frozen=True, kw_only=True, tag_field="type", tag="press"):
    """A short press: finish the ticket held and call the next."""


class Recall(_Gesture, frozen=True, kw_only=True, tag_field="type", tag="recall"):
    """A long press: announce the called ticket again."""


class Pause(_Gesture, frozen=True, kw_only=True, tag_field="type", tag="pause"):
    """A very long press at an open desk."""


class Open(_Gesture, frozen=True, kw_only=True, tag_field="type", tag="open"):
    """A very long press at a paused or closed desk."""


class IssueTicket(_Message, frozen=True, kw_only=True, tag_field="type", tag="ticket"):
    """A visitor asks for a ticket for a service."""

    id: RequestId
    service: Name
    priority: bool = False


class Printed(_Message, frozen=True, kw_only=True, tag_field="type", tag="printed"):
    """The ticket of request `of` went to the printer; `sure` is False if the printer did not confirm it."""

    id: RequestId
    of: RequestId
    sure: bool = True


class Abandon(_Message, frozen=True, kw_only=True, tag_field="type", tag="abandon"):
    """The dispenser printed nothing for request `of`. Its ticket is cancelled, or not issued if `of` comes later."""

    id: RequestId
    of: RequestId


class CheckIn(_Message, frozen=True, kw_only=True, tag_field="type", tag="check_in"):
    """A visitor with an appointment scanned or typed `code`, which is on the confirmation."""

    id: RequestId
    code: Annotated[str, Meta(min_length=1, max_length=300)]
    priority: bool = False


DeskRequest = Press | Recall | Pause | Open
NodeRequest = Press | Recall | Pause | Open | IssueTicket | Printed | Abandon | CheckIn


# --- hub to node --------------------------------------------------------------------------------------------------


class DeskOutcome(StrEnum):
    CALLED = "called"  # somebody was called or recalled
    TAKEN = "taken"  # done, or nothing to change: a bounce, or the desk was already so
    NOBODY = "nobody"  # taken, but there is nobody to call
    NOTHING = "nothing"  # a recall, but no ticket is called


class DeskReply(_Message, frozen=True, kw_only=True, tag_field="type", tag="desk"):
    id: RequestId
    outcome: DeskOutcome
    number: str | None = None


class TicketReply(_Message, frozen=True, kw_only=True, tag_field="type", tag="ticket"):
    """All that the paper shows. `wait_min`: shortest and longest wait in minutes, None if too little was measured."""

    id: RequestId
    number: str
    service_name: Text
    people_ahead: Count
    issued_at: Instant
    # An opaque code by which a phone may follow the ticket. It names nobody.
    code: Text
    wait_min: tuple[Count, Count] | None = None
    appointment_at: Instant | None = None


class Arrival(StrEnum):
    """What a visitor who checks in is told. Each has its own sentence on paper and screen."""

    EARLY = "early"  # checked in, more than `early_call_min` before the appointment
    ON_TIME = "on_time"  # checked in, up to the appointment's time
    LATE = "late"  # checked in after its time, within `absence_delay_min`: the appointment still counts
    MISSED = "missed"  # checked in later still, or already absent: waits like somebody without an appointment
    AGAIN = "again"  # had checked in before, and is waiting
    CALLED = "called"  # is being called or served now
    ABSENT = "absent"  # was called and did not come: the reception decides
    WRONG_DAY = "wrong_day"
    CANCELLED = "cancelled"
    ENDED = "ended"  # the visit is over
    UNKNOWN = "unknown"  # no appointment has this code


class CheckInReply(_Message, frozen=True, kw_only=True, tag_field="type", tag="check_in"):
    """All that the slip shows. `number` and the fields after it are set if the visitor has a number.

    `hall`: the title of the hall to wait in, if it is not the dispenser's. `desk`: the number on the plaque of the
    calling desk, if `arrival` is `called`.
    """

    id: RequestId
    arrival: Arrival
    appointment_at: Instant | None = None
    service_name: Text | None = None
    hall: Text | None = None
    desk: Text | None = None
    number: str | None = None
    people_ahead: Count = 0
    issued_at: Instant | None = None
    code: Text | None = None
    wait_min: tuple[Count, Count] | None = None


class Done(_Message, frozen=True, kw_only=True, tag_field="type", tag="done"):
    """The answer to `printed` and `abandon`."""

    id: RequestId


class Refused(_Message, frozen=True, kw_only=True, tag_field="type", tag="refused"):
    """`code`: a stable English word (`desk_closed`). `detail`: a sentence for a log."""

    id: RequestId
    code: str
    detail: str


Reply = DeskReply | TicketReply | CheckInReply | Done | Refused


class DeskButtonConfig(_Message, frozen=True, kw_only=True, tag_field="role", tag="desk_button"):
    revision: Revision
    desk: Name
    button_pin: Count = 17
    led_pin: Count = 27


# The limit of a screen's diagonal in inches and of its farthest seat in metres: more is a mistake.
SCREEN_MOST = 1_000


class DisplayConfig(_Message, frozen=True, kw_only=True, tag_field="role", tag="display"):
    """`diagonal_in`: the screen's diagonal, inches. `farthest_m`: from the screen to the farthest seat, metres."""

    revision: Revision
    hall: Name
    town: Text
    diagonal_in: Annotated[float, Meta(gt=0, le=SCREEN_MOST)] = 55.0
    farthest_m: Annotated[float, Meta(gt=0, le=SCREEN_MOST)] = 5.0
    # Every letter that a number shown here can begin with, so that one font size fits them all.
    letters: str = ""


class ServiceButton(Struct, frozen=True, kw_only=True):
    service: Name
    letter: str
    name: Text
    pin: Count


# The pin of a dispenser's lamp; its buttons use other pins.
DISPENSER_LED_PIN = 22


class TicketPrinterConfig(_Message, frozen=True, kw_only=True, tag_field="role", tag="ticket_printer"):
    """`follow_url`: the QR code's text before the ticket's code; None for no QR code. `zone`: IANA name, for dates."""

    revision: Revision
    town: Text
    zone: Text
    buttons: tuple[ServiceButton, ...]
    follow_url: Text | None = None
    led_pin: Count = DISPENSER_LED_PIN


NodeConfig = DeskButtonConfig | DisplayConfig | TicketPrinterConfig


class CommandKind(StrEnum):
    IDENTIFY = "identify"
    RESTART = "restart"
    TEST_PRINT = "test_print"
    TEST_SOUND = "test_sound"


class NodeCommand(_Message, frozen=True, kw_only=True):
    id: RequestId
    command: CommandKind


# --- hub to nodes and displays ------------------------------------------------------------------------------------


class DeskMode(StrEnum):
    OPEN = "open"
    PAUSED = "paused"
    CLOSED = "closed"


class DeskState(_Message, frozen=True, kw_only=True):
    """Retained. `callable`: a press would call somebody. `pausing`, `closing`: as soon as the desk holds no ticket."""

    revision: Revision
    desk: Name
    mode: DeskMode
    pausing: bool = False
    closing: bool = False
    number: str | None = None
    waiting: Count = 0
    callable: bool = False


class Call(Struct, frozen=True, kw_only=True):
    """One call in a hall's list. `place` names the desk's floor or hall if it is not this one."""

    id: Text
    number: str
    desk: str
    at: Instant
    place: Text | None = None


class Waiting(Struct, frozen=True, kw_only=True):
    service: Name
    letter: str
    name: Text
    count: Count


class Emergency(Struct, frozen=True, kw_only=True):
    title: Text
    lines: tuple[Text, ...]


class HallState(_Message, frozen=True, kw_only=True):
    """Retained. The whole picture of a hall.

    - `calls`: newest first; the latest four, and earlier ones whose announcement has not ended.
    - `opens`: local time of the next opening, `8:30`, if the hall is closed; `opens_on`: its local day, which older
      hubs do not send.
    - `at`: when the picture was made.
    """

    revision: Revision
    hall: Name
    town: Text
    zone: Text
    at: Instant
    open: bool
    calls: tuple[Call, ...]
    waiting: tuple[Waiting, ...]
    messages: tuple[Text, ...] = ()
    opens: str | None = None
    opens_on: date | None = None
    emergency: Emergency | None = None


class Announce(_Message, frozen=True, kw_only=True):
    """One call to show large and to say, from `play_at` on, for `length_ms` or until the next one's `play_at`.

    From `revision` on, every hall picture lists the call until it is withdrawn. So a picture of that revision or a
    later one that does not list `call` ends the announcement.
    """

    revision: Revision
    id: Text
    call: Text
    number: str
    desk: str
    play_at: Instant
    length_ms: Count
    place: Text | None = None


# --- encoding and parsing -----------------------------------------------------------------------------------------

M = TypeVar("M")


def _encode_instant(value: Any) -> str:
    if isinstance(value, Instant):
        return to_wire(value)
    raise NotImplementedError(f"messages cannot hold a value of type {type(value).__name__}")


def _decode_instant(wanted: type, value: Any) -> Any:
    if wanted is not Instant:
        raise NotImplementedError(f"messages cannot hold a value of type {wanted.__name__}")
    if not isinstance(value, str):
        raise TypeError(f"a time must be text, not {type(value).__name__}")
    return from_wire(value)


_encoder = msgspec.json.Encoder(enc_hook=_encode_instant)


def encode(message: Struct) -> bytes:
    """The message as JSON in UTF-8."""
    return _encoder.encode(message)


class Parser(Generic[M]):
    """Parses messages of one kind, or of several that their tag tells apart. Make one and reuse it."""

    def __init__(self, kind: Any) -> None:
        self._decoder = msgspec.json.Decoder(kind, dec_hook=_decode_instant)

    def parse(self, payload: bytes) -> M:
        """Parse a payload. Raises BadMessage if it is too large, not JSON, of another version or another message."""
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise BadMessage(f"the payload has {len(payload)} bytes; the limit is {MAX_PAYLOAD_BYTES}")
        try:
            return self._decoder.decode(payload)  # type: ignore[no-any-return]
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
            raise BadMessage(str(error)) from error
