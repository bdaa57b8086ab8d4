"""Which call is on the screen, which sounds, and which never sounds again."""

import pytest

from hub.clock import Clock
from nodes.display.announcements import PENDING_MOST, PLAYED_REMEMBERED, Announcements
from protocol.heartbeat import HubTime
from tests.display.scenes import NOW, announce, call, hall


def heard(*announces, shown=None):
    announcements = Announcements()
    for each in announces:
        announcements.receive(each, shown)
    return announcements


def test_an_announcement_begins_at_its_time_and_ends_after_its_length():
    announcements = heard(announce(play_at=NOW + 500, length_ms=8_000))
    assert announcements.advance(NOW + 499) is None
    assert announcements.current is None
    begun = announcements.advance(NOW + 500)
    assert begun is not None
    assert begun.number == "A012"
    assert announcements.advance(NOW + 8_499) is None
    assert announcements.current == begun
    announcements.advance(NOW + 8_500)
    assert announcements.current is None


def test_the_next_one_takes_over_at_its_own_time():
    announcements = heard(announce("A012", play_at=NOW), announce("C031", n=41, play_at=NOW + 4_000))
    assert announcements.advance(NOW).number == "A012"
    assert announcements.next_change() == NOW + 4_000
    assert announcements.advance(NOW + 4_000).number == "C031"


def test_announcements_that_arrive_in_another_order_are_played_in_the_order_of_their_times():
    announcements = heard(
        announce("C031", n=40, play_at=NOW + 4_000),
        announce("A012", n=41, play_at=NOW),
    )
    assert announcements.advance(NOW).number == "A012"
    assert announcements.advance(NOW + 4_000).number == "C031"


def test_a_message_that_comes_twice_is_played_once():
    announcements = heard(announce(), announce())
    assert announcements.advance(NOW) is not None
    announcements.receive(announce(), None)
    assert announcements.advance(NOW + 100) is None


def test_what_was_said_before_a_restart_is_not_said_again():
    before = heard(announce())
    before.advance(NOW)
    after = Announcements.after(before.played)
    after.receive(announce(), None)
    assert after.advance(NOW + 100) is None
    assert after.current is None


def test_nothing_is_said_more_than_20_s_late():
    announcements = heard(announce(length_ms=8_000))
    assert announcements.advance(NOW + 20_001) is None
    assert announcements.current is None
    just_in_time = heard(announce(length_ms=8_000))
    assert just_in_time.advance(NOW + 20_000) is not None


@pytest.mark.parametrize(("late_ms", "stays_ms"), [(100, 7_900), (4_000, 4_000), (7_900, 4_000), (12_000, 4_000)])
def test_one_that_came_late_is_said_and_stays_long_enough_to_be_read(late_ms, stays_ms):
    announcements = heard(announce(length_ms=8_000))
    begun_ms = NOW + late_ms
    assert announcements.advance(begun_ms) is not None
    assert announcements.next_change() == begun_ms + stays_ms
    announcements.advance(begun_ms + stays_ms - 1)
    assert announcements.current is not None
    announcements.advance(begun_ms + stays_ms)
    assert announcements.current is None


def test_one_that_is_much_too_late_takes_nothing_back_to_the_screen():
    announcements = heard(announce("A012", n=40, play_at=NOW, length_ms=8_000))
    announcements.advance(NOW)
    announcements.receive(announce("C031", n=41, play_at=NOW + 1_000), None)
    assert announcements.advance(NOW + 30_000) is None
    assert announcements.current is None


