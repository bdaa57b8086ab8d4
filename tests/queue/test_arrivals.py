"""What a visitor who checks in by a code is told, and what becomes of the ticket."""

import pytest

from hub.queue.answers import CheckInAnswer
from hub.queue.arrivals import Moment, arrival_of, by_time_of, choose
from hub.queue.bookings import Known
from hub.queue.order import Kind
from hub.queue.requests import (
    Admit,
    Book,
    Cancel,
    CancelBooking,
    CheckInByCode,
    EndDay,
    ExpireExpected,
    Finish,
    MarkAbsent,
    Move,
    Park,
    Source,
    Start,
)
from hub.queue.states import State
from hub.queue.tickets import Ticket
from protocol.messages import Arrival
from tests.queue.harness import DAY, HOUR, MINUTE, SERVICES, TUESDAY_AT_TEN, moment, refused

CIVIL = SERVICES[0]
NOW = Moment(TUESDAY_AT_TEN, "2026-11-24")


def scan(queue, code, hall="hall", **facts):
    answer = queue.do(
        CheckInByCode(origin=queue.origin(Source.DISPENSER, "printer-1"), confirmation=code, hall=hall, **facts)
    )
    assert isinstance(answer, CheckInAnswer), answer
    return answer


def booked(queue, at_ms, service="civil", *, code="CODE", booking=None, reference=None):
    """Book a ticket with this confirmation code; return its id. Without `reference`, its request gets a unique one."""
    booking = booking or f"booking-{queue.new_id()}"
    queue.take(
        Book(
            booking=booking,
            reference=reference or f"form/{booking}",
            confirmation=code,
            service=service,
            appointment_ms=at_ms,
            code=f"follow-{booking}",
        )
    )
    return next(each.id for each in queue.tickets() if each.booking == booking)


def known(start_ms=TUESDAY_AT_TEN, day="2026-11-24", *, booking="b", reference="r", gone=False):
    facts = {"id": booking, "reference": reference, "start_ms": start_ms, "day": day, "gone": gone}
    return Known(ticket=1, service="civil", code="CODE", **facts)


def ticket(state, *, call=None, day="2026-11-24"):
    return Ticket(id=1, day=day, service="civil", state=state, kind=Kind.TIMED, due_ms=0, code="c", call=call)


# --- the rule -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after_ms", "arrival"),
    [
        (-10 * MINUTE - 1, Arrival.EARLY),
        (-10 * MINUTE, Arrival.ON_TIME),
        (0, Arrival.ON_TIME),
        (1, Arrival.LATE),
        (5 * MINUTE, Arrival.LATE),
        (5 * MINUTE + 1, Arrival.MISSED),
    ],
)
def test_the_time_says_whether_somebody_is_early_or_late(after_ms, arrival):
    assert by_time_of(TUESDAY_AT_TEN, CIVIL, TUESDAY_AT_TEN + after_ms) is arrival


@pytest.mark.parametrize(
    ("state", "call", "today", "other_day"),
    [
        (State.EXPECTED, None, Arrival.ON_TIME, Arrival.WRONG_DAY),
        (State.WAITING, None, Arrival.AGAIN, Arrival.AGAIN),
        (State.PARKED, 7, Arrival.AGAIN, Arrival.AGAIN),
        (State.CALLED, 7, Arrival.CALLED, Arrival.CALLED),
        (State.SERVING, 7, Arrival.CALLED, Arrival.CALLED),
        (State.ABSENT, None, Arrival.MISSED, Arrival.WRONG_DAY),
        (State.ABSENT, 7, Arrival.ABSENT, Arrival.WRONG_DAY),
        (State.SERVED, 7, Arrival.ENDED, Arrival.WRONG_DAY),
        (State.CANCELLED, None, Arrival.CANCELLED, Arrival.CANCELLED),
    ],
)
def test_every_state_has_its_answer(state, call, today, other_day):
    assert arrival_of(known(), ticket(state, call=call), CIVIL, NOW) is today
    tomorrow = known(TUESDAY_AT_TEN + DAY, "2026-11-25")
    assert arrival_of(tomorrow, ticket(state, call=call), CIVIL, NOW) is other_day


