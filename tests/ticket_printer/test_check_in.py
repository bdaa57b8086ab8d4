"""Visitors with an appointment at the dispenser, with a clock that the test turns."""

from collections.abc import Callable

import pytest

from nodes.events import Commanded, Configured, Connected, Disconnected
from nodes.ticket_printer.check_ins import SAME_MS
from nodes.ticket_printer.core import PENDING_MOST
from nodes.ticket_printer.events import Keep, KeyboardAway, KeyboardThere, KeyChanged, Print, PrintEnded, PrinterLooked
from nodes.ticket_printer.printer import Outcome
from nodes.ticket_printer.spool import Step
from nodes.ticket_printer.status import Condition as PrinterCondition
from nodes.ticket_printer.status import Fault
from protocol.messages import Abandon, Arrival, CheckIn, CommandKind, IssueTicket, Printed, Refused
from tests.ticket_printer.dispenser import HEALTHY, Dispenser, without_beats, without_broker, without_paper
from tests.ticket_printer.hub import CONFIG, ISSUED_AT, check_in_reply, ticket_reply

KEYPAD = "/dev/input/by-id/usb-keypad-event-kbd"
OUT_OF_PAPER = PrinterCondition(answered=True, fault=Fault.PAPER_OUT)


def answer(dispenser: Dispenser, arrival: Arrival = Arrival.ON_TIME, **changes: object) -> None:
    """The hub answers the newest check-in."""
    dispenser.answer(check_in_reply(dispenser.checks_in()[-1].id, arrival, **changes))


def test_a_code_is_asked_of_the_hub_at_once_and_its_answer_is_printed(dispenser: Dispenser) -> None:
    dispenser.scan("K7M2Q9")
    [asked] = dispenser.checks_in()
    assert (asked.code, asked.priority) == ("K7M2Q9", False)
    answer(dispenser)
    [paper] = dispenser.of(Print)
    assert (paper.id, paper.reply.number, paper.duplicate) == (asked.id, "A012", False)
    assert paper.at_ms == ISSUED_AT + dispenser.now_ms


def test_a_code_typed_on_the_keypad_is_asked(dispenser: Dispenser) -> None:
    for key in (79, 80, 81, 96):
        dispenser.tell(KeyChanged(KEYPAD, key, True, dispenser.now_ms))
    assert [each.code for each in dispenser.checks_in()] == ["123"]


def test_nothing_of_a_check_in_is_on_the_disk_or_told_to_the_hub_after_it(dispenser: Dispenser) -> None:
    dispenser.scan()
    answer(dispenser)
    dispenser.print_ended()
    dispenser.wait(60_000)
    assert dispenser.of(Keep) == []
    assert dispenser.sent(Printed) + dispenser.sent(Abandon) == []


def test_it_is_asked_again_with_the_same_id_while_it_is_unanswered(dispenser: Dispenser) -> None:
    dispenser.scan()
    dispenser.wait(4_500)
    assert len(dispenser.sent(CheckIn)) == 3
    assert len(dispenser.checks_in()) == 1


@pytest.mark.parametrize("gone_ms", [500, 3_000])
def test_a_broker_that_comes_back_is_asked_at_once(dispenser: Dispenser, gone_ms: int) -> None:
    dispenser.scan()
    dispenser.tell(Disconnected("gone"))
    dispenser.wait(gone_ms)
    assert len(dispenser.sent(CheckIn)) == 1
    dispenser.tell(Connected())
    assert len(dispenser.sent(CheckIn)) == 2


def test_an_answer_after_five_seconds_prints_nothing_and_nothing_is_abandoned(dispenser: Dispenser) -> None:
    dispenser.scan()
    dispenser.wait(5_000)
    sent = len(dispenser.sent(CheckIn))
    answer(dispenser)
    dispenser.wait(30_000)
    assert dispenser.of(Print) == []
    assert dispenser.sent(Abandon) == []
    assert len(dispenser.sent(CheckIn)) == sent


