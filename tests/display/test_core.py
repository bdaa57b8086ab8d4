"""A display's logic, with a clock that the test turns."""

import msgspec
import pytest

from nodes.display.core import Chime, DisplayCore, KeepHall, KeepPlayed, Kept, Show, Warned
from nodes.display.pictures import EMERGENCY, HALL
from nodes.events import Commanded, Configured, Follow, HubAnew, Identify, Message, Tick
from protocol.heartbeat import HubTime
from protocol.instants import Instant
from protocol.messages import BadMessage, CommandKind, DisplayConfig, encode
from protocol.topics import Topics
from tests.display.scenes import NOW, announce, call, hall

TOPICS = Topics("mairie")
CONFIG = DisplayConfig(revision=(1, 1), hall=HALL.hall, town=HALL.town, letters="ACFM")
START = 1_000_000


class Display:
    """A core whose clock stands still until it is turned; the hub's clock runs NOW - START ahead of it."""

    def __init__(self, kept: Kept | None = None, *, configured: bool = True) -> None:
        self.hub_time = HubTime()
        self.now_ms = START
        self.wall_ms = 0
        self.core = DisplayCore("display-1", TOPICS, self.hub_time, START, lambda: self.wall_ms, kept or Kept())
        self.effects: list[object] = []
        if configured:
            self.happen(Configured(CONFIG))

    def happen(self, event: object) -> list[object]:
        done = list(self.core.handle(event, self.now_ms))
        self.effects += done
        return done

    def turn(self, ms: int, *, beating: bool = True) -> list[object]:
        """Let time pass in the steps that the core asks for, with a beat each 3 s if the hub is there."""
        until = self.now_ms + ms
        done: list[object] = []
        while self.now_ms < until:
            if beating and (self.now_ms - START) % 3_000 == 0:
                self.beat()
            beat_at = self.now_ms + 3_000 - (self.now_ms - START) % 3_000
            self.now_ms = min(until, max(self.core.due_ms(), self.now_ms + 1), self.now_ms + 1_000, beat_at)
            done += self.happen(Tick())
        return done

    def beat(self) -> None:
        self.hub_time.beat(NOW + self.now_ms - START, self.now_ms)

    def hear_hall(self, state=HALL, *, retained: bool = True) -> list[object]:
        return self.happen(Message(TOPICS.hall_state(HALL.hall), encode(state), retained, self.now_ms))

    def hear_announce(self, message, *, retained: bool = False) -> list[object]:
        return self.happen(Message(TOPICS.hall_announce(HALL.hall), encode(message), retained, self.now_ms))

    @property
    def scene(self):
        return next(each.scene for each in reversed(self.effects) if isinstance(each, Show))


@pytest.fixture
def display() -> Display:
    made = Display()
    made.beat()
    made.hear_hall()
    return made


def kinds(effects) -> list[type]:
    return [type(each) for each in effects]


def test_the_picture_of_an_older_hub_which_tells_no_day_of_opening_is_shown(display):
    newer = encode(hall(41, open=False, opens="8:30"))
    older = newer.replace(b',"opens_on":null', b"")
    assert older != newer
    display.happen(Message(TOPICS.hall_state(HALL.hall), older, True, display.now_ms))
    assert (display.scene.hall.opens, display.scene.hall.opens_on) == ("8:30", None)


def test_a_display_follows_its_own_hall_alone():
    display = Display(configured=False)
    assert display.happen(Configured(CONFIG))[0] == Follow(
        (TOPICS.hall_state(HALL.hall), TOPICS.hall_announce(HALL.hall))
    )


def test_before_the_hub_is_heard_it_says_what_it_waits_for():
    display = Display(configured=False)
    display.happen(Tick())
    assert display.scene.hall is None
    assert display.scene.node == "display-1"


