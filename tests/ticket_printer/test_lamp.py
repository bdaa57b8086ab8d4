"""What the dispenser's lamp says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.debounce import STABLE_MS
from nodes.events import Configured, Connected, Disconnected, Identify, Light
from nodes.lamp import Pattern, shown
from nodes.ticket_printer.events import Print, PrinterLooked
from nodes.ticket_printer.lights import PATTERNS
from nodes.ticket_printer.printer import Outcome
from nodes.ticket_printer.status import Condition, Fault
from protocol.messages import Abandon
from tests.ticket_printer.dispenser import HEALTHY, A, C, Dispenser, without_broker, without_paper
from tests.ticket_printer.hub import CONFIG


def test_ready_is_steady_light(dispenser: Dispenser) -> None:
    assert dispenser.lit
    assert dispenser.flashes(10_000) == 0


def test_before_its_configuration_there_is_no_lamp_to_light() -> None:
    dispenser = Dispenser(ready=False)
    dispenser.wait(5_000)
    assert dispenser.of(Light) == []


@pytest.mark.parametrize("waited_ms", [400, 1_000])
def test_a_lamp_that_is_taken_into_use_says_what_it_says_from_its_beginning(waited_ms: int) -> None:
    dispenser = Dispenser(ready=False)
    dispenser.wait(waited_ms)
    dispenser.tell(Configured(CONFIG))
    configured_ms = dispenser.now_ms
    dispenser.wait(1_000)
    assert [at_ms - configured_ms for at_ms in dispenser.lit_ms] == [350, 750]


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
    assert dispenser.flashes(2_900) == 6


def test_a_refused_press_is_answered_by_three_flashes() -> None:
    dispenser = Dispenser()
    without_broker(dispenser)
    dispenser.wait(4_000)
    before = len(dispenser.of(Light))
    dispenser.press()
    dispenser.wait(1_300)
    assert [each.lit for each in dispenser.of(Light)[before:]].count(True) == 3


@pytest.mark.parametrize("lost_for_ms", range(0, 2_000, 100))
def test_after_three_flashes_the_rest_begins_anew_and_adds_no_fourth_to_them(lost_for_ms: int) -> None:
    dispenser = Dispenser()
    without_broker(dispenser)
    dispenser.wait(lost_for_ms)
    refused_ms = dispenser.now_ms + STABLE_MS
    dispenser.press()
    dispenser.wait(3_000)
    _, _, third, fourth, *_ = [at_ms for at_ms in dispenser.lit_ms if at_ms > refused_ms]
    assert fourth - third == 900


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


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=[moment.name for moment in PATTERNS])
def test_no_moment_alone_needs_the_limit_of_three_flashes_a_second(pattern: Pattern) -> None:
    begun, lit, now_ms = [], False, 0
    while now_ms < 10_000 and (lamp := shown(pattern, 0, now_ms)) is not None:
        if lamp.lit and not lit:
            begun.append(now_ms)
        lit, now_ms = lamp.lit, lamp.until_ms or 10_000
    assert never_four_in_a_second(begun)


def never_four_in_a_second(begun_ms: list[int]) -> bool:
    return all(fourth - first >= 1_000 for first, fourth in zip(begun_ms, begun_ms[3:], strict=False))


events = st.sampled_from(
    [
        Connected(),
        Disconnected("cut"),
        PrinterLooked(HEALTHY),
        *(PrinterLooked(Condition(answered=True, fault=fault)) for fault in Fault),
    ]
)
hands = st.sampled_from(["press A", "press C", "scan", "issue", "identify"])


@given(st.lists(st.one_of(events, hands, st.sampled_from(Outcome), st.integers(1, 1_500)), max_size=25))
def test_whatever_happens_the_lamp_never_flickers(happened: list[object]) -> None:
    """A number is a time that passes; an outcome is that of the paper at the printer."""
    dispenser = Dispenser()
    for happens in happened:
        match happens:
            case Outcome() if dispenser.of(Print):
                dispenser.print_ended(happens)
            case int():
                dispenser.wait(happens)
            case "press A" | "press C":
                dispenser.press({"press A": A, "press C": C}[happens], 30)
            case "scan":
                dispenser.scan(f"K7M2Q{dispenser.now_ms}")
            case "issue" if dispenser.asked():
                dispenser.issue(dispenser.asked()[-1])
            case "identify":
                dispenser.tell(Identify(dispenser.now_ms + 1_000))
            case _:
                dispenser.tell(happens)
    dispenser.wait(3_000)
    assert never_four_in_a_second(dispenser.lit_ms)