@pytest.mark.parametrize(
    ("state", "call", "after_ms", "arrival"),
    [
        (State.EXPECTED, None, -HOUR, Arrival.EARLY),
        (State.EXPECTED, None, 0, Arrival.ON_TIME),
        (State.EXPECTED, None, 5 * MINUTE, Arrival.LATE),
        (State.EXPECTED, None, HOUR, Arrival.WRONG_DAY),
        (State.ABSENT, None, HOUR, Arrival.WRONG_DAY),
        (State.ABSENT, 7, HOUR, Arrival.WRONG_DAY),
        (State.SERVED, 7, HOUR, Arrival.ENDED),
        (State.WAITING, None, HOUR, Arrival.AGAIN),
        (State.CANCELLED, None, HOUR, Arrival.CANCELLED),
    ],
)
def test_once_today_has_ended_only_an_appointment_that_counts_lets_anybody_in(state, call, after_ms, arrival):
    now = Moment(TUESDAY_AT_TEN + after_ms, "2026-11-24", over_before_ms=TUESDAY_AT_TEN + 1)
    assert arrival_of(known(), ticket(state, call=call), CIVIL, now) is arrival


@pytest.mark.parametrize(
    ("state", "call", "arrival"),
    [
        (State.EXPECTED, None, Arrival.MISSED),
        (State.ABSENT, None, Arrival.MISSED),
        (State.ABSENT, 7, Arrival.ABSENT),
    ],
)
def test_the_end_of_a_day_is_not_that_of_its_evening_s_appointments(state, call, arrival):
    now = Moment(TUESDAY_AT_TEN + HOUR, "2026-11-24", over_before_ms=TUESDAY_AT_TEN)
    assert arrival_of(known(), ticket(state, call=call), CIVIL, now) is arrival


def test_who_scans_after_the_end_of_the_day_does_not_wait_all_night(queue):
    number = booked(queue, moment("2026-11-24 16:30"))
    queue.now_ms = moment("2026-11-24 16:35")
    queue.job(ExpireExpected, ticket=number)
    queue.now_ms = moment("2026-11-24 18:05")
    queue.job(EndDay, day="2026-11-24")
    before = queue.snapshot()
    answer = scan(queue, "CODE")
    assert (answer.arrival, answer.ticket, answer.hall) == ("wrong_day", None, None)
    assert queue.snapshot() == before


def test_an_appointment_just_after_midnight_is_on_time_just_before_it():
    now = Moment(moment("2026-11-24 23:55"), "2026-11-24")
    soon = known(moment("2026-11-25 00:04"), "2026-11-25")
    assert arrival_of(soon, ticket(State.EXPECTED), CIVIL, now) is Arrival.ON_TIME
    later = known(moment("2026-11-25 00:30"), "2026-11-25")
    assert arrival_of(later, ticket(State.EXPECTED), CIVIL, now) is Arrival.WRONG_DAY


def test_who_never_came_and_whose_booking_is_gone_meanwhile_is_told_that_it_is_cancelled():
    assert arrival_of(known(gone=True), ticket(State.ABSENT), CIVIL, NOW) is Arrival.CANCELLED
    assert arrival_of(known(gone=True), ticket(State.WAITING), CIVIL, NOW) is Arrival.AGAIN


def test_a_ticket_whose_service_is_lost_has_an_answer_too():
    assert arrival_of(known(), ticket(State.EXPECTED), None, NOW) is Arrival.ON_TIME


