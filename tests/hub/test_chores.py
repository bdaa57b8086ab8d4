"""The chores and the one-second loop: they may run twice, late, and again after a stop."""

import threading
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from apscheduler.triggers.interval import IntervalTrigger
from structlog.testing import capture_logs

from hub.absence import Absence, due
from hub.chores import Chores
from hub.database.engine import open_engine
from hub.database.faults import DatabaseFault
from hub.figures.visits import Visits
from hub.queue.people_requests import EndReason, EndSession, OpenSession
from hub.queue.requests import (
    CheckIn,
    EndDay,
    ExpireCalled,
    ExpireExpected,
    Finish,
    ForgetRequests,
    Pick,
    Recall,
    Start,
    Transfer,
)
from hub.queue.states import State
from hub.tasks import Busy
from tests.queue.harness import DAY, HOUR, MINUTE, SECOND, moment, only, round_the_clock, town

EVENING = moment("2026-11-24 18:00")


class Doing:
    """Chores on a queue that runs each command at once."""

    def __init__(self, queue):
        self.queue = queue
        self.done = []
        self.chores = self.new()

    def new(self):
        return Chores(
            site=self.queue.site,
            visits=Visits(self.queue.engine, self.queue.site.name),
            now_ms=lambda: self.queue.now_ms,
            do=self._do,
            ask_pass=lambda **_: None,
        )

    def _do(self, command):
        future = Future()
        future.set_result(self.queue.do(command))
        self.done.append(command)
        return future


def interval_jobs(chores):
    return [job for job in chores._scheduler.get_jobs() if isinstance(job.trigger, IntervalTrigger)]


def visit(queue, desk="desk-1", *, service="civil", minutes=10, start_after=0):
    ticket = queue.issue(service)
    queue.ask(Pick, desk=desk, ticket=ticket)
    if start_after:
        queue.turn(start_after * MINUTE)
        queue.ask(Start, desk=desk, shown=ticket)
    queue.turn(minutes * MINUTE)
    queue.ask(Finish, desk=desk, shown=ticket)
    return ticket


def test_at_its_start_a_hub_ends_the_days_that_it_missed(queue):
    doing = Doing(queue)
    left = [queue.issue() for _ in range(70)]
    queue.turn(3 * DAY)
    today = queue.issue()
    doing.chores.end_days()
    assert {queue.state(each) for each in left} == {State.CANCELLED}
    assert queue.state(today) is State.WAITING
    assert len(doing.done) == 4, "in slices, so that nobody waits behind seventy"


def test_the_log_tells_of_a_days_end_that_ended_something_and_of_no_other(queue):
    with capture_logs() as logs:
        Doing(queue).chores.end_days()
    assert logs == []
    for _ in range(70):
        queue.issue()
    queue.turn(3 * DAY)
    with capture_logs() as logs:
        Doing(queue).chores.end_days()
    (told,) = logs
    assert (told["event"], told["tickets"]) == ("day.ended", 70)


def test_a_clock_that_is_set_back_keeps_no_chore_waiting(queue):
    chores = Doing(queue).chores
    chores.start()
    # Unpaused, the scheduler would run due jobs at once on its own threads; this test only looks at their times.
    chores._scheduler.pause()
    try:
        by_interval = interval_jobs(chores)
        nightly = only([job for job in chores._scheduler.get_jobs() if job not in by_interval])
        night = nightly.next_run_time
        for job in by_interval:
            # As if the clock had been set back by three hours.
            job.modify(next_run_time=job.next_run_time + timedelta(hours=3))
        chores.catch_up()
        assert len(by_interval) == 6
        latest = datetime.now(UTC) + timedelta(seconds=1)
        assert all(job.next_run_time - job.trigger.interval < latest for job in by_interval)
        assert nightly.next_run_time == night
        nightly.modify(next_run_time=night + timedelta(days=40))
        chores.catch_up()
        assert nightly.next_run_time <= night + timedelta(days=1)
    finally:
        chores.stop()