@pytest.mark.parametrize("back_s", [10, 60, 600])
def test_each_call_is_said_while_the_hubs_clock_goes_at_half_speed(back_s):
    passed_ms, set_back_ms, beats_s = 0, 0, 3
    clock = Clock(
        wall_ns=lambda: (NOW + passed_ms - set_back_ms) * 1_000_000, monotonic_ns=lambda: passed_ms * 1_000_000
    )
    hub_time, announcements, called, said = HubTime(), Announcements(), [], []
    for second in range(120 + 2 * back_s + 60):
        if second == 120:
            set_back_ms = back_s * 1_000
        if second % beats_s == 0:
            hub_time.beat(clock.now_ms(), passed_ms)
        if second % 20 == 10:
            called.append(announce(n=second, play_at=clock.now_ms() + 250))
            announcements.receive(called[-1], None)
        passed_ms += 1_000
        begun = announcements.advance(hub_time.hub_now_ms(passed_ms))
        if begun is not None:
            said.append(begun)
    assert said == called


def test_a_call_leaves_the_screen_in_time_though_another_run_of_the_hub_has_its_clock_earlier():
    announcements = heard(announce(play_at=NOW, length_ms=8_000))
    assert announcements.advance(NOW) is not None
    announcements.anew()
    earlier = NOW - 2 * 3_600_000
    announcements.advance(earlier)
    assert announcements.current is not None
    assert announcements.next_change() == earlier + 8_000
    announcements.advance(earlier + 8_000)
    assert announcements.current is None


def test_after_a_stall_only_the_newest_is_said():
    announcements = heard(*(announce(f"A{n:03d}", n=n, play_at=NOW + n * 1_000) for n in range(1, 4)))
    assert announcements.advance(NOW + 5_000).number == "A003"
    assert announcements.advance(NOW + 5_001) is None


def test_an_older_revision_is_ignored():
    assert heard(announce(n=41), announce("C031", n=40)).advance(NOW).number == "A012"


def test_a_restored_database_is_heard_although_it_counts_from_the_start():
    announcements = heard(announce(n=400))
    restored = announce("C031", n=1)
    announcements.receive(restored.__class__(**{**_fields(restored), "revision": (2, 1)}), None)
    assert announcements.advance(NOW).number == "C031"


def test_what_waited_when_the_database_was_restored_is_not_said():
    announcements = heard(announce(n=400, play_at=NOW + 4_000))
    restored = announce("C031", n=1)
    announcements.receive(restored.__class__(**{**_fields(restored), "revision": (2, 1)}), None)
    assert announcements.advance(NOW).number == "C031"
    assert announcements.advance(NOW + 4_000) is None


def _fields(message):
    return {name: getattr(message, name) for name in message.__struct_fields__}


def test_a_withdrawn_call_leaves_the_screen_at_once():
    announcements = heard(announce())
    announcements.advance(NOW)
    announcements.withdraw(hall(41, calls=(call("C031", "7"),)))
    assert announcements.current is None


def test_a_call_withdrawn_before_it_was_said_is_not_said():
    announcements = heard(announce(play_at=NOW + 4_000))
    announcements.withdraw(hall(41, calls=()))
    assert announcements.advance(NOW + 4_000) is None


def test_a_call_withdrawn_before_its_announcement_arrives_is_not_said():
    assert heard(announce(), shown=hall(41, calls=())).advance(NOW) is None


def test_a_picture_older_than_the_announcement_does_not_take_it_away():
    announcements = heard(announce(), shown=hall(39, calls=()))
    announcements.withdraw(hall(39, calls=()))
    assert announcements.advance(NOW) is not None


def test_a_recall_of_the_same_call_is_said_again():
    announcements = heard(announce(), announce(n=52, play_at=NOW + 60_000))
    assert announcements.advance(NOW) is not None
    assert announcements.advance(NOW + 60_000) is not None


def test_a_flood_is_bounded_and_so_is_what_is_remembered():
    announcements = heard(*(announce(f"A{n:03d}", n=n, play_at=NOW + n) for n in range(PENDING_MOST + 10)))
    announcements.advance(NOW + 1_000)
    assert len(announcements.played) == PENDING_MOST
    many = Announcements.after(str(n) for n in range(1_000))
    assert len(many.played) == PLAYED_REMEMBERED
    assert many.played[-1] == "999"
