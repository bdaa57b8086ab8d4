"""What the outbox publishes, in which order, and when time alone changes a picture."""

import threading
from collections import Counter
from datetime import date
from itertools import pairwise
from typing import Any

import pytest
from structlog.testing import capture_logs

from hub.metrics import Metrics, Outcome
from hub.mqtt import outbox_reading
from hub.mqtt.outbox import Outbox
from hub.queue.announcements import FULL_MS, HELD_UP_MS, KEPT_MS, LEAD_MS
from hub.queue.answers import RefusedAnswer
from hub.queue.requests import (
    Cancel,
    CheckIn,
    Command,
    Defer,
    Finish,
    Issue,
    Pick,
    Press,
    Recall,
    SetMode,
    Source,
    Start,
    Transfer,
    Withdraw,
)
from hub.queue.states import State
from hub.tasks import Task
from hub.writer import Committed
from protocol.messages import Announce as AnnounceMessage
from protocol.messages import DeskMode, DeskState, HallState, Parser, encode
from protocol.topics import Topics
from tests.queue.harness import MINUTE, SECOND, moment

_DESKS: Parser[DeskState] = Parser(DeskState)
_HALLS: Parser[HallState] = Parser(HallState)
_CALLS: Parser[AnnounceMessage] = Parser(AnnounceMessage)
GENERATION = 7
LIMIT_S = 30