@pytest.mark.parametrize(
    ("bookings", "chosen"),
    [
        ([("late", HOUR, "expected"), ("soon", MINUTE, "expected")], "soon"),
        ([("done", -HOUR, "served"), ("soon", HOUR, "expected")], "soon"),
        ([("missed", -HOUR, "absent"), ("soon", HOUR, "expected")], "soon"),
        ([("missed", -HOUR, "absent"), ("done", -2 * HOUR, "served")], "missed"),
        ([("moved", 0, "cancelled"), ("new", 3 * DAY, "expected")], "new"),
        ([("far", 9 * DAY, "expected"), ("near", 2 * DAY, "expected")], "near"),
        ([("done", -HOUR, "served"), ("next week", 7 * DAY, "expected")], "done"),
        ([("here", DAY, "waiting"), ("soon", HOUR, "expected")], "soon"),
        ([("gone", HOUR, "cancelled")], "gone"),
    ],
)
def test_of_several_bookings_with_one_code_the_one_that_is_meant_is_chosen(bookings, chosen):
    rows = []
    for name, by_ms, state in bookings:
        day = "2026-11-24" if abs(by_ms) < DAY else "2026-12-01"
        facts = known(TUESDAY_AT_TEN + by_ms, day, booking=name, reference=name)
        rows.append((facts, ticket(State(state))))
    for order in (rows, rows[::-1]):
        found = choose(order, NOW)
        assert found is not None
        assert found[0].id == chosen


@pytest.mark.parametrize("by_ms", [-HOUR, HOUR])
@pytest.mark.parametrize("state", [State.WAITING, State.CALLED, State.SERVING, State.PARKED])
def test_who_is_here_is_meant_before_what_their_own_request_was_moved_to(state, by_ms):
    here = (known(booking="old", gone=True), ticket(state))
    moved = (known(TUESDAY_AT_TEN + by_ms, booking="new"), ticket(State.EXPECTED))
    assert choose([here, moved], NOW) == choose([moved, here], NOW) == here


def test_without_a_booking_nobody_is_chosen():
    assert choose([], NOW) is None


# --- the command --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after_ms", "arrival", "kind"),
    [
        (-HOUR, "early", "timed"),
        (0, "on_time", "timed"),
        (MINUTE, "late", "timed"),
        (HOUR, "missed", "open"),
    ],
)
def test_whoever_comes_at_all_gets_a_number_and_the_answer_of_the_moment(queue, after_ms, arrival, kind):
    at_ms = queue.now_ms + 2 * HOUR
    number = booked(queue, at_ms)
    queue.now_ms = at_ms + after_ms
    answer = scan(queue, "CODE")
    assert (answer.arrival, answer.appointment_ms, answer.service) == (arrival, at_ms, "civil")
    assert (answer.ticket.number, answer.ticket.ticket, answer.hall, answer.desk) == ("A001", number, None, None)
    after = queue.ticket(number)
    assert (after.state, after.kind) == ("waiting", kind)


def test_who_was_found_absent_already_is_readmitted_like_a_walk_in(queue):
    number = booked(queue, queue.now_ms)
    queue.turn(10 * MINUTE)
    queue.job(ExpireExpected, ticket=number)
    answer = scan(queue, "CODE", priority=True)
    after = queue.ticket(number)
    assert (answer.arrival, after.state, after.priority) == ("missed", "waiting", True)
    assert after.due_ms == queue.now_ms - 40 * MINUTE
    assert queue.events(number)[-1] == "readmit"


def test_scanned_twice_the_same_number_is_given_again_and_nothing_changes(queue):
    booked(queue, queue.now_ms)
    first = scan(queue, "CODE")
    before = queue.snapshot()
    second = scan(queue, "CODE")
    assert (second.arrival, second.ticket.number, second.ticket.code) == (
        "again",
        first.ticket.number,
        first.ticket.code,
    )
    assert queue.snapshot() == before


@pytest.mark.parametrize(("by_ms", "arrival"), [(MINUTE, "on_time"), (HOUR, "early"), (DAY, "wrong_day")])
def test_the_confirmation_from_before_a_move_leads_to_the_appointment_there_is_now(queue, by_ms, arrival):
    booked(queue, queue.now_ms, code="OLD", booking="old", reference="form/1")
    number = booked(queue, queue.now_ms + by_ms, code="NEW", reference="form/1")
    booked(queue, queue.now_ms, code="OTHER", reference="form/2")
    queue.take(CancelBooking(booking="old"))
    answer = scan(queue, "OLD")
    assert (answer.arrival, answer.appointment_ms) == (arrival, queue.now_ms + by_ms)
    assert (queue.ticket(number).state == "waiting") == (arrival != "wrong_day")


