"""A hub that is up but answers nothing: its site file no longer has this dispenser, or its database is away."""

import pytest

from nodes.events import Connected, Disconnected
from nodes.ticket_printer.spool import ENTRIES_MOST, Entry, Step
from protocol.messages import Abandon, Done
from tests.ticket_printer.dispenser import Dispenser
from tests.ticket_printer.hub import ticket_reply

ANSWER_MS = 5_000
TELL_AGAIN_MS = 5_000


def unanswered(dispenser: Dispenser, presses: int) -> None:
    for _ in range(presses):
        dispenser.press()
        dispenser.wait(ANSWER_MS + 3_000)


def flashes_as_away(dispenser: Dispenser) -> bool:
    return dispenser.flashes(10_000) == 10


@pytest.fixture
def silent(dispenser: Dispenser) -> Dispenser:
    unanswered(dispenser, 3)
    return dispenser


def test_three_visitors_in_a_row_without_an_answer_and_the_lamp_says_that_the_hub_is_away(dispenser: Dispenser) -> None:
    unanswered(dispenser, 2)
    assert not flashes_as_away(dispenser)
    assert dispenser.core.condition().warnings == ()
    unanswered(dispenser, 1)
    assert flashes_as_away(dispenser)
    assert dispenser.core.condition().warnings == ("hub_silent",)


def test_nobody_else_is_made_to_wait_for_nothing_and_the_spool_does_not_grow(silent: Dispenser) -> None:
    silent.press()
    assert silent.flashes(1_300) == 3, "refused"
    unanswered(silent, 20)
    assert len(silent.asked()) == 3


@pytest.mark.parametrize("late", [True, False])
def test_any_answer_ends_it(silent: Dispenser, late: bool) -> None:
    """An answer to the reports on earlier presses, which are still sent; or a late answer to a press."""
    if late:
        silent.issue(silent.asked()[0])
    else:
        silent.answer(Done(id=silent.sent(Abandon)[-1].id))
    assert silent.core.condition().warnings == ()
    assert not flashes_as_away(silent)
    silent.press()
    assert len(silent.asked()) == 4


def test_one_answer_between_them_and_it_is_no_silence(dispenser: Dispenser) -> None:
    unanswered(dispenser, 2)
    dispenser.press()
    dispenser.answer(ticket_reply(dispenser.asked()[-1].id))
    dispenser.print_ended()
    unanswered(dispenser, 2)
    assert dispenser.core.condition().warnings == ()


def test_what_a_lost_broker_leaves_unanswered_is_not_the_hubs_silence(dispenser: Dispenser) -> None:
    for _ in range(3):
        dispenser.press()
        dispenser.wait(1_000)
    assert len(dispenser.asked()) == 3
    dispenser.tell(Disconnected("gone"))
    dispenser.wait(ANSWER_MS)
    dispenser.tell(Connected())
    assert dispenser.core.condition().warnings == ()


def test_after_codes_alone_there_is_nothing_to_tell_so_the_next_press_asks(dispenser: Dispenser) -> None:
    for code in ("K7M2Q1", "K7M2Q2", "K7M2Q3"):
        dispenser.scan(code)
        dispenser.wait(ANSWER_MS + 3_000)
    assert dispenser.core.condition().warnings == ("hub_silent",)
    dispenser.press()
    [asked] = dispenser.asked()
    dispenser.issue(asked)
    assert dispenser.core.condition().warnings == ()


def test_a_code_is_asked_all_the_same_since_it_leaves_nothing_behind(silent: Dispenser) -> None:
    silent.scan("K7M2Q9")
    silent.wait(10)
    assert [each.code for each in silent.checks_in()] == ["K7M2Q9"]


def test_of_a_full_spool_a_few_are_told_at_a_time_until_the_hub_answers_and_then_all() -> None:
    left = [
        Entry(f"019ab2c0-0000-7000-8000-{n:012d}", f"019ab2c0-0001-7000-8000-{n:012d}", "a", Step.ABANDONED)
        for n in range(ENTRIES_MOST - 3)
    ]
    dispenser = Dispenser(tuple(left))
    unanswered(dispenser, 3)
    told = len(dispenser.sent(Abandon))
    dispenser.wait(4 * TELL_AGAIN_MS)
    first = dispenser.sent(Abandon)[told:]
    assert {each.of for each in first} == {each.id for each in left[:3]}
    assert len(first) == 4 * 3
    dispenser.answer(Done(id=first[0].id))
    at_once = dispenser.sent(Abandon)[told + len(first) :]
    assert {each.of for each in at_once} >= {each.id for each in left[3:]}
