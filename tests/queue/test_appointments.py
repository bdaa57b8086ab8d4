"""Visitors with a booking: on time, early, late or absent, and what the source may still change."""

import pytest

from hub.queue.requests import (
    Admit,
    Book,
    CancelBooking,
    CheckIn,
    EndDay,
    ExpireCalled,
    ExpireExpected,
    ForgetBookings,
    Move,
    Readmit,
    Recall,
    Transfer,
    Withdraw,
)
from hub.queue.states import State
from protocol.messages import DeskMode
from tests.queue.harness import DAY, HOUR, MINUTE, SECOND, moment, refused


def check_in(queue, ticket, **facts):
    return queue.ask(CheckIn, desk="", ticket=ticket, **facts)


def test_a_booking_is_expected_without_a_number_and_named_by_its_code(queue):
    at_ms = queue.now_ms + HOUR
    ticket = queue.ticket(queue.book(at_ms))
    assert (ticket.state, ticket.kind, ticket.due_ms, ticket.appointment_ms) == ("expected", "timed", at_ms, at_ms)
    assert (ticket.series, ticket.number, ticket.issued_ms) == (None, None, None)
    assert ticket.label == ticket.code[:4]


def test_a_booking_that_is_known_already_changes_nothing(queue):
    queue.book(queue.now_ms + HOUR)
    booking = queue.tickets()[0].booking
    before = queue.snapshot()
    told = {"booking": booking, "reference": "other", "service": "papers", "confirmation": "OTHER"}
    queue.take(Book(**told, appointment_ms=queue.now_ms, code="other", name="Autre Nom"))
    assert queue.snapshot() == before


@pytest.mark.parametrize("late_ms", [-30 * MINUTE, 0, 5 * MINUTE])
@pytest.mark.parametrize("priority", [True, False])
def test_who_checks_in_in_time_is_due_at_the_appointment_priority_or_not(queue, late_ms, priority):
    at_ms = queue.now_ms + HOUR
    ticket = queue.book(at_ms)
    queue.now_ms = at_ms + late_ms
    answer = check_in(queue, ticket, priority=priority)
    after = queue.ticket(ticket)
    assert (after.state, after.due_ms, after.kind, after.label) == ("waiting", at_ms, "timed", "A001")
    assert (answer.number, answer.people_ahead) == ("A001", 0)
    assert after.absent_at_ms is None


@pytest.mark.parametrize(("priority", "target_ms"), [(False, 20 * MINUTE), (True, -40 * MINUTE)])
@pytest.mark.parametrize("marked", [False, True])
def test_who_comes_later_waits_like_a_walk_in_of_now(queue, priority, target_ms, marked):
    at_ms = queue.now_ms + HOUR
    ticket = queue.book(at_ms)
    queue.now_ms = at_ms + 5 * MINUTE + 1
    if marked:
        queue.job(ExpireExpected, ticket=ticket)
        assert queue.state(ticket) is State.ABSENT
    check_in(queue, ticket, priority=priority)
    after = queue.ticket(ticket)
    assert (after.state, after.due_ms, after.kind) == ("waiting", queue.now_ms + target_ms, "open")
    assert after.priority is priority


def test_who_never_came_and_is_readmitted_by_an_agent_waits_like_a_walk_in_of_now(queue):
    ticket = queue.book(queue.now_ms + MINUTE)
    queue.turn(10 * MINUTE)
    queue.job(ExpireExpected, ticket=ticket)
    queue.open("desk-1")
    answer = queue.ask(Readmit, desk="desk-1", ticket=ticket)
    assert answer.number == "A001", "the number it has now is told"
    after = queue.ticket(ticket)
    assert (after.due_ms, after.kind, after.label) == (queue.now_ms + 20 * MINUTE, "open", "A001")