class Told:
    """An outbox without its thread: the test commits, runs its loop, and reads what was sent."""

    def __init__(self, queue: Any) -> None:
        self.queue = queue
        self.topics = Topics(queue.site.name)
        self.sent: list[tuple[str, Any, dict[str, Any]]] = []
        self.later: list[Task] = []
        self.is_connected = True
        self.changes: list[Any] = []
        self.now_s = 0.0
        self.metrics = Metrics("test")
        self.outbox = self.new_outbox()

    def new_outbox(self) -> Outbox:
        outbox = Outbox(
            engine=self.queue.engine,
            index=self.queue.index,
            topics=self.topics,
            publish=self._publish,
            now_ms=lambda: self.queue.now_ms,
            put_later=self.later.append,
            metrics=self.metrics,
        )
        outbox._generation = GENERATION
        outbox._announcer.start(GENERATION)
        outbox._count(outbox._reading.connection())
        outbox.listen(self.changes.append)
        return outbox

    def _publish(self, topic: str, payload: bytes, *, retain: bool = False, expiry_s: int | None = None) -> bool:
        if not self.is_connected:
            return False
        parser = _DESKS if "/desk/" in topic else _CALLS if topic.endswith("/announce") else _HALLS
        self.sent.append((topic, parser.parse(payload), {"retain": retain, "expiry_s": expiry_s}))
        return True

    def do(self, command: Command, *, held_up_ms: int = 0) -> Any:
        return self.do_together(command, held_up_ms=held_up_ms)[0]

    def do_together(self, *commands: Command, held_up_ms: int = 0) -> list[Any]:
        """Run commands and commit them together. Meanwhile, for `held_up_ms`, the outbox goes on with its rounds."""
        batch = []
        for command in commands:
            answer = self.queue.do(command)
            outcome = Outcome.REFUSED if isinstance(answer, RefusedAnswer) else Outcome.DONE
            batch.append(Committed(answer, self.queue.effects, outcome))
        for _ in range(held_up_ms // SECOND):
            self.queue.turn(SECOND)
            self.go_round()
        self.queue.turn(held_up_ms % SECOND)
        self.outbox.committed(batch)
        return [done.answer for done in batch]

    def ask(self, kind: Any, **facts: Any) -> Any:
        return self.do(kind(origin=self.queue.origin(), **facts))

    def press(self, desk: str = "desk-1", *, held_up_ms: int = 0) -> Any:
        return self.do(self.pressed(desk), held_up_ms=held_up_ms)

    def pressed(self, desk: str) -> Press:
        return Press(origin=self.queue.origin(Source.BUTTON), desk=desk, at_ms=self.queue.now_ms)

    def issue(self, service: str = "civil") -> int:
        origin = self.queue.origin(Source.DISPENSER)
        return self.do(Issue(origin=origin, service=service, code=str(origin.request))).ticket

    def go_round(self, after_s: float = 0.2) -> None:
        """One round of the outbox's loop."""
        self.now_s += after_s
        self.outbox._go_round(self.now_s)

    def do_later(self) -> None:
        tasks, self.later[:] = list(self.later), []
        for task in tasks:
            task.answered(self.do(task.command))

    def settle(self) -> None:
        """Run rounds until nothing is left to publish."""
        for _ in range(6):
            self.go_round(0.6)
            self.do_later()

    def take(self) -> list[tuple[str, Any]]:
        """What was sent since the last call, with topics relative to the site's."""
        sent, self.sent = self.sent, []
        return [(topic.removeprefix(self.topics.root + "/"), message) for topic, message, _ in sent]

    def metric(self, series: str) -> float | None:
        """The value of a series, or None if there is none."""
        name, _, label = series.partition(" ")
        service, _, value = label.partition("=")
        return self.metrics.registry.get_sample_value(name, {service: value} if label else {})

    def last(self, topic: str) -> Any:
        return [message for each, message, _ in self.sent if each == f"{self.topics.root}/{topic}"][-1]


@pytest.fixture
def told(queue):
    made = Told(queue)
    queue.open("desk-1", "desk-2")
    made.outbox._count(made.outbox._reading.connection())
    made.outbox.republish()
    made.settle()
    made.take()
    yield made
    made.outbox._reading.lose()


def test_a_press_tells_the_announcement_first_then_its_desk_and_hall_and_then_the_others(told):
    told.issue()
    told.settle()
    told.take()
    told.press()
    assert [topic for topic, _ in told.take()] == ["hall/hall/announce"]
    told.go_round()
    assert [topic for topic, _ in told.take()] == [
        "desk/desk-1/state",
        "hall/hall/state",
        "desk/desk-2/state",
        "desk/desk-4/state",
    ]


def test_the_others_follow_at_most_each_half_second_and_many_changes_become_one_message(told):
    told.go_round()
    told.issue()
    told.go_round(0.6)
    told.take()
    for _ in range(5):
        told.issue()
        told.go_round(0.05)
    assert {topic for topic, _ in told.take()} == {"hall/hall/state"}
    told.go_round(0.5)
    others = dict(told.take())
    assert {name for name in others if name.startswith("desk/")} == {
        "desk/desk-1/state",
        "desk/desk-2/state",
        "desk/desk-4/state",
    }
    assert others["desk/desk-1/state"].waiting == 6


def test_revisions_rise_with_the_commits_and_carry_the_generation(told):
    told.issue()
    told.settle()
    told.press()
    told.settle()
    last: dict[str, Any] = {}
    for topic, message in told.take():
        assert message.revision[0] == GENERATION
        if not topic.endswith("/announce"):
            assert message.revision > last.get(topic, (0, 0))
            last[topic] = message.revision


def test_an_announcement_carries_a_revision_from_which_on_the_hall_lists_its_call(told):
    told.issue()
    told.press()
    told.settle()
    sent = told.take()
    announcement = next(message for topic, message in sent if topic.endswith("announce"))
    later = [m for topic, m in sent if topic == "hall/hall/state" and m.revision >= announcement.revision]
    assert later
    assert all(announcement.call in [call.id for call in each.calls] for each in later)


def test_states_are_retained_and_announcements_expire(told):
    told.issue()
    told.press()
    told.go_round()
    options = {topic.rsplit("/", 1)[1]: options for topic, _, options in told.sent}
    assert options["announce"] == {"retain": False, "expiry_s": 20}
    assert options["state"] == {"retain": True, "expiry_s": None}


def test_what_looks_the_same_is_not_told_again(told):
    told.ask(Press, desk="desk-1", at_ms=told.queue.now_ms)  # nobody to call
    told.settle()
    assert told.take() == []


def test_counts_that_are_kept_equal_a_fresh_count(told):
    tickets = [told.issue(service) for service in ("civil", "papers", "civil", "taxes", "civil")]
    told.press()
    told.ask(Transfer, desk="desk-1", ticket=tickets[4], service="papers")
    told.ask(Withdraw, desk="desk-1", shown=tickets[0])
    told.ask(Defer, ticket=tickets[1], by_ms=MINUTE)
    fresh = Counter(each.service for each in told.queue.tickets() if each.state is State.WAITING)
    assert {name: count for name, count in told.outbox.waiting.items() if count} == fresh
    told.settle()
    assert {each.service: each.count for each in told.last("hall/hall/state").waiting} == {"civil": 2, "papers": 2}


@pytest.mark.parametrize("mode", [DeskMode.PAUSED, DeskMode.CLOSED])
def test_a_press_would_call_nobody_at_a_desk_that_is_pausing_or_closing(told, mode):
    first, _ = told.issue(), told.issue()
    told.press()
    told.settle()
    assert told.last("desk/desk-1/state").callable
    told.do(set_mode(told, mode, first))
    told.settle()
    state = told.last("desk/desk-1/state")
    assert (state.callable, state.pausing, state.closing) == (False, mode == "paused", mode == "closed")
    assert (state.number, state.mode) == ("A001", "open")


def set_mode(told, mode, shown, desk="desk-1"):
    return SetMode(origin=told.queue.origin(), desk=desk, mode=mode, shown=shown)


def test_a_press_would_call_nobody_while_the_only_one_waiting_asked_for_time(told):
    ticket = told.issue()
    told.settle()
    assert told.last("desk/desk-1/state").callable
    told.ask(Defer, ticket=ticket, by_ms=30 * MINUTE)
    told.settle()
    assert not told.last("desk/desk-1/state").callable
    assert told.last("desk/desk-1/state").waiting == 1


def test_when_the_time_asked_for_is_nearly_over_the_lamp_is_told_by_a_greater_revision(told):
    ticket = told.issue()
    told.ask(Defer, ticket=ticket, by_ms=30 * MINUTE)
    told.settle()
    before = told.last("desk/desk-1/state")
    told.queue.now_ms = told.queue.ticket(ticket).due_ms - 10 * MINUTE
    told.go_round(25.0)
    told.do_later()
    told.go_round(0.6)
    after = told.last("desk/desk-1/state")
    assert (before.callable, after.callable) == (False, True)
    assert after.revision > before.revision


def test_the_hall_opens_by_the_clock_alone_with_a_greater_revision(new_queue):
    queue = new_queue(at_ms=moment("2026-11-24 07:00"))
    told = Told(queue)
    told.outbox.republish()
    told.settle()
    before = told.last("hall/hall/state")
    assert (before.open, before.opens, before.opens_on) == (False, "8:30", date(2026, 11, 24))
    queue.now_ms = moment("2026-11-24 08:30")
    told.go_round(25.0)
    told.do_later()
    told.go_round(0.6)
    after = told.last("hall/hall/state")
    assert (after.open, after.opens, after.opens_on) == (True, None, None)
    assert after.revision > before.revision
    told.outbox._reading.lose()


def test_what_time_changed_while_the_broker_was_away_is_told_by_a_greater_revision(new_queue):
    queue = new_queue(at_ms=moment("2026-11-24 08:29"))
    told = Told(queue)
    told.outbox.republish()
    told.settle()
    before = told.last("hall/hall/state")
    told.is_connected = False
    told.go_round()
    queue.now_ms = moment("2026-11-24 08:31")
    told.is_connected = True
    told.outbox.republish()
    told.settle()
    after = told.last("hall/hall/state")
    assert (before.open, after.open) == (False, True)
    assert after.revision > before.revision
    told.outbox._reading.lose()


def test_a_hub_that_starts_again_tells_all_under_a_greater_revision(told):
    told.issue()
    told.settle()
    before = {topic: message.revision for topic, message in told.take()}
    told.outbox._reading.lose()
    told.outbox = told.new_outbox()
    told.outbox.republish()
    told.settle()
    after = dict(told.take())
    assert {f"desk/desk-{n}/state" for n in range(1, 5)} | {"hall/hall/state", "hall/floor/state"} == set(after)
    assert all(after[topic].revision > revision for topic, revision in before.items())


def test_what_was_lost_with_the_broker_is_told_when_it_is_back(told):
    told.is_connected = False
    told.issue()
    told.settle()
    assert told.take() == []
    told.is_connected = True
    told.outbox.republish()
    told.settle()
    assert told.last("hall/hall/state").waiting[0].count == 1


def test_what_the_broker_did_not_take_waits_to_be_published_and_was_not_published(told):
    published = told.metric("suivant_publish_seconds_count")
    told.is_connected = False
    told.issue()
    told.settle()
    assert told.metric("suivant_outbox_pictures") == 4, "the hall's, and those of three desks of the service"
    assert told.metric("suivant_publish_seconds_count") == published
    told.is_connected = True
    told.outbox.republish()
    told.settle()
    assert told.metric("suivant_outbox_pictures") == 0
    assert told.metric("suivant_publish_seconds_count") > published


def test_a_picture_that_is_again_as_the_broker_has_it_waits_for_nothing(told):
    told.is_connected = False
    ticket = told.issue()
    told.settle()
    told.ask(Cancel, desk="desk-1", ticket=ticket)
    told.settle()
    assert told.metric("suivant_outbox_pictures") == 0


def test_who_waits_is_counted_from_the_start_on_though_no_broker_is_there(queue):
    queue.open("desk-1")
    queue.issue()
    started = Told(queue)
    assert started.metric("suivant_waiting_tickets service=civil") == 1
    assert started.metric("suivant_waiting_tickets service=papers") == 0
    started.outbox._reading.lose()


def test_without_a_database_to_write_to_the_present_pictures_are_told_at_least(told):
    told.outbox.republish()
    for task in told.later:
        task.failed(RuntimeError("the database is away"))
    told.later.clear()
    told.go_round()
    assert len({topic for topic, _ in told.take()}) == 6


# --- announcements ------------------------------------------------------------------------------------------------


def calls(told):
    return [message for topic, message in told.take() if topic.endswith("/announce")]


def test_an_announcement_in_its_turn_goes_out_one_second_before_it_starts(told):
    told.issue()
    told.issue()
    told.press("desk-1")
    told.press("desk-2")
    start = told.queue.now_ms + 250
    assert [each.play_at for each in calls(told)] == [start]
    told.queue.now_ms = start + 4 * SECOND - SECOND - 1
    told.go_round()
    assert calls(told) == []
    told.queue.turn(1)
    told.go_round()
    (second,) = calls(told)
    assert (second.play_at, second.number, second.desk) == (start + 4 * SECOND, "A002", "2")
    told.go_round()
    assert calls(told) == [], "sent once"


def test_one_that_the_writer_is_about_to_send_is_sent_once(told):
    told.issue()
    answer = told.queue.do(told.pressed("desk-1"))
    told.go_round()
    assert calls(told) == []
    told.outbox.committed([Committed(answer, told.queue.effects, Outcome.DONE)])
    told.go_round()
    assert [each.number for each in calls(told)] == ["A001"]


@pytest.mark.parametrize("end", [Withdraw, Start, Finish])
def test_one_that_was_taken_back_meanwhile_does_not_go_out(told, end):
    told.issue()
    second = told.issue()
    told.press("desk-1")
    told.press("desk-2")
    told.take()
    told.ask(end, desk="desk-2", shown=second)
    told.queue.turn(20 * SECOND)
    told.go_round()
    assert calls(told) == []


def press_both(told: Told, *, held_up_ms: int = 0, desks: tuple[str, ...] = ("desk-1", "desk-2")) -> None:
    """Two presses in one commit."""
    told.do_together(*(told.pressed(desk) for desk in desks), held_up_ms=held_up_ms)


def heard(told: Told, for_s: int = 30) -> list[tuple[str, int]]:
    """The calls that are sent within this time: number, and when it starts, counted from now."""
    now_ms = told.queue.now_ms
    for _ in range(2 * for_s):
        told.go_round(0.5)
        told.do_later()
        told.queue.turn(SECOND // 2)
    return [(each.number, each.play_at - now_ms) for each in calls(told)]


def are_whole(said: list[tuple[str, int]]) -> bool:
    """Whether each starts after it was sent, and is kept until the next one starts."""
    starts = [start for _, start in said]
    return starts[0] > 0 and all(after - before >= KEPT_MS for before, after in pairwise(starts))


def test_what_the_broker_did_not_take_is_tried_again_while_it_is_worth_saying(told):
    told.issue()
    told.is_connected = False
    told.press()
    told.queue.turn(SECOND)
    told.go_round()
    told.is_connected = True
    told.go_round()
    assert len(calls(told)) == 1
    told.issue()
    told.is_connected = False
    told.queue.turn(10 * SECOND)
    told.press()
    assert heard(told, 21) == []
    told.is_connected = True
    assert heard(told) == [], "nobody wants to hear it 20 s later"


@pytest.mark.parametrize("away_s", [8, 15])
def test_calls_that_the_broker_held_up_are_said_whole_when_it_is_back(told, away_s):
    told.issue()
    told.issue()
    told.is_connected = False
    press_both(told)
    told.queue.turn(away_s * SECOND)
    told.go_round()
    told.do_later()
    told.is_connected = True
    told.outbox.republish()
    said = heard(told)
    assert [number for number, _ in said] == ["A001", "A002"]
    assert are_whole(said)


@pytest.mark.parametrize("held_up_ms", [HELD_UP_MS + LEAD_MS + 1, 6 * SECOND, 19 * SECOND, 21 * SECOND])
def test_a_call_whose_commit_was_held_up_is_said_again_once(told, held_up_ms):
    ticket = told.issue()
    told.press(held_up_ms=held_up_ms)
    now_ms = told.queue.now_ms
    ((number, start),) = heard(told)
    assert number == told.queue.ticket(ticket).label
    assert start == max(LEAD_MS, LEAD_MS + KEPT_MS - held_up_ms), "not before its first announcement would have ended"
    assert told.queue.ticket(ticket).said_ms == now_ms + start + FULL_MS


def test_a_call_whose_commit_was_held_up_for_a_moment_goes_out_late(told):
    ticket = told.issue()
    told.press(held_up_ms=HELD_UP_MS + LEAD_MS)
    assert [said.play_at for said in calls(told)] == [told.queue.ticket(ticket).called_ms + LEAD_MS]
    assert heard(told) == []


@pytest.mark.parametrize("held_up_s", [3, 6, 15, 21])
def test_a_call_that_was_held_up_is_not_cut_by_the_next_one(told, held_up_s):
    told.issue()
    told.issue()
    told.press("desk-1", held_up_ms=held_up_s * SECOND)
    told.press("desk-2")
    said = heard(told)
    assert [number for number, _ in said] == ["A002", "A001"], "the second was called when nothing was being said"
    assert are_whole(said)


@pytest.mark.parametrize("held_up_s", [15, 19, 22, 26])
def test_calls_that_one_commit_held_up_are_said_again_in_their_order(told, held_up_s):
    told.issue()
    told.issue()
    press_both(told, held_up_ms=held_up_s * SECOND)
    assert heard(told) == [("A001", LEAD_MS), ("A002", LEAD_MS + KEPT_MS)]


def test_a_call_in_its_turn_behind_one_that_was_held_up_is_said_in_its_turn(told):
    told.issue()
    told.issue()
    press_both(told, held_up_ms=3 * SECOND)
    said = heard(told)
    assert [number for number, _ in said] == ["A002", "A001"]
    assert are_whole(said)


def called_alone(told: Told) -> Withdraw:
    """A call that is playing, with another ticket waiting; returns the command that takes the call back."""
    ticket = told.issue()
    told.issue()
    told.press("desk-1")
    told.queue.turn(SECOND // 2)
    calls(told)
    return Withdraw(origin=told.queue.origin(), desk="desk-1", shown=ticket)


@pytest.mark.parametrize("held_up_s", [0, 3, 5, 6, 8, 15, 19, 21, 25])
def test_a_call_that_moved_up_in_its_own_commit_is_said_once(told, held_up_s):
    withdraw = called_alone(told)
    told.do_together(told.pressed("desk-2"), withdraw, held_up_ms=held_up_s * SECOND)
    assert [number for number, _ in heard(told)] == ["A002"]


@pytest.mark.parametrize("held_up_s", [0, 3, 15, 19, 21, 25])
def test_a_call_whose_desk_is_to_pause_in_the_same_commit_is_said_once(told, held_up_s):
    ticket = told.issue()
    pause = SetMode(origin=told.queue.origin(), desk="desk-1", shown=ticket, mode=DeskMode.PAUSED)
    told.do_together(told.pressed("desk-1"), pause, held_up_ms=held_up_s * SECOND)
    assert [number for number, _ in heard(told)] == ["A001"]


@pytest.mark.parametrize("held_up_s", [0, 3, 5, 6, 8, 15])
def test_a_call_that_moved_up_in_its_own_commit_is_not_cut_by_the_next_one(told, held_up_s):
    told.queue.open("desk-4")
    withdraw = called_alone(told)
    told.do_together(told.pressed("desk-2"), withdraw, held_up_ms=held_up_s * SECOND)
    told.press("desk-4")
    said = heard(told)
    assert sorted(number for number, _ in said) == ["A001", "A002"]
    first_ms, next_ms = sorted(start for _, start in said)
    assert next_ms >= first_ms + KEPT_MS


def test_a_call_that_moved_up_before_its_recall_ran_is_said_once(told):
    withdraw = called_alone(told)
    told.press("desk-2")
    told.queue.turn(7 * SECOND)
    told.go_round()
    assert [type(task.command) for task in told.later] == [Recall]
    # The commit of a command that ran 6.5 s ago was held up, so the round did not see yet what it changed.
    told.queue.turn(-6_500)
    told.do_together(withdraw, held_up_ms=6_500)
    assert [number for number, _ in heard(told)] == ["A002"]


def test_calls_of_several_halls_that_one_commit_held_up_do_not_wait_for_each_other(told):
    told.issue("civil")
    told.issue("social")
    told.queue.open("desk-3")
    press_both(told, held_up_ms=6 * SECOND, desks=("desk-1", "desk-3"))
    assert heard(told) == [("A001", LEAD_MS), ("C001", LEAD_MS)]


def test_where_each_commit_is_slow_a_call_is_said_late_and_not_again_and_again(told):
    told.issue()
    told.press(held_up_ms=6 * SECOND)
    (recall,), told.later[:] = list(told.later), []
    recall.answered(told.do(recall.command, held_up_ms=6 * SECOND))
    assert [said.number for said in calls(told)] == ["A001"]
    assert heard(told) == []


def test_a_recall_that_is_held_up_until_displays_would_drop_it_is_said_again(told):
    told.issue()
    told.press(held_up_ms=21 * SECOND)
    (recall,), told.later[:] = list(told.later), []
    recall.answered(told.do(recall.command, held_up_ms=21 * SECOND))
    assert heard(told) == [("A001", LEAD_MS)]


def test_a_recall_of_an_agent_is_said_again_like_a_call(told):
    ticket = told.issue()
    told.press()
    told.queue.turn(MINUTE)
    calls(told)
    told.do(Recall(origin=told.queue.origin(), desk="desk-1", shown=ticket), held_up_ms=6 * SECOND)
    assert heard(told) == [("A001", LEAD_MS)]


def test_a_call_that_could_not_be_said_again_is_tried_again(told):
    told.issue()
    told.press(held_up_ms=6 * SECOND)
    (recall,), told.later[:] = list(told.later), []
    recall.failed(RuntimeError("the database is away"))
    assert heard(told) == [("A001", LEAD_MS)]


@pytest.mark.parametrize("stands_still_s", [5, 10, 26, 60])
@pytest.mark.parametrize("loses_connection", [False, True])
def test_a_call_in_its_turn_while_the_database_stood_still_is_said_once(told, stands_still_s, loses_connection):
    told.issue()
    told.issue()
    press_both(told)
    told.go_round()
    assert [said.number for said in calls(told)] == ["A001"]
    told.queue.turn(stands_still_s * SECOND)
    if loses_connection:
        told.outbox.recount(told.outbox._reading.connection())
    said = heard(told)
    assert [number for number, _ in said] == ["A002"]
    assert stands_still_s == 5 or are_whole(said)


def test_a_call_in_its_turn_while_the_outbox_s_own_read_stood_still_is_said_whole(told, monkeypatch):
    told.issue()
    told.issue()
    press_both(told)
    assert [said.number for said in calls(told)] == ["A001"]
    told.queue.turn(LEAD_MS + KEPT_MS - SECOND)
    read = outbox_reading.to_say

    def stand_still(*asked: Any) -> Any:
        monkeypatch.undo()
        due = read(*asked)
        told.queue.turn(SECOND + HELD_UP_MS + 1)
        return due

    monkeypatch.setattr(outbox_reading, "to_say", stand_still)
    told.go_round()
    said = heard(told)
    assert [number for number, _ in said] == ["A002"]
    assert are_whole(said)


def test_a_call_that_waits_for_its_recall_is_recalled_once(told):
    told.issue()
    told.issue()
    press_both(told)
    told.queue.turn(10 * SECOND)
    for _ in range(3):
        told.go_round()
    assert [type(task.command) for task in told.later] == [Recall]


def test_a_call_that_ended_while_the_database_stood_still_is_not_said(told):
    told.issue()
    second = told.issue()
    press_both(told)
    calls(told)
    told.queue.turn(10 * SECOND)
    told.ask(Finish, desk="desk-2", shown=second)
    told.go_round()
    told.do_later()
    told.go_round()
    assert told.later == [], "nothing more is tried"
    assert calls(told) == []


def start_again(told: Told) -> None:
    told.outbox._reading.lose()
    told.later.clear()
    told.outbox = told.new_outbox()
    told.outbox.republish()


@pytest.mark.parametrize("is_recalled", [False, True])
def test_a_hub_that_starts_again_sends_the_last_announcement_of_a_call_alone(told, is_recalled):
    """Under its id, so that displays that have played it do not play it again."""
    told.issue()
    told.press(held_up_ms=6 * SECOND)
    if is_recalled:
        told.do_later()
    before = [said.id for said in calls(told)]
    told.queue.turn(3 * SECOND)
    start_again(told)
    told.settle()
    after = [said.id for said in calls(told)]
    assert len(after) == 1
    assert not is_recalled or after == before


def test_a_call_in_its_turn_while_the_database_stood_still_after_a_start_is_said(told):
    told.issue()
    told.issue()
    press_both(told)
    calls(told)
    told.queue.turn(2 * SECOND)
    start_again(told)
    told.queue.turn(26 * SECOND)
    assert heard(told) == [("A002", LEAD_MS)]


@pytest.mark.parametrize("after_ms", [SECOND, 21 * SECOND])
def test_a_call_that_was_lost_with_the_connection_for_however_long_is_said_once(told, after_ms):
    told.issue()
    told.issue()
    told.press("desk-2")
    told.queue.turn(MINUTE)
    told.queue.press("desk-1")
    called = told.queue.ticket(told.queue.held("desk-1"))
    told.queue.turn(after_ms)
    assert len(calls(told)) == 1, "the one before it"
    told.outbox.recount(told.outbox._reading.connection())
    told.settle()
    assert [said.call for said in calls(told)] == [str(called.call)]


@pytest.mark.parametrize("held_up_s", [6, 21])
def test_a_call_that_was_taken_back_meanwhile_is_not_said_again(told, held_up_s):
    ticket = told.issue()
    told.press(held_up_ms=held_up_s * SECOND)
    told.ask(Withdraw, desk="desk-1", shown=ticket)
    told.settle()
    assert calls(told) == []


@pytest.mark.parametrize("held_up_s", [6, 21])
@pytest.mark.parametrize("steps", [((Recall, "shown"),), ((Withdraw, "shown"), (Pick, "ticket"))])
def test_a_call_that_an_agent_has_said_again_meanwhile_is_not_said_twice(told, steps, held_up_s):
    ticket = told.issue()
    told.press(held_up_ms=held_up_s * SECOND)
    for kind, named in steps:
        told.ask(kind, desk="desk-1", **{named: ticket})
    told.queue.turn(SECOND)
    told.do_later()
    told.queue.turn(5 * SECOND)
    told.go_round()
    assert len(calls(told)) == 1


def test_a_recall_is_an_announcement_of_its_own_for_the_same_call(told):
    ticket = told.issue()
    told.press()
    (first,) = calls(told)
    told.queue.turn(20 * SECOND)
    told.ask(Recall, desk="desk-1", shown=ticket)
    (second,) = calls(told)
    assert (second.call, second.id != first.id) == (first.call, True)


def test_after_a_restore_a_new_call_is_never_taken_for_one_that_a_display_has_said(told):
    told.issue()
    told.press()
    before = told.last("hall/hall/announce")
    told.outbox._reading.lose()
    told.outbox = told.new_outbox()
    told.outbox._announcer.start(GENERATION + 1)
    told.go_round()
    after = told.last("hall/hall/announce")
    assert after.call == before.call
    assert after.id != before.id


def test_a_desk_of_another_hall_is_named_with_its_place(told):
    told.issue("civil")
    told.do(set_mode(told, DeskMode.OPEN, None, "desk-4"))
    told.press("desk-4")
    (announcement,) = calls(told)
    assert (announcement.desk, announcement.place) == ("4", "1er étage")
    told.settle()
    assert told.last("hall/hall/state").calls[0].place == "1er étage"


def test_a_hall_lists_its_last_four_calls_the_newest_first_and_none_that_was_withdrawn(told):
    tickets = [told.issue() for _ in range(6)]
    for ticket in tickets:
        told.queue.turn(10 * SECOND)
        told.ask(Pick, desk="desk-1", ticket=ticket)
        told.ask(Withdraw if ticket == tickets[4] else Finish, desk="desk-1", shown=ticket)
    told.settle()
    assert [call.number for call in told.last("hall/hall/state").calls] == ["A006", "A004", "A003", "A002"]


# --- nothing personal ---------------------------------------------------------------------------------------------


def test_nothing_personal_is_in_any_message(told):
    booked = told.queue.book(told.queue.now_ms + MINUTE, name="Zoé Exemple-Inventée")
    told.ask(CheckIn, desk="", ticket=booked)
    told.press()
    told.settle()
    said = b"".join(encode(message) for _, message, _ in told.sent).decode()
    assert "A001" in said
    for personal in ("Zoé", "Inventée", "booking", "code-"):
        assert personal not in said


def test_pages_are_told_which_desks_and_services_changed(told):
    told.changes.clear()
    told.issue()
    told.go_round()
    assert told.changes[0].services == {"civil"}
    assert told.changes[0].halls == {"hall"}
    assert {"desk-1", "desk-2", "desk-4"} <= {desk for change in told.changes for desk in change.desks}


def test_an_end_waits_only_so_long_for_statistics_that_a_database_at_a_standstill_does_not_finish(told, monkeypatch):
    begun, goes_on = threading.Event(), threading.Event()

    def keep(_connection: object, _last_event: int) -> None:
        begun.set()
        goes_on.wait(LIMIT_S)

    monkeypatch.setattr("hub.mqtt.outbox.STOP_LIMIT_S", 0.1)
    outbox = told.new_outbox()
    outbox._reading.lose()
    outbox._statistics.keep = keep
    outbox.start(GENERATION)
    assert begun.wait(LIMIT_S)
    with capture_logs() as logs:
        outbox.stop()
    goes_on.set()
    assert [each["event"] for each in logs] == ["outbox.left_behind"]
    outbox._thread.join(LIMIT_S)
    outbox.stop()
    assert outbox._reading._open is None
