"""What a ticket's own time makes due is done once and on time, whatever the clock, the day or the program does."""

import threading

import pytest
from msgspec.structs import replace

from hub.absence import Absence, due
from hub.clock import Clock
from hub.queue.answers import DoneAnswer, RefusedAnswer
from hub.queue.requests import (
    Admit,
    AlignExpected,
    CheckIn,
    EndDay,
    ExpireCalled,
    ExpireExpected,
    Move,
    Origin,
    PutOffAbsences,
    Source,
    Start,
)
from hub.queue.states import State
from hub.tasks import Busy
from tests.checkers import check_all, read
from tests.queue.harness import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    SERVICES,
    TUESDAY_AT_TEN,
    Queue,
    desk_answer,
    moment,
    round_the_clock,
    town,
)
from tests.queue.test_bookings import book_of


def tick(queue):
    """One round of the loop: run the commands that are due and return their tickets."""
    commands = due(queue.connection, queue.site, queue.now_ms)
    queue.connection.rollback()
    for command in commands:
        queue.do(command)
    return [command.ticket for command in commands]


def marks(queue, ticket):
    """Event and time of the ticket's journal rows, without its booking."""
    names = ("site", "id", "ticket", "event", "from", "to", "at_ms")
    rows = [dict(zip(names, row, strict=False)) for row in queue.table("ticket_event")]
    return [(row["event"], row["at_ms"]) for row in rows if row["ticket"] == ticket and row["event"] != "book"]


def again(queue, **options):
    """Start the hub again on the same database."""
    return Queue(queue.engine, queue.site, at_ms=queue.now_ms, **options)


# --- nobody checked in --------------------------------------------------------------------------------------------


def test_who_did_not_come_is_absent_at_the_due_moment_and_not_a_second_before(queue):
    ticket = queue.book(queue.now_ms + HOUR)
    queue.turn(HOUR + 5 * MINUTE - SECOND)
    assert tick(queue) == []
    queue.turn(SECOND)
    assert tick(queue) == [ticket]
    assert queue.state(ticket) is State.ABSENT
    queue.turn(HOUR)
    assert tick(queue) == []


def test_found_three_hours_late_it_is_marked_once_with_the_true_time(new_queue):
    queue = new_queue()
    ticket = queue.book(queue.now_ms)
    due_ms = queue.now_ms + 5 * MINUTE
    queue.turn(3 * HOUR)
    started = again(queue)
    assert tick(started) == [ticket]
    assert tick(started) == []
    assert started.ticket(ticket).ended_ms == due_ms
    assert marks(started, ticket) == [("absent", queue.now_ms)]
    started.close()
    check_all(read(queue.engine, queue.site.name))


def test_a_mark_that_two_rounds_asked_for_is_made_once(queue):
    ticket = queue.book(queue.now_ms)
    queue.turn(HOUR)
    commands = due(queue.connection, queue.site, queue.now_ms)
    queue.connection.rollback()
    for command in [*commands, *commands]:
        queue.do(command)
    assert marks(queue, ticket) == [("absent", queue.now_ms)]


def test_however_many_visits_were_ended_before_their_absence_was_due_who_did_not_come_is_marked(queue):
    queue.open("desk-4")
    for _ in range(64):
        queue.issue()
    while queue.called("desk-4") is not None:
        pass
    booked = queue.book(queue.now_ms + HOUR)
    queue.turn(2 * HOUR)
    assert tick(queue) == [booked]


def test_who_checks_in_between_the_look_and_the_mark_is_not_absent(queue):
    ticket = queue.book(queue.now_ms)
    queue.turn(HOUR)
    commands = due(queue.connection, queue.site, queue.now_ms)
    queue.connection.rollback()
    queue.ask(CheckIn, desk="", ticket=ticket)
    for command in commands:
        queue.do(command)
    assert queue.state(ticket) is State.WAITING


def test_who_is_moved_between_the_look_and_the_mark_is_not_absent(queue):
    ticket = queue.book(queue.now_ms)
    queue.turn(HOUR)
    (command,) = due(queue.connection, queue.site, queue.now_ms)
    queue.connection.rollback()
    queue.take(Move(booking=queue.ticket(ticket).booking, appointment_ms=queue.now_ms))
    queue.do(command)
    assert queue.state(ticket) is State.EXPECTED


