"""Reports to the source of a booking: planned from the journal, sent once, and in order for each booking."""

import pytest

from hub.queue.requests import (
    Admit,
    BeginReport,
    Cancel,
    CancelBooking,
    CheckIn,
    EndDay,
    EndReport,
    ExpireExpected,
    Finish,
    ForgetBookings,
    MarkAbsent,
    Move,
    Park,
    Pick,
    PlanReports,
    Readmit,
    Reopen,
    Resume,
    RetryReport,
    Start,
    StartAbsent,
    Transfer,
)
from hub.queue.states import State
from tests.queue.harness import DAY, HOUR, MINUTE, moment, refused

COLUMNS = ("booking", "reference", "ticket", "kind", "event", "at_ms", "due_ms", "state", "attempts")


def reports(queue):
    """Every report, by its id."""
    names = ("site", "id", *COLUMNS, "status_before", "error")
    rows = [dict(zip(names, row, strict=True)) for row in queue.table("report")]
    return {row["id"]: row for row in sorted(rows, key=lambda row: row["id"])}


def plan(queue, limit=200):
    while queue.job(PlanReports, limit=limit).count == limit:
        pass


def told(queue):
    """Plan the reports; return the kind and state of each."""
    plan(queue)
    return [(each["kind"], each["state"]) for each in reports(queue).values()]


def sent(queue):
    """Plan all reports and mark them as sent."""
    plan(queue)
    for number, report in reports(queue).items():
        if report["state"] == "waiting":
            queue.job(BeginReport, report=number, status_before="before")
            queue.job(EndReport, report=number)


@pytest.fixture
def here(queue):
    """A booked visitor who has checked in, one minute before the time; desk-1 is open."""
    queue.open("desk-1")
    ticket = queue.book(queue.now_ms + MINUTE)
    queue.ask(CheckIn, desk="", ticket=ticket)
    return ticket


@pytest.fixture
def missing(queue):
    """A booked visitor who did not come."""
    queue.open("desk-1")
    ticket = queue.book(queue.now_ms + MINUTE)
    queue.turn(6 * MINUTE)
    queue.job(ExpireExpected, ticket=ticket)
    return ticket


def test_a_visit_is_told_as_arrived_and_then_as_served(queue, here):
    queue.called()
    queue.ask(Finish, desk="desk-1", shown=here)
    assert told(queue) == [("arrived", "waiting"), ("served", "waiting")]
    first, second = reports(queue).values()
    assert (first["ticket"], first["reference"]) == (here, f"form/{first['booking']}")
    assert first["event"] < second["event"]
    assert first["due_ms"] <= second["due_ms"] <= queue.now_ms


def test_walk_ins_and_what_is_planned_already_are_told_to_nobody(queue, here):
    queue.issue()
    assert told(queue) == [("arrived", "waiting")]
    before = queue.snapshot()
    assert queue.job(PlanReports).count == 0
    assert queue.snapshot() == before


@pytest.mark.parametrize("limit", [1, 2, 3, 200])
def test_slices_of_any_size_plan_the_same(new_queue, limit):
    queue = new_queue()
    queue.open("desk-1")
    tickets = [queue.book(queue.now_ms + MINUTE) for _ in range(3)]
    queue.turn(6 * MINUTE)
    for ticket in tickets:
        queue.job(ExpireExpected, ticket=ticket)
    for ticket in tickets[:2]:
        queue.ask(Readmit, desk="desk-1", ticket=ticket)
    plan(queue, limit)
    standing = [(each["ticket"], each["kind"]) for each in reports(queue).values() if each["state"] != "dropped"]
    assert sorted(standing) == sorted([(tickets[2], "absent"), (tickets[0], "arrived"), (tickets[1], "arrived")])


def test_an_absence_is_told_an_hour_later_and_not_before_it_is_final(queue, missing):
    assert told(queue) == [("absent", "waiting")]
    (report,) = reports(queue).values()
    assert report["due_ms"] == report["at_ms"] + HOUR


def expired(queue, ticket):
    queue.job(ExpireExpected, ticket=ticket)
    assert queue.state(ticket) is State.ABSENT
    return told(queue)


