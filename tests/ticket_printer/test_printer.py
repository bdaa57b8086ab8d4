"""One suite for every way to a printer: a ticket's outcome never claims more than is known."""

import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from nodes.ticket_printer.paper import as_text
from nodes.ticket_printer.pictures import samples
from nodes.ticket_printer.printer import Outcome, Printer, Result
from nodes.ticket_printer.status import FENCE, Ask, Fault, question
from nodes.ticket_printer.virtual_printer.device import Faults, VirtualPrinter
from nodes.ticket_printer.virtual_printer.interpreter import Paper
from nodes.ticket_printer.virtual_printer.server import PairedPrinter, Served, TcpPrinter
from nodes.ticket_printer.wires import (
    FileAt,
    NetworkAt,
    UsbAt,
    VirtualAt,
    Wire,
    WireBroken,
    WireRefused,
    opener,
    place_named,
    socket_wire,
)
from nodes.ticket_printer.words import words_in
from protocol.environment import WrongSetting
from protocol.link import monotonic_ms
from tests.ticket_printer.terminal import TerminalPrinter

TICKET = as_text(samples(words_in("fr"))["ticket"], "TM-T20II")
PRINTED = Result(Outcome.PRINTED)
UNKNOWN = Result(Outcome.UNKNOWN)


@dataclass(slots=True)
class Bench:
    """A printer under test and the virtual one behind its wire."""

    printer: Printer
    served: Served
    papers: list[Paper]

    def fail(self, **faults: bool | int) -> None:
        self.served.fail(Faults(**faults))  # type: ignore[arg-type]


def serve_file(virtual: VirtualPrinter) -> tuple[Served, Callable[[], Wire]]:
    terminal = TerminalPrinter(virtual)
    return terminal, opener(FileAt(Path(terminal.path)))


def serve_network(virtual: VirtualPrinter) -> tuple[Served, Callable[[], Wire]]:
    tcp = TcpPrinter(virtual)
    return tcp, opener(NetworkAt("127.0.0.1", tcp.port))


def serve_virtual(virtual: VirtualPrinter) -> tuple[Served, Callable[[], Wire]]:
    paired = PairedPrinter(virtual)
    return paired, lambda: socket_wire(paired.connect())


WAYS = {"file": serve_file, "network": serve_network, "virtual": serve_virtual}


@pytest.fixture(params=WAYS)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    papers: list[Paper] = []
    served, open_wire = WAYS[request.param](VirtualPrinter(papers.append))
    printer = Printer(open_wire, monotonic_ms)
    yield Bench(printer, served, papers)
    printer.close()
    served.close()


def test_a_ticket_is_printed_and_known_to_be(bench: Bench) -> None:
    assert bench.printer.print(TICKET) == PRINTED
    [paper] = bench.papers
    assert "Appelé et absent ? Voyez l’accueil." in paper.text
    assert bench.served.complaints == ()


def test_ten_tickets_one_after_the_other_are_ten_papers(bench: Bench) -> None:
    assert [bench.printer.print(TICKET) for _ in range(10)] == [PRINTED] * 10
    assert len(bench.papers) == 10


def test_a_mark_that_the_disk_does_not_take_is_logged_and_the_ticket_is_printed(tmp_path: Path) -> None:
    papers: list[Paper] = []
    served, open_wire = serve_virtual(VirtualPrinter(papers.append))
    printer = Printer(open_wire, monotonic_ms, tmp_path / "gone" / "paper-under-way")
    with capture_logs() as logs:
        assert printer.print(TICKET) == PRINTED
    printer.close()
    served.close()
    assert len(papers) == 1
    assert [(entry["event"], "No such file" in entry["reason"]) for entry in logs] == [("printer.not_marked", True)]


class SilentWire:
    """A wire to a printer that takes everything and never answers."""

    answers = False

    def send(self, _data: bytes, _patience_ms: int) -> None:
        pass

    def receive(self, _timeout_ms: int) -> bytes:
        return b""

    def close(self) -> None:
        pass


def test_each_time_that_a_silent_printer_is_not_reached_is_logged_once() -> None:
    now_ms, gone = 0, True

    def opened() -> Wire:
        if gone:
            raise WireRefused("/dev/usb/lp0 cannot be opened: No such device")
        return SilentWire()

    printer = Printer(opened, lambda: now_ms)
    with capture_logs() as logs:
        for _ in range(2):
            gone = True
            for _ in range(3):
                now_ms += 60_000
                assert printer.look().fault is Fault.UNREACHABLE
            gone = False
            now_ms += 60_000
            printer.print(b"paper")
            printer.close()
    assert [entry["event"] for entry in logs] == ["printer.connection_failed"] * 2


