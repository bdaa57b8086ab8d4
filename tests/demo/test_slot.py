"""Which papers of the dispenser the page marks as the viewer's."""

from demo.slot import PAPER_MOST_S, Slot


def test_papers_belong_to_presses_in_their_order():
    slot = Slot()
    slot.ask(0.0)
    slot.ask(0.1)
    slot.claim()
    slot.ask(0.2)
    assert [slot.take(1.0), slot.take(2.0), slot.take(3.0)] == [False, True, False]


def test_a_press_that_gave_no_paper_gives_its_viewer_nobody_elses():
    slot = Slot()
    slot.ask(0.0)
    slot.claim()
    slot.ask(PAPER_MOST_S + 0.5)
    assert slot.take(PAPER_MOST_S + 1.0) is False


def test_a_paper_that_nobody_on_the_page_asked_for_is_not_the_viewers():
    assert Slot().take(0.0) is False