def test_a_picture_that_is_not_newer_is_ignored(display):
    assert display.hear_hall(hall(39, calls=())) == []
    assert display.hear_hall(hall(40, calls=())) == []
    display.hear_hall(hall(41, calls=()))
    assert display.scene.hall.calls == ()


def test_a_restored_database_is_shown_although_it_counts_from_the_start(display):
    restored = hall(1, calls=())
    display.hear_hall(type(restored)(**{**_fields(restored), "revision": (2, 1)}))
    assert display.scene.hall.calls == ()


def test_what_another_run_of_the_hub_says_first_holds_though_its_database_is_a_new_one(display):
    anew = type(HALL)(**{**_fields(hall(1, calls=())), "revision": (0, 1)})
    assert display.hear_hall(anew) == []
    display.happen(HubAnew())
    display.hear_hall(anew)
    assert display.scene.hall.calls == ()
    assert display.hear_hall(type(HALL)(**{**_fields(hall(1)), "revision": (0, 0)})) == []


def test_calls_of_another_run_of_the_hub_are_said_though_its_database_is_an_older_one(display):
    display.hear_announce(announce())
    display.turn(20_000)
    display.happen(HubAnew())
    older = msgspec.structs.replace(hall(7, calls=(call("C077", "3"),)), revision=(0, 7))
    display.hear_hall(older)
    first = msgspec.structs.replace(announce("C077", n=7, play_at=NOW + 20_500), revision=(0, 7))
    display.hear_announce(first)
    assert Chime in kinds(display.turn(1_000))
    assert display.scene.announcement == first


def test_what_the_last_run_of_the_hub_wanted_said_is_left_to_the_new_one(display):
    waiting, still = announce("A012", n=41, play_at=NOW + 500), announce("C031", n=42, play_at=NOW + 600)
    display.hear_announce(waiting)
    display.hear_announce(still)
    display.happen(HubAnew())
    display.hear_announce(still)
    display.turn(1_000)
    assert [ids[-1] for ids in (each.ids for each in display.effects if isinstance(each, KeepPlayed))] == [still.id]


def test_a_call_that_is_on_the_screen_stays_there_when_the_hub_is_started_anew(display):
    display.hear_announce(announce())
    display.happen(HubAnew())
    assert display.scene.announcement == announce()


def test_the_picture_of_another_hall_is_refused(display):
    other = encode(type(HALL)(**{**_fields(hall(99)), "hall": "etage"}))
    with pytest.raises(BadMessage, match="etage"):
        display.happen(Message(TOPICS.hall_state(HALL.hall), other, True, display.now_ms))
    assert display.scene.hall.hall == HALL.hall


def _fields(message):
    return {name: getattr(message, name) for name in message.__struct_fields__}


def test_an_announcement_is_remembered_then_shown_then_heard(display):
    display.hear_announce(announce(play_at=NOW + 500))
    begun = display.turn(500)
    assert kinds(begun) == [KeepPlayed, Show, Chime]
    assert begun[0].ids == ("announcement-A012-40",)
    assert display.scene.announcement.number == "A012"
    assert set(kinds(display.turn(8_000))) == {Show}
    assert display.scene.announcement is None


def test_the_core_asks_to_be_woken_when_the_announcement_begins(display):
    display.hear_announce(announce(play_at=NOW + 333))
    assert display.core.due_ms() == START + 333


def test_an_announcement_before_the_first_beat_waits_for_the_time():
    display = Display()
    display.hear_hall()
    display.hear_announce(announce())
    assert display.scene.announcement is None
    display.beat()
    assert Chime in kinds(display.happen(Tick()))


def test_a_retained_state_never_sounds(display):
    listed = announce("A013", "1", n=41)
    assert Chime not in kinds(display.hear_hall(hall(41, calls=(call("A013", "1"), *HALL.calls[:3]))))
    assert Chime not in kinds(display.hear_announce(listed, retained=True) + display.turn(1_000))
    assert Chime in kinds(display.hear_announce(listed))


