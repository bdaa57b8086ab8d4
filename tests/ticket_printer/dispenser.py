"""A dispenser's core with everything around it, and a clock that the test turns."""

from itertools import count
from typing import Any

from nodes.events import Configured, Connected, Disconnected, Light, Message, PinChanged, Publish, Tick
from nodes.ticket_printer.core import TicketPrinter
from nodes.ticket_printer.events import (
    Keep,
    Kept,
    Print,
    PrintEnded,
    PrinterLooked,
    Scanned,
)
from nodes.ticket_printer.printer import Outcome
from nodes.ticket_printer.spool import Entry, Step
from nodes.ticket_printer.status import Condition as PrinterCondition
from nodes.ticket_printer.status import Fault
from protocol.heartbeat import HubTime
from protocol.messages import (
    CheckIn,
    IssueTicket,
    NodeRequest,
    Parser,
    encode,
)
from protocol.topics import NodeTopic
from tests.ticket_printer.hub import CONFIG, ISSUED_AT, NODE, TOPICS, ticket_reply

REPLY_TOPIC = TOPICS.node(NODE, NodeTopic.REPLY)
HEALTHY = PrinterCondition(answered=True)
A, C = 5, 6
_REQUEST: Parser[NodeRequest] = Parser(NodeRequest)


class Dispenser:
    """A core with a working disk, a hub that beats, and a printer whose results the test gives."""

    def __init__(self, left_over: tuple[Entry, ...] = (), *, ready: bool = True) -> None:
        self.now_ms = 100_000
        self.hub_time = HubTime()
        self.beats = True
        self.disk_fails: set[Step] = set()
        self.effects: list[object] = []
        # The times at which the lamp went on.
        self.lit_ms: list[int] = []
        numbers = count(1)
        self.core = TicketPrinter(
            TOPICS, NODE, self.hub_time, lambda size: next(numbers).to_bytes(size, "big"), left_over, self.now_ms
        )
        if ready:
            self.beat()
            self.tell(Configured(CONFIG), Connected(), PrinterLooked(HEALTHY))

    def tell(self, *events: object) -> None:
        for event in events:
            made = list(self.core.handle(event, self.now_ms))
            self.effects += made
            self.lit_ms += [self.now_ms for each in made if isinstance(each, Light) and each.lit]
            for keep in [each for each in made if isinstance(each, Keep)]:
                fails = keep.entry.step in self.disk_fails
                self.tell(Kept(keep.entry, "the disk is full" if fails else None))

    def beat(self) -> None:
        self.hub_time.beat(ISSUED_AT + self.now_ms, self.now_ms)

    def wait(self, duration_ms: int) -> None:
        """Turn the clock; ticks come when they are due, and each second."""
        until_ms = self.now_ms + duration_ms
        while self.now_ms < until_ms:
            due_ms = self.core.due_ms()
            wanted = min(until_ms, self.now_ms + 1_000, until_ms if due_ms is None else max(due_ms, self.now_ms + 1))
            self.now_ms = wanted
            if self.beats:
                self.beat()
            self.tell(Tick())

    def press(self, pin: int = A, held_ms: int = 100) -> None:
        self.tell(PinChanged(pin, True, self.now_ms))
        self.wait(held_ms)
        self.tell(PinChanged(pin, False, self.now_ms))
        self.wait(30)

    def scan(self, code: str = "K7M2Q9") -> None:
        self.tell(Scanned(code))

    def answer(self, message: Any) -> None:
        self.tell(Message(REPLY_TOPIC, encode(message), False, self.now_ms))

    def issue(self, request: IssueTicket, number: str = "A012") -> None:
        self.answer(ticket_reply(request.id, number))

    def print_ended(self, outcome: Outcome = Outcome.PRINTED, fault: Fault | None = None) -> None:
        self.tell(PrintEnded(self.of(Print)[-1].id, outcome, fault))

    def of(self, kind: type) -> list[Any]:
        return [each for each in self.effects if isinstance(each, kind)]

    def sent(self, kind: type) -> list[Any]:
        """The requests of this kind, with each resend."""
        requests = [_REQUEST.parse(each.payload) for each in self.of(Publish)]
        return [each for each in requests if isinstance(each, kind)]

    def asked(self) -> list[IssueTicket]:
        """Each request for a ticket once."""
        return list({each.id: each for each in self.sent(IssueTicket)}.values())

    def checks_in(self) -> list[CheckIn]:
        """Each check-in once."""
        return list({each.id: each for each in self.sent(CheckIn)}.values())

    @property
    def lit(self) -> bool:
        lit: bool = self.of(Light)[-1].lit
        return lit

    def flashes(self, duration_ms: int) -> int:
        """Let this time pass; returns how often the lamp went on in it."""
        before = len([each for each in self.of(Light) if each.lit])
        self.wait(duration_ms)
        return len([each for each in self.of(Light) if each.lit]) - before


def without_beats(dispenser: Dispenser) -> None:
    dispenser.beats = False
    dispenser.wait(15_001)


def without_broker(dispenser: Dispenser) -> None:
    dispenser.tell(Disconnected("gone"))


def without_paper(dispenser: Dispenser) -> None:
    dispenser.tell(PrinterLooked(PrinterCondition(answered=True, fault=Fault.PAPER_OUT)))