def test_a_clock_that_is_set_forward_by_months_makes_each_chore_run_once(queue):
    chores = Doing(queue).chores
    chores.start()
    chores._scheduler.pause()
    try:
        now = datetime.now(UTC)
        for job in interval_jobs(chores):
            job.modify(next_run_time=now - timedelta(days=217))
            # What APScheduler lists before it merges the missed runs.
            assert job._get_run_times(now) == [job.next_run_time]
            assert now < job.trigger.get_next_fire_time(job.next_run_time, now) <= now + job.trigger.interval
    finally:
        chores.stop()


def test_a_chore_that_is_on_time_keeps_its_beat(queue):
    (job,) = [job for job in Doing(queue).chores._scheduler.get_jobs() if job.name == "end of day"]
    first = job.trigger.get_next_fire_time(None, datetime.now(UTC))
    assert job.trigger.get_next_fire_time(first, first + timedelta(seconds=3)) == first + timedelta(seconds=20)


@pytest.mark.parametrize("late_s", [1, 90, 86_400])
@pytest.mark.parametrize(
    "now",
    ["2026-03-29T01:59:50+01:00", "2026-10-25T02:59:50+02:00", "2026-10-25T02:30:00+01:00"],
)
def test_when_the_clocks_change_no_chore_waits_an_hour_more_or_runs_without_end(queue, now, late_s):
    chores = Doing(queue).chores
    now = datetime.fromisoformat(now).astimezone(UTC)
    for job in interval_jobs(chores):
        due = (now - timedelta(seconds=late_s)).astimezone(job.trigger.timezone)
        # The scheduler hands each trigger the time in the scheduler's zone.
        following = job.trigger.get_next_fire_time(due, now.astimezone(chores._scheduler.timezone))
        assert now < following.astimezone(UTC) <= now + job.trigger.interval


def test_after_a_gap_the_nightly_pass_runs_once_and_then_at_its_hour_in_the_town_again(queue):
    chores = Doing(queue).chores
    chores.start()
    chores._scheduler.pause()
    try:
        nightly = only([job for job in chores._scheduler.get_jobs() if job.name == "all bookings"])
        now = datetime.fromisoformat("2026-12-01T09:00:00+01:00")
        nightly.modify(next_run_time=datetime.fromisoformat("2026-04-28T03:45:00+02:00"))
        missed = nightly._get_run_times(now)
        assert nightly.coalesce
        following = nightly.trigger.get_next_fire_time(missed[-1], now).astimezone(ZoneInfo(queue.site.zone))
        assert following.isoformat()[:14] == "2026-12-02T03:"
    finally:
        chores.stop()


def test_an_end_waits_only_so_long_for_a_schedule_that_does_not_end(queue, monkeypatch):
    monkeypatch.setattr("hub.chores.STOP_LIMIT_S", 0)
    chores = Doing(queue).chores
    chores.start()
    # As while APScheduler looks for due jobs.
    with chores._scheduler._jobstores_lock, capture_logs() as logs:
        chores.stop()
    assert [each["event"] for each in logs] == ["chores.left_behind"]
    chores._clock.join()
    assert not chores._scheduler.running


def test_a_day_is_ended_when_its_end_comes_and_then_left_alone(queue):
    doing = Doing(queue)
    queue.open("desk-1")
    ticket = queue.issue()
    queue.now_ms = EVENING - 1
    doing.chores.end_days()
    assert queue.state(ticket) is State.WAITING
    queue.now_ms = EVENING
    doing.chores.end_days()
    assert queue.state(ticket) is State.CANCELLED
    assert queue.desk_mode("desk-1")[0] == "closed"
    done = len(doing.done)
    queue.turn(HOUR)
    doing.chores.end_days()
    assert len(doing.done) == done