def test_a_withdrawn_call_leaves_list_and_screen_at_once(display):
    display.hear_announce(announce())
    assert display.scene.announcement is not None
    display.hear_hall(hall(41, calls=HALL.calls[1:]))
    assert display.scene.announcement is None
    assert [each.number for each in display.scene.hall.calls] == ["C031", "C030", "F004"]


def test_a_restart_does_not_say_it_again(display):
    display.hear_announce(announce())
    ids = next(each.ids for each in display.effects if isinstance(each, KeepPlayed))
    again = Display(Kept(encode(HALL), ids))
    again.beat()
    again.hear_announce(announce())
    assert Chime not in kinds(again.turn(2_000))
    assert again.scene.announcement is None


def test_the_kept_picture_is_old_from_the_start_and_nobody_knows_for_how_long():
    display = Display(Kept(encode(HALL)))
    assert display.scene.hall == HALL
    for _ in range(20):
        assert (display.scene.old, display.scene.offline_s) == (True, None)
        display.turn(1_000, beating=False)


def test_with_the_first_beat_a_picture_is_fresh_and_from_then_on_it_is_known_for_how_long_it_is_not():
    display = Display(Kept(encode(HALL)))
    display.turn(20_000, beating=False)
    display.beat()
    display.happen(Tick())
    assert not display.scene.old
    display.turn(14_999, beating=False)
    assert not display.scene.old
    display.turn(1, beating=False)
    assert (display.scene.unheard, display.scene.offline_s) == (False, 15)


def test_a_picture_that_the_broker_kept_of_a_hub_that_is_off_is_old_too():
    display = Display()
    display.hear_hall()
    assert (display.scene.old, display.scene.offline_s) == (True, None)


@pytest.mark.parametrize("kept", [True, False])
def test_the_picture_of_a_hall_of_which_a_run_of_the_hub_says_nothing_is_old(kept):
    """The site file no longer has the hall, or this display."""
    display = Display(Kept(encode(HALL)) if kept else None)
    display.beat()
    if not kept:
        display.hear_hall()
        display.happen(HubAnew())
    display.turn(14_999)
    assert not display.scene.old, "the hub may still be starting"
    display.turn(10_001)
    assert (display.scene.old, display.scene.offline_s, display.scene.hall) == (True, None, HALL)
    display.hear_hall(hall(41))
    assert not display.scene.old


def test_the_picture_of_a_hall_that_the_hub_takes_back_is_old(display):
    """The site file no longer has the hall; the broker sent the earlier run's picture again at a new connection."""
    display.turn(20_000)
    assert not display.scene.old
    display.happen(Message(TOPICS.hall_state(HALL.hall), b"", False, display.now_ms))
    assert (display.scene.old, display.scene.offline_s, display.scene.hall) == (True, None, HALL)
    display.hear_hall(hall(1))
    assert not display.scene.old


def test_before_the_first_beat_the_clock_follows_that_of_the_machine_which_may_be_set_meanwhile():
    display = Display(Kept(encode(HALL)))
    display.wall_ms = NOW
    display.happen(Tick())
    assert display.scene.now_ms == Instant(NOW - NOW % 10_000)


def test_a_kept_file_that_is_broken_is_as_good_as_none():
    display = Display(Kept(b'{"v":1,"hall":'))
    assert display.scene.hall is None


def lab_hall(**changes):
    """A hall as sent by the hub where this display was tried out, whose database was made later."""
    return msgspec.structs.replace(hall(**changes), revision=(9, 900), town="Labo")


def test_the_first_picture_that_comes_takes_the_place_of_a_kept_one_however_new_that_is():
    display = Display(Kept(encode(lab_hall(calls=()))))
    display.beat()
    display.hear_hall()
    assert (display.scene.hall, display.scene.town) == (HALL, HALL.town)
    display.hear_hall(hall(39, calls=()))
    assert display.scene.hall == HALL