def test_who_could_not_check_in_as_the_hub_learned_of_them_too_late_was_not_absent(queue):
    ticket = queue.book(moment("2026-11-24 08:45"))
    assert expired(queue, ticket) == []
    queue.ask(CheckIn, desk="", ticket=ticket)
    assert told(queue) == [("arrived", "waiting")]


@pytest.mark.parametrize(("late_ms", "kinds"), [(0, ["absent"]), (1, [])])
def test_who_could_still_check_in_was_absent(queue, late_ms, kinds):
    ticket = queue.book(queue.now_ms - 5 * MINUTE - late_ms)
    assert [kind for kind, _ in expired(queue, ticket)] == kinds


@pytest.mark.parametrize(("late_ms", "kinds"), [(MINUTE, ["absent"]), (MINUTE + 1, [])])
def test_whose_time_passed_while_the_hub_was_off_was_not_absent(queue, late_ms, kinds):
    ticket = queue.book(queue.now_ms + HOUR)
    queue.turn(HOUR + 5 * MINUTE + late_ms)
    assert [kind for kind, _ in expired(queue, ticket)] == kinds


@pytest.mark.parametrize("service", ["civil", "taxes"])
def test_who_was_expected_when_the_hub_stopped_for_the_day_was_not_absent(queue, service):
    ticket = queue.book(queue.now_ms + HOUR, service)
    queue.turn(DAY)
    queue.job(EndDay, day="2026-11-24")
    assert (queue.state(ticket), told(queue)) == (State.ABSENT, [])


def test_who_was_moved_to_a_time_that_had_passed_was_not_absent(queue):
    ticket = queue.book(queue.now_ms + DAY)
    queue.take(Move(booking=queue.ticket(ticket).booking, appointment_ms=moment("2026-11-24 08:45")))
    assert expired(queue, ticket) == []


def test_who_came_late_and_was_called_in_vain_was_absent(queue):
    queue.open("desk-1")
    ticket = queue.book(moment("2026-11-24 08:45"))
    expired(queue, ticket)
    queue.ask(CheckIn, desk="", ticket=ticket)
    queue.called()
    queue.ask(MarkAbsent, desk="desk-1", shown=ticket)
    assert [kind for kind, _ in told(queue)] == ["arrived", "absent"]


@pytest.mark.parametrize("service", ["civil", "taxes"])
def test_whose_appointment_was_learned_of_after_its_day_was_not_absent(queue, service):
    queue.now_ms = moment("2026-11-24 20:00")
    ticket = queue.book(moment("2026-11-24 15:00"), service)
    queue.turn(DAY)
    queue.job(EndDay, day="2026-11-25")
    assert (queue.state(ticket), told(queue)) == (State.ABSENT, [])


def test_an_absence_is_final_with_the_end_of_the_day(new_queue):
    queue = new_queue(at_ms=moment("2026-11-24 17:40"))
    ticket = queue.book(queue.now_ms + MINUTE)
    queue.turn(6 * MINUTE)
    queue.job(ExpireExpected, ticket=ticket)
    plan(queue)
    (report,) = reports(queue).values()
    assert report["due_ms"] == moment("2026-11-24 18:00")


@pytest.mark.parametrize("planned_before", [True, False])
def test_who_comes_after_all_was_never_absent_for_the_source(queue, missing, planned_before):
    if planned_before:
        plan(queue)
    queue.ask(CheckIn, desk="", ticket=missing)
    standing = [kind for kind, state in told(queue) if state != "dropped"]
    assert standing == ["arrived"]


def test_who_comes_after_the_absence_was_told_is_told_as_arrived(queue, missing):
    sent(queue)
    queue.ask(Readmit, desk="desk-1", ticket=missing)
    assert told(queue) == [("absent", "done"), ("arrived", "waiting")]


def test_an_absence_that_is_perhaps_sent_is_not_taken_back(queue, missing):
    plan(queue)
    queue.job(BeginReport, report=1, status_before="before")
    queue.ask(Readmit, desk="desk-1", ticket=missing)
    assert told(queue) == [("absent", "trying"), ("arrived", "waiting")]


def test_an_absence_that_was_tried_and_not_done_is_taken_back_before_the_next_try(queue, missing):
    plan(queue)
    queue.job(BeginReport, report=1, status_before="before")
    assert queue.job(BeginReport, report=1, status_before="before").count == 1, "while it is true"
    queue.ask(Readmit, desk="desk-1", ticket=missing)
    assert queue.job(BeginReport, report=1, status_before="before").count == 0
    assert told(queue) == [("absent", "dropped"), ("arrived", "waiting")]


