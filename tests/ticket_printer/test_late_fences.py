"""A printer that keeps its data and its fence while it has no paper, with a clock that the test turns."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from nodes.ticket_printer.printer import SHORT_FENCE_MS, WATCH_MS, Outcome, Printer, Result
from nodes.ticket_printer.status import FENCE, Ask, Fault, question

TICKET = bytes(72_000)
PRINTS_MS = 1_300
HALF_MS = PRINTS_MS // 2
ANSWERS_MS = 3
FULL_ROLL_MS = 1_000_000
FENCED = 0x00
WELL = {question(Ask.PRINTER): 0x12, question(Ask.PAPER): 0x12}
NO_PAPER = {question(Ask.PRINTER): 0x1A, question(Ask.CAUSE): 0x32, question(Ask.PAPER): 0x72}
PRINTED = Result(Outcome.PRINTED)
HALF = Result(Outcome.UNKNOWN, Fault.PAPER_OUT)


@dataclass(slots=True)
class Held:
    left_ms: int
    fences: int


class RollPrinter:
    """A printer behind lp0 or USB: reopening the wire does not empty its buffer. `roll_ms`: what it can still print.

    - `prints_ms`: the length of each of the next papers.
    - `senses_ms`: with no more than this left, it says that there is no paper.
    - `hangs_after`: once this many papers are out, it prints and answers nothing more.
    - `loses`: which of its answers is lost, counted from 1.
    - `loses_fences`: it prints fences but never answers them.
    - `is_mute`: it answers nothing but fences.
    """

    answers = True

    def __init__(self) -> None:
        self.now_ms = 0
        self.roll_ms = FULL_ROLL_MS
        self.prints_ms = PRINTS_MS
        self.senses_ms = 0
        self.held: list[Held] = []
        self.out = 0
        self.hangs_after: int | None = None
        self.loses: int | None = None
        self.loses_fences = False
        self.is_mute = False
        self.fences_sent: list[int] = []
        self._asked = 0
        self._said = bytearray()

    def open(self) -> "RollPrinter":
        return self

    def send(self, data: bytes, _timeout_ms: int) -> None:
        if data.endswith(FENCE):
            self.fences_sent.append(data.count(FENCE))
            self.held.append(Held(self.prints_ms, 0 if self.loses_fences else data.count(FENCE)))
        elif data in NO_PAPER and not self._hangs and not self.is_mute:
            for _ in range(ANSWERS_MS):
                self._print_for_a_moment()
            self._asked += 1
            if self._asked != self.loses:
                self._said.append((WELL if self.roll_ms > self.senses_ms else NO_PAPER)[data])

    def receive(self, timeout_ms: int) -> bytes:
        until_ms = self.now_ms + timeout_ms
        while not self._said and self.now_ms < until_ms:
            self._print_for_a_moment()
        came = bytes(self._said)
        self._said.clear()
        return came

    def close(self) -> None:
        pass

    @property
    def _hangs(self) -> bool:
        return self.out == self.hangs_after

    def _print_for_a_moment(self) -> None:
        self.now_ms += 1
        if not self.held or not self.roll_ms or self._hangs:
            return
        self.roll_ms -= 1
        self.held[0].left_ms -= 1
        if self.held[0].left_ms == 0:
            self._said += bytes([FENCED]) * self.held.pop(0).fences
            self.out += 1


@pytest.fixture
def roll() -> RollPrinter:
    return RollPrinter()


@pytest.fixture
def printer(roll: RollPrinter) -> Printer:
    """A printer whose paper ended in the middle of its first ticket."""
    printer = Printer(roll.open, lambda: roll.now_ms)
    roll.roll_ms = HALF_MS
    assert printer.print(TICKET) == HALF
    assert printer.look().fault is Fault.PAPER_OUT
    return printer


def test_a_half_ticket_is_not_called_printed_by_the_fence_of_the_one_before(
    roll: RollPrinter, printer: Printer
) -> None:
    roll.roll_ms = PRINTS_MS
    assert printer.look().fault is None
    assert printer.print(TICKET) == HALF
    assert roll.out == 1
    roll.roll_ms = FULL_ROLL_MS
    assert printer.print(TICKET) == PRINTED
    assert roll.out == 3


def test_paper_that_ends_in_three_tickets_one_after_the_other_calls_none_of_them_printed(
    roll: RollPrinter, printer: Printer
) -> None:
    for out in (1, 2):
        roll.roll_ms = PRINTS_MS
        assert printer.print(TICKET) == HALF
        assert roll.out == out
    roll.roll_ms = FULL_ROLL_MS
    assert printer.print(TICKET) == PRINTED
    assert roll.out == 4


def test_a_printer_that_was_switched_off_with_half_a_ticket_proves_the_next_one(
    roll: RollPrinter, printer: Printer
) -> None:
    roll.held.clear()
    roll.roll_ms = FULL_ROLL_MS
    started_ms = roll.now_ms
    assert printer.print(TICKET) == PRINTED
    assert roll.now_ms - started_ms == pytest.approx(PRINTS_MS, abs=100)


def test_one_that_hangs_after_the_fence_of_the_ticket_before_has_stalled(roll: RollPrinter, printer: Printer) -> None:
    roll.roll_ms = FULL_ROLL_MS
    assert printer.look().fault is None
    roll.hangs_after = 1
    assert printer.print(TICKET) == Result(Outcome.UNKNOWN, Fault.STALLED)
    assert roll.out == 1


def test_one_that_stood_still_still_owes_its_fence_though_a_lost_answer_hid_why(roll: RollPrinter) -> None:
    printer = Printer(roll.open, lambda: roll.now_ms)
    roll.roll_ms = HALF_MS
    # Two answers come before the ticket. The answer after the lost one may be the late answer to the lost question.
    roll.loses = 3
    assert printer.print(TICKET) == Result(Outcome.UNKNOWN)
    roll.roll_ms = PRINTS_MS
    assert printer.print(TICKET) == HALF
    assert roll.out == 1


def test_one_that_says_nothing_else_calls_no_ticket_printed_by_the_late_fence_of_the_one_before(
    roll: RollPrinter,
) -> None:
    roll.is_mute = True
    roll.prints_ms = SHORT_FENCE_MS + 500
    printer = Printer(roll.open, lambda: roll.now_ms)
    assert printer.print(TICKET) == Result(Outcome.UNKNOWN)
    assert printer.print(TICKET) == Result(Outcome.UNKNOWN)
    assert roll.out == 1


def test_a_well_printer_that_loses_one_fence_is_sent_one_with_its_next_ticket(roll: RollPrinter) -> None:
    printer = Printer(roll.open, lambda: roll.now_ms)
    roll.loses_fences = True
    assert printer.print(TICKET) == Result(Outcome.UNKNOWN)
    roll.loses_fences = False
    assert printer.print(TICKET) == PRINTED
    assert roll.fences_sent == [1, 1]


def test_the_last_ticket_of_a_roll_is_printed_though_its_fence_comes_among_the_answers_that_say_no_paper(
    roll: RollPrinter,
) -> None:
    roll.prints_ms = roll.senses_ms = WATCH_MS + ANSWERS_MS + 1
    printer = Printer(roll.open, lambda: roll.now_ms)
    assert printer.look().fault is None
    roll.roll_ms = roll.senses_ms + 1
    assert printer.print(TICKET) == PRINTED
    assert printer.look().fault is Fault.PAPER_OUT


def test_what_an_earlier_run_left_in_the_printer_calls_no_ticket_printed(roll: RollPrinter, tmp_path: Path) -> None:
    mark = tmp_path / "paper-under-way"
    mark.touch()
    roll.held.append(Held(HALF_MS, 1))
    assert Printer(roll.open, lambda: roll.now_ms, mark).print(TICKET) == PRINTED
    assert roll.out == 2