@pytest.mark.parametrize("state_first", [False, True])
def test_a_kept_picture_withdraws_no_call(state_first):
    display = Display(Kept(encode(lab_hall(calls=()))))
    display.beat()
    if state_first:
        display.hear_hall()
    assert Chime in kinds(display.hear_announce(announce()))
    display.hear_hall()
    assert display.scene.announcement == announce()


def test_after_a_restart_a_call_that_was_withdrawn_leaves_with_the_first_picture():
    display = Display(Kept(encode(hall(41, calls=HALL.calls[1:]))))
    display.beat()
    display.hear_announce(announce(play_at=NOW + 500))
    display.hear_hall(hall(41, calls=HALL.calls[1:]))
    assert Chime not in kinds(display.turn(2_000))


def test_the_time_offline_counts_each_second_and_ends_with_the_next_beat(display):
    display.turn(25_500, beating=False)
    assert display.scene.offline_s == 25
    assert [each.scene.offline_s for each in display.turn(3_000, beating=False)] == [26, 27, 28]
    display.beat()
    display.happen(Tick())
    assert display.scene.offline_s is None


def test_a_beating_hub_makes_no_work_between_pages(display):
    shows = [each for each in display.turn(60_000) if isinstance(each, Show)]
    assert len(shows) <= 6


def test_an_emergency_is_silent_to_calls(display):
    display.hear_hall(hall(41, emergency=EMERGENCY))
    begun = kinds(display.hear_announce(announce(n=42)) + display.turn(1_000))
    assert KeepPlayed in begun
    assert Chime not in begun


def test_another_hall_starts_with_nothing_of_the_old_one(display):
    display.happen(Configured(DisplayConfig(revision=(1, 2), hall="etage", town=HALL.town)))
    assert display.scene.hall is None
    assert display.hear_hall(hall(41)) == []


def test_another_hall_shows_no_call_of_one_of_which_no_picture_came():
    display = Display()
    display.beat()
    display.hear_announce(announce(n=41))
    display.turn(1_000)
    assert display.scene.announcement is not None
    display.happen(Configured(DisplayConfig(revision=(1, 2), hall="etage", town=HALL.town)))
    assert display.scene.announcement is None


def test_the_last_picture_is_kept_but_not_at_each_change(display):
    for n in range(41, 60):
        display.turn(500)
        display.hear_hall(hall(n, messages=(f"{n}",)))
    display.turn(10_000)
    kept = [each for each in display.effects if isinstance(each, KeepHall)]
    assert 2 <= len(kept) <= 4
    assert b'"59"' in kept[-1].payload


BAD = (
    b"\xff",
    b"[]",
    b'{"v":2}',
    encode(HALL)[:-5],
    encode(hall(41, zone="Nowhere/Here")),
    encode(hall(41, zone="../etc")),
    encode(hall(41)).replace(b"2026-", b"9999-").replace(b"-11-24T09", b"-12-31T23"),
    b"x" * 20_000,
)


@pytest.mark.parametrize("payload", BAD)
def test_a_bad_message_is_refused_and_changes_nothing(display, payload):
    before = display.scene
    with pytest.raises(BadMessage):
        display.happen(Message(TOPICS.hall_state(HALL.hall), payload, True, display.now_ms))
    assert display.scene == before


def test_test_sound_sounds_and_identify_shows_the_name_for_its_time(display):
    assert kinds(display.happen(Commanded(CommandKind.TEST_SOUND))) == [Chime]
    display.happen(Identify(display.now_ms + 30_000))
    assert display.scene.identify
    display.turn(30_000)
    assert not display.scene.identify


def test_what_the_shell_cannot_do_goes_to_telemetry(display):
    display.happen(Warned(("mute",)))
    assert display.core.condition().warnings == ("mute",)


def test_the_time_on_the_screen_is_the_hubs(display):
    assert display.scene.now_ms == Instant(NOW - NOW % 10_000)