def test_each_service_has_its_own_delay(new_queue):
    patient = tuple(
        replace(service, absence_delay_min=15) if service.name == "papers" else service for service in SERVICES
    )
    queue = new_queue(town(services=patient))
    civil, papers = queue.book(queue.now_ms, "civil"), queue.book(queue.now_ms, "papers")
    queue.turn(5 * MINUTE)
    assert tick(queue) == [civil]
    queue.turn(10 * MINUTE)
    assert tick(queue) == [papers]


# --- the clock ----------------------------------------------------------------------------------------------------


def test_an_appointment_before_midnight_is_absent_after_it_on_its_own_day(new_queue):
    queue = new_queue(round_the_clock(town()), at_ms=moment("2026-11-24 23:00"))
    ticket = queue.book(moment("2026-11-24 23:58"))
    queue.now_ms = moment("2026-11-25 00:02")
    assert tick(queue) == []
    queue.now_ms = moment("2026-11-25 00:03")
    assert tick(queue) == [ticket]
    after = queue.ticket(ticket)
    assert (after.day, after.ended_ms) == ("2026-11-24", moment("2026-11-25 00:03"))


@pytest.mark.parametrize(
    ("before", "appointment_ms"),
    [
        ("2026-10-25 00:30", moment("2026-10-25 00:30") + 2 * HOUR),  # 2:30, the first of two
        ("2026-10-25 00:30", moment("2026-10-25 00:30") + 3 * HOUR),  # 2:30 once more
        ("2026-03-29 00:30", moment("2026-03-29 00:30") + 90 * MINUTE),  # 3:00, where 2:00 should be
    ],
)
def test_in_the_night_of_the_changed_clock_five_minutes_are_five_minutes(new_queue, before, appointment_ms):
    queue = new_queue(round_the_clock(town()), at_ms=moment(before))
    ticket = queue.book(appointment_ms)
    queue.now_ms = appointment_ms + 5 * MINUTE - 1
    assert tick(queue) == []
    queue.turn(1)
    assert tick(queue) == [ticket]


class Hands:
    """A system clock that can be set, and a monotonic clock that cannot."""

    def __init__(self, at_ms):
        self.wall_ms, self.ran_ms = at_ms, 0
        self.clock = Clock(lambda: self.wall_ms * 1_000_000, lambda: self.ran_ms * 1_000_000)

    def pass_(self, by_ms):
        self.wall_ms += by_ms
        self.ran_ms += by_ms
        return self.clock.now_ms()

    def set(self, by_ms):
        self.wall_ms += by_ms
        return self.clock.now_ms()


def test_with_the_clock_set_back_an_hour_the_mark_is_late_but_made_once(new_queue):
    hands = Hands(TUESDAY_AT_TEN)
    queue = new_queue(at_ms=hands.clock.now_ms())
    ticket = queue.book(queue.now_ms)
    queue.now_ms = hands.set(-HOUR)
    assert queue.now_ms == TUESDAY_AT_TEN, "it does not go back"
    marked = []
    for _ in range(15):
        queue.now_ms = hands.pass_(MINUTE)
        marked += [(ticket, queue.now_ms) for ticket in tick(queue)]
    # The clock runs at half speed: five minutes on the hub's clock are ten minutes of real time.
    assert marked == [(ticket, TUESDAY_AT_TEN + 5 * MINUTE)]


def test_with_the_clock_set_forward_what_became_due_is_marked_once_and_can_be_readmitted(new_queue):
    hands = Hands(TUESDAY_AT_TEN)
    queue = new_queue(at_ms=hands.clock.now_ms())
    ticket = queue.book(queue.now_ms)
    queue.now_ms = hands.set(HOUR)
    assert tick(queue) == [ticket]
    queue.now_ms = hands.set(-HOUR)
    assert tick(queue) == []
    assert queue.ticket(ticket).ended_ms == TUESDAY_AT_TEN + 5 * MINUTE
    queue.ask(CheckIn, desk="", ticket=ticket)
    assert (queue.state(ticket), len(marks(queue, ticket))) == (State.WAITING, 2)