def test_who_was_called_in_vain_and_is_served_after_all_arrives_once(queue, here):
    queue.called()
    queue.ask(MarkAbsent, desk="desk-1", shown=here)
    plan(queue)
    queue.ask(StartAbsent, desk="desk-1", ticket=here)
    assert told(queue) == [("arrived", "waiting"), ("absent", "dropped")]


def test_a_finish_that_is_undone_before_it_was_told_is_told_once_in_the_end(queue, here):
    queue.called()
    for _ in range(2):
        queue.ask(Finish, desk="desk-1", shown=here)
        plan(queue)
        queue.ask(Reopen, desk="desk-1", ticket=here)
    queue.ask(Finish, desk="desk-1", shown=here)
    standing = [kind for kind, state in told(queue) if state != "dropped"]
    assert standing == ["arrived", "served"]


def test_a_finish_that_was_told_is_not_told_again_after_it_was_undone(queue, here):
    queue.called()
    queue.ask(Finish, desk="desk-1", shown=here)
    sent(queue)
    queue.ask(Reopen, desk="desk-1", ticket=here)
    queue.ask(Finish, desk="desk-1", shown=here)
    assert told(queue) == [("arrived", "done"), ("served", "done")]


@pytest.mark.parametrize("way", ["park", "transfer", "absent"])
def test_a_visit_that_goes_on_after_its_end_was_told_is_not_told_anew(queue, here, way):
    queue.open("desk-2")
    queue.called()
    queue.ask(Start, desk="desk-1", shown=here)
    queue.ask(Finish, desk="desk-1", shown=here)
    sent(queue)
    queue.ask(Reopen, desk="desk-1", ticket=here)
    if way == "park":
        queue.ask(Park, desk="desk-1", shown=here)
        queue.ask(Resume, desk="desk-1", ticket=here)
        queue.ask(Start, desk="desk-1", shown=here)
        queue.ask(Finish, desk="desk-1", shown=here)
    elif way == "transfer":
        queue.ask(Transfer, desk="desk-1", ticket=here, service="papers", confirmed=True)
        queue.called()
        queue.ask(Start, desk="desk-1", shown=here)
        queue.ask(Finish, desk="desk-1", shown=here)
    else:
        queue.ask(Park, desk="desk-1", shown=here)
        queue.ask(Resume, desk="desk-1", ticket=here)
        queue.ask(MarkAbsent, desk="desk-1", shown=here)
        queue.ask(Readmit, desk="desk-1", ticket=here)
    kinds = [kind for kind, state in told(queue) if state != "dropped"]
    assert kinds == ["arrived", "served"]
    assert queue.state(here) is (State.WAITING if way == "absent" else State.SERVED)


def test_who_was_told_absent_after_the_end_of_a_visit_and_is_served_after_all_is_told_so(queue, here):
    queue.called()
    queue.ask(Finish, desk="desk-1", shown=here)
    queue.ask(Reopen, desk="desk-1", ticket=here)
    queue.ask(Finish, desk="desk-1", shown=here)
    sent(queue)
    queue.ask(Reopen, desk="desk-1", ticket=here)
    queue.ask(Park, desk="desk-1", shown=here)
    queue.ask(Resume, desk="desk-1", ticket=here)
    queue.ask(MarkAbsent, desk="desk-1", shown=here)
    sent(queue)
    queue.ask(StartAbsent, desk="desk-1", ticket=here)
    queue.ask(Finish, desk="desk-1", shown=here)
    assert [kind for kind, _ in told(queue)] == ["arrived", "served", "absent", "arrived", "served"]


def test_a_visit_at_a_service_without_check_in_arrives_when_it_starts(queue):
    queue.open("desk-3")
    ticket = queue.book(queue.now_ms, "taxes")
    queue.job(Admit, ticket=ticket)
    queue.called("desk-3")
    assert told(queue) == []
    queue.ask(Start, desk="desk-3", shown=ticket)
    assert told(queue) == [("arrived", "waiting")]