def test_who_does_not_check_in_is_absent_five_minutes_after_the_time_and_not_before(queue):
    at_ms = queue.now_ms + HOUR
    ticket = queue.book(at_ms)
    queue.now_ms = at_ms + 5 * MINUTE - 1
    queue.job(ExpireExpected, ticket=ticket)
    assert queue.state(ticket) is State.EXPECTED
    queue.turn(1)
    queue.job(ExpireExpected, ticket=ticket)
    assert queue.state(ticket) is State.ABSENT


def test_a_booking_that_is_moved_is_absent_by_its_new_time(queue):
    ticket = queue.book(queue.now_ms + MINUTE)
    booking = queue.ticket(ticket).booking
    queue.take(Move(booking=booking, appointment_ms=queue.now_ms + DAY))
    after = queue.ticket(ticket)
    assert (after.due_ms, after.day) == (queue.now_ms + DAY, "2026-11-25")
    queue.turn(HOUR)
    queue.job(ExpireExpected, ticket=ticket)
    assert queue.state(ticket) is State.EXPECTED


def test_a_service_without_check_in_admits_ten_minutes_before_the_time(queue):
    at_ms = queue.now_ms + HOUR
    ticket = queue.book(at_ms, "taxes")
    queue.now_ms = at_ms - 10 * MINUTE - 1
    refused(queue.job(Admit, ticket=ticket), "transition_refused")
    queue.turn(1)
    queue.job(Admit, ticket=ticket)
    after = queue.ticket(ticket)
    assert (after.state, after.due_ms, after.kind, after.label) == ("waiting", at_ms, "timed", "D001")


def test_a_service_with_check_in_admits_nobody_by_itself(queue):
    ticket = queue.book(queue.now_ms, "civil")
    refused(queue.job(Admit, ticket=ticket), "transition_refused")


# --- after check-in people decide ---------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["moved", "cancelled"])
def test_what_the_source_changes_after_check_in_only_marks_the_ticket_for_the_agent(queue, change):
    ticket = queue.book(queue.now_ms + MINUTE)
    booking = queue.ticket(ticket).booking
    changed = {
        "moved": Move(booking=booking, appointment_ms=queue.now_ms + DAY),
        "cancelled": CancelBooking(booking=booking),
    }[change]
    check_in(queue, ticket)
    before = queue.ticket(ticket)
    queue.take(changed)
    after = queue.ticket(ticket)
    assert after.booking_note == change
    assert (after.state, after.due_ms, after.appointment_ms) == (before.state, before.due_ms, before.appointment_ms)
    assert queue.events(ticket)[-1] == f"booking_{change}"
    rows = queue.snapshot()
    queue.take(changed)
    assert queue.snapshot() == rows, "said twice, marked once"


def test_an_admitted_booking_that_nobody_saw_yet_is_cancelled_by_its_source(queue):
    ticket = queue.book(queue.now_ms + MINUTE, "taxes")
    queue.job(Admit, ticket=ticket)
    queue.take(CancelBooking(booking=queue.ticket(ticket).booking))
    assert queue.state(ticket) is State.CANCELLED


def test_somebody_checked_in_by_hand_at_a_service_without_check_in_is_not_cancelled_from_afar(queue):
    ticket = queue.book(queue.now_ms + MINUTE, "taxes")
    check_in(queue, ticket)
    queue.take(CancelBooking(booking=queue.ticket(ticket).booking))
    assert (queue.state(ticket), queue.ticket(ticket).booking_note) == (State.WAITING, "cancelled")


def test_an_admitted_booking_that_was_called_once_is_not_cancelled_from_afar(queue):
    queue.open("desk-3")
    ticket = queue.book(queue.now_ms + MINUTE, "taxes")
    queue.job(Admit, ticket=ticket)
    queue.called("desk-3")
    queue.ask(Withdraw, desk="desk-3", shown=ticket)
    queue.take(CancelBooking(booking=queue.ticket(ticket).booking))
    assert (queue.state(ticket), queue.ticket(ticket).booking_note) == (State.WAITING, "cancelled")