def test_stopped_for_a_while_the_loop_marks_all_that_became_due_meanwhile_once(new_queue):
    hands = Hands(TUESDAY_AT_TEN)
    queue = new_queue(at_ms=hands.clock.now_ms())
    tickets = [queue.book(queue.now_ms + number * MINUTE) for number in range(10)]
    queue.now_ms = hands.pass_(30 * MINUTE)
    assert tick(queue) == tickets
    assert [queue.ticket(each).ended_ms for each in tickets] == [
        TUESDAY_AT_TEN + number * MINUTE + 5 * MINUTE for number in range(10)
    ]
    assert tick(queue) == []


# --- called -------------------------------------------------------------------------------------------------------


def test_after_the_job_the_desk_holds_nobody_and_the_next_press_simply_calls(queue):
    queue.open("desk-4")
    first, second = queue.issue(), queue.issue()
    queue.press("desk-4")
    assert queue.held("desk-4") == first
    due_ms = queue.ticket(first).absent_at_ms
    queue.now_ms = due_ms + 2 * HOUR
    assert tick(queue) == [first]
    assert queue.held("desk-4") is None
    assert queue.ticket(first).ended_ms == due_ms
    answer = desk_answer(queue.press("desk-4"))
    assert (answer.outcome, answer.ticket) == ("called", second)
    assert queue.state(first) is State.ABSENT
    assert "finish" not in queue.events(first)


def test_a_booked_visitor_who_was_called_in_vain_is_absent_once(queue):
    queue.open("desk-4")
    ticket = queue.book(queue.now_ms)
    queue.ask(CheckIn, desk="", ticket=ticket)
    queue.press("desk-4")
    queue.turn(10 * MINUTE)
    assert tick(queue) == [ticket]
    assert tick(queue) == []
    assert queue.events(ticket).count("absent") == 1


# --- the hub or its database was away -----------------------------------------------------------------------------


def called_at_the_desk_that_confirms(queue):
    """A ticket called a minute ago: the agent has four more minutes to say that the visitor came."""
    queue.open("desk-4")
    ticket = queue.issue()
    queue.press("desk-4")
    queue.turn(MINUTE)
    return ticket


def look(queue, loop):
    """One round of the loop: run its commands and return their types."""
    commands = loop._look(queue.connection)
    queue.connection.rollback()
    for command in commands:
        queue.do(command)
    return [type(command) for command in commands]


def loop_of(queue, line=None):
    return Absence(queue.engine, queue.site, lambda: queue.now_ms, line or Line())


def test_after_a_start_who_was_called_before_has_the_whole_delay_once_more(new_queue):
    queue = new_queue()
    ticket = called_at_the_desk_that_confirms(queue)
    queue.turn(10 * MINUTE)
    loop = loop_of(queue)
    assert look(queue, loop) == [PutOffAbsences, ExpireCalled]
    assert (queue.state(ticket), queue.ticket(ticket).absent_at_ms) == (State.CALLED, queue.now_ms + 5 * MINUTE)
    for _ in range(299):
        queue.turn(SECOND)
        assert look(queue, loop) == []
    queue.turn(SECOND)
    assert look(queue, loop) == [ExpireCalled]
    assert queue.state(ticket) is State.ABSENT
    check_all(read(queue.engine, queue.site.name))


def test_after_a_pause_who_was_called_before_it_has_the_whole_delay_once_more(queue):
    ticket = called_at_the_desk_that_confirms(queue)
    loop = loop_of(queue)
    look(queue, loop)
    due_ms = queue.ticket(ticket).absent_at_ms
    queue.now_ms = due_ms + MINUTE
    assert look(queue, loop) == [PutOffAbsences, ExpireCalled]
    assert queue.ticket(ticket).absent_at_ms == queue.now_ms + 5 * MINUTE
    queue.ask(Start, desk="desk-4", shown=ticket)
    assert queue.state(ticket) is State.SERVING


