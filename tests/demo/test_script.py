from itertools import islice
from random import Random

from demo.board import BEHIND_MOST, Board
from demo.script import AT_THE_DOOR, SHORTEST_VISIT_S, gaps, pick_letter, plan_visit


def test_one_seed_plays_one_morning():
    assert list(islice(gaps(Random(5)), 50)) == list(islice(gaps(Random(5)), 50))
    assert plan_visit(Random(5), "A") == plan_visit(Random(5), "A")


def test_some_stand_at_the_door_at_opening_and_the_others_come_one_by_one():
    times = list(islice(gaps(Random(5)), 400))
    assert sum(times[:AT_THE_DOOR]) < 90
    assert 15 < sum(times[AT_THE_DOOR:]) / len(times[AT_THE_DOOR:]) < 20


def test_nine_desks_keep_up_with_who_comes():
    dice = Random(5)
    letters = [pick_letter(dice, ["A", "C", "F", "M"]) for _ in range(2000)]
    assert set(letters) == {"A", "C", "F", "M"}
    mean_s = sum(plan_visit(dice, letter).length_s for letter in letters) / len(letters)
    assert mean_s / 9 < 16


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
