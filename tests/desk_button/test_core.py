"""The whole core with a clock that the test turns."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.desk_button.core import DeskButton
from nodes.events import (
    Configured,
    Connected,
    Disconnected,
    Follow,
    HubAnew,
    Identify,
    Light,
    Message,
    PinChanged,
    PinsUnusable,
    PinsUsable,
    Publish,
    Tick,
    UsePins,
)
from protocol.heartbeat import HubTime
from protocol.instants import Instant
from protocol.messages import (
    BadMessage,
    DeskButtonConfig,
    DeskMode,
    DeskOutcome,
    DeskReply,
    DeskRequest,
    DeskState,
    Done,
    Open,
    Parser,
    Pause,
    Press,
    Recall,
    Refused,
    encode,
)
from protocol.topics import NodeTopic, Topics

TOPICS = Topics("mairie")
HUB_MS = 1_795_568_000_000
REQUEST: Parser[DeskRequest] = Parser(DeskRequest)


class Desk:
    """A button that is up, configured and past its self-test; `now_ms` is turned by the test."""

    def __init__(self, *, beat: bool = True, mode: DeskMode | None = DeskMode.OPEN, **state) -> None:
        self.now_ms = 0
        self.revision = 0
        self.hub_time = HubTime()
        self.core = DeskButton(TOPICS, "desk-1", self.hub_time, bytes, 0)
        self.sent: list[Publish] = []
        self.sent_ms: list[int] = []
        self.lit: list[tuple[bool, int]] = []
        self.others: list[object] = []
        self.do(Configured(DeskButtonConfig(revision=(1, 1), desk="guichet-1")))
        self.do(Connected())
        if beat:
            self.beat()
        if mode is not None:
            self.state(mode=mode, **state)
        self.turn(5_000, beats=beat)
        self.lit.clear()

    def do(self, event: object) -> None:
        for effect in self.core.handle(event, self.now_ms):
            match effect:
                case Publish():
                    self.sent.append(effect)
                    self.sent_ms.append(self.now_ms)
                case Light(lit):
                    self.lit.append((lit, self.now_ms))
                case _:
                    self.others.append(effect)

    def turn(self, by_ms: int, *, beats: bool = True) -> None:
        """Let time pass as the runtime does: a tick when the core asks for one, and each second."""
        until_ms = self.now_ms + by_ms
        while self.now_ms < until_ms:
            due_ms = self.core.due_ms()
            next_second_ms = self.now_ms - self.now_ms % 1_000 + 1_000
            self.now_ms = min(max(due_ms or until_ms, self.now_ms + 1), next_second_ms, until_ms)
            if beats and self.now_ms % 3_000 == 0:
                self.beat()
            self.do(Tick())

    def beat(self) -> None:
        self.hub_time.beat(HUB_MS + self.now_ms, self.now_ms)

    def state(self, **state) -> None:
        self.revision += 1
        message = DeskState(revision=(1, self.revision), desk="guichet-1", **({"callable": True} | state))
        self.message(TOPICS.desk_state("guichet-1"), encode(message))

    def message(self, topic: str, payload: bytes) -> None:
        self.do(Message(topic, payload, False, self.now_ms))

    def reply(self, message: msgspec.Struct) -> None:
        self.message(TOPICS.node("desk-1", NodeTopic.REPLY), encode(message))

    def press(self, held_ms: int = 100) -> None:
        self.do(PinChanged(17, True, self.now_ms))
        self.turn(held_ms)
        self.do(PinChanged(17, False, self.now_ms))
        self.turn(25)

    def requests(self) -> list[DeskRequest]:
        return [REQUEST.parse(each.payload) for each in self.sent]


def answer(desk: Desk, outcome: DeskOutcome = DeskOutcome.CALLED) -> None:
    desk.reply(DeskReply(id=desk.requests()[-1].id, outcome=outcome))


def test_a_short_press_is_one_request_on_the_nodes_own_topic():
    desk = Desk()
    desk.press()
    assert [type(request) for request in desk.requests()] == [Press]
    assert desk.sent[0].topic == "suivant/1/mairie/node/desk-1/request"


def test_a_press_carries_its_moment_on_the_hubs_clock():
    desk = Desk()
    desk.press()
    released_ms = desk.now_ms - 25
    assert desk.requests()[0].at_ms == HUB_MS + released_ms


def test_a_long_press_asks_for_the_call_to_be_said_again():
    desk = Desk()
    desk.press(1_300)
    assert isinstance(desk.requests()[0], Recall)


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ({"mode": DeskMode.OPEN}, Pause),
        ({"mode": DeskMode.OPEN, "pausing": True}, Open),
        ({"mode": DeskMode.OPEN, "closing": True}, Open),
        ({"mode": DeskMode.PAUSED}, Open),
        ({"mode": DeskMode.CLOSED}, Open),
    ],
)
def test_a_very_long_press_says_what_it_means(state, kind):
    desk = Desk(**state)
    desk.press(4_200)
    assert [type(request) for request in desk.requests()] == [kind]


@pytest.mark.parametrize(
    ("pressed_at", "released_at", "kind"),
    [(DeskMode.OPEN, DeskMode.PAUSED, Pause), (DeskMode.PAUSED, DeskMode.OPEN, Open)],
)
def test_a_very_long_press_means_what_the_hand_meant_though_the_page_was_quicker(pressed_at, released_at, kind):
    desk = Desk(mode=pressed_at)
    desk.do(PinChanged(17, True, desk.now_ms))
    # A busy worker sees the closed contact and the mode set on the page before it knows that no bounce follows.
    desk.state(mode=released_at)
    desk.turn(4_200)
    desk.do(PinChanged(17, False, desk.now_ms))
    # The next press begins before this one is known to have ended.
    desk.now_ms += 30
    desk.do(PinChanged(17, True, desk.now_ms))
    assert [type(request) for request in desk.requests()] == [kind]
    desk.reply(DeskReply(id=desk.requests()[0].id, outcome=DeskOutcome.TAKEN))
    desk.turn(4_200)
    desk.do(PinChanged(17, False, desk.now_ms))
    desk.turn(25)
    assert len(desk.sent) == 1, "too soon after the last one"
    desk.turn(1_000)
    desk.press(4_200)
    assert type(desk.requests()[-1]) is (Open if kind is Pause else Pause)


def test_a_very_long_press_at_a_desk_that_another_one_takes_the_place_of_is_not_guessed():
    desk = Desk()
    desk.do(PinChanged(17, True, desk.now_ms))
    desk.turn(1_000)
    desk.do(Configured(DeskButtonConfig(revision=(1, 2), desk="guichet-2")))
    paused = DeskState(revision=(1, 1), desk="guichet-2", mode=DeskMode.PAUSED)
    desk.message(TOPICS.desk_state("guichet-2"), encode(paused))
    desk.turn(3_200)
    desk.do(PinChanged(17, False, desk.now_ms))
    desk.turn(25)
    assert desk.sent == []


def test_a_very_long_press_at_a_desk_nobody_spoke_of_is_not_guessed():
    desk = Desk(mode=None)
    desk.press(4_200)
    assert desk.sent == []


def test_a_request_is_sent_again_with_the_same_id_until_it_is_answered():
    desk = Desk()
    desk.press()
    desk.turn(4_500)
    assert len(desk.sent) == 3
    assert len({request.id for request in desk.requests()}) == 1
    answer(desk)
    desk.turn(5_000)
    assert len(desk.sent) == 3


def test_a_request_is_sent_again_at_once_on_a_new_connection():
    desk = Desk()
    desk.press()
    desk.do(Disconnected("cut"))
    desk.turn(500)
    desk.do(Connected())
    assert len(desk.sent) == 2


def test_no_request_outlives_its_press():
    desk = Desk()
    desk.press()
    desk.turn(20_000)
    assert len(desk.sent) == 5
    assert [each.expiry_s for each in desk.sent] == [9, 7, 5, 3, 1]


def test_a_press_not_taken_within_ten_seconds_blinks_six_times():
    desk = Desk()
    desk.press()
    desk.turn(9_900)
    desk.lit.clear()
    desk.turn(4_000)
    assert len([lit for lit, _ in desk.lit if not lit]) >= 6
    desk.do(Connected())
    assert len(desk.sent) == 5


def test_gestures_while_a_request_is_under_way_are_dropped():
    desk = Desk()
    desk.press()
    desk.turn(500)
    desk.press()
    assert len({request.id for request in desk.requests()}) == 1
    answer(desk)
    desk.turn(500)
    desk.press()
    assert len({request.id for request in desk.requests()}) == 2


def test_without_a_beat_nothing_is_sent_and_the_lamp_says_not_taken():
    desk = Desk(beat=False)
    desk.press()
    desk.turn(3_000, beats=False)
    assert desk.sent == []
    assert desk.core.handle(Connected(), desk.now_ms) == []


def test_a_second_delivery_of_a_reply_changes_nothing():
    desk = Desk()
    desk.press()
    answer(desk)
    desk.turn(500)
    desk.press()
    first = desk.requests()[0]
    desk.reply(DeskReply(id=first.id, outcome=DeskOutcome.NOBODY))
    desk.turn(2_000)
    assert len([each for each in desk.requests() if each.id != first.id]) == 2


def test_the_lamp_tells_refused_from_taken():
    desk = Desk(mode=DeskMode.PAUSED)
    desk.press()
    desk.reply(Refused(id=desk.requests()[0].id, code="desk_paused", detail="the desk is paused"))
    desk.lit.clear()
    desk.turn(1_400)
    assert [lit for lit, _ in desk.lit].count(True) == 3


def test_a_reply_that_is_none_of_a_desk_leaves_the_request_under_way():
    desk = Desk()
    desk.press()
    desk.reply(Done(id=desk.requests()[0].id))
    desk.turn(2_100)
    assert len(desk.sent) == 2


def test_a_state_of_the_desk_that_is_not_newer_is_ignored():
    desk = Desk(mode=DeskMode.OPEN)
    for revision in (desk.revision - 1, desk.revision):
        old = DeskState(revision=(1, revision), desk="guichet-1", mode=DeskMode.CLOSED)
        desk.message(TOPICS.desk_state("guichet-1"), encode(old))
    desk.turn(4_000)
    assert desk.lit == []
    restored = DeskState(revision=(2, 0), desk="guichet-1", mode=DeskMode.CLOSED)
    desk.message(TOPICS.desk_state("guichet-1"), encode(restored))
    assert [lit for lit, _ in desk.lit] == [False]
    # Another run of the hub, with a new database, on a machine whose clock is behind.
    anew = DeskState(revision=(0, 1), desk="guichet-1", mode=DeskMode.OPEN, callable=True)
    desk.do(HubAnew())
    desk.message(TOPICS.desk_state("guichet-1"), encode(anew))
    desk.turn(4_000)
    assert desk.lit[-1][0] is True


def test_a_desk_of_which_another_run_of_the_hub_says_nothing_is_lost_like_the_hub():
    desk = Desk()
    desk.do(HubAnew())
    desk.turn(12_000)
    assert desk.lit == [], "the hub may still be starting"
    desk.turn(3_000)
    desk.lit.clear()
    desk.turn(10_000)
    assert len(desk.lit) > 6
    desk.state(mode=DeskMode.OPEN)
    desk.turn(4_000)
    assert desk.lit[-1][0] is True


def test_a_desk_that_the_hub_takes_back_is_lost_like_the_hub():
    desk = Desk()
    desk.turn(20_000)
    desk.message(TOPICS.desk_state("guichet-1"), b"")
    desk.turn(10_000)
    assert len(desk.lit) > 6
    desk.revision = 0
    desk.state(mode=DeskMode.OPEN)
    desk.turn(4_000)
    assert desk.lit[-1][0] is True


def test_fifteen_seconds_without_a_beat_and_the_lamp_says_so():
    desk = Desk()
    desk.turn(12_000, beats=False)
    before = list(desk.lit)
    desk.turn(6_000, beats=False)
    assert before == []
    assert len(desk.lit) > 6


def test_another_desk_means_other_topics_and_no_memory_of_the_last_one():
    desk = Desk()
    desk.press()
    desk.do(Configured(DeskButtonConfig(revision=(1, 2), desk="guichet-2")))
    assert desk.others[-1] == Follow(("suivant/1/mairie/desk/guichet-2/state",))
    desk.turn(3_000)
    assert len(desk.sent) == 1


def test_new_pins_are_taken_into_use():
    desk = Desk()
    assert UsePins((17,), 27) in desk.others
    desk.do(Configured(DeskButtonConfig(revision=(1, 2), desk="guichet-1", button_pin=5, led_pin=6)))
    assert desk.others[-1] == UsePins((5,), 6)
    desk.do(PinChanged(17, True, desk.now_ms))
    desk.turn(100)
    desk.do(PinChanged(17, False, desk.now_ms))
    desk.turn(100)
    assert desk.sent == []


def test_a_stuck_button_goes_to_telemetry_and_sends_nothing():
    desk = Desk()
    desk.do(PinChanged(17, True, desk.now_ms))
    desk.turn(10_100)
    assert desk.core.condition().stuck == (17,)
    desk.do(PinChanged(17, False, desk.now_ms))
    desk.turn(100)
    assert desk.core.condition().stuck == ()
    assert desk.sent == []


@pytest.mark.parametrize("held_ms", [100, 2_000, 5_000])
def test_a_bag_on_the_button_at_a_start_makes_no_gesture_when_it_is_taken_away(held_ms):
    desk = Desk()
    desk.do(Configured(DeskButtonConfig(revision=(1, 2), desk="guichet-1", button_pin=5)))
    desk.do(PinChanged(5, True, desk.now_ms))
    desk.do(PinsUsable())
    desk.turn(held_ms)
    assert desk.core.condition().stuck == (5,)
    assert desk.lit[-1][0] is False, "the lamp does not say that a press would call somebody"
    desk.do(PinChanged(5, False, desk.now_ms))
    desk.turn(2_000)
    assert desk.sent == []
    assert desk.core.condition().stuck == ()
    desk.do(PinChanged(5, True, desk.now_ms))
    desk.turn(100)
    desk.do(PinChanged(5, False, desk.now_ms))
    desk.turn(25)
    assert [type(request) for request in desk.requests()] == [Press]


def test_unusable_pins_are_told_until_the_hub_sends_better_ones():
    desk = Desk()
    desk.do(PinsUnusable("pin 99 is none"))
    assert desk.core.condition().warnings == ("pins_unusable",)
    desk.do(Configured(DeskButtonConfig(revision=(1, 2), desk="guichet-1", button_pin=5)))
    assert desk.core.condition().warnings == ()


def test_unusable_pins_are_tried_again_each_30_s_and_told_until_they_are_in_use():
    desk = Desk()
    desk.do(PinsUnusable("GPIO busy"))
    for _ in range(3):
        desk.others.clear()
        desk.turn(29_000)
        assert desk.others == []
        desk.turn(1_000)
        assert desk.others == [UsePins((17,), 27)]
        assert desk.core.condition().warnings == ("pins_unusable",)
    desk.do(PinsUsable())
    assert desk.core.condition().warnings == ()
    desk.others.clear()
    desk.turn(60_000)
    assert desk.others == []


def test_unusable_pins_are_tried_again_with_each_configuration_and_the_lamp_is_lit_anew():
    desk = Desk(mode=DeskMode.OPEN, number="A012")
    desk.do(PinsUnusable("GPIO busy"))
    desk.do(Configured(DeskButtonConfig(revision=(1, 2), desk="guichet-1")))
    assert desk.others[-1] == UsePins((17,), 27)
    assert len(desk.lit) == 1


def test_identify_flashes_for_its_time():
    desk = Desk()
    desk.do(Identify(desk.now_ms + 30_000))
    desk.turn(29_000)
    assert len(desk.lit) > 80 * 2
    desk.turn(2_000)
    desk.lit.clear()
    desk.turn(5_000)
    assert desk.lit == []


@pytest.mark.parametrize(
    "payload",
    [
        b"\xff\xfe",
        b"[1]",
        b'{"v":2}',
        b'{"v":1,"type":"desk","id":"1","outcome":"called"}',
        encode(DeskState(revision=(9, 9), desk="guichet-7", mode=DeskMode.CLOSED)),
        b"x" * 20_000,
    ],
)
def test_a_payload_that_is_no_message_is_refused_and_changes_nothing(payload):
    desk = Desk()
    for topic in (TOPICS.node("desk-1", NodeTopic.REPLY), TOPICS.desk_state("guichet-1")):
        with pytest.raises(BadMessage):
            desk.message(topic, payload)
    desk.press()
    assert len(desk.sent) == 1
    assert desk.requests()[0].beat == Instant(HUB_MS + 3_000)


def test_a_worker_that_comes_late_does_not_take_a_bounce_for_a_press():
    """All edges of a long press are in the inbox when the worker gets to them."""
    desk = Desk()
    begun_ms = desk.now_ms
    desk.now_ms += 2_000
    for pressed, after_ms in [(True, 0), (False, 5), (True, 9), (False, 1_500), (True, 1_504), (False, 1_508)]:
        desk.do(PinChanged(17, pressed, begun_ms + after_ms))
    desk.turn(100)
    assert [type(request) for request in desk.requests()] == [Recall]


steps = st.one_of(
    st.tuples(st.just("press"), st.integers(40, 5_000)),
    st.tuples(st.just("turn"), st.integers(1, 12_000)),
    st.tuples(st.just("reply"), st.sampled_from(DeskOutcome)),
    st.tuples(st.just("refuse"), st.integers(0, 3)),
    st.tuples(st.just("cut"), st.integers(1, 6_000)),
    st.tuples(st.just("state"), st.sampled_from(DeskMode)),
    st.tuples(st.just("identify"), st.integers(1, 30_000)),
)


@given(st.lists(steps, max_size=25))
def test_whatever_happens_one_press_is_one_request_that_dies_young_and_the_lamp_never_flickers(happenings):
    desk = Desk()
    presses = 0
    for kind, value in happenings:
        match kind:
            case "press":
                presses += 1
                desk.press(value)
            case "turn":
                desk.turn(value)
            case "reply" if desk.sent:
                answer(desk, value)
            case "refuse" if desk.sent:
                desk.reply(Refused(id=desk.requests()[value % len(desk.sent)].id, code="x", detail="x"))
            case "cut":
                desk.do(Disconnected("cut"))
                desk.turn(value)
                desk.do(Connected())
            case "state":
                desk.state(mode=value)
            case "identify":
                desk.do(Identify(desk.now_ms + value))
    ids = {request.id for request in desk.requests()}
    assert len(ids) <= presses
    for each, sent_ms in zip(desk.requests(), desk.sent_ms, strict=True):
        assert 0 <= HUB_MS + sent_ms - each.at_ms < 10_000
    assert all(len({each for each in desk.requests() if each.id == name}) == 1 for name in ids)
    begun = [at_ms for lit, at_ms in desk.lit if lit]
    assert all(fourth - first >= 1_000 for first, fourth in zip(begun, begun[3:], strict=False))


def test_a_quick_hand_does_not_make_the_lamp_flicker():
    desk = Desk(mode=DeskMode.CLOSED)
    for _ in range(10):
        desk.press(60)
        desk.turn(40)
    begun = [at_ms for lit, at_ms in desk.lit if lit]
    assert begun
    assert all(fourth - first >= 1_000 for first, fourth in zip(begun, begun[3:], strict=False))