def test_a_round_that_comes_a_little_late_gives_nobody_more_time(queue):
    ticket = called_at_the_desk_that_confirms(queue)
    loop = loop_of(queue)
    look(queue, loop)
    due_ms = queue.ticket(ticket).absent_at_ms
    while queue.now_ms < due_ms:
        queue.turn(10 * SECOND)
        look(queue, loop)
    assert (queue.state(ticket), queue.ticket(ticket).ended_ms) == (State.ABSENT, due_ms)


def test_whose_call_is_not_said_yet_has_no_less_time_after_a_pause(queue):
    ticket = called_at_the_desk_that_confirms(queue)
    queue.turn(-MINUTE)
    due_ms = queue.ticket(ticket).absent_at_ms
    assert due_ms > queue.now_ms + 5 * MINUTE
    assert queue.job(PutOffAbsences).count == 0
    assert queue.ticket(ticket).absent_at_ms == due_ms


@pytest.mark.parametrize("confirms", [True, False])
def test_a_desk_s_new_setting_holds_for_who_was_called_before_the_start(queue, confirms):
    desk = "desk-1" if confirms else "desk-4"
    queue.open(desk)
    ticket = queue.issue()
    queue.called(desk)
    desks = tuple(replace(each, confirms_arrivals=confirms) for each in queue.site.desks)
    queue.configure(replace(queue.site, desks=desks))
    loop = loop_of(queue)
    look(queue, loop)
    assert queue.ticket(ticket).absent_at_ms == (queue.now_ms + 5 * MINUTE if confirms else None)
    for _ in range(30):
        queue.turn(10 * SECOND)
        look(queue, loop)
    assert queue.state(ticket) is (State.ABSENT if confirms else State.CALLED)


def test_commands_that_can_do_nothing_are_not_asked_for_without_a_pause(queue):
    line = Line()
    loop = loop_of(queue, line)
    loop._put([ExpireCalled(origin=Origin(Source.JOB), ticket=1, call=1)] * 2)
    refusal = RefusedAnswer(code="numbers_used_up", detail="")
    for answer, got_on in ((refusal, False), (DoneAnswer(count=0), False), (DoneAnswer(count=1), True)):
        line.tasks[0].answered(answer)
        assert loop._got_on is got_on
    loop._put([])
    assert not loop._got_on


def test_what_the_database_did_not_take_is_put_off_too(queue):
    called_at_the_desk_that_confirms(queue)
    line = Line()
    loop = loop_of(queue, line)
    look(queue, loop)
    assert look(queue, loop) == []
    loop._put([ExpireCalled(origin=Origin(Source.JOB), ticket=1, call=1)])
    line.tasks[0].failed(OSError())
    assert look(queue, loop) == [PutOffAbsences]


def test_a_pause_changes_nothing_for_those_expected(queue):
    ticket = queue.book(queue.now_ms)
    queue.turn(HOUR)
    assert look(queue, loop_of(queue)) == [ExpireExpected]
    assert queue.state(ticket) is State.ABSENT


# --- services without check-in ------------------------------------------------------------------------------------


def test_they_wait_from_ten_minutes_before_their_time_and_never_become_absent_by_themselves(queue):
    at_ms = queue.now_ms + HOUR
    ticket = queue.book(at_ms, "taxes")
    assert queue.ticket(ticket).absent_at_ms is None
    queue.now_ms = at_ms - 10 * MINUTE - 1
    assert tick(queue) == []
    queue.turn(1)
    assert tick(queue) == [ticket]
    after = queue.ticket(ticket)
    assert (after.state, after.due_ms, after.kind, after.label) == ("waiting", at_ms, "timed", "D001")
    assert marks(queue, ticket) == [("admit", queue.now_ms)]
    queue.turn(3 * HOUR)
    assert tick(queue) == []


def test_found_late_they_wait_by_their_appointment_all_the_same(queue):
    ticket = queue.book(queue.now_ms, "taxes")
    appointment_ms = queue.now_ms
    queue.turn(2 * HOUR)
    assert tick(queue) == [ticket]
    assert (queue.ticket(ticket).due_ms, queue.ticket(ticket).kind) == (appointment_ms, "timed")