@pytest.mark.parametrize("to", [{"service": "civil"}, {"to_desk": "desk-4"}])
@pytest.mark.parametrize("told", ["cancelled", "lapsed", "moved"])
def test_an_admitted_booking_that_an_agent_sent_on_is_not_ended_from_afar(queue, to, told):
    queue.open("desk-3", "desk-4")
    ticket = queue.book(queue.now_ms + MINUTE, "taxes")
    queue.job(Admit, ticket=ticket)
    queue.ask(Transfer, desk="desk-3", ticket=ticket, **to)
    booking = queue.ticket(ticket).booking
    if told == "moved":
        queue.take(Move(booking=booking, appointment_ms=queue.now_ms + 2 * HOUR))
    else:
        queue.take(CancelBooking(booking=booking, lapsed=told == "lapsed"))
    note = None if told == "lapsed" else told
    assert (queue.state(ticket), queue.ticket(ticket).booking_note) == (State.WAITING, note)


def test_an_unknown_booking_is_refused(queue):
    for change in (Move(booking="none", appointment_ms=0), CancelBooking(booking="none")):
        before = queue.snapshot()
        assert queue.take(change).refused == (("none", "this site has no booking 'none'"),)
        assert queue.snapshot() == before


# --- names --------------------------------------------------------------------------------------------------------


def test_a_name_stands_in_its_own_table_alone_and_goes_with_the_end_of_its_day(queue):
    ticket = queue.book(queue.now_ms + HOUR, name="Zoé Exemple-Inventée")
    check_in(queue, ticket)
    tables = {name: rows for name, rows in queue.snapshot().items() if name != "visitor_name"}
    assert "Inventée" not in repr(tables) + repr(queue.table("request"))
    assert queue.table("visitor_name") == [
        (queue.site.name, ticket, "Zoé Exemple-Inventée", moment("2026-11-24 18:00"))
    ]
    queue.now_ms = moment("2026-11-24 18:00")
    queue.job(EndDay, day="2026-11-24")
    assert queue.table("visitor_name") == []


def test_a_booking_moved_to_another_day_keeps_its_name_until_then(queue):
    ticket = queue.book(queue.now_ms + HOUR, name="Zoé Exemple-Inventée")
    queue.take(Move(booking=queue.ticket(ticket).booking, appointment_ms=moment("2026-11-26 09:00")))
    assert queue.table("visitor_name")[0][3] == moment("2026-11-26 18:00")


def test_the_name_of_an_appointment_of_the_evening_stays_until_midnight(queue):
    """Its visitor comes after the end of the day: without the name, nobody finds them at the reception."""
    ticket = queue.book(moment("2026-11-24 18:30"), name="Zoé Exemple-Inventée")
    queue.now_ms = moment("2026-11-24 18:05")
    booked_late = queue.book(moment("2026-11-24 19:00"), name="Ali Exemple-Inventé")
    queue.job(EndDay, day="2026-11-24")
    queue.job(ForgetBookings, day="2026-11-23")
    midnight = moment("2026-11-25 00:00")
    assert queue.table("visitor_name") == [
        (queue.site.name, ticket, "Zoé Exemple-Inventée", midnight),
        (queue.site.name, booked_late, "Ali Exemple-Inventé", midnight),
    ]
    queue.now_ms = midnight
    queue.job(EndDay, day="2026-11-24")
    assert queue.table("visitor_name") == []


def test_a_booking_moved_to_the_evening_and_back_keeps_its_name_as_long_as_its_day(queue):
    ticket = queue.book(moment("2026-11-24 11:00"), name="Zoé Exemple-Inventée")
    booking = queue.ticket(ticket).booking
    for at, until in (("18:30", "2026-11-25 00:00"), ("19:00", "2026-11-25 00:00"), ("12:00", "2026-11-24 18:00")):
        queue.take(Move(booking=booking, appointment_ms=moment(f"2026-11-24 {at}")))
        assert queue.table("visitor_name")[0][3] == moment(until)


