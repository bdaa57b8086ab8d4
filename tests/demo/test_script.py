from itertools import islice
from random import Random

import pytest

from demo.board import BEHIND_MOST, Board
from demo.bookings import Doing, citizens
from demo.morning import LONG_S
from demo.script import (
    AT_THE_DOOR,
    BETWEEN_VISITORS_S,
    PAUSE_S,
    SHORTEST_VISIT_S,
    Ending,
    gaps,
    pick_letter,
    plan_visit,
)


def test_one_seed_plays_one_morning():
    assert list(islice(gaps(Random(5)), 50)) == list(islice(gaps(Random(5)), 50))
    assert plan_visit(Random(5), "A") == plan_visit(Random(5), "A")


def test_some_stand_at_the_door_at_opening_and_the_others_come_one_by_one():
    times = list(islice(gaps(Random(5)), 400))
    assert sum(times[:AT_THE_DOOR]) < 90
    assert 15 < sum(times[AT_THE_DOOR:]) / len(times[AT_THE_DOOR:]) < 20


def desk_s(dice: Random, letter: str) -> float:
    """How long a visitor with this letter keeps desks busy, in s; one who is transferred or set aside does so twice."""
    visit = plan_visit(dice, letter)
    busy_s = visit.walk_s + (LONG_S + 2 * visit.walk_s if visit.recall else 0.0)
    if not visit.comes:
        return busy_s
    busy_s += visit.length_s + (PAUSE_S if visit.ending is Ending.PAUSE else 0.0)
    return busy_s + (desk_s(dice, letter) if visit.ending in {Ending.TRANSFER, Ending.PARK} else 0.0)


# Desks that serve one group of services hardly serve the other.
@pytest.mark.parametrize(("letters", "desks"), [("AC", 6), ("FM", 3)])
def test_nine_desks_keep_up_with_who_comes_and_have_enough_to_do(letters, desks):
    dice = Random(5)
    walk_ins = [pick_letter(dice, ["A", "C", "F", "M"]) for _ in range(5000)]
    booked = [each for each in islice(citizens(Random(5), 1, 0.0), 2000) if each.booked_s > 0]
    come = [each.letter for each in booked if any(step.doing is Doing.SCAN for step in each.steps)]
    walk_ins_s = len(walk_ins) * BETWEEN_VISITORS_S
    booked_s = (booked[-1].start_min - booked[0].start_min) * 60
    load = sum(desk_s(dice, letter) for letter in walk_ins if letter in letters) / walk_ins_s
    load += sum(desk_s(dice, letter) for letter in come if letter in letters) / booked_s
    assert 0.8 < load / desks < 0.95


def test_no_visit_is_over_before_anybody_could_see_it():
    dice = Random(5)
    assert min(plan_visit(dice, "M").length_s for _ in range(2000)) >= SHORTEST_VISIT_S


def test_a_browser_that_reads_too_slowly_is_let_go_and_the_others_go_on():
    board = Board()
    slow, quick = board.listen(), board.listen()
    heard = []
    for count in range(BEHIND_MOST + 10):
        board.show("hub", count=count)
        heard.append(quick.get_nowait()["count"])
    assert heard == list(range(BEHIND_MOST + 10))
    told = [slow.get_nowait() for _ in range(slow.qsize())]
    assert told[-1] is None
    assert len(told) == BEHIND_MOST + 1
