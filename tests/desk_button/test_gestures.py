from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from nodes.debounce import STABLE_MS
from nodes.desk_button.gestures import GAP_MS, STUCK_MS, Gesture, Gestures, Kind, kind_of

Edges = list[tuple[bool, int]]


def played(edges: Edges, until_ms: int) -> list[Gesture]:
    """The gestures made of these edges when the worker wakes for each edge and whenever it asked to be woken."""
    gestures = Gestures()
    made: list[Gesture | None] = []
    for pressed, at_ms in edges:
        while (due_ms := gestures.due_ms()) is not None and due_ms < at_ms:
            made.append(gestures.advance(due_ms))
        made.append(gestures.edge(pressed, at_ms))
    made.append(gestures.advance(until_ms))
    return [gesture for gesture in made if gesture is not None]


def test_a_short_press_is_decided_at_its_release():
    assert played([(True, 100), (False, 300)], 400) == [Gesture(Kind.SHORT, 300)]


def test_nothing_is_decided_while_the_button_is_held():
    assert played([(True, 100)], 9_000) == []


def test_how_long_it_was_held_says_what_was_meant():
    assert [kind_of(held_ms) for held_ms in (80, 1_199, 1_200, 3_999, 4_000, 9_999, 10_000)] == [
        Kind.SHORT,
        Kind.SHORT,
        Kind.LONG,
        Kind.LONG,
        Kind.VERY_LONG,
        Kind.VERY_LONG,
        None,
    ]


def test_a_button_held_for_ten_seconds_is_stuck_and_its_release_means_nothing():
    gestures = Gestures()
    gestures.edge(True, 0)
    gestures.advance(100)
    assert not gestures.stuck(STUCK_MS - 1)
    assert gestures.stuck(STUCK_MS)
    gestures.edge(False, STUCK_MS + 500)
    assert gestures.advance(STUCK_MS + 600) is None
    assert not gestures.stuck(STUCK_MS + 600)


def test_a_spark_on_the_line_is_no_press():
    assert played([(True, 100), (False, 100 + STABLE_MS - 1)], 1_000) == []


def test_a_button_that_chatters_while_it_is_let_go_is_one_press():
    edges = [(True, 0), (False, 200), (True, 240), (False, 280), (True, 330), (False, 370)]
    assert len(played(edges, 1_000)) == 1


def test_a_worker_that_slept_through_a_whole_press_still_sees_it():
    gestures = Gestures()
    assert gestures.edge(True, 0) is None
    assert gestures.edge(False, 200) is None
    assert gestures.advance(5_000) == Gesture(Kind.SHORT, 200)


def test_the_first_edge_after_a_sleep_settles_the_level_before_it():
    gestures = Gestures()
    gestures.edge(True, 0)
    gestures.edge(False, 200)
    assert gestures.edge(True, 900) == Gesture(Kind.SHORT, 200)


bounces = st.lists(st.integers(1, 12), max_size=8)


@st.composite
def hands(draw: st.DrawFn) -> tuple[Edges, list[tuple[int, int]]]:
    """Real presses, more than the gap apart; at each contact the bounces take less than the stable time in all."""
    edges: Edges = []
    presses: list[tuple[int, int]] = []
    now_ms = draw(st.integers(0, 1_000))
    for _ in range(draw(st.integers(0, 6))):
        held_ms = draw(st.integers(120, STUCK_MS - 100))
        starts_ms = now_ms
        now_ms = bounced(edges, draw(bounces), True, now_ms)
        now_ms = bounced(edges, draw(bounces), False, starts_ms + held_ms)
        presses.append((starts_ms, now_ms))
        now_ms += draw(st.integers(GAP_MS + 100, 5_000))
    return edges, presses


def bounced(edges: Edges, gaps_ms: list[int], pressed: bool, at_ms: int) -> int:
    """Add a contact that settles at `pressed` after bounces of less than the stable time each.

    Returns the time when it has settled, in ms.
    """
    edges.append((pressed, at_ms))
    for number, gap_ms in enumerate(gaps_ms):
        at_ms += gap_ms
        edges.append((pressed if number % 2 else not pressed, at_ms))
    if len(gaps_ms) % 2:
        at_ms += 5
        edges.append((pressed, at_ms))
    return at_ms


@given(hands())
def test_each_real_press_is_one_gesture_however_its_contacts_bounce(hand):
    edges, presses = hand
    made = played(edges, (presses[-1][1] if presses else 0) + 1_000)
    assert [gesture.at_ms for gesture in made] == [released_ms for _, released_ms in presses]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 400)), max_size=60))
def test_random_edges_never_make_gestures_closer_than_the_gap(steps):
    at_ms, edges = 0, []
    for pressed, gap_ms in steps:
        at_ms += gap_ms
        edges.append((pressed, at_ms))
    made = played(edges, at_ms + 1_000)
    moments = [gesture.at_ms for gesture in made]
    assert all(later - earlier >= GAP_MS for earlier, later in pairwise(moments))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 400)), max_size=40), st.data())
def test_waking_more_often_than_asked_changes_nothing(steps, data):
    at_ms, edges = 0, []
    for pressed, gap_ms in steps:
        at_ms += gap_ms
        edges.append((pressed, at_ms))
    lazy = played(edges, at_ms + 1_000)
    gestures = Gestures()
    eager = []
    last_ms = 0
    for pressed, moment_ms in edges:
        wake_ms = data.draw(st.integers(last_ms, moment_ms))
        eager += [gestures.advance(wake_ms), gestures.edge(pressed, moment_ms)]
        last_ms = moment_ms
    eager.append(gestures.advance(at_ms + 1_000))
    assert [gesture for gesture in eager if gesture is not None] == lazy