def test_what_people_cancel_is_told_and_what_the_source_cancelled_is_not(queue):
    queue.open("desk-1")
    by_people, by_source = queue.book(queue.now_ms + HOUR), queue.book(queue.now_ms + HOUR)
    queue.ask(Cancel, desk="desk-1", ticket=by_people)
    booking = queue.ticket(by_source).booking
    queue.take(CancelBooking(booking=booking))
    assert queue.state(by_source) is State.CANCELLED
    assert told(queue) == [("cancelled", "waiting")]
    assert reports(queue)[1]["ticket"] == by_people


def test_the_end_of_the_day_tells_what_became_of_everybody(queue):
    queue.open("desk-1", "desk-4")
    never_came, waits, served = (queue.book(moment("2026-11-24 17:58") + each) for each in range(3))
    for ticket in (waits, served):
        queue.ask(CheckIn, desk="", ticket=ticket)
    queue.ask(Pick, desk="desk-1", ticket=served)
    queue.now_ms = moment("2026-11-24 18:00")
    queue.job(EndDay, day="2026-11-24")
    plan(queue)
    last = {each["ticket"]: (each["kind"], each["due_ms"]) for each in reports(queue).values()}
    assert last == {
        never_came: ("absent", queue.now_ms),
        waits: ("cancelled", queue.now_ms),
        served: ("served", queue.now_ms),
    }


def test_an_absence_is_not_told_of_a_booking_that_its_source_moved_to_another_time(queue, missing):
    plan(queue)
    booking = queue.ticket(missing).booking
    queue.take(Move(booking=booking, appointment_ms=queue.now_ms + DAY))
    assert told(queue) == [("absent", "dropped")]
    again = next(each for each in queue.tickets() if each.booking == booking)
    assert (again.id != missing, again.state) == (True, State.EXPECTED)
    queue.turn(DAY)
    queue.ask(CheckIn, desk="", ticket=again.id)
    assert told(queue)[1:] == [("arrived", "waiting")]


# --- sending ------------------------------------------------------------------------------------------------------


def test_a_report_is_durably_begun_with_the_status_before_it_is_sent(queue, here):
    plan(queue)
    assert queue.job(BeginReport, report=1, status_before="just_submitted").count == 1
    (row,) = queue.table("report")
    assert row[9:12] == ("trying", 0, "just_submitted")


def test_a_report_that_was_not_taken_is_put_off_and_stays_uncertain(queue, here):
    plan(queue)
    queue.job(BeginReport, report=1, status_before="before")
    queue.job(EndReport, report=1, error="no answer within 10 s", again_ms=queue.now_ms + MINUTE)
    (row,) = reports(queue).values()
    assert (row["state"], row["due_ms"], row["attempts"]) == ("trying", queue.now_ms + MINUTE, 1)
    assert (row["status_before"], row["error"]) == ("before", "no answer within 10 s")


def test_what_failed_for_good_is_tried_again_when_an_agent_says_so_and_only_then(queue, here):
    plan(queue)
    assert queue.ask(RetryReport, report=1).count == 0, "it has not failed"
    queue.job(BeginReport, report=1, status_before="before")
    queue.job(EndReport, report=1, error="403")
    assert told(queue) == [("arrived", "failed")]
    assert queue.job(BeginReport, report=1).count == 0
    queue.turn(HOUR)
    assert queue.ask(RetryReport, report=1).count == 1
    (row,) = reports(queue).values()
    assert (row["state"], row["due_ms"], row["attempts"], row["error"]) == ("waiting", queue.now_ms, 0, None)
    refused(queue.ask(RetryReport, report=99), "unknown")


def test_a_report_that_was_dropped_or_is_done_is_neither_begun_nor_ended(queue, missing):
    plan(queue)
    queue.ask(Readmit, desk="desk-1", ticket=missing)
    sent(queue)
    before = queue.snapshot()
    for number in reports(queue):
        assert queue.job(BeginReport, report=number).count == 0
        assert queue.job(EndReport, report=number, error="late").count == 0
    assert queue.snapshot() == before


# --- forgetting ---------------------------------------------------------------------------------------------------


def test_bookings_of_past_days_are_forgotten_with_what_was_told_of_them(queue, here):
    queue.called()
    queue.ask(Finish, desk="desk-1", shown=here)
    sent(queue)
    queue.book(queue.now_ms + DAY)
    queue.turn(DAY)
    assert queue.job(ForgetBookings, day="2026-11-25").count == 1
    assert [row[6] for row in queue.table("booking")] == ["2026-11-25"]
    assert queue.table("report") == []