def test_why_a_printer_is_not_reached_is_logged_once_until_it_answers_again() -> None:
    served, open_wire = serve_virtual(VirtualPrinter(lambda _: None))
    now_ms, locked = 0, True

    def opened() -> Wire:
        if locked:
            raise WireRefused("/dev/usb/lp0 cannot be opened: Permission denied")
        return open_wire()

    printer = Printer(opened, lambda: now_ms)
    with capture_logs() as logs:
        for at_ms in (0, 10, 60_000, 120_000):
            now_ms = at_ms
            assert printer.look().fault is Fault.UNREACHABLE
        now_ms, locked = 180_000, False
        assert printer.look().fault is None
        printer.close()
        locked = True
        assert printer.look().fault is Fault.UNREACHABLE
    served.close()
    said = ("printer.connection_failed", "/dev/usb/lp0 cannot be opened: Permission denied")
    assert [(entry["event"], entry["reason"]) for entry in logs] == [said] * 2


def test_without_paper_nothing_is_sent(bench: Bench) -> None:
    bench.fail(paper_out=True)
    assert bench.printer.print(TICKET) == Result(Outcome.NOT_PRINTED, Fault.PAPER_OUT)
    bench.fail()
    assert bench.printer.print(TICKET) == PRINTED
    assert len(bench.papers) == 1


def test_with_an_open_cover_nothing_is_sent(bench: Bench) -> None:
    bench.fail(cover_open=True)
    assert bench.printer.print(TICKET) == Result(Outcome.NOT_PRINTED, Fault.COVER_OPEN)
    bench.fail()
    assert bench.printer.look().fault is None
    assert bench.papers == []


def test_near_the_end_of_the_roll_it_prints_and_warns(bench: Bench) -> None:
    bench.fail(near_end=True)
    assert bench.printer.print(TICKET) == PRINTED
    looked = bench.printer.look()
    assert (looked.answered, looked.fault, looked.near_end) == (True, None, True)


def test_paper_that_ends_in_the_middle_of_a_ticket_leaves_it_unknown(bench: Bench) -> None:
    bench.fail(paper_left_dots=200)
    assert bench.printer.print(TICKET) == Result(Outcome.UNKNOWN, Fault.PAPER_OUT)
    assert bench.papers == []
    assert bench.printer.look().fault is Fault.PAPER_OUT


def test_a_silent_printer_prints_and_is_unknown_never_out_of_paper(bench: Bench) -> None:
    bench.fail(mute=True)
    assert bench.printer.print(TICKET) == UNKNOWN
    assert len(bench.papers) == 1
    looked = bench.printer.look()
    assert (looked.answered, looked.fault) == (False, None)


def test_a_printer_that_was_silent_is_believed_again_when_it_answers(bench: Bench) -> None:
    bench.fail(mute=True)
    bench.printer.print(TICKET)
    bench.fail()
    assert bench.printer.print(TICKET) == PRINTED


def test_joined_answers_still_prove_the_print(bench: Bench) -> None:
    bench.fail(joined=True)
    assert bench.printer.print(TICKET) == PRINTED
    assert len(bench.papers) == 1


def test_answers_that_come_one_late_are_never_read_as_a_fault(bench: Bench) -> None:
    bench.fail(late=True, near_end=True)
    for count in (1, 2):
        result = bench.printer.print(TICKET)
        assert result.outcome is not Outcome.NOT_PRINTED
        assert result.fault is None
        assert bench.printer.look().fault is None
        assert len(bench.papers) == count


class SlowWire:
    """A wire to a printer that works, on a separate clock: each answer comes `late_ms` after its question."""

    answers = True

    def __init__(self) -> None:
        self.now_ms, self.late_ms, self.loses = 0, 5, 0
        self._coming: list[tuple[int, int]] = []

    def send(self, data: bytes, _timeout_ms: int) -> None:
        if data.endswith(FENCE):
            self._coming.append((self.now_ms + 200, 0x00))
        elif data in {question(each) for each in Ask} and self.loses:
            self.loses -= 1
        elif data in {question(each) for each in Ask}:
            self._coming.append((self.now_ms + self.late_ms, 0x12))

    def receive(self, timeout_ms: int) -> bytes:
        first_ms = min((at_ms for at_ms, _ in self._coming), default=self.now_ms + timeout_ms)
        self.now_ms = max(self.now_ms, min(first_ms, self.now_ms + timeout_ms))
        here = bytes(byte for at_ms, byte in self._coming if at_ms <= self.now_ms)
        self._coming = [each for each in self._coming if each[0] > self.now_ms]
        return here

    def close(self) -> None:
        pass


def test_one_late_answer_before_a_ticket_silences_no_printer() -> None:
    wire = SlowWire()
    printer = Printer(lambda: wire, lambda: wire.now_ms)
    assert printer.look().answered
    wire.late_ms = 350
    assert printer.print(TICKET) == PRINTED
    wire.late_ms = 5
    printer.look()
    assert printer.look().answered


def test_one_lost_answer_silences_no_printer() -> None:
    wire = SlowWire()
    printer = Printer(lambda: wire, lambda: wire.now_ms)
    wire.loses = 1
    assert not printer.look().answered
    assert [printer.look().answered for _ in range(6)][-1]


