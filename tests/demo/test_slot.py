"""Which papers of the dispenser the page marks as the viewer's."""

import pytest

from demo.slot import PAPER_MOST_S, Slot


def ask(slot: Slot, now_s: float, *, viewer: bool) -> None:
    slot.ask(now_s)
    if viewer:
        slot.claim()


def test_the_papers_that_only_a_viewer_asked_for_are_the_viewers():
    slot = Slot()
    ask(slot, 0.0, viewer=False)
    assert slot.take(0.5) is False
    ask(slot, 1.0, viewer=True)
    ask(slot, 1.2, viewer=True)
    assert [slot.take(1.5), slot.take(2.0)] == [True, True]


@pytest.mark.parametrize("viewer_first", [True, False])
def test_while_the_script_asks_too_no_paper_is_taken_for_the_viewers_since_one_may_overtake_another(viewer_first):
    slot = Slot()
    ask(slot, 0.0, viewer=viewer_first)
    ask(slot, 0.1, viewer=not viewer_first)
    assert [slot.take(1.0), slot.take(2.0)] == [False, False]
    ask(slot, 3.0, viewer=True)
    assert slot.take(4.0) is True


def test_a_press_that_gave_no_paper_gives_its_viewer_nobody_elses():
    slot = Slot()
    ask(slot, 0.0, viewer=True)
    ask(slot, PAPER_MOST_S + 0.5, viewer=False)
    assert slot.take(PAPER_MOST_S + 1.0) is False


def test_a_paper_that_nobody_on_the_page_asked_for_is_not_the_viewers():
    assert Slot().take(0.0) is False
