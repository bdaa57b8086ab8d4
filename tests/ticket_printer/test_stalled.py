"""A printer that stops in the middle of a ticket or loses an answer, with a clock that the test turns."""

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodes.ticket_printer.printer import FENCE_MS, RECOVERY, SHORT_FENCE_MS, STALLED_MS, Outcome, Printer, Result
from nodes.ticket_printer.status import FENCE, Ask, Fault, question
from nodes.ticket_printer.wires import NetworkAt, WireBroken, WireRefused, WireStalled, opener

# As large as a drawn ticket, which takes a good printer 1.3 s.
TICKET = bytes(72_000)
PRINTS_MS = 1_300
WELL, FENCED = 0x12, 0x00
OFFLINE, PAPER_END, NEAR_END = 0x1A, 0x72, 0x1E
STALLED = Result(Outcome.UNKNOWN, Fault.STALLED)
PRINTED = Result(Outcome.PRINTED)
A_MINUTE_MS = 60_000


class SlowPrinter:
    """A printer and its wire. It answers at once, except GS r, which it answers once what came before is printed.

    - `room`: how many more bytes it takes; a question that it does not take is not answered.
    - `mute`: it answers nothing.
    - `says`: its answers to the questions that it knows.
    - `hangs`: from the next ticket on it answers nothing.
    - `fences`: it knows GS r.
    - `lost`: for how many tickets the answer to GS r gets lost.
    - `taken`: each ticket that it took as a whole, with everything sent around it.
    """

    answers = True

    def __init__(self) -> None:
        self.now_ms = 0
        self.room: int | None = None
        self.mute = False
        self.says = {question(each): WELL for each in Ask}
        self.hangs = False
        self.fences = True
        self.lost = 0
        self.refuses = False
        self.open_wires = 0
        self.taken: list[bytes] = []
        self._due: list[tuple[int, int]] = []

    def open(self) -> "SlowPrinter":
        if self.refuses:
            raise WireRefused("another one is connected")
        self._due = []
        self.open_wires += 1
        return self

    def send(self, data: bytes, timeout_ms: int) -> None:
        if self.room is not None:
            sent = min(len(data), self.room)
            self.room -= sent
            if sent < len(data):
                self.now_ms += timeout_ms
                raise WireStalled(len(data), sent, timeout_ms)
        if data.endswith(FENCE):
            self.taken.append(data)
            self._take_fences(data.count(FENCE))
        elif data in self.says:
            self._answer(3, self.says[data])

    def receive(self, timeout_ms: int) -> bytes:
        until_ms = self.now_ms + timeout_ms
        self.now_ms = min([until_ms, *(max(at_ms, self.now_ms) for at_ms, _ in self._due)])
        came = bytes(byte for at_ms, byte in self._due if at_ms <= self.now_ms)
        self._due = [each for each in self._due if each[0] > self.now_ms]
        return came

    def close(self) -> None:
        self.open_wires -= 1

    def _take_fences(self, count: int) -> None:
        self.mute = self.mute or self.hangs
        if self.lost or not self.fences:
            self.lost = max(0, self.lost - 1)
            return
        for _ in range(count):
            self._answer(PRINTS_MS, FENCED)

    def _answer(self, after_ms: int, byte: int) -> None:
        if not self.mute:
            self._due.append((self.now_ms + after_ms, byte))


class Bench:
    def __init__(self) -> None:
        self.slow = SlowPrinter()
        self.printer = Printer(self.slow.open, lambda: self.slow.now_ms)

    def print(self) -> tuple[Result, int]:
        """What became of a ticket, and how many ms that took."""
        self.slow.now_ms += A_MINUTE_MS
        started_ms = self.slow.now_ms
        result = self.printer.print(TICKET)
        return result, self.slow.now_ms - started_ms

    def look(self) -> tuple[bool, Fault | None]:
        self.slow.now_ms += A_MINUTE_MS
        condition = self.printer.look()
        return condition.answered, condition.fault


@pytest.fixture
def bench() -> Bench:
    return Bench()


# --- the fence ---


def test_one_lost_answer_costs_one_ticket_its_proof(bench: Bench) -> None:
    assert bench.print()[0] == PRINTED
    bench.slow.lost = 1
    assert bench.print() == (Result(Outcome.UNKNOWN), pytest.approx(FENCE_MS, abs=500))
    assert [bench.print()[0] for _ in range(4)] == [PRINTED] * 4


def test_the_first_answers_lost_cost_no_later_ticket_its_proof(bench: Bench) -> None:
    bench.slow.lost = 2
    assert [bench.print()[0] for _ in range(4)] == [Result(Outcome.UNKNOWN)] * 2 + [PRINTED] * 2


def test_a_printer_that_never_answers_a_fence_is_soon_not_waited_for(bench: Bench) -> None:
    bench.slow.fences = False
    took_ms = [bench.print() for _ in range(5)][-1][1]
    assert took_ms < SHORT_FENCE_MS + 500


# --- a question that the printer does not know ---


def test_a_printer_that_says_nothing_of_its_paper_is_soon_well_at_each_look_and_proves_its_tickets(
    bench: Bench,
) -> None:
    bench.slow.says = {question(Ask.PRINTER): WELL}
    looks = [bench.look() for _ in range(30)]
    assert looks[15:] == [(True, None)] * 15
    assert [bench.print()[0] for _ in range(3)] == [PRINTED] * 3