def test_late_answers_never_call_a_ticket_printed_that_is_not(bench: Bench) -> None:
    bench.fail(late=True)
    assert bench.printer.print(TICKET).fault is None
    bench.fail(late=True, paper_out=True)
    assert bench.printer.print(TICKET).outcome is not Outcome.PRINTED
    assert len(bench.papers) == 1


@pytest.fixture(params=["network", "virtual"])
def linked(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """A bench whose wire can be cut, which that of a device file cannot."""
    papers: list[Paper] = []
    served, open_wire = WAYS[request.param](VirtualPrinter(papers.append))
    printer = Printer(open_wire, monotonic_ms)
    yield Bench(printer, served, papers)
    printer.close()
    served.close()


def test_a_link_cut_in_the_middle_of_a_ticket_leaves_it_unknown(linked: Bench) -> None:
    linked.printer.look()
    linked.fail(link_left_bytes=300)
    assert linked.printer.print(TICKET).outcome is Outcome.UNKNOWN
    assert linked.papers == []


def test_after_a_cut_link_the_next_ticket_is_whole(linked: Bench) -> None:
    linked.printer.look()
    linked.fail(link_left_bytes=300)
    linked.printer.print(TICKET)
    assert linked.printer.print(TICKET) == PRINTED
    assert linked.papers[-1].text[-1] == "Appelé et absent ? Voyez l’accueil."
    assert [paper.text.count("A 012") for paper in linked.papers if "mardi 24 novembre 2026, 10:22" in paper.text] == [
        1
    ]


def test_a_link_that_dies_before_anything_was_sent_costs_no_ticket(linked: Bench) -> None:
    linked.printer.look()
    # The next question goes into a wire whose other end is already gone.
    linked.fail(link_left_bytes=0)
    result = linked.printer.print(TICKET)
    assert result in {Result(Outcome.NOT_PRINTED, Fault.UNREACHABLE), PRINTED}
    assert linked.printer.print(TICKET) == PRINTED


def test_attempts_at_an_unreachable_printer_grow_rarer() -> None:
    clock_ms = [0]
    refused = opener(NetworkAt("127.0.0.1", 1))
    tries: list[int] = []

    def open_wire() -> Wire:
        tries.append(clock_ms[0])
        return refused()

    printer = Printer(open_wire, lambda: clock_ms[0])
    for _ in range(120):
        clock_ms[0] += 500
        assert printer.print(TICKET) == Result(Outcome.NOT_PRINTED, Fault.UNREACHABLE)
    gaps = [later - earlier for earlier, later in pairwise(tries)]
    assert gaps == sorted(gaps)
    assert gaps[0] == 1_000
    assert gaps[-1] == 15_000


def test_a_plain_file_takes_tickets_and_never_says_that_they_are_printed(tmp_path: Path) -> None:
    file = tmp_path / "printer"
    file.write_bytes(b"\x12")
    printer = Printer(opener(FileAt(file)), monotonic_ms)
    started_ms = monotonic_ms()
    assert printer.print(TICKET) == UNKNOWN
    assert printer.look().fault is None
    printer.close()
    assert TICKET in file.read_bytes()
    assert monotonic_ms() - started_ms < 1_000


def test_a_device_that_takes_nothing_is_given_up_after_a_deadline() -> None:
    near, far = socket.socketpair()
    wire = socket_wire(near)
    with pytest.raises(WireBroken, match="did not take") as broken:
        wire.send(bytes(10_000_000), 200)
    assert 0 < broken.value.sent < 10_000_000
    wire.close()
    far.close()


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("virtual:/srv/paper", VirtualAt(Path("/srv/paper"))),
        ("file:/dev/usb/lp0", FileAt(Path("/dev/usb/lp0"))),
        ("network:imprimante.local:9101", NetworkAt("imprimante.local", 9101)),
        ("network:10.0.0.9", NetworkAt("10.0.0.9", 9100)),
        ("usb:04b8:0202", UsbAt(0x04B8, 0x0202)),
    ],
)
def test_a_printer_is_named_by_one_setting(text: str, place: object) -> None:
    assert place_named(text) == place


@pytest.mark.parametrize(
    "text",
    [
        "",
        "lp0",
        "file:lp0",
        "network:",
        "network:host:0",
        "network:host:70000",
        "network:a b:1",
        "network:imprimante..local:9100",
        f"network:{'a' * 64}.local",
        "usb:04b8",
        "usb:4b8:202",
        "usb:zz:zz",
        "virtual:",
    ],
)
def test_a_wrong_setting_says_what_would_be_right(text: str) -> None:
    wanted = (
        r"SUIVANT_PRINTER is .*file:/dev/usb/lp0.*default port 9100.*four hexadecimal digits each, "
        r"such as usb:04b8:0202"
    )
    with pytest.raises(WrongSetting, match=wanted):
        place_named(text)
