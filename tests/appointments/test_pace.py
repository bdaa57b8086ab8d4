"""When the source is asked: at once, not too often, and with a growing delay after failures."""

import pytest

from hub.appointments.pace import HINT_SETTLES_S, HINTS_MOST, TELLING_MOST_S, Ask, Pace
from hub.appointments.slices import AMONG_PEOPLE, AT_REST_S, QUIET_S, REST_MOST_S, next_size, rest_s
from hub.backoff import FIRST_S, MOST_S, wait_s
from hub.queue.requests import BOOKINGS_A_SLICE


@pytest.fixture
def pace():
    return Pace()


def test_after_each_failure_the_wait_is_twice_as_long_and_never_more_than_a_quarter_hour():
    waits = [wait_s(failures, 1.0) for failures in range(1, 200)]
    assert waits[:4] == [FIRST_S, 2 * FIRST_S, 4 * FIRST_S, 8 * FIRST_S]
    assert waits == sorted(waits)
    assert waits[-1] == MOST_S


def test_chance_spreads_a_wait_over_its_upper_half():
    assert wait_s(3, 0.0) == wait_s(3, 1.0) / 2
    assert wait_s(3, 0.0) < wait_s(3, 0.5) < wait_s(3, 1.0)


def test_what_is_asked_for_twice_is_done_once(pace):
    pace.ask()
    pace.ask()
    assert pace.next(0) == (Ask.CHANGED, ())
    assert pace.next(0) is None


def test_a_full_pass_is_a_pass_too(pace):
    pace.ask()
    pace.ask(all_of_it=True)
    pace.ask()
    assert pace.next(0) == (Ask.ALL, ())
    assert pace.next(0) is None


def test_hints_of_one_change_are_looked_up_together_once_it_is_stored(pace):
    pace.hint("rdv/1", 10)
    pace.hint("rdv/2", 10.1)
    pace.hint("rdv/1", 10.2)
    assert pace.next(10.2) is None
    assert pace.wait_s(10.2, 1.0) == pytest.approx(HINT_SETTLES_S)
    assert pace.next(10.2 + HINT_SETTLES_S) == (Ask.HINTS, ("rdv/1", "rdv/2"))
    assert pace.next(20) is None


def test_many_hints_are_a_pass(pace):
    for number in range(HINTS_MOST + 1):
        pace.hint(f"rdv/{number}", 0)
    assert pace.next(1) == (Ask.CHANGED, ())
    assert pace.next(1) is None


def test_a_hint_that_does_not_say_where_to_look_is_a_pass(pace):
    pace.hint(None, 0)
    assert pace.next(1) == (Ask.CHANGED, ())


def test_a_pass_makes_the_look_ups_needless(pace):
    pace.hint("rdv/1", 0)
    pace.ask()
    assert pace.next(1) == (Ask.CHANGED, ())
    assert pace.next(1) is None


def test_hints_without_end_do_not_keep_a_source_from_being_asked(pace):
    pace.ask()
    for tenth in range(200):
        pace.hint("rdv/1", tenth / 10)
        if pace.next(tenth / 10) is not None:
            return
    pytest.fail("put off for ever")


def test_after_a_failure_what_was_asked_for_waits_and_is_not_lost(pace):
    pace.ask(all_of_it=True)
    ask, _ = pace.next(0)
    pace.failed(ask, 0, 1.0)
    pace.ask()
    assert pace.next(FIRST_S - 0.1) is None
    assert pace.wait_s(FIRST_S - 0.1, 1.0) == pytest.approx(0.1)
    assert pace.next(FIRST_S) == (Ask.ALL, ())


def test_a_look_up_that_failed_becomes_a_pass(pace):
    pace.hint("rdv/1", 0)
    ask, _ = pace.next(1)
    pace.failed(ask, 1, 1.0)
    assert pace.next(1 + FIRST_S) == (Ask.CHANGED, ())


def test_a_source_that_calls_is_there_and_is_asked_at_once(pace):
    for _ in range(5):
        pace.failed(Ask.CHANGED, 0, 1.0)
        pace.telling.fail(0, 1.0)
    pace.hint("rdv/1", 1)
    assert pace.next(1 + HINT_SETTLES_S) == (Ask.CHANGED, ())
    assert pace.telling.is_open(1)


def test_a_source_that_lists_again_is_told_again(pace):
    pace.failed(Ask.CHANGED, 0, 1.0)
    pace.telling.fail(0, 1.0)
    pace.listed()
    assert pace.telling.is_open(0)


def test_a_source_that_only_refuses_to_be_told_is_not_asked_more_often_for_that(pace):
    pace.telling.fail(0, 1.0)
    pace.listed()
    assert not pace.telling.is_open(0)


def test_a_request_that_never_answers_holds_back_the_others_for_a_minute_at_most(pace):
    for _ in range(20):
        pace.telling.fail(0, 1.0)
    assert pace.telling.is_open(TELLING_MOST_S)


def test_a_slice_grows_while_nobody_is_there_and_shrinks_on_a_slow_disk():
    size = AMONG_PEOPLE
    for _ in range(100):
        size = next_size(size, AT_REST_S / 2, QUIET_S)
    assert size == BOOKINGS_A_SLICE
    assert next_size(size, AT_REST_S * 1.5, QUIET_S) == BOOKINGS_A_SLICE - 1
    for _ in range(20):
        size = next_size(size, 1.0, QUIET_S)
    assert size == AMONG_PEOPLE


def test_a_slice_is_small_as_soon_as_somebody_asks_for_something():
    assert next_size(BOOKINGS_A_SLICE, 0.0, 0.1) == AMONG_PEOPLE


def test_the_writer_is_left_to_people_longer_than_a_slice_takes_it_but_not_in_a_quiet_house():
    assert rest_s(0.002, 0.1) > 2 * 0.002
    assert rest_s(10.0, 0.1) == REST_MOST_S
    assert rest_s(0.002, QUIET_S) == 0
