"""The dispenser's logic, with a clock that the test turns."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from nodes.events import (
    Commanded,
    Configured,
    Connected,
    Disconnected,
    Light,
    Message,
    PinChanged,
    PinsUnusable,
    PinsUsable,
    Publish,
    UsePins,
)
from nodes.ticket_printer.core import PENDING_MOST
from nodes.ticket_printer.events import (
    Forget,
    Keep,
    Print,
    PrintEnded,
    PrinterLooked,
    PrintTest,
)
from nodes.ticket_printer.printer import Outcome
from nodes.ticket_printer.spool import Step
from nodes.ticket_printer.status import Condition as PrinterCondition
from nodes.ticket_printer.status import Fault
from protocol.messages import (
    Abandon,
    BadMessage,
    CommandKind,
    Done,
    IssueTicket,
    Printed,
    Refused,
    TicketPrinterConfig,
)
from tests.ticket_printer.dispenser import (
    HEALTHY,
    REPLY_TOPIC,
    A,
    C,
    Dispenser,
    without_beats,
    without_broker,
    without_paper,
)
from tests.ticket_printer.hub import CONFIG, ticket_reply

# --- steps of a ticket ---


def test_a_press_is_on_disk_before_the_hub_is_asked(dispenser: Dispenser) -> None:
    dispenser.press()
    steps = [each for each in dispenser.effects if isinstance(each, Keep | Publish)]
    assert isinstance(steps[0], Keep)
    assert steps[0].entry.step is Step.ASKED
    [asked] = dispenser.asked()
    assert (asked.id, asked.service) == (steps[0].entry.id, "etat-civil")


def test_the_paper_goes_to_the_printer_once_the_disk_knows(dispenser: Dispenser) -> None:
    dispenser.press()
    dispenser.issue(dispenser.asked()[0])
    kept = [each.entry.step for each in dispenser.of(Keep)]
    assert kept == [Step.ASKED, Step.PRINTING]
    [paper] = dispenser.of(Print)
    assert (paper.id, paper.reply.number, paper.duplicate) == (dispenser.asked()[0].id, "A012", False)


@pytest.mark.parametrize(
    ("outcome", "told"),
    [(Outcome.PRINTED, Printed), (Outcome.UNKNOWN, Printed), (Outcome.NOT_PRINTED, Abandon)],
)
def test_the_hub_hears_what_became_of_the_paper(dispenser: Dispenser, outcome: Outcome, told: type) -> None:
    dispenser.press()
    [asked] = dispenser.asked()
    dispenser.issue(asked)
    dispenser.print_ended(outcome)
    [word] = dispenser.sent(told)
    assert word.of == asked.id
    assert word.id != asked.id
    if told is Printed:
        assert word.sure == (outcome is Outcome.PRINTED)


def test_the_hub_is_told_until_it_says_that_it_knows(dispenser: Dispenser) -> None:
    dispenser.press()
    dispenser.issue(dispenser.asked()[0])
    dispenser.print_ended()
    dispenser.wait(21_000)
    told = dispenser.sent(Printed)
    assert len(told) == 5
    assert len({each.id for each in told}) == 1
    dispenser.answer(Done(id=told[0].id))
    assert dispenser.of(Forget) == [Forget(told[0].of)]
    dispenser.wait(30_000)
    assert len(dispenser.sent(Printed)) == 5


def test_a_broker_that_comes_back_hears_at_once_what_it_missed(dispenser: Dispenser) -> None:
    dispenser.press()
    dispenser.issue(dispenser.asked()[0])
    dispenser.tell(Disconnected("gone"))
    dispenser.print_ended()
    dispenser.wait(60_000)
    assert dispenser.sent(Printed) == []
    dispenser.tell(Connected())
    assert len(dispenser.sent(Printed)) == 1


def test_a_request_is_asked_again_with_the_same_id_while_it_is_unanswered(dispenser: Dispenser) -> None:
    dispenser.press()
    dispenser.wait(4_500)
    assert len(dispenser.sent(IssueTicket)) == 3
    assert len(dispenser.asked()) == 1


def test_a_repeated_answer_prints_once(dispenser: Dispenser) -> None:
    dispenser.press()
    for _ in range(3):
        dispenser.issue(dispenser.asked()[0])
    dispenser.print_ended()
    dispenser.issue(dispenser.asked()[0])
    assert len(dispenser.of(Print)) == 1


# --- hands ---


def test_a_double_press_gives_one_ticket(dispenser: Dispenser) -> None:
    dispenser.press()
    dispenser.wait(300)
    dispenser.press()
    assert len(dispenser.asked()) == 1


def test_a_chattering_contact_gives_one_ticket(dispenser: Dispenser) -> None:
    for pressed in (True, False, True, False, True):
        dispenser.tell(PinChanged(A, pressed, dispenser.now_ms))
        dispenser.now_ms += 4
    dispenser.wait(200)
    assert len(dispenser.asked()) == 1


def test_a_release_that_bounces_while_the_disk_is_slow_gives_no_second_ticket(dispenser: Dispenser) -> None:
    dispenser.tell(PinChanged(A, True, dispenser.now_ms))
    dispenser.wait(1_400)
    released_ms = dispenser.now_ms
    # The worker comes back from the disk long after all three edges entered the inbox.
    dispenser.now_ms += 60
    for pressed, after_ms in ((False, 0), (True, 2), (False, 4)):
        dispenser.tell(PinChanged(A, pressed, released_ms + after_ms))
    dispenser.wait(1_000)
    assert len(dispenser.asked()) == 1


def test_a_spark_on_the_line_gives_none(dispenser: Dispenser) -> None:
    dispenser.tell(PinChanged(A, True, dispenser.now_ms), PinChanged(A, False, dispenser.now_ms + 3))
    dispenser.wait(1_000)
    assert dispenser.asked() == []


def test_the_next_visitors_press_is_not_lost_while_a_ticket_is_printed(dispenser: Dispenser) -> None:
    dispenser.press()
    first = dispenser.asked()[0]
    dispenser.issue(first, "A012")
    dispenser.wait(1_000)
    dispenser.press()
    second = dispenser.asked()[1]
    dispenser.issue(second, "A013")
    assert [each.id for each in dispenser.of(Print)] == [first.id]
    dispenser.print_ended()
    assert [each.id for each in dispenser.of(Print)] == [first.id, second.id]


def test_two_buttons_at_once_give_two_tickets(dispenser: Dispenser) -> None:
    dispenser.tell(PinChanged(A, True, dispenser.now_ms), PinChanged(C, True, dispenser.now_ms))
    dispenser.wait(100)
    assert {each.service for each in dispenser.asked()} == {"etat-civil", "identite"}


def test_a_bag_on_a_button_gives_one_ticket_and_is_told(dispenser: Dispenser) -> None:
    dispenser.tell(PinChanged(A, True, dispenser.now_ms))
    dispenser.wait(11_000)
    assert len(dispenser.asked()) == 1
    assert dispenser.core.condition().stuck == (A,)


@pytest.mark.parametrize("tried", [PinsUsable(), PinsUnusable("busy")])
def test_a_bag_on_a_button_gives_none_when_the_buttons_are_set_anew(dispenser: Dispenser, tried: object) -> None:
    renamed = replace(CONFIG.buttons[0], name="Papiers")
    dispenser.tell(Configured(replace(CONFIG, buttons=(renamed, CONFIG.buttons[1]))))
    dispenser.tell(PinChanged(A, True, dispenser.now_ms), PinChanged(C, False, dispenser.now_ms), tried)
    dispenser.wait(11_000)
    assert dispenser.asked() == []
    assert dispenser.core.condition().stuck == (A,)


def test_once_the_bag_is_taken_away_the_button_works(dispenser: Dispenser) -> None:
    dispenser.tell(PinChanged(A, True, dispenser.now_ms), PinsUsable())
    dispenser.wait(5_000)
    dispenser.tell(PinChanged(A, False, dispenser.now_ms))
    dispenser.wait(1_000)
    dispenser.press()
    assert len(dispenser.asked()) == 1


def test_a_crowd_is_refused_before_it_waits_for_the_printer_for_ever(dispenser: Dispenser) -> None:
    for _ in range(PENDING_MOST + 3):
        dispenser.press(A)
        dispenser.press(C)
        for asked in dispenser.asked():
            dispenser.issue(asked)
        dispenser.wait(1_000)
    assert len(dispenser.asked()) == PENDING_MOST


# --- out of service ---


def out_of_service(make: Callable[[Dispenser], None], *, ready: bool = True) -> Dispenser:
    dispenser = Dispenser(ready=ready)
    make(dispenser)
    dispenser.press()
    dispenser.wait(2_000)
    return dispenser


@pytest.mark.parametrize("make", [without_beats, without_broker, without_paper])
def test_a_press_that_can_give_no_ticket_asks_for_none(make: Callable[[Dispenser], None]) -> None:
    dispenser = out_of_service(make)
    assert dispenser.of(Keep) == []
    assert dispenser.asked() == []


def test_a_node_without_a_configuration_asks_for_nothing() -> None:
    assert out_of_service(lambda dispenser: dispenser.tell(Connected()), ready=False).effects == []


def test_a_silent_printer_is_no_reason_to_refuse(dispenser: Dispenser) -> None:
    dispenser.tell(PrinterLooked(PrinterCondition()))
    dispenser.press()
    assert len(dispenser.asked()) == 1
    assert dispenser.core.condition().warnings == ("printer_silent",)


def test_without_an_answer_in_5_seconds_nothing_is_printed_and_the_hub_is_told_so(dispenser: Dispenser) -> None:
    dispenser.press()
    [asked] = dispenser.asked()
    dispenser.wait(4_900)
    abandons = dispenser.sent(Abandon)
    assert [each.of for each in abandons] == [asked.id]
    dispenser.issue(asked)
    assert dispenser.of(Print) == []
    dispenser.wait(10_000)
    assert {(each.id, each.of) for each in dispenser.sent(Abandon)} == {(abandons[0].id, asked.id)}
    dispenser.answer(Done(id=abandons[0].id))
    assert dispenser.of(Forget) == [Forget(asked.id)]


def test_the_abandoning_outlives_a_lost_broker(dispenser: Dispenser) -> None:
    dispenser.press()
    dispenser.tell(Disconnected("gone"))
    dispenser.wait(60_000)
    assert dispenser.sent(Abandon) == []
    dispenser.tell(Connected())
    assert len(dispenser.sent(Abandon)) == 1


def test_a_refused_request_is_forgotten_and_not_abandoned(dispenser: Dispenser) -> None:
    dispenser.press()
    [asked] = dispenser.asked()
    dispenser.answer(Refused(id=asked.id, code="service_closed", detail="closed"))
    dispenser.wait(10_000)
    assert dispenser.of(Forget) == [Forget(asked.id)]
    assert dispenser.sent(Abandon) == []


def test_when_the_paper_ends_who_waits_for_the_printer_is_given_up(dispenser: Dispenser) -> None:
    dispenser.press(A)
    dispenser.press(C)
    first, second = dispenser.asked()
    dispenser.issue(first)
    dispenser.issue(second)
    dispenser.print_ended(Outcome.NOT_PRINTED, Fault.PAPER_OUT)
    assert {each.of for each in dispenser.sent(Abandon)} == {first.id, second.id}
    assert len(dispenser.of(Print)) == 1


def test_new_paper_takes_the_fault_away(dispenser: Dispenser) -> None:
    without_paper(dispenser)
    assert dispenser.core.condition().warnings == ("paper_out",)
    dispenser.tell(PrinterLooked(HEALTHY))
    dispenser.press()
    assert len(dispenser.asked()) == 1


def test_near_the_end_of_the_roll_staff_are_warned(dispenser: Dispenser) -> None:
    dispenser.tell(PrinterLooked(PrinterCondition(answered=True, near_end=True)))
    assert dispenser.core.condition().warnings == ("paper_near_end",)


def test_while_a_paper_hangs_in_the_printer_nobody_takes_a_number(dispenser: Dispenser) -> None:
    dispenser.press(A)
    dispenser.issue(dispenser.asked()[0])
    for _ in range(3):
        dispenser.wait(10_000)
        dispenser.press(C)
    assert len(dispenser.asked()) == 1
    assert dispenser.core.condition().warnings == ()
    dispenser.print_ended()
    dispenser.wait(1_000)
    dispenser.press(C)
    assert len(dispenser.asked()) == 2


# --- a second paper ---


def half_a_ticket(dispenser: Dispenser, fault: Fault = Fault.PAPER_OUT) -> None:
    dispenser.press()
    dispenser.issue(dispenser.asked()[0])
    dispenser.print_ended(Outcome.UNKNOWN, fault)


@pytest.mark.parametrize("fault", [Fault.PAPER_OUT, Fault.COVER_OPEN, Fault.STALLED])
def test_who_got_half_a_ticket_gets_a_whole_one_marked_as_a_duplicate(dispenser: Dispenser, fault: Fault) -> None:
    half_a_ticket(dispenser, fault)
    dispenser.wait(30_000)
    assert [each.duplicate for each in dispenser.of(Print)] == [False]
    dispenser.tell(PrinterLooked(HEALTHY))
    first, second = dispenser.of(Print)
    assert (second.duplicate, second.reply, second.id) == (True, first.reply, None)
    dispenser.print_ended()
    dispenser.tell(PrinterLooked(HEALTHY))
    assert len(dispenser.of(Print)) == 2
    assert {each.sure for each in dispenser.sent(Printed)} == {False}


def half_a_duplicate(dispenser: Dispenser, outcome: Outcome, fault: Fault | None) -> None:
    """Print half a ticket, change the paper after 20 s, and end the duplicate with this outcome."""
    half_a_ticket(dispenser)
    dispenser.wait(20_000)
    dispenser.tell(PrinterLooked(HEALTHY))
    assert [each.duplicate for each in dispenser.of(Print)] == [False, True]
    dispenser.print_ended(outcome, fault)


@pytest.mark.parametrize(
    ("outcome", "fault"),
    [
        (Outcome.UNKNOWN, Fault.COVER_OPEN),
        (Outcome.NOT_PRINTED, Fault.COVER_OPEN),
        (Outcome.NOT_PRINTED, Fault.UNREACHABLE),
    ],
)
def test_a_duplicate_that_breaks_off_too_is_printed_anew(dispenser: Dispenser, outcome: Outcome, fault: Fault) -> None:
    half_a_duplicate(dispenser, outcome, fault)
    assert len(dispenser.of(Print)) == 2
    dispenser.wait(5_000)
    dispenser.tell(PrinterLooked(HEALTHY))
    assert [each.duplicate for each in dispenser.of(Print)] == [False, True, True]
    dispenser.print_ended()
    dispenser.tell(PrinterLooked(HEALTHY))
    assert len(dispenser.of(Print)) == 3


def test_a_duplicate_that_breaks_off_gives_no_more_time(dispenser: Dispenser) -> None:
    half_a_duplicate(dispenser, Outcome.UNKNOWN, Fault.COVER_OPEN)
    dispenser.wait(101_000)
    dispenser.tell(PrinterLooked(HEALTHY))
    assert len(dispenser.of(Print)) == 2


@pytest.mark.parametrize(
    ("outcome", "fault"),
    [(Outcome.UNKNOWN, None), (Outcome.UNKNOWN, Fault.UNREACHABLE), (Outcome.NOT_PRINTED, None)],
)
def test_a_duplicate_that_may_be_whole_or_cannot_be_drawn_is_the_last(
    dispenser: Dispenser, outcome: Outcome, fault: Fault | None
) -> None:
    half_a_duplicate(dispenser, outcome, fault)
    dispenser.tell(PrinterLooked(HEALTHY))
    assert len(dispenser.of(Print)) == 2


def test_a_test_print_that_fails_is_nobodys_second_paper(dispenser: Dispenser) -> None:
    half_a_duplicate(dispenser, Outcome.PRINTED, None)
    dispenser.tell(Commanded(CommandKind.TEST_PRINT), PrintEnded(None, Outcome.UNKNOWN, Fault.COVER_OPEN))
    dispenser.tell(PrinterLooked(HEALTHY))
    assert len(dispenser.of(Print)) == 2


def test_a_test_print_that_fails_takes_nobodys_second_paper_away(dispenser: Dispenser) -> None:
    half_a_ticket(dispenser)
    dispenser.tell(Commanded(CommandKind.TEST_PRINT), PrintEnded(None, Outcome.NOT_PRINTED, Fault.PAPER_OUT))
    dispenser.tell(PrinterLooked(HEALTHY))
    assert [each.duplicate for each in dispenser.of(Print)] == [False, True]


def test_when_the_visitor_has_gone_no_second_paper_comes(dispenser: Dispenser) -> None:
    half_a_ticket(dispenser)
    dispenser.wait(121_000)
    dispenser.tell(PrinterLooked(HEALTHY))
    assert len(dispenser.of(Print)) == 1


def test_a_silent_printer_never_makes_a_second_paper(dispenser: Dispenser) -> None:
    dispenser.press()
    dispenser.issue(dispenser.asked()[0])
    dispenser.print_ended(Outcome.UNKNOWN)
    dispenser.tell(PrinterLooked(HEALTHY))
    assert len(dispenser.of(Print)) == 1


# --- what the hub says ---


def test_pins_are_used_as_the_hub_says_and_left_alone_when_nothing_changes(dispenser: Dispenser) -> None:
    dispenser.tell(Configured(changed(revision=(1, 2), town="Ailleurs")))
    assert dispenser.of(UsePins) == [UsePins((A, C), 22)]
    dispenser.tell(Configured(changed(revision=(1, 3), led_pin=27)))
    assert dispenser.of(UsePins) == [UsePins((A, C), 22), UsePins((A, C), 27)]


def changed(**changes: Any) -> TicketPrinterConfig:
    fields = {name: getattr(CONFIG, name) for name in CONFIG.__struct_fields__}
    return TicketPrinterConfig(**(fields | changes))


def test_unusable_pins_are_told(dispenser: Dispenser) -> None:
    dispenser.tell(PinsUnusable("pin 99 is none"))
    assert "pins_unusable" in dispenser.core.condition().warnings


def test_unusable_pins_are_tried_again_until_they_can_be_used(dispenser: Dispenser) -> None:
    dispenser.tell(PinsUnusable("GPIO busy"))
    dispenser.wait(29_000)
    assert len(dispenser.of(UsePins)) == 1
    dispenser.wait(31_000)
    assert dispenser.of(UsePins) == [UsePins((A, C), 22)] * 3
    lamps = dispenser.effects[1 + dispenser.effects.index(UsePins((A, C), 22)) :]
    assert isinstance(lamps[lamps.index(UsePins((A, C), 22)) + 1], Light), "a lamp in use again shows what it should"
    assert "pins_unusable" in dispenser.core.condition().warnings
    dispenser.tell(PinsUsable())
    assert dispenser.core.condition().warnings == ()
    dispenser.wait(60_000)
    assert len(dispenser.of(UsePins)) == 3


def test_unusable_pins_are_tried_again_at_each_configuration(dispenser: Dispenser) -> None:
    dispenser.tell(PinsUnusable("GPIO busy"))
    dispenser.tell(Configured(changed(revision=(1, 2), town="Ailleurs")))
    assert dispenser.of(UsePins) == [UsePins((A, C), 22)] * 2


def test_a_pin_that_gets_another_service_gives_tickets_of_that(dispenser: Dispenser) -> None:
    first, second = CONFIG.buttons
    swapped = (replace(first, pin=second.pin), replace(second, pin=first.pin))
    dispenser.tell(Configured(changed(revision=(1, 2), buttons=swapped)))
    dispenser.press(A)
    assert [each.service for each in dispenser.asked()] == [second.service]


def test_a_test_print_is_no_ticket(dispenser: Dispenser) -> None:
    dispenser.tell(Commanded(CommandKind.TEST_PRINT))
    [paper] = dispenser.of(PrintTest)
    assert paper.config == CONFIG
    dispenser.tell(PrintEnded(None, Outcome.PRINTED, None))
    assert dispenser.of(Keep) == []
    assert dispenser.of(Publish) == []


def test_a_reply_that_is_none_is_refused_and_changes_nothing(dispenser: Dispenser) -> None:
    dispenser.press()
    with pytest.raises(BadMessage):
        dispenser.tell(Message(REPLY_TOPIC, b'{"v":1,"type":"ticket"}', False, dispenser.now_ms))
    dispenser.issue(dispenser.asked()[0])
    assert len(dispenser.of(Print)) == 1


def test_a_reply_to_nobody_is_ignored(dispenser: Dispenser) -> None:
    dispenser.answer(ticket_reply("019ab2c0-0000-7000-8000-00000000dead"))
    dispenser.answer(Done(id="019ab2c0-0000-7000-8000-00000000dead"))
    assert dispenser.of(Print) == []