def test_one_that_does_not_say_why_it_is_offline_is_still_asked_for_its_paper(bench: Bench) -> None:
    bench.slow.says = {question(Ask.PRINTER): OFFLINE, question(Ask.PAPER): PAPER_END}
    looks = [bench.look() for _ in range(30)]
    assert looks[15:] == [(True, Fault.PAPER_OUT)] * 15


def test_one_that_was_away_may_be_another_and_is_asked_all_again(bench: Bench) -> None:
    bench.slow.says = {question(Ask.PRINTER): WELL}
    for _ in range(30):
        bench.look()
    bench.slow.refuses = True
    # Close the wire between two looks, so that it is opened anew.
    bench.printer.close()
    assert bench.look() == (False, Fault.UNREACHABLE)
    bench.slow.refuses = False
    bench.slow.says[question(Ask.PAPER)] = NEAR_END
    bench.slow.now_ms += A_MINUTE_MS
    assert bench.printer.look().near_end


# --- the stall ---


def test_a_printer_that_takes_no_more_is_given_up_soon_and_is_not_called_unreachable(bench: Bench) -> None:
    assert bench.look() == (True, None)
    bench.slow.room = 30_000
    result, took_ms = bench.print()
    assert result == STALLED
    assert took_ms < STALLED_MS + 1_000


@pytest.mark.parametrize("refuses", [False, True])
def test_it_is_sent_nothing_until_it_answers_again(bench: Bench, refuses: bool) -> None:
    bench.look()
    bench.slow.room = 30_000
    bench.print()
    # A new connection has an empty buffer that nobody reads; or it is refused while the hanging one is open.
    bench.slow.room, bench.slow.mute, bench.slow.refuses = None, True, refuses
    assert bench.look() == (False, Fault.STALLED)
    assert bench.print()[0] == Result(Outcome.NOT_PRINTED, Fault.STALLED)
    bench.slow.mute = bench.slow.refuses = False
    assert bench.look() == (True, None)
    assert bench.print()[0] == PRINTED


def test_one_that_falls_silent_behind_a_whole_ticket_has_stalled_too(bench: Bench) -> None:
    bench.look()
    bench.slow.hangs = True
    assert bench.print() == (STALLED, pytest.approx(FENCE_MS, abs=500))
    assert bench.look() == (False, Fault.STALLED)


def test_one_that_never_answers_is_tried_again_with_the_next_ticket(bench: Bench) -> None:
    bench.slow.mute = True
    bench.slow.room = 30_000
    assert bench.print()[0] == STALLED
    bench.slow.room = None
    assert bench.look() == (False, None)
    assert bench.print()[0] == Result(Outcome.UNKNOWN)


def test_a_wire_on_which_not_even_the_first_bytes_go_is_closed(bench: Bench) -> None:
    bench.slow.room = 0
    assert bench.look() == (False, Fault.STALLED)
    assert bench.slow.open_wires == 0


def test_a_printer_that_takes_nothing_at_all_has_printed_nothing(bench: Bench) -> None:
    bench.look()
    # Room for the two questions before the ticket.
    bench.slow.room = 6
    assert bench.print()[0] == Result(Outcome.NOT_PRINTED, Fault.STALLED)


def test_only_behind_a_ticket_that_broke_off_is_its_rest_made_up_with_white(bench: Bench) -> None:
    # Of what a stalled wire has sent, only the last piece is unknown; it may contain the ticket's fence.
    for room, before, fences in ((6, b"", 1), (30_000, RECOVERY, 2)):
        bench.look()
        bench.slow.room = room
        assert bench.print()[0] != PRINTED
        bench.slow.room = None
        bench.look()
        assert bench.print()[0] == PRINTED
        assert bench.slow.taken[-1] == before + TICKET + fences * FENCE


def test_a_paper_is_marked_on_the_disk_before_any_of_it_is_sent(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "paper-under-way"
    synced: list[tuple[bool, bool, int]] = []

    def sync(descriptor: int) -> None:
        folder = os.path.samestat(os.fstat(descriptor), tmp_path.stat())
        synced.append((folder, mark.exists(), len(bench.slow.taken)))

    monkeypatch.setattr(os, "fsync", sync)
    bench.printer = Printer(bench.slow.open, lambda: bench.slow.now_ms, mark)
    assert bench.print()[0] == PRINTED
    assert synced == [(True, True, 0)]
    assert not mark.exists()


# --- a real socket ---


@pytest.fixture
def deaf() -> Iterator[int]:
    """The port of a printer that accepts a connection and never reads it."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        over = threading.Event()

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                over.wait(60)

        server = threading.Thread(target=serve)
        server.start()
        yield listener.getsockname()[1]
        over.set()
        server.join()


def test_the_kernel_holds_no_whole_ticket_that_a_printer_does_not_take(deaf: int) -> None:
    wire = opener(NetworkAt("127.0.0.1", deaf))()
    with pytest.raises(WireBroken, match="did not take") as broken:
        wire.send(bytes(1_000_000), 200)
    assert 0 < broken.value.sent < len(TICKET) / 2
    wire.close()
