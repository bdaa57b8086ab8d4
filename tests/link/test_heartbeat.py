import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.heartbeat import ECHO_LOST_MS, LINK_SILENT_MS, GiveUp, Heartbeat, HubTime, Reconnect, SendEcho
from protocol.messages import BEAT_LOST_MS

HUB_MS = 1_795_568_000_000


def ticked(heart: Heartbeat, from_ms: int, to_ms: int, *, echo: bool = False) -> list[object]:
    """Tick each second; either every echo comes back at once, or none does."""
    wanted: list[object] = []
    for now_ms in range(from_ms, to_ms, 1_000):
        for each in heart.tick(now_ms):
            wanted.append(each)
            if echo and isinstance(each, SendEcho):
                heart.echoed(each.count)
    return wanted


def kinds(wanted: list[object]) -> list[type]:
    return [type(each) for each in wanted]


def connected() -> Heartbeat:
    heart = Heartbeat(0)
    heart.connected(0)
    return heart


def test_an_echo_goes_out_each_five_seconds():
    assert ticked(connected(), 0, 21_000, echo=True) == [SendEcho(count) for count in (1, 2, 3, 4, 5)]


def test_nothing_is_wrong_while_echoes_come_back():
    assert set(kinds(ticked(connected(), 0, 3_600_000, echo=True))) == {SendEcho}


def test_echoes_that_stay_away_mean_a_new_connection():
    wanted = ticked(connected(), 0, ECHO_LOST_MS + 1_000)
    assert kinds(wanted)[-1] is Reconnect
    assert kinds(wanted).count(Reconnect) == 1


def test_a_new_connection_that_does_not_help_ends_the_program():
    heart = connected()
    ticked(heart, 0, ECHO_LOST_MS + 1_000)
    heart.disconnected(ECHO_LOST_MS + 500)
    heart.connected(ECHO_LOST_MS + 2_000)
    assert kinds(ticked(heart, ECHO_LOST_MS + 2_000, 2 * ECHO_LOST_MS + 3_000))[-1] is GiveUp


def test_a_broker_that_refuses_what_is_said_ends_no_program_and_is_connected_to_anew():
    heart = connected()
    for start_ms in range(0, 10 * ECHO_LOST_MS, ECHO_LOST_MS + 1_000):
        heart.connected(start_ms)
        heart.refused()
        assert isinstance(ticked(heart, start_ms, start_ms + ECHO_LOST_MS + 1_000)[-1], Reconnect)


def test_a_broker_that_refused_once_and_took_all_since_is_as_any_other():
    heart = connected()
    heart.refused()
    ticked(heart, 0, 1_000, echo=True)
    assert not heart.is_refused
    heart.connected(0)
    assert isinstance(lost_again(heart, 100), GiveUp)


def test_a_program_whose_message_was_refused_once_still_gives_up_on_a_link_that_dies_later():
    heart = connected()
    heart.refused()
    assert isinstance(lost_again(heart, 100), GiveUp)
    assert heart.is_refused, "no echo has come back: the page and the metric go on saying so"


def lost_again(heart: Heartbeat, arrived_after_ms: int) -> object:
    """The last wish when echoes are lost on a second connection too, which last received something at that time."""
    ticked(heart, 0, ECHO_LOST_MS + 1_000)
    start_ms = ECHO_LOST_MS + 2_000
    heart.connected(start_ms)
    heart.arrived(start_ms + arrived_after_ms)
    return ticked(heart, start_ms, start_ms + ECHO_LOST_MS + 1_000)[-1]


def test_a_link_that_is_flooded_ends_no_program_and_is_made_anew():
    assert isinstance(lost_again(connected(), ECHO_LOST_MS - 1_000), Reconnect)


def test_what_a_new_connection_brings_at_once_is_no_sign_that_it_works():
    assert isinstance(lost_again(connected(), 100), GiveUp)


def test_a_new_connection_that_helps_is_forgotten():
    heart = connected()
    ticked(heart, 0, ECHO_LOST_MS + 1_000)
    heart.connected(20_000)
    ticked(heart, 20_000, 60_000, echo=True)
    assert Reconnect in kinds(ticked(heart, 60_000, 60_000 + ECHO_LOST_MS + 1_000))


@pytest.mark.parametrize("begins_ms", range(9_500, 15_500, 500))
def test_a_stall_of_fourteen_seconds_costs_no_connection(begins_ms: int):
    """It may begin anywhere between two echoes; echoes sent during the stall come back when it ends."""
    heart, ends_ms, held, wanted = connected(), begins_ms + 14_000, list[SendEcho](), list[object]()
    for now_ms in range(0, 60_000, 1_000):
        while held and now_ms >= ends_ms:
            heart.echoed(held.pop(0).count)
        for each in heart.tick(now_ms):
            wanted.append(each)
            if isinstance(each, SendEcho) and begins_ms <= now_ms < ends_ms:
                held.append(each)
            elif isinstance(each, SendEcho):
                heart.echoed(each.count)
    assert wanted == [SendEcho(count) for count in range(1, 13)]


