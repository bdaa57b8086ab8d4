"""What happens to the dispenser's core beyond what happens to every node, and what it asks of its own shell."""

from dataclasses import dataclass

from nodes.ticket_printer.printer import Outcome
from nodes.ticket_printer.spool import Entry
from nodes.ticket_printer.status import Condition as PrinterCondition
from nodes.ticket_printer.status import Fault
from protocol.messages import CheckInReply, TicketPrinterConfig, TicketReply

# --- what happens ---


@dataclass(frozen=True, slots=True)
class Kept:
    """The entry is on the disk; `failed` says why it is not."""

    entry: Entry
    failed: str | None = None


@dataclass(frozen=True, slots=True)
class PrintEnded:
    """What became of a paper; `id` None: one that is no ticket of its own."""

    id: str | None
    outcome: Outcome
    fault: Fault | None


@dataclass(frozen=True, slots=True)
class PrinterLooked:
    condition: PrinterCondition


@dataclass(frozen=True, slots=True)
class KeyChanged:
    """A key of a scanner or keypad, by its code in linux/input-event-codes.h. `device`: its path."""

    device: str
    key: int
    pressed: bool
    at_ms: int


@dataclass(frozen=True, slots=True)
class KeysLost:
    """The kernel had to drop keys of that device: nobody read them in time."""

    device: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class KeyboardThere:
    device: str


@dataclass(frozen=True, slots=True)
class KeyboardAway:
    """Unplugged, or it cannot be opened."""

    device: str


@dataclass(frozen=True, slots=True)
class Scanned:
    """A whole code, of a scanner that is simulated."""

    code: str


# --- what the core asks for ---


@dataclass(frozen=True, slots=True)
class Keep:
    """Answered by Kept."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Forget:
    id: str


@dataclass(frozen=True, slots=True)
class Print:
    """Answered by PrintEnded. At most one is under way. `at_ms`: the hub's time, where it is known."""

    id: str | None
    reply: TicketReply | CheckInReply
    config: TicketPrinterConfig
    at_ms: int | None = None
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class PrintTest:
    """A paper that is no ticket; `at_ms`: the hub's time, or None where it is not known. Answered by PrintEnded."""

    config: TicketPrinterConfig
    at_ms: int | None