@pytest.mark.parametrize("bound", [False, True])
def test_who_checks_in_after_the_end_of_the_day_waits_until_the_next_one_begins_and_not_all_night(queue, bound):
    doing = Doing(queue)
    ticket = queue.book(moment("2026-11-24 18:30"))
    queue.now_ms = EVENING
    doing.chores.end_days()
    queue.now_ms = moment("2026-11-24 18:25")
    queue.open("desk-2")
    queue.ask(CheckIn, desk="", ticket=ticket)
    if bound:
        queue.ask(Transfer, desk="desk-2", ticket=ticket, to_desk="desk-2")
    done = len(doing.done)
    queue.now_ms = moment("2026-11-25 00:00") - 1
    doing.chores.end_days()
    assert len(doing.done) == done
    queue.turn(1)
    doing.chores.end_days()
    assert queue.state(ticket) is State.CANCELLED
    done = len(doing.done)
    doing.chores.end_days()
    assert len(doing.done) == done


def test_a_day_whose_end_failed_is_tried_again(queue):
    doing = Doing(queue)
    queue.issue()
    queue.now_ms = EVENING
    fail, doing.chores._do = doing.chores._do, lambda _: failed(Busy("the hub has too much to do: ask again"))
    with pytest.raises(Busy):
        doing.chores.end_days()
    doing.chores._do = fail
    doing.chores.end_days()
    assert queue.tickets()[0].state is State.CANCELLED


@pytest.mark.parametrize("chore", ["end of day", "old answers"])
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Busy("the hub has too much to do: ask again"), "the hub has too much to do: ask again"),
        (TimeoutError(), "the writer gave no answer within 60 s"),
    ],
)
def test_a_chore_that_the_database_or_the_writer_fails_is_told_in_one_sentence(queue, chore, fault, error):
    doing = Doing(queue)
    queue.now_ms = EVENING
    (job,) = [job for job in interval_jobs(doing.chores) if job.name == chore]
    doing.chores._do = lambda _: failed(fault)
    with capture_logs() as logs:
        job.func(*job.args)
    assert logs == [
        {
            "event": "chore.failed",
            "log_level": "error",
            "chore": chore,
            "error": error,
        }
    ]


def test_a_measurement_without_a_database_fails_by_the_database(tmp_path):
    visits = Visits(open_engine(f"sqlite:///{tmp_path}/missing/suivant.db"), "site")
    with pytest.raises(DatabaseFault):
        visits.read(0)


def failed(error):
    future = Future()
    future.set_exception(error)
    return future


def test_a_service_round_the_clock_keeps_its_desks_open_over_the_end_of_the_day(new_queue):
    queue = new_queue(round_the_clock(town()))
    doing = Doing(queue)
    queue.open("desk-1")
    queue.now_ms = moment("2026-11-25 01:00")
    doing.chores.end_days()
    assert [command.day for command in doing.done if isinstance(command, EndDay)] == ["2026-11-24"]
    assert queue.desk_mode("desk-1")[0] == "open"


def test_answers_are_kept_for_a_week_and_a_day(queue):
    doing = Doing(queue)
    queue.issue()
    queue.turn(8 * DAY)
    doing.chores.forget()
    assert len(queue.table("request")) == 1
    queue.turn(1)
    doing.chores.forget()
    assert queue.table("request") == []
    assert isinstance(doing.done[-1], ForgetRequests)


def test_answers_that_a_hub_left_alone_for_weeks_are_forgotten_in_slices(queue):
    doing = Doing(queue)
    many = ForgetRequests(origin=queue.origin(), before_ms=0).limit + 10
    for _ in range(many):
        queue.turn(SECOND)
        queue.issue("civil")
    queue.turn(20 * DAY)
    doing.chores.forget()
    assert queue.table("request") == []
    assert len(doing.done) == 2


def test_sessions_are_kept_for_a_week_and_a_day_after_their_end(queue):
    doing = Doing(queue)
    origin = queue.origin()
    opened = OpenSession(origin=origin, token_hash="hash", account="anna", name="Anna Martin", roles=("agent",))
    session = queue.do(opened).session
    queue.turn(20 * DAY)
    doing.chores.forget_sessions()
    queue.do(EndSession(origin=queue.origin(), session=session, reason=EndReason.ABSOLUTE))
    queue.turn(8 * DAY)
    doing.chores.forget_sessions()
    assert len(queue.table("login_session")) == 1
    queue.turn(1)
    doing.chores.forget_sessions()
    assert queue.table("login_session") == []