def test_a_dead_connection_is_left_within_twenty_seconds_of_the_last_echo():
    heart = connected()
    ticked(heart, 0, 6_000, echo=True)
    assert kinds(ticked(heart, 6_000, 26_000))[-1] is Reconnect


def test_a_broker_that_is_down_for_a_night_ends_no_program():
    heart = connected()
    heart.disconnected(1_000)
    wanted: list[object] = []
    for now_ms in range(2_000, 12 * 3_600_000, 10_000):
        heart.disconnected(now_ms)
        wanted += ticked(heart, now_ms, now_ms + 10_000)
    assert wanted == []


def test_name_servers_that_answer_nothing_end_no_program():
    """Three servers, each asked twice for 5 s, for the name alone and with each of six search domains appended."""
    heart = connected()
    heart.disconnected(0)
    assert ticked(heart, 0, 3 * 2 * 5_000 * 7 + 30_000) == []


def test_a_link_that_says_nothing_at_all_hangs():
    heart = connected()
    heart.disconnected(0)
    [wanted] = ticked(heart, 0, LINK_SILENT_MS + 1_000)
    assert wanted == GiveUp("no word from the link for 5 min: its thread hangs or is dead")


def test_an_echo_of_an_earlier_run_proves_nothing():
    heart = connected()
    for now_ms in range(0, ECHO_LOST_MS + 1_000, 1_000):
        heart.echoed(4_711)
        wanted = heart.tick(now_ms)
    assert kinds(wanted) == [Reconnect]


def test_without_any_beat_the_hub_is_away_and_no_time_is_known():
    hub = HubTime()
    assert hub.away(0)
    assert hub.stamp(0) is None
    assert hub.hub_now_ms(0) is None


def test_the_hub_is_away_after_fifteen_seconds_without_a_beat():
    hub = HubTime()
    hub.beat(HUB_MS, 1_000)
    assert not hub.away(1_000 + BEAT_LOST_MS - 1)
    assert hub.away(1_000 + BEAT_LOST_MS)


def test_a_moment_is_counted_from_the_beat_before_it():
    hub = HubTime()
    hub.beat(HUB_MS, 1_000)
    hub.beat(HUB_MS + 3_000, 4_000)
    assert hub.stamp(4_200) == (HUB_MS + 3_000, 200)
    assert hub.stamp(3_999) == (HUB_MS, 2_999)
    assert hub.stamp(999) is None


def test_the_hubs_time_is_told_by_the_beat_that_was_delayed_least():
    hub = HubTime()
    for sent_ms, delay_ms in ((0, 40), (3_000, 2), (6_000, 900)):
        hub.beat(HUB_MS + sent_ms, sent_ms + delay_ms)
    assert hub.hub_now_ms(7_000) == HUB_MS + 7_000 - 2


def test_after_the_hubs_clock_went_slowly_what_was_heard_before_says_nothing_of_its_time():
    """The hub's clock was 12 s ahead, and was corrected by running at half speed until it was right."""
    hub = HubTime()
    hub_ms = HUB_MS
    gaps_ms = [3_000] * 5 + [1_500] * 8 + [3_000] * 3
    for number, gap_ms in enumerate(gaps_ms):
        hub_ms += gap_ms
        hub.beat(hub_ms, number * 3_000)
    assert hub.hub_now_ms((len(gaps_ms) - 1) * 3_000) == hub_ms


def test_a_hub_that_restarted_begins_anew():
    hub = HubTime()
    hub.beat(HUB_MS + 60_000, 0)
    hub.restarted()
    hub.beat(HUB_MS, 3_000)
    assert hub.hub_now_ms(3_000) == HUB_MS


def test_a_press_between_a_hubs_restart_and_its_first_beat_is_not_lost():
    hub = HubTime()
    hub.beat(HUB_MS, 0)
    hub.restarted()
    assert not hub.away(2_000)
    assert hub.stamp(2_000) == (HUB_MS, 2_000)
    assert hub.hub_now_ms(2_000) is None


@given(
    st.lists(st.integers(0, 20_000), min_size=1, max_size=30),
    st.integers(0, 100_000),
)
def test_delay_anywhere_only_makes_a_press_older(delays_ms, after_ms):
    """The hub's clock is ours plus HUB_MS here, so the true time is known."""
    hub = HubTime()
    arrived_ms = 0
    for number, delay_ms in enumerate(delays_ms):
        arrived_ms = max(arrived_ms, number * 3_000 + delay_ms)
        hub.beat(HUB_MS + number * 3_000, arrived_ms)
    moment_ms = arrived_ms + after_ms
    beat_ms, since_ms = hub.stamp(moment_ms) or (0, 0)
    assert beat_ms + since_ms <= HUB_MS + moment_ms
    assert since_ms >= 0


@pytest.mark.parametrize("now_ms", [0, 1, 10**12])
def test_a_heartbeat_may_start_at_any_reading_of_the_clock(now_ms):
    assert Heartbeat(now_ms).tick(now_ms) == []