def test_a_booking_of_a_day_that_has_ended_is_taken_without_its_name(queue):
    queue.now_ms = moment("2026-11-24 18:00")
    ticket = queue.book(moment("2026-11-24 15:00"), name="Zoé Exemple-Inventée")
    assert (queue.state(ticket), queue.table("visitor_name")) == (State.EXPECTED, [])


def test_a_booking_moved_to_a_day_that_has_ended_loses_its_name(queue):
    ticket = queue.book(moment("2026-11-26 09:00"), name="Zoé Exemple-Inventée")
    queue.now_ms = moment("2026-11-24 20:00")
    queue.take(Move(booking=queue.ticket(ticket).booking, appointment_ms=moment("2026-11-24 15:00")))
    assert (queue.ticket(ticket).day, queue.table("visitor_name")) == ("2026-11-24", [])


def test_a_name_whose_time_was_over_after_the_day_goes_within_the_hour(queue):
    queue.book(queue.now_ms + HOUR, name="Zoé Exemple-Inventée")
    queue.book(queue.now_ms + DAY, name="Ali Exemple-Inventé")
    queue.now_ms = moment("2026-11-24 18:00")
    queue.job(ForgetBookings, day="2026-10-24")
    assert [row[2] for row in queue.table("visitor_name")] == ["Ali Exemple-Inventé"]


# --- called and absent --------------------------------------------------------------------------------------------


def test_the_page_of_the_desk_that_checks_somebody_in_is_told_whatever_it_serves(queue):
    ticket = queue.book(queue.now_ms)
    queue.ask(CheckIn, desk="desk-3", ticket=ticket)
    assert "desk-3" in queue.effects.desks


def test_a_called_visitor_who_does_not_come_is_absent_and_the_desk_is_free(queue):
    queue.open("desk-4")
    ticket = queue.issue()
    queue.called("desk-4")
    due_ms = queue.ticket(ticket).absent_at_ms
    call = queue.ticket(ticket).call
    queue.now_ms = due_ms - 1
    queue.job(ExpireCalled, ticket=ticket, call=call)
    assert queue.held("desk-4") == ticket
    queue.turn(SECOND)
    queue.job(ExpireCalled, ticket=ticket, call=call)
    after = queue.ticket(ticket)
    assert (after.state, after.ended_ms) == ("absent", due_ms)
    assert queue.held("desk-4") is None
    assert queue.listed() == []
    assert "desk-4" in queue.effects.desks


def test_a_mark_that_was_due_before_a_recall_is_not_made(queue):
    queue.open("desk-4")
    ticket = queue.issue()
    queue.called("desk-4")
    call = queue.ticket(ticket).call
    queue.now_ms = queue.ticket(ticket).absent_at_ms
    queue.ask(Recall, desk="desk-4", shown=ticket)
    queue.job(ExpireCalled, ticket=ticket, call=call)
    assert queue.held("desk-4") == ticket


def test_a_mark_for_an_earlier_call_does_not_end_a_later_one(queue):
    queue.open("desk-4")
    ticket = queue.issue()
    queue.called("desk-4")
    call = queue.ticket(ticket).call
    queue.ask(Withdraw, desk="desk-4", shown=ticket)
    queue.called("desk-4")
    queue.turn(HOUR)
    queue.job(ExpireCalled, ticket=ticket, call=call)
    assert queue.held("desk-4") == ticket


def test_a_desk_that_wanted_to_pause_pauses_when_its_visitor_is_marked_absent(queue):
    queue.open("desk-4")
    ticket = queue.issue()
    queue.called("desk-4")
    queue.mode("desk-4", DeskMode.PAUSED)
    queue.turn(HOUR)
    queue.job(ExpireCalled, ticket=ticket, call=queue.ticket(ticket).call)
    assert queue.desk_mode("desk-4") == ("paused", False, False)


def test_the_request_s_sync_origin_is_in_the_journal(queue):
    queue.take(Book(booking="b", reference="b", confirmation="B", service="civil", appointment_ms=0, code="c"))
    assert queue.table("ticket_event")[-1][7:9] == ("sync", "sync")