def test_those_of_a_day_that_has_ended_are_left_to_its_end(queue):
    ticket = queue.book(queue.now_ms, "taxes")
    queue.now_ms = moment("2026-11-25 09:00")
    assert tick(queue) == []
    assert queue.job(Admit, ticket=ticket).count == 0
    queue.job(EndDay, day="2026-11-24")
    assert queue.state(ticket) is State.ABSENT


def test_after_the_end_of_the_day_an_appointment_of_the_evening_is_admitted_at_its_time(queue):
    ticket = queue.book(moment("2026-11-24 18:30"), "taxes")
    queue.now_ms = moment("2026-11-24 18:00")
    queue.job(EndDay, day="2026-11-24")
    assert tick(queue) == []
    queue.now_ms = moment("2026-11-24 18:20")
    assert tick(queue) == [ticket]
    assert queue.state(ticket) is State.WAITING


def test_an_appointment_of_the_evening_that_was_missed_is_not_admitted_on_the_next_day(queue):
    ticket = queue.book(moment("2026-11-24 18:30"), "taxes")
    queue.now_ms = moment("2026-11-25 00:00")
    assert tick(queue) == []
    assert queue.job(Admit, ticket=ticket).count == 0


def test_round_the_clock_one_after_midnight_that_was_missed_is_admitted_although_the_day_before_ended_since(new_queue):
    queue = new_queue(round_the_clock(town()), at_ms=moment("2026-11-24 23:00"))
    ticket = queue.book(moment("2026-11-25 00:30"), "taxes")
    queue.now_ms = moment("2026-11-25 01:10")
    assert tick(queue) == [ticket]
    assert queue.state(ticket) is State.WAITING


def test_an_admission_asked_for_twice_is_done_once(queue):
    ticket = queue.book(queue.now_ms, "taxes")
    queue.job(Admit, ticket=ticket)
    before = queue.snapshot()
    queue.job(Admit, ticket=ticket)
    assert queue.snapshot() == before


def test_an_admission_just_after_midnight_has_the_new_day_s_number(new_queue):
    queue = new_queue(round_the_clock(town()), at_ms=moment("2026-11-24 23:50"))
    ticket = queue.book(moment("2026-11-25 00:05"), "taxes")
    assert tick(queue) == []
    queue.now_ms = moment("2026-11-24 23:55")
    assert tick(queue) == [ticket]
    assert (queue.ticket(ticket).label, queue.ticket(ticket).day) == ("D001", "2026-11-24")


# --- changed settings ---------------------------------------------------------------------------------------------


def changed(queue, **settings):
    """Start the hub again with other settings of `civil`."""
    services = tuple(replace(each, **settings) if each.name == "civil" else each for each in SERVICES)
    return Queue(queue.engine, replace(queue.site, services=services), at_ms=queue.now_ms)


def align(queue, limit=50):
    counts = []
    while not counts or counts[-1] == limit:
        counts.append(queue.job(AlignExpected, service="civil", limit=limit).count)
    return sum(counts)


def test_a_longer_delay_counts_for_appointments_made_before_too(queue):
    tickets = [queue.book(queue.now_ms) for _ in range(5)]
    started = changed(queue, absence_delay_min=15)
    assert align(started, limit=2) == 5
    started.turn(14 * MINUTE)
    assert tick(started) == []
    started.turn(MINUTE)
    assert tick(started) == tickets
    started.close()
    check_all(read(queue.engine, queue.site.name))


def test_a_service_that_needs_no_check_in_any_more_admits_those_booked_before_and_back_again(queue):
    ticket = queue.book(queue.now_ms + HOUR)
    without = changed(queue, checks_in=False)
    assert (align(without), without.ticket(ticket).absent_at_ms) == (1, None)
    without.turn(50 * MINUTE)
    with_ = changed(queue)
    assert align(with_) == 1
    assert with_.ticket(ticket).absent_at_ms == queue.now_ms + HOUR + 5 * MINUTE
    assert tick(without) == []
    assert align(without) == 1
    assert tick(without) == [ticket]
    without.close()
    with_.close()