@pytest.mark.parametrize("state", ["waiting", "trying", "failed"])
def test_a_booking_of_which_something_is_to_be_told_is_kept_but_not_for_ever(queue, here, state):
    queue.called()
    queue.ask(Finish, desk="desk-1", shown=here)
    plan(queue)
    if state != "waiting":
        queue.job(BeginReport, report=2)
    if state == "failed":
        queue.job(EndReport, report=2, error="403")
    assert queue.job(ForgetBookings, day="2026-11-25").count == 0
    queue.turn(30 * DAY)
    assert queue.job(ForgetBookings, day="2026-12-24").count == 0, "30 days after its own"
    queue.turn(DAY)
    assert queue.job(ForgetBookings, day="2026-11-24").count == 0, "while others of its day are kept too"
    assert queue.job(ForgetBookings, day="2026-12-25").count == 1


def test_a_booking_whose_visitor_is_still_here_is_kept(queue, here):
    sent(queue)
    assert queue.job(ForgetBookings, day="2026-11-25").count == 0


def test_they_are_forgotten_in_slices_the_oldest_first(queue):
    queue.open("desk-1")
    for each in (DAY, 2 * DAY, 3 * DAY):
        queue.ask(Cancel, desk="desk-1", ticket=queue.book(queue.now_ms + each))
    sent(queue)
    assert queue.job(ForgetBookings, day="2026-11-28", limit=2).count == 2
    assert [row[6] for row in queue.table("booking")] == ["2026-11-27"]
    assert queue.job(ForgetBookings, day="2026-11-28", limit=2).count == 1


def test_an_absence_from_an_appointment_of_the_evening_is_not_final_before_the_others_are(queue):
    ticket = queue.book(moment("2026-11-24 18:30"))
    queue.now_ms = moment("2026-11-24 18:35")
    queue.job(ExpireExpected, ticket=ticket)
    plan(queue)
    (report,) = reports(queue).values()
    assert (report["kind"], report["due_ms"]) == ("absent", queue.now_ms + HOUR)
    queue.turn(MINUTE)
    queue.ask(CheckIn, desk="", ticket=ticket)
    assert told(queue) == [("absent", "dropped"), ("arrived", "waiting")]


def test_an_absence_late_in_the_evening_is_final_at_midnight(queue):
    ticket = queue.book(moment("2026-11-24 23:30"))
    queue.now_ms = moment("2026-11-24 23:35")
    queue.job(ExpireExpected, ticket=ticket)
    plan(queue)
    (report,) = reports(queue).values()
    assert report["due_ms"] == moment("2026-11-25 00:00")


@pytest.mark.parametrize(
    ("ended_at", "kinds"), [("2026-11-24 18:00:20", ["arrived", "absent"]), ("2026-11-25 08:00", ["arrived"])]
)
def test_nobody_is_told_absent_whose_call_the_hub_ended_because_it_was_off(queue, ended_at, kinds):
    """The agent could not confirm the arrival: the hub was off from the call until long after the day's end."""
    queue.open("desk-4")
    ticket = queue.book(queue.now_ms + MINUTE)
    queue.ask(CheckIn, desk="", ticket=ticket)
    assert queue.called("desk-4") == ticket
    queue.now_ms = moment(ended_at)
    queue.job(EndDay, day="2026-11-24")
    assert queue.state(ticket) is State.ABSENT
    assert [kind for kind, _ in told(queue)] == kinds


def test_an_absence_on_the_day_after_the_appointment_is_final_with_that_day(queue):
    queue.open("desk-1")
    ticket = queue.book(moment("2026-11-24 18:30"))
    queue.now_ms = moment("2026-11-25 00:00")
    queue.job(EndDay, day="2026-11-24")
    queue.now_ms = moment("2026-11-25 10:00")
    queue.open("desk-1")
    queue.ask(Readmit, desk="desk-1", ticket=ticket)
    assert queue.called("desk-1") == ticket
    queue.ask(MarkAbsent, desk="desk-1", shown=ticket)
    plan(queue)
    assert reports(queue)[2]["due_ms"] == queue.now_ms + HOUR
