"""What the dispenser's lamp says."""

from typing import Any

import pytest

from nodes.events import Identify
from nodes.ticket_printer.events import (
    Light,
)
from nodes.ticket_printer.lights import PATTERNS
from nodes.ticket_printer.printer import Outcome
from nodes.ticket_printer.status import Fault
from protocol.messages import Abandon
from tests.ticket_printer.dispenser import A, C, Dispenser, without_broker, without_paper


def test_ready_is_steady_light(dispenser: Dispenser) -> None:
    assert dispenser.lit
    assert dispenser.flashes(10_000) == 0


def test_before_its_configuration_there_is_no_lamp_to_light() -> None:
    dispenser = Dispenser(ready=False)
    dispenser.wait(5_000)
    assert dispenser.of(Light) == []


def test_no_paper_flashes_without_end(dispenser: Dispenser) -> None:
    without_paper(dispenser)
    assert 5 <= dispenser.flashes(10_000) <= 15


def test_a_lost_hub_gives_two_short_flashes_each_two_seconds(dispenser: Dispenser) -> None:
    without_broker(dispenser)
    assert dispenser.flashes(10_000) == 10


def test_who_is_given_up_because_the_paper_ended_in_the_ticket_before_sees_six_flashes(dispenser: Dispenser) -> None:
    for pin, number in ((A, "A012"), (C, "C001")):
        dispenser.press(pin)
        dispenser.issue(dispenser.asked()[-1], number)
    dispenser.print_ended(Outcome.UNKNOWN, Fault.PAPER_OUT)
    assert [each.of for each in dispenser.sent(Abandon)] == [dispenser.asked()[1].id]
    assert dispenser.flashes(2_400) == 6


def test_a_refused_press_is_answered_by_three_flashes() -> None:
    dispenser = Dispenser()
    without_broker(dispenser)
    dispenser.wait(4_000)
    before = len(dispenser.of(Light))
    dispenser.press()
    dispenser.wait(1_300)
    assert [each.lit for each in dispenser.of(Light)[before:]].count(True) == 3


def test_a_ticket_under_way_blinks_and_then_the_light_is_steady_again(dispenser: Dispenser) -> None:
    dispenser.press()
    dispenser.issue(dispenser.asked()[0])
    assert dispenser.flashes(2_000) == 4
    dispenser.print_ended()
    assert dispenser.lit
    assert dispenser.flashes(2_000) == 0


def test_a_paper_that_hangs_is_shown_as_no_paper(dispenser: Dispenser) -> None:
    dispenser.press()
    dispenser.issue(dispenser.asked()[0])
    dispenser.wait(11_000)
    assert 5 <= dispenser.flashes(10_000) <= 15
    dispenser.print_ended()
    dispenser.wait(1_000)
    assert dispenser.flashes(2_000) == 0


def test_identify_is_seen_above_all_else(dispenser: Dispenser) -> None:
    without_paper(dispenser)
    dispenser.tell(Identify(dispenser.now_ms + 30_000))
    assert dispenser.flashes(10_000) == pytest.approx(29, abs=1)


@pytest.mark.parametrize("moment", PATTERNS)
def test_the_lamp_never_flashes_more_than_three_times_a_second(moment: Any) -> None:
    steps_ms, repeats = PATTERNS[moment]
    starts, at_ms = [], 0
    for _ in range(20 if repeats and steps_ms else 1):
        for place, step_ms in enumerate(steps_ms):
            if place % 2 == 0 and step_ms:
                starts.append(at_ms)
            at_ms += step_ms
    for first in starts:
        assert sum(first <= each < first + 1_000 for each in starts) <= 3