def test_who_missed_an_appointment_and_moved_it_is_not_told_by_the_first_confirmation_that_it_is_cancelled(queue):
    missed = booked(queue, queue.now_ms, code="OLD", booking="old", reference="form/1")
    queue.turn(10 * MINUTE)
    queue.job(ExpireExpected, ticket=missed)
    queue.take(CancelBooking(booking="old"))
    booked(queue, queue.now_ms + MINUTE, code="NEW", reference="form/1")
    assert scan(queue, "OLD").arrival == "on_time"


def test_who_was_served_under_the_booking_before_a_move_is_led_to_the_one_there_is_now(queue):
    before = booked(queue, queue.now_ms, code="OLD", booking="old", reference="form/1")
    scan(queue, "OLD")
    queue.open("desk-2")
    queue.called("desk-2")
    queue.ask(Finish, desk="desk-2", shown=before)
    booked(queue, queue.now_ms + HOUR, code="NEW", reference="form/1")
    queue.take(CancelBooking(booking="old"))
    assert scan(queue, "OLD").arrival == "early"


def test_a_confirmation_is_cancelled_where_its_request_has_no_other_appointment(queue):
    for number in (1, 2):
        booked(queue, queue.now_ms, code=f"C{number}", booking=f"b{number}", reference="form/1")
        queue.take(CancelBooking(booking=f"b{number}"))
    assert scan(queue, "C1").arrival == "cancelled"


def test_who_is_here_is_so_by_the_confirmation_from_before_a_move_too(queue):
    here = booked(queue, queue.now_ms, code="OLD", booking="old", reference="form/1")
    scan(queue, "OLD")
    booked(queue, queue.now_ms + HOUR, code="NEW", reference="form/1")
    queue.take(CancelBooking(booking="old"))
    answer = scan(queue, "OLD")
    assert (answer.arrival, answer.ticket.ticket) == ("again", here)


def test_the_same_request_again_gets_its_first_answer(queue):
    booked(queue, queue.now_ms)
    command = CheckInByCode(origin=queue.origin(Source.DISPENSER), confirmation="CODE", hall="hall")
    assert queue.do(command) == queue.do(command)
    assert queue.repeated


def test_who_is_called_right_now_is_told_to_which_desk(queue):
    queue.open("desk-2")
    number = booked(queue, queue.now_ms)
    scan(queue, "CODE")
    queue.called("desk-2")
    answer = scan(queue, "CODE")
    assert (answer.arrival, answer.desk, answer.ticket.ticket) == ("called", "desk-2", number)
    queue.ask(Start, desk="desk-2", shown=number)
    assert scan(queue, "CODE").arrival == "called"
    queue.ask(Park, desk="desk-2", shown=number)
    answer = scan(queue, "CODE")
    assert (answer.arrival, answer.desk) == ("again", None)


def test_who_was_called_and_did_not_come_goes_to_the_reception(queue):
    queue.open("desk-1")
    number = booked(queue, queue.now_ms)
    scan(queue, "CODE")
    queue.called()
    queue.ask(MarkAbsent, desk="desk-1", shown=number)
    before = queue.snapshot()
    answer = scan(queue, "CODE")
    assert (answer.arrival, answer.ticket) == ("absent", None)
    assert queue.snapshot() == before