# --- measured means -----------------------------------------------------------------------------------------------


def test_a_mean_needs_twenty_visits(queue):
    visits = Visits(queue.engine, queue.site.name)
    queue.open("desk-1")
    for _ in range(19):
        visit(queue)
    visits.read(queue.now_ms)
    assert visits.mean_ms("civil") is None
    visit(queue)
    visits.read(queue.now_ms)
    # A visit is measured from the start of its announcement, a quarter of a second after the call.
    assert visits.mean_ms("civil") == 10 * MINUTE - 250
    assert visits.mean_ms("papers") is None


def test_a_visit_whose_arrival_was_confirmed_is_measured_from_there(queue):
    visits = Visits(queue.engine, queue.site.name)
    queue.open("desk-1")
    for _ in range(20):
        visit(queue, start_after=2, minutes=5)
    visits.read(queue.now_ms)
    assert visits.mean_ms("civil") == 5 * MINUTE


def test_ends_that_nobody_knows_and_visits_of_two_months_ago_are_left_out(queue):
    visits = Visits(queue.engine, queue.site.name)
    queue.open("desk-1")
    for _ in range(20):
        visit(queue)
    queue.ask(Pick, desk="desk-1", ticket=queue.issue())
    queue.now_ms = EVENING
    queue.job(EndDay, day="2026-11-24")
    visits.read(queue.now_ms)
    assert visits.mean_ms("civil") == 10 * MINUTE - 250
    visits.read(queue.now_ms + 30 * DAY)
    assert visits.mean_ms("civil") is None


# --- absences -----------------------------------------------------------------------------------------------------


def test_what_is_due_is_asked_of_the_database_also_after_a_restart_or_a_step_of_the_clock(queue):
    queue.open("desk-4")
    expected = queue.book(queue.now_ms + MINUTE)
    called = queue.issue()
    assert queue.called("desk-4") == called
    assert due(queue.connection, queue.site, queue.now_ms) == []
    queue.turn(2 * HOUR)
    commands = due(queue.connection, queue.site, queue.now_ms)
    queue.connection.rollback()
    assert [type(command) for command in commands] == [ExpireCalled, ExpireExpected]
    for _ in range(2):
        for command in commands:
            queue.do(command)
    assert {queue.state(expected), queue.state(called)} == {State.ABSENT}
    assert due(queue.connection, queue.site, queue.now_ms) == []
    assert queue.events(called).count("absent") == 1


def test_at_most_64_are_marked_in_a_second_and_the_rest_in_the_next(queue):
    for _ in range(70):
        queue.book(queue.now_ms)
    queue.turn(HOUR)
    first = due(queue.connection, queue.site, queue.now_ms)
    queue.connection.rollback()
    assert len(first) == 64
    for command in first:
        queue.do(command)
    assert len(due(queue.connection, queue.site, queue.now_ms)) == 6


def test_the_loop_asks_each_second_and_goes_on_after_an_error(queue, monkeypatch):
    monkeypatch.setattr("hub.absence.EVERY_S", 0.01)
    queue.book(queue.now_ms)
    queue.turn(10 * MINUTE)
    asked, tries = threading.Event(), []

    def put_later(task):
        tries.append(task.command)
        if len(tries) == 1:
            raise Busy("full")
        if len(tries) == 2:
            raise RuntimeError("something else")
        asked.set()

    loop = Absence(queue.engine, queue.site, lambda: queue.now_ms, put_later)
    loop.start()
    assert asked.wait(20)
    loop.stop()
    assert all(isinstance(command, ExpireExpected) for command in tries)


def test_a_recalled_visitor_s_clock_runs_from_the_recall(queue):
    queue.open("desk-4")
    ticket = queue.issue()
    queue.called("desk-4")
    queue.turn(5 * MINUTE)
    queue.ask(Recall, desk="desk-4", shown=ticket)
    queue.turn(10 * SECOND)
    assert due(queue.connection, queue.site, queue.now_ms) == []
    queue.turn(5 * MINUTE)
    assert len(due(queue.connection, queue.site, queue.now_ms)) == 1