def test_what_is_not_answered_flashes_six_times(dispenser: Dispenser) -> None:
    dispenser.scan()
    dispenser.wait(4_999)
    # Six flashes of 0.15 s; then the lamp goes on, since the dispenser is ready.
    assert dispenser.flashes(3_000) == 7


def test_after_no_answer_the_same_code_is_asked_under_a_new_id(dispenser: Dispenser) -> None:
    dispenser.scan()
    dispenser.wait(5_001)
    dispenser.scan()
    assert len(dispenser.checks_in()) == 2


def test_a_repeated_answer_prints_once(dispenser: Dispenser) -> None:
    dispenser.scan()
    for _ in range(3):
        answer(dispenser)
    dispenser.print_ended()
    answer(dispenser)
    assert len(dispenser.of(Print)) == 1


def test_a_refused_code_prints_nothing_and_is_not_asked_again(dispenser: Dispenser) -> None:
    dispenser.scan()
    [asked] = dispenser.checks_in()
    dispenser.answer(Refused(id=asked.id, code="too_many_codes", detail="wait some minutes"))
    assert dispenser.flashes(2_000) == 4
    assert dispenser.of(Print) == []
    assert len(dispenser.sent(CheckIn)) == 1


def test_a_full_disk_that_keeps_a_ticket_back_keeps_no_slip_back(dispenser: Dispenser) -> None:
    dispenser.tell(Commanded(CommandKind.TEST_PRINT))
    dispenser.press()
    dispenser.issue(dispenser.asked()[0])
    dispenser.scan()
    answer(dispenser)
    dispenser.disk_fails = {Step.PRINTING}
    dispenser.tell(PrintEnded(None, Outcome.PRINTED, None))
    [paper] = dispenser.of(Print)
    assert paper.id == dispenser.checks_in()[0].id


# --- once or twice ---


def test_a_code_held_before_the_scanner_is_one(dispenser: Dispenser) -> None:
    dispenser.scan()
    answer(dispenser)
    dispenser.print_ended()
    for _ in range(10):
        dispenser.wait(SAME_MS - 1_000)
        dispenser.scan()
    assert len(dispenser.checks_in()) == 1


def test_a_code_scanned_again_later_is_asked_again(dispenser: Dispenser) -> None:
    dispenser.scan()
    answer(dispenser)
    dispenser.print_ended()
    dispenser.wait(SAME_MS)
    dispenser.scan()
    assert len(dispenser.checks_in()) == 2


def test_a_code_that_is_still_under_way_is_not_asked_twice(dispenser: Dispenser) -> None:
    dispenser.scan()
    dispenser.wait(4_000)
    dispenser.scan()
    assert len(dispenser.checks_in()) == 1


def test_two_codes_in_a_moment_are_two_visitors(dispenser: Dispenser) -> None:
    dispenser.scan("K7M2Q9")
    dispenser.scan("B8B8B8")
    assert [each.code for each in dispenser.checks_in()] == ["K7M2Q9", "B8B8B8"]


# --- in its turn ---


def test_slips_and_tickets_are_printed_one_by_one_who_came_first_first(dispenser: Dispenser) -> None:
    dispenser.press()
    dispenser.scan("K7M2Q9")
    dispenser.scan("B8B8B8")
    ticket = dispenser.asked()[0]
    first, second = dispenser.checks_in()
    dispenser.answer(check_in_reply(second.id, number="A013"))
    dispenser.answer(check_in_reply(first.id, number="A012"))
    dispenser.issue(ticket, "A011")
    assert [each.reply.number for each in dispenser.of(Print)] == ["A013"]
    dispenser.print_ended()
    assert [each.reply.number for each in dispenser.of(Print)] == ["A013", "A011"]
    dispenser.print_ended()
    assert [each.reply.number for each in dispenser.of(Print)] == ["A013", "A011", "A012"]


def test_too_many_at_once_are_refused(dispenser: Dispenser) -> None:
    for number in range(PENDING_MOST + 2):
        dispenser.scan(f"CODE{number}")
    assert len(dispenser.checks_in()) == PENDING_MOST
    dispenser.press()
    assert dispenser.asked() == []


