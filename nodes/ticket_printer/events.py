"""The dispenser's own events, beyond those of every node, and the effects it asks of its own shell."""

from dataclasses import dataclass

from nodes.ticket_printer.printer import Outcome
from nodes.ticket_printer.spool import Entry
from nodes.ticket_printer.status import Condition as PrinterCondition
from nodes.ticket_printer.status import Fault
from protocol.messages import CheckInReply, TicketPrinterConfig, TicketReply

# --- what happens ---


@dataclass(frozen=True, slots=True)
class Kept:
    """The entry is on the disk, or `failed` says why it is not."""

    entry: Entry
    failed: str | None = None


@dataclass(frozen=True, slots=True)
class PrintEnded:
    """What became of a paper. `id` is None for a test print or a second paper."""

    id: str | None
    outcome: Outcome
    fault: Fault | None


@dataclass(frozen=True, slots=True)
class PrinterLooked:
    condition: PrinterCondition


@dataclass(frozen=True, slots=True)
class KeyChanged:
    """A key of a scanner or keypad. `key`: its code in linux/input-event-codes.h. `device`: the device's path."""

    device: str
    key: int
    pressed: bool
    at_ms: int


@dataclass(frozen=True, slots=True)
class KeysLost:
    """The kernel dropped keys of that device because they were not read in time."""

    device: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class KeyboardThere:
    device: str


@dataclass(frozen=True, slots=True)
class KeyboardAway:
    """The device was unplugged or cannot be opened."""

    device: str


@dataclass(frozen=True, slots=True)
class Scanned:
    """A whole code from a simulated scanner."""

    code: str


# --- what the core asks for ---


@dataclass(frozen=True, slots=True)
class Keep:
    """Keep the entry on disk. Answered by Kept."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Forget:
    id: str


@dataclass(frozen=True, slots=True)
class Print:
    """Print a paper, at most one at a time. `at_ms`: the hub's time, if known. Answered by PrintEnded."""

    id: str | None
    reply: TicketReply | CheckInReply
    config: TicketPrinterConfig
    at_ms: int | None = None
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class PrintTest:
    """Print a test paper. `at_ms`: the hub's time, if known. Answered by PrintEnded."""

    config: TicketPrinterConfig
    at_ms: int | None
