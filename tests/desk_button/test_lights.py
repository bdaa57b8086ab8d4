import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.desk_button.lights import PATTERNS, Moment, View, at_rest, lamp
from protocol.messages import DeskMode, DeskState

LONG_AGO_MS = -1_000_000


def view(rest: Moment = Moment.CLOSED, **changes) -> View:
    return View(started_ms=LONG_AGO_MS, rest=(rest, 0), **changes)


def lit(shown: View, for_ms: int, from_ms: int = 0) -> list[tuple[bool, int]]:
    """Whether the lamp is lit and for how many ms, step by step, by its own word of when it changes."""
    steps: list[tuple[bool, int]] = []
    now_ms = from_ms
    while now_ms < from_ms + for_ms:
        state = lamp(shown, now_ms)
        until_ms = min(state.until_ms or from_ms + for_ms, from_ms + for_ms)
        assert until_ms > now_ms
        if steps and steps[-1][0] == state.lit:
            steps[-1] = (state.lit, steps[-1][1] + until_ms - now_ms)
        else:
            steps.append((state.lit, until_ms - now_ms))
        now_ms = until_ms
    return steps


def test_it_starts_with_two_seconds_of_light_and_one_of_dark():
    shown = View(started_ms=0, rest=(Moment.CALLABLE, 0))
    assert lit(shown, 5_000) == [(True, 2_000), (False, 1_000), (True, 2_000)]


def test_a_held_button_shows_which_gesture_it_has_become():
    steps = lit(view(held_since_ms=0), 12_000)
    assert steps[0] == (True, 1_200)
    assert steps[1:5] == [(False, 100), (True, 500), (False, 100), (True, 500)]
    assert steps[-1][0] is False
    assert steps[-1][1] >= 2_000


def test_from_four_seconds_on_there_are_two_gaps_each_0_8_s():
    assert lit(view(held_since_ms=-4_000), 1_600) == [(False, 100), (True, 100), (False, 100), (True, 500)] * 2


def test_a_request_under_way_blinks_at_half_second():
    assert lit(view(sent_ms=0), 1_000) == [(True, 250), (False, 250)] * 2


@pytest.mark.parametrize(
    ("moment", "flashes_ms"),
    [
        (Moment.TAKEN, [1_500]),
        (Moment.NOBODY, [600, 600]),
        (Moment.NOTHING, [100]),
        (Moment.REFUSED, [150] * 3),
        (Moment.NOT_TAKEN, [150] * 6),
    ],
)
def test_each_answer_has_its_own_flashes_and_then_ends(moment, flashes_ms):
    steps = lit(view(answer=(moment, 0)), 10_000)
    assert [for_ms for on, for_ms in steps if on] == flashes_ms
    assert steps[-1][0] is False


@pytest.mark.parametrize(
    ("moment", "flashes_ms", "darks_ms"),
    [
        (Moment.LOST, [100, 100], 1_800),
        (Moment.IDLE, [100], 1_900),
        (Moment.ENDING, [1_700], 300),
        (Moment.PAUSED, [1_500], 1_500),
        (Moment.CALLABLE, [2_000], 0),
        (Moment.CLOSED, [], 2_000),
    ],
)
def test_what_stays_has_its_own_rhythm(moment, flashes_ms, darks_ms):
    period_ms = PATTERNS[moment].length_ms or 2_000
    steps = lit(view(moment), period_ms)
    assert [for_ms for on, for_ms in steps if on] == flashes_ms
    assert sum(for_ms for on, for_ms in steps if not on) == darks_ms


def test_identify_flashes_until_its_end_and_stands_above_a_held_button():
    shown = view(identify=(0, 30_000), held_since_ms=0)
    assert len([on for on, _ in lit(shown, 1_000) if on]) == 3
    assert lamp(view(identify=(0, 30_000)), 30_000).lit is False


@pytest.mark.parametrize(
    ("desk", "moment"),
    [
        ({"mode": DeskMode.OPEN, "callable": True}, Moment.CALLABLE),
        ({"mode": DeskMode.OPEN}, Moment.IDLE),
        ({"mode": DeskMode.OPEN, "callable": True, "pausing": True}, Moment.ENDING),
        ({"mode": DeskMode.OPEN, "callable": True, "closing": True}, Moment.ENDING),
        ({"mode": DeskMode.PAUSED, "callable": True}, Moment.PAUSED),
        ({"mode": DeskMode.CLOSED}, Moment.CLOSED),
    ],
)
def test_at_rest_the_lamp_follows_the_desk(desk, moment):
    state = DeskState(revision=(1, 1), desk="guichet-1", **desk)
    assert at_rest(lost=False, desk=state) is moment
    assert at_rest(lost=True, desk=state) is Moment.LOST


def test_a_button_that_was_told_nothing_of_its_desk_does_not_look_closed():
    assert at_rest(lost=False, desk=None) is Moment.LOST


def test_every_moment_has_a_pattern():
    assert set(PATTERNS) == set(Moment)


@given(
    rest=st.sampled_from([Moment.LOST, Moment.CALLABLE, Moment.IDLE, Moment.ENDING, Moment.PAUSED, Moment.CLOSED]),
    identify=st.booleans(),
    held_ms=st.none() | st.integers(-11_000, 0),
    answer=st.none() | st.sampled_from([Moment.TAKEN, Moment.NOBODY, Moment.NOTHING, Moment.REFUSED, Moment.NOT_TAKEN]),
    from_ms=st.integers(0, 5_000),
)
def test_at_most_three_flashes_begin_in_any_second(rest, identify, held_ms, answer, from_ms):
    shown = view(
        rest,
        identify=(0, 30_000) if identify else None,
        held_since_ms=held_ms,
        answer=None if answer is None else (answer, 0),
    )
    begins: list[int] = []
    now_ms = from_ms
    for on, for_ms in lit(shown, 8_000, from_ms):
        if on and now_ms > from_ms:
            begins.append(now_ms)
        now_ms += for_ms
    assert all(fourth - first >= 1_000 for first, fourth in zip(begins, begins[3:], strict=False))
