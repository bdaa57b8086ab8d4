"""The printer's own thread survives whatever happens at a printer."""

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from nodes.ticket_printer.events import Print, PrintEnded, PrinterLooked
from nodes.ticket_printer.paper import Style
from nodes.ticket_printer.printer import Outcome, Printer, Result
from nodes.ticket_printer.printing import Printing
from nodes.ticket_printer.status import Condition, Fault
from nodes.ticket_printer.virtual_printer.device import VirtualPrinter
from nodes.ticket_printer.virtual_printer.interpreter import Paper
from nodes.ticket_printer.virtual_printer.server import PairedPrinter
from nodes.ticket_printer.wires import Wire, WireRefused, socket_wire
from nodes.ticket_printer.words import words_in
from protocol.link import monotonic_ms
from tests.ticket_printer.hub import CONFIG, ticket_reply

JOB = Print("a", ticket_reply("a"), CONFIG)


class Odd(Exception):
    """An error that no wire is known to raise."""


class OddWire:
    """A wire that raises Odd for data longer than `longest`: at the next question, or at the next paper."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.answers = wire.answers
        self.receive = wire.receive
        self.close = wire.close
        self.longest = 1_000_000

    def send(self, data: bytes, timeout_ms: int) -> None:
        if len(data) > self.longest:
            raise Odd
        self._wire.send(data, timeout_ms)


class Bench:
    """The thread at a virtual printer, with a wire that may be odd. `said`: what it tells the core."""

    def __init__(self) -> None:
        self.papers: list[Paper] = []
        self.said: queue.Queue[Any] = queue.Queue()
        self.wires: list[OddWire] = []
        self.served = PairedPrinter(VirtualPrinter(self.papers.append))
        self.printing = Printing(
            Printer(self._open, monotonic_ms), Style.TEXT, "TM-T20II", words_in("fr"), self.said.put
        )
        self.printing.start()

    def wait(self, wanted: Callable[[Any], bool]) -> Any:
        while not wanted(event := self.said.get(timeout=20)):
            pass
        return event

    def close(self) -> None:
        self.printing.close(20)
        self.served.close()

    def _open(self) -> Wire:
        self.wires.append(OddWire(socket_wire(self.served.connect())))
        return self.wires[-1]


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.close()


def healthy(event: object) -> bool:
    return event == PrinterLooked(Condition(answered=True))


def ended(event: object) -> bool:
    return isinstance(event, PrintEnded)


def test_an_error_that_nobody_knows_at_a_look_is_a_printer_that_is_not_reached(bench: Bench) -> None:
    bench.wait(healthy)
    bench.wires[-1].longest = 0
    bench.printing.look_now()
    assert bench.wait(lambda _: True) == PrinterLooked(Condition(False, Fault.UNREACHABLE))
    bench.printing.look_now()
    bench.wait(healthy)
    assert len(bench.wires) == 2


class HeldPrinter(Printer):
    """Hangs in its first look until the test lets it go on."""

    def __init__(self) -> None:
        super().__init__(no_wire, monotonic_ms)
        self.in_look, self.let_go = threading.Event(), threading.Event()

    def look(self) -> Condition:
        self.in_look.set()
        assert self.let_go.wait(20)
        return Condition(answered=True)

    def print(self, _data: bytes) -> Result:
        return Result(Outcome.PRINTED)


def no_wire() -> Wire:
    raise WireRefused("a printer that is held has none")


def test_looks_asked_for_while_the_printer_hangs_keep_no_paper_and_no_end_from_it() -> None:
    printer, said = HeldPrinter(), queue.Queue[Any]()
    printing = Printing(printer, Style.TEXT, "TM-T20II", words_in("fr"), said.put)
    printing.start()
    assert printer.in_look.wait(20)
    for _ in range(100):
        printing.look_now()
    printing.perform(JOB)
    printer.let_go.set()
    printing.close(20)
    told = [said.get_nowait() for _ in range(said.qsize())]
    assert [each for each in told if ended(each)] == [PrintEnded("a", Outcome.PRINTED, None)]


def test_an_error_that_nobody_knows_at_a_paper_leaves_it_unknown(bench: Bench) -> None:
    bench.wait(healthy)
    bench.wires[-1].longest = 10
    bench.printing.perform(JOB)
    assert bench.wait(ended) == PrintEnded("a", Outcome.UNKNOWN, None)
    bench.printing.perform(JOB)
    assert bench.wait(ended) == PrintEnded("a", Outcome.PRINTED, None)
    rest, whole = bench.papers
    assert (rest.text, len(whole.text) > 1) == ((), True), "what may have broken off is cut off first"