def test_with_the_same_settings_nothing_is_changed(queue):
    queue.book(queue.now_ms)
    queue.book(queue.now_ms, "taxes")
    before = queue.snapshot()
    assert [queue.job(AlignExpected, service=service.name).count for service in SERVICES] == [0, 0, 0, 0]
    assert queue.snapshot() == before


# --- many at once -------------------------------------------------------------------------------------------------


def test_five_thousand_expected_of_whom_a_hundred_are_due_are_not_all_looked_at(queue):
    changes = tuple(book_of(f"b-{number}", queue.now_ms + number * SECOND) for number in range(5_000))
    for start in range(0, 5_000, 500):
        queue.take(*changes[start : start + 500])
    queue.turn(5 * MINUTE + 99 * SECOND)
    first = tick(queue)
    assert len(first) == 64
    assert len([*first, *tick(queue)]) == 100
    assert tick(queue) == []


class Line:
    """The writer's queue for jobs: keeps its tasks until `answer` is called."""

    def __init__(self):
        self.tasks, self.given = [], threading.Semaphore(0)

    def __call__(self, task):
        self.tasks.append(task)
        self.given.release()

    def answer(self):
        tasks, self.tasks = self.tasks, []
        for task in tasks:
            task.answered(DoneAnswer(count=1))


def test_what_the_writer_has_not_done_yet_is_not_asked_for_again(queue, monkeypatch):
    monkeypatch.setattr("hub.absence.EVERY_S", 0.01)
    queue.book(queue.now_ms)
    queue.turn(HOUR)
    line = Line()
    loop = Absence(queue.engine, queue.site, lambda: queue.now_ms, line)
    loop.start()
    assert line.given.acquire(timeout=20)
    assert not line.given.acquire(timeout=0.2)
    line.answer()
    assert line.given.acquire(timeout=20), "still due, so it is asked for again"
    loop.stop()


def test_more_than_the_loop_takes_at_once_is_taken_as_soon_as_those_are_done(queue, monkeypatch):
    monkeypatch.setattr("hub.absence.EVERY_S", 3600.0)
    for _ in range(65):
        queue.book(queue.now_ms)
    queue.turn(HOUR)
    line = Line()
    loop = Absence(queue.engine, queue.site, lambda: queue.now_ms, line)
    monkeypatch.setattr(loop, "_stopping", Once(loop._stopping))
    loop.start()
    for _ in range(64):
        assert line.given.acquire(timeout=20)
    line.answer()
    assert line.given.acquire(timeout=20), "the next are asked for without waiting for the next second"
    loop.stop()


class Once:
    """An event whose first wait returns at once; later waits are normal."""

    def __init__(self, event):
        self._event, self._waited = event, False

    def wait(self, wait_s):
        if not self._waited:
            self._waited, wait_s = True, 0
        return self._event.wait(wait_s)

    def set(self):
        self._event.set()

    def is_set(self):
        return self._event.is_set()


def test_a_full_queue_is_asked_again_the_next_second(queue, monkeypatch):
    monkeypatch.setattr("hub.absence.EVERY_S", 0.01)
    queue.book(queue.now_ms)
    queue.turn(HOUR)
    asked, tries = threading.Event(), []

    def put_later(task):
        tries.append(task.command)
        if len(tries) == 1:
            raise Busy("full")
        asked.set()

    loop = Absence(queue.engine, queue.site, lambda: queue.now_ms, put_later)
    loop.start()
    assert asked.wait(20)
    loop.stop()
    assert {type(command) for command in tries} == {ExpireExpected}


def test_the_loop_finds_calls_bookings_and_admissions_in_one_look(queue):
    queue.open("desk-4")
    called = queue.issue()
    queue.press("desk-4")
    queue.book(queue.now_ms)
    queue.book(queue.now_ms, "taxes")
    queue.turn(DAY // 24)
    commands = due(queue.connection, queue.site, queue.now_ms)
    queue.connection.rollback()
    assert [type(command) for command in commands] == [ExpireExpected, ExpireCalled, Admit]
    assert commands[1].ticket == called