def test_other_answers_change_nothing(queue):
    queue.open("desk-1")
    tomorrow = queue.now_ms + DAY
    booked(queue, tomorrow, code="TOMORROW")
    cancelled = booked(queue, queue.now_ms, code="CANCELLED")
    queue.ask(Cancel, desk="desk-1", ticket=cancelled)
    gone = booked(queue, queue.now_ms, code="GONE", booking="gone")
    queue.take(CancelBooking(booking="gone"))
    served = booked(queue, queue.now_ms, code="SERVED")
    scan(queue, "SERVED")
    queue.called()
    queue.ask(Finish, desk="desk-1", shown=served)
    before = queue.snapshot()
    for code, arrival in (
        ("TOMORROW", "wrong_day"),
        ("CANCELLED", "cancelled"),
        ("GONE", "cancelled"),
        ("SERVED", "ended"),
        ("NOBODY", "unknown"),
        ("", "unknown"),
    ):
        answer = scan(queue, code)
        assert (answer.arrival, answer.ticket, answer.hall) == (arrival, None, None)
    assert scan(queue, "TOMORROW").appointment_ms == tomorrow
    assert queue.snapshot() == before
    assert queue.state(gone) is State.CANCELLED


def test_in_the_wrong_hall_the_visitor_checks_in_all_the_same_and_is_sent_to_the_right_one(queue):
    booked(queue, queue.now_ms, "social")
    answer = scan(queue, "CODE", hall="hall")
    assert (answer.arrival, answer.hall, answer.ticket.number) == ("on_time", "floor", "C001")
    assert scan(queue, "CODE", hall="floor").hall is None
    assert scan(queue, "CODE", hall=None).hall == "floor", "a dispenser that does not say where it stands"


def test_a_moved_appointment_is_known_by_the_new_booking(queue):
    booked(queue, queue.now_ms, booking="old")
    booked(queue, queue.now_ms + HOUR, booking="new")
    queue.take(CancelBooking(booking="old"))
    assert scan(queue, "CODE").appointment_ms == queue.now_ms + HOUR


def test_a_time_that_was_changed_after_check_in_is_what_the_slip_says_again(queue):
    booked(queue, queue.now_ms, booking="b")
    scan(queue, "CODE")
    queue.take(Move(booking="b", appointment_ms=queue.now_ms + HOUR))
    answer = scan(queue, "CODE")
    assert (answer.arrival, answer.appointment_ms) == ("again", queue.now_ms + HOUR)


def test_an_admitted_visitor_who_scans_the_code_is_here_from_then_on(queue):
    number = booked(queue, queue.now_ms + MINUTE, "taxes", booking="b")
    queue.job(Admit, ticket=number)
    answer = scan(queue, "CODE", hall="floor")
    assert (answer.arrival, answer.ticket.number) == ("on_time", "D001")
    assert queue.events(number)[-1] == "arrived"
    assert scan(queue, "CODE").arrival == "again"
    queue.take(CancelBooking(booking="b"))
    assert (queue.state(number), queue.ticket(number).booking_note) == (State.WAITING, "cancelled")


def test_an_admitted_visitor_who_scans_far_too_late_is_not_told_that_the_appointment_is_lost(queue):
    at_ms = queue.now_ms + MINUTE
    number = booked(queue, at_ms, "taxes")
    queue.job(Admit, ticket=number)
    queue.now_ms = at_ms + HOUR
    assert scan(queue, "CODE", hall="floor").arrival == "late"
    after = queue.ticket(number)
    assert (after.kind, after.due_ms) == ("timed", at_ms)


def test_numbers_that_are_used_up_are_refused_and_change_nothing(queue):
    booked(queue, queue.now_ms)
    for _ in range(999):
        queue.issue()
    before = queue.snapshot()
    command = CheckInByCode(origin=queue.origin(Source.DISPENSER), confirmation="CODE", hall="hall")
    refused(queue.do(command), "numbers_used_up")
    assert queue.snapshot() == before


def test_who_checks_in_is_called_before_walk_ins_that_came_later(queue):
    queue.open("desk-1")
    walk_in = queue.issue()
    number = booked(queue, queue.now_ms + MINUTE)
    scan(queue, "CODE")
    assert queue.called() == number
    assert queue.state(walk_in) is State.WAITING