@pytest.mark.parametrize("lost", [without_broker, without_beats, without_paper])
def test_a_dispenser_that_cannot_print_asks_for_nothing(
    dispenser: Dispenser, lost: Callable[[Dispenser], None]
) -> None:
    lost(dispenser)
    dispenser.scan()
    assert dispenser.sent(CheckIn) == []


def test_a_code_that_was_not_read_well_is_refused(dispenser: Dispenser) -> None:
    dispenser.scan("")
    assert dispenser.flashes(2_000) == 4
    assert dispenser.sent(CheckIn) == []


def test_a_dispenser_without_a_configuration_asks_for_nothing() -> None:
    dispenser = Dispenser(ready=False)
    dispenser.beat()
    dispenser.tell(Connected(), PrinterLooked(HEALTHY))
    dispenser.scan()
    dispenser.tell(Configured(CONFIG))
    dispenser.wait(3_000)
    assert dispenser.sent(CheckIn) == []


# --- the paper ---


def test_without_paper_an_answer_is_let_go_and_the_next_code_is_asked_once_there_is_some(dispenser: Dispenser) -> None:
    dispenser.scan()
    dispenser.tell(PrinterLooked(OUT_OF_PAPER))
    answer(dispenser)
    dispenser.tell(PrinterLooked(HEALTHY))
    assert dispenser.of(Print) == []
    dispenser.wait(SAME_MS)
    dispenser.scan()
    answer(dispenser, Arrival.AGAIN)
    assert len(dispenser.of(Print)) == 1


def test_half_a_slip_with_a_number_is_printed_again_as_a_duplicate_once_there_is_paper(dispenser: Dispenser) -> None:
    dispenser.scan()
    answer(dispenser)
    dispenser.print_ended(Outcome.UNKNOWN, Fault.PAPER_OUT)
    dispenser.wait(60_000)
    dispenser.tell(PrinterLooked(HEALTHY))
    first, second = dispenser.of(Print)
    assert (second.id, second.reply, second.duplicate) == (None, first.reply, True)


def test_half_a_slip_without_a_number_is_not_printed_again(dispenser: Dispenser) -> None:
    dispenser.scan()
    answer(dispenser, Arrival.WRONG_DAY, number=None, code=None, issued_at=None)
    dispenser.print_ended(Outcome.UNKNOWN, Fault.PAPER_OUT)
    dispenser.tell(PrinterLooked(HEALTHY))
    assert len(dispenser.of(Print)) == 1


def test_a_slip_that_did_not_come_out_is_said_by_the_lamp(dispenser: Dispenser) -> None:
    dispenser.scan()
    answer(dispenser)
    dispenser.print_ended(Outcome.NOT_PRINTED)
    assert dispenser.flashes(3_000) == 7


def test_an_answer_of_another_kind_prints_nothing(dispenser: Dispenser) -> None:
    dispenser.scan()
    dispenser.answer(ticket_reply(dispenser.checks_in()[0].id))
    dispenser.press()
    dispenser.answer(check_in_reply(dispenser.asked()[0].id))
    assert dispenser.of(Print) == []


def test_the_lamp_is_busy_until_the_slip_is_out(dispenser: Dispenser) -> None:
    dispenser.scan()
    assert dispenser.flashes(2_000) == 4
    answer(dispenser)
    assert dispenser.flashes(2_000) == 4
    dispenser.print_ended()
    dispenser.wait(500)
    assert dispenser.flashes(2_000) == 0
    assert dispenser.lit


# --- away ---


def test_a_scanner_that_is_away_is_told_and_stops_no_button(dispenser: Dispenser) -> None:
    dispenser.tell(KeyboardAway(KEYPAD))
    assert dispenser.core.condition().warnings == ("scanner_away",)
    dispenser.press()
    assert len(dispenser.sent(IssueTicket)) == 1
    dispenser.tell(KeyboardThere(KEYPAD))
    assert dispenser.core.condition().warnings == ()
