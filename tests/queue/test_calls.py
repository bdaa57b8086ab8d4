"""Which visitor is called, by which desk, and what happens when two desks act at once."""

import json

import pytest
from msgspec.structs import replace

from hub.queue.requests import (
    ButtonRecall,
    Cancel,
    CheckIn,
    Defer,
    Finish,
    FinishParked,
    MarkAbsent,
    Next,
    Park,
    Pick,
    Press,
    Readmit,
    Reopen,
    Resume,
    Source,
    Start,
    StartAbsent,
    Transfer,
    Undo,
    Withdraw,
)
from hub.queue.states import State
from protocol.messages import DeskMode, DeskOutcome
from tests.checkers import Rows, check_journal, check_order, read
from tests.queue.harness import HOUR, MINUTE, SECOND, SERVICES, desk_answer, named, refused, round_the_clock, town


def test_who_came_first_is_called_first_and_the_visit_before_ends(queue):
    queue.open("desk-1")
    first, second = queue.issue(), queue.issue()
    answer = desk_answer(queue.press())
    assert (answer.outcome, answer.ticket, answer.number) == (DeskOutcome.CALLED, first, "A001")
    assert desk_answer(queue.press()).ticket == second
    assert queue.state(first) is State.SERVED
    assert queue.ticket(first).ended_from is State.CALLED


def test_a_press_with_nobody_waiting_ends_the_visit_and_says_that_nobody_is_there(queue):
    queue.open("desk-1")
    ticket = queue.issue()
    queue.called()
    answer = desk_answer(queue.press())
    assert (answer.outcome, answer.ticket) == (DeskOutcome.NOBODY, ticket)
    assert queue.state(ticket) is State.SERVED
    assert queue.held("desk-1") is None


def test_a_second_press_within_three_seconds_calls_nobody(queue):
    queue.open("desk-1")
    first, second = queue.issue(), queue.issue()
    queue.press()
    called_at = queue.now_ms
    for gesture_ms in (called_at - 1, called_at, called_at + 2_999):
        queue.now_ms = called_at + 2_999
        answer = queue.do(Press(origin=queue.origin(Source.BUTTON), desk="desk-1", at_ms=gesture_ms))
        assert desk_answer(answer).outcome is DeskOutcome.TAKEN
    assert queue.held("desk-1") == first
    queue.now_ms = called_at + 3_000
    queue.do(Press(origin=queue.origin(Source.BUTTON), desk="desk-1", at_ms=queue.now_ms))
    assert queue.held("desk-1") == second


def test_a_press_made_before_the_page_s_pick_or_resume_or_next_changes_nothing_when_it_arrives_after(queue):
    queue.open("desk-1")
    tickets = [queue.issue() for _ in range(4)]
    queue.ask(Pick, desk="desk-1", ticket=tickets[3])
    gesture_ms = queue.now_ms + SECOND
    queue.turn(8 * SECOND)
    answer = queue.do(Press(origin=queue.origin(Source.BUTTON), desk="desk-1", at_ms=gesture_ms))
    assert desk_answer(answer).outcome is DeskOutcome.TAKEN
    queue.ask(Park, desk="desk-1", shown=tickets[3])
    queue.ask(Resume, desk="desk-1", ticket=tickets[3])
    answer = queue.do(Press(origin=queue.origin(Source.BUTTON), desk="desk-1", at_ms=queue.now_ms + SECOND))
    assert desk_answer(answer).outcome is DeskOutcome.TAKEN
    queue.turn(10 * SECOND)
    queue.next()
    answer = queue.do(Press(origin=queue.origin(Source.BUTTON), desk="desk-1", at_ms=queue.now_ms - SECOND))
    assert desk_answer(answer).outcome is DeskOutcome.TAKEN
    assert queue.held("desk-1") == tickets[0]


def test_a_press_that_is_more_than_ten_seconds_old_calls_nobody(queue):
    queue.open("desk-1")
    queue.issue()
    queue.turn(MINUTE)
    answer = refused(
        queue.do(Press(origin=queue.origin(Source.BUTTON), desk="desk-1", at_ms=queue.now_ms - 10_001)), "too_old"
    )
    assert answer.facts["age_ms"] == 10_001
    assert queue.held("desk-1") is None
    answer = queue.do(Press(origin=queue.origin(Source.BUTTON), desk="desk-1", at_ms=queue.now_ms - 10_000))
    assert desk_answer(answer).outcome is DeskOutcome.CALLED


def test_a_long_press_that_is_more_than_ten_seconds_old_calls_nobody_again(queue):
    queue.open("desk-1")
    queue.issue()
    queue.called()
    pressed = recall_by_button(queue)
    queue.turn(10_001)
    before = queue.snapshot()
    refused(queue.do(pressed), "too_old")
    assert queue.snapshot() == before


def test_a_click_that_waited_for_the_hub_for_more_than_seven_seconds_does_nothing(queue):
    queue.open("desk-1")
    ticket = queue.issue()
    queue.turn(MINUTE)
    old = replace(queue.origin(), at_ms=queue.now_ms - 7_001)
    refused(queue.do(Next(origin=old, desk="desk-1", shown=None)), "click_too_old")
    assert queue.held("desk-1") is None
    click = Next(origin=replace(queue.origin(), at_ms=queue.now_ms - 7_000), desk="desk-1", shown=None)
    first = queue.do(click)
    assert queue.held("desk-1") == ticket
    queue.turn(MINUTE)
    assert queue.do(click) == first


def test_an_old_press_that_was_answered_before_gets_its_first_answer_and_not_its_age(queue):
    queue.open("desk-1")
    ticket = queue.issue()
    press = Press(origin=queue.origin(Source.BUTTON), desk="desk-1", at_ms=queue.now_ms)
    first = queue.do(press)
    queue.turn(30 * SECOND)
    assert queue.do(press) == first
    assert queue.repeated
    assert desk_answer(first).ticket == ticket


def test_of_button_and_page_at_once_the_slower_is_told_who_did_what_and_when(queue):
    queue.open("desk-1")
    first, second = queue.issue(), queue.issue()
    queue.press()
    pressed_at = queue.now_ms
    queue.issue()
    queue.turn(SECOND)
    answer = refused(queue.ask(Next, desk="desk-1", shown=None), "desk_moved_on")
    assert answer.facts == {
        "desk": "desk-1",
        "did": "call",
        "ticket": "A001",
        "by": "button",
        "actor": "button-desk-1",
        "at_ms": pressed_at,
    }
    assert queue.held("desk-1") == first
    assert queue.state(second) is State.WAITING


def test_the_slower_is_told_of_the_call_and_not_of_a_list_that_the_desk_tidied_up_since(queue):
    queue.open("desk-1")
    first, other = queue.issue(), queue.issue()
    queue.press()
    pressed_at = queue.now_ms
    queue.turn(SECOND)
    queue.ask(Transfer, desk="desk-1", ticket=other, service="papers")
    answer = refused(queue.ask(Next, desk="desk-1", shown=None), "desk_moved_on")
    assert (answer.facts["did"], answer.facts["ticket"], answer.facts["at_ms"]) == ("call", "A001", pressed_at)
    assert queue.held("desk-1") == first


def test_every_command_to_the_held_ticket_is_refused_where_the_page_showed_another(queue):
    queue.open("desk-1")
    first = queue.issue()
    second = queue.issue()
    queue.called()
    for kind in (Next, Start, Withdraw, MarkAbsent, Finish, Park, Undo):
        for shown in (None, second):
            before = queue.snapshot()
            refused(queue.ask(kind, desk="desk-1", shown=shown), "desk_moved_on")
            assert queue.snapshot() == before
    assert queue.held("desk-1") == first


def test_a_repeated_request_gets_its_first_answer_also_where_that_was_a_refusal(queue):
    press = Press(origin=queue.origin(Source.BUTTON), desk="desk-1", at_ms=queue.now_ms)
    first = refused(queue.do(press), "desk_not_open")
    queue.open("desk-1")
    queue.issue()
    assert queue.do(press) == first
    assert queue.repeated
    assert queue.held("desk-1") is None


def test_a_repeated_request_gets_its_first_answer_also_where_the_site_has_its_desk_no_more(queue):
    queue.open("desk-2")
    ticket = queue.issue()
    press = Press(origin=queue.origin(Source.BUTTON), desk="desk-2", at_ms=queue.now_ms)
    nowhere = Press(origin=queue.origin(Source.BUTTON), desk="desk-9", at_ms=queue.now_ms)
    first, refusal = desk_answer(queue.do(press)), refused(queue.do(nowhere), "unknown")
    assert first.ticket == ticket
    queue.configure(replace(queue.site, desks=queue.site.desks[:1]))
    assert queue.do(press) == first
    assert queue.repeated
    assert queue.do(nowhere) == refusal
    assert queue.repeated


def test_a_ticket_picked_by_hand_is_called_whoever_is_due(queue):
    queue.open("desk-1")
    queue.issue()
    picked = queue.issue("papers")
    queue.ask(Pick, desk="desk-1", ticket=picked)
    assert queue.held("desk-1") == picked
    row = next(row for row in queue.table("ticket_event") if row[2] == picked and row[3] == "call")
    assert row[7:10] == ("page", "agent-1", "desk-1")


def test_the_journal_tells_whom_an_agent_picked_from_whom_the_rule_chose(queue):
    queue.open("desk-1", "desk-2")
    due, picked, last = queue.issue(), queue.issue("papers"), queue.issue("papers")
    queue.ask(Pick, desk="desk-1", ticket=picked)
    queue.next("desk-2")
    queue.press("desk-1")
    rows = read(queue.engine, queue.site.name)
    calls = {each["ticket"]: json.loads(each["data"]) for each in rows.events if each["event"] == "call"}
    assert {ticket: data.get("picked") for ticket, data in calls.items()} == {picked: True, due: None, last: None}
    check_journal(rows)
    check_order(rows, queue.site)


def test_who_is_called_out_of_turn_and_was_picked_by_nobody_is_found_in_the_journal(queue):
    """A test of `check_order` itself."""
    queue.open("desk-1")
    queue.issue()
    queue.ask(Pick, desk="desk-1", ticket=queue.issue())
    rows = read(queue.engine, queue.site.name)
    check_order(rows, queue.site)
    silent = [each | {"data": each["data"].replace('"picked":true', '"picked":false')} for each in rows.events]
    with pytest.raises(AssertionError, match="desk-1 called 2, and 1 was next"):
        check_order(Rows(rows.tickets, silent), queue.site)


def test_a_desk_can_t_pick_a_ticket_of_a_service_that_it_has_nothing_to_do_with(queue):
    queue.open("desk-1")
    ticket = queue.issue("taxes")
    before = queue.snapshot()
    answer = refused(queue.ask(Pick, desk="desk-1", ticket=ticket), "not_this_desk")
    assert named(answer) == ("D001", "waiting", "call")
    assert queue.snapshot() == before


def test_a_desk_can_t_cancel_a_ticket_of_a_service_that_it_has_nothing_to_do_with(queue):
    ticket = queue.issue("taxes")
    before = queue.snapshot()
    answer = refused(queue.ask(Cancel, desk="desk-1", ticket=ticket), "not_this_desk")
    assert named(answer) == ("D001", "waiting", "cancel")
    assert queue.snapshot() == before


def test_a_desk_that_holds_somebody_takes_nobody_by_hand_and_says_who_was_faster(queue):
    queue.open("desk-1")
    first, second, third = queue.issue(), queue.issue(), queue.issue()
    queue.called()
    queue.ask(Park, desk="desk-1", shown=first)
    queue.called()
    queue.ask(Finish, desk="desk-1", shown=second)
    queue.called()
    for kind, ticket in ((Pick, queue.issue()), (Resume, first), (Reopen, second)):
        before = queue.snapshot()
        answer = queue.ask(kind, desk="desk-1", ticket=ticket)
        refused(answer, "desk_moved_on")
        assert (answer.facts["did"], answer.facts["ticket"]) == ("call", queue.ticket(third).label)
        assert queue.snapshot() == before
    assert queue.held("desk-1") == third


def test_a_paused_or_closed_desk_takes_nothing(queue):
    queue.open("desk-1")
    waiting, parked, ended, away = (queue.issue() for _ in range(4))
    queue.ask(Pick, desk="desk-1", ticket=parked)
    queue.ask(Park, desk="desk-1", shown=parked)
    queue.ask(Pick, desk="desk-1", ticket=ended)
    queue.ask(Finish, desk="desk-1", shown=ended)
    queue.ask(Pick, desk="desk-1", ticket=away)
    queue.ask(MarkAbsent, desk="desk-1", shown=away)
    for mode in (DeskMode.PAUSED, DeskMode.CLOSED):
        queue.mode("desk-1", mode)
        before = queue.snapshot()
        refused(queue.press(), "desk_not_open")
        refused(queue.next(), "desk_not_open")
        for kind, ticket in ((Pick, waiting), (Resume, parked), (Reopen, ended), (StartAbsent, away)):
            answer = refused(queue.ask(kind, desk="desk-1", ticket=ticket), "desk_not_open")
            assert answer.facts["mode"] == mode
        assert queue.snapshot() == before


# --- the order that visitors see ----------------------------------------------------------------------------------


def test_a_priority_visitor_goes_before_those_who_came_up_to_an_hour_earlier(queue):
    queue.open("desk-1")
    long_ago = queue.issue()
    queue.turn(60 * MINUTE)
    queue.issue()
    priority = queue.issue(priority=True)
    assert queue.called() == long_ago
    assert queue.called() == priority


def test_a_desk_that_only_helps_out_lets_the_other_service_wait_ten_minutes_longer(queue):
    queue.open("desk-2")
    papers = queue.issue("papers")
    queue.turn(10 * MINUTE - 1)
    civil = queue.issue("civil")
    assert queue.called("desk-2") == civil
    assert queue.called("desk-2") == papers


def test_with_the_same_due_time_the_lower_id_is_called(queue):
    queue.open("desk-2")
    papers = queue.issue("papers")
    queue.turn(10 * MINUTE)
    queue.issue("civil")
    assert queue.called("desk-2") == papers


def test_an_appointment_is_called_from_ten_minutes_before_its_time_and_earlier_only_when_nobody_else_is_there(queue):
    queue.open("desk-1")
    booked = queue.book(queue.now_ms + 15 * MINUTE)
    queue.ask(CheckIn, desk="", ticket=booked)
    walk_in = queue.issue()
    assert queue.called() == walk_in
    assert queue.called() == booked


def test_ten_minutes_before_its_time_an_appointment_goes_before_a_walk_in_of_now(queue):
    queue.open("desk-1")
    booked = queue.book(queue.now_ms + 10 * MINUTE)
    queue.ask(CheckIn, desk="", ticket=booked)
    queue.issue()
    queue.now_ms += 4 * SECOND
    assert queue.called() == booked


def test_who_asked_for_more_time_is_not_called_before_it_is_nearly_over(queue):
    queue.open("desk-1")
    ticket = queue.issue()
    due_ms = queue.ticket(ticket).due_ms
    queue.ask(Defer, ticket=ticket, by_ms=15 * MINUTE)
    assert queue.ticket(ticket).due_ms == due_ms + 15 * MINUTE
    queue.now_ms = due_ms + 5 * MINUTE - 4 * SECOND - 1
    assert desk_answer(queue.press()).outcome is DeskOutcome.NOBODY
    queue.turn(1 - 4 * SECOND)
    assert queue.called() == ticket


def test_who_asked_for_more_time_when_already_overdue_gets_it_from_now(queue):
    ticket = queue.issue()
    queue.turn(60 * MINUTE)
    queue.ask(Defer, ticket=ticket, by_ms=15 * MINUTE)
    assert queue.ticket(ticket).due_ms == queue.now_ms + 15 * MINUTE


def test_a_strict_service_puts_its_appointments_before_walk_ins_however_long_they_have_waited(queue):
    queue.open("desk-4")
    walk_in = queue.issue("social")
    queue.turn(90 * MINUTE)
    booked = queue.book(queue.now_ms + 5 * MINUTE, "social")
    queue.ask(CheckIn, desk="", ticket=booked)
    assert queue.ticket(booked).due_ms == queue.now_ms + 5 * MINUTE, "the head start is never stored"
    assert queue.called("desk-4") == booked
    assert queue.called("desk-4") == walk_in


def test_an_appointment_of_a_strict_service_goes_before_who_has_waited_nearly_a_day(new_queue):
    queue = new_queue(round_the_clock(town()))
    queue.open("desk-4")
    walk_in = queue.issue("social", priority=True)
    queue.turn(23 * HOUR)
    booked = queue.book(queue.now_ms, "social")
    queue.ask(CheckIn, desk="", ticket=booked)
    assert queue.called("desk-4") == booked
    assert queue.called("desk-4") == walk_in


def test_a_ticket_for_one_desk_is_called_there_alone_and_without_handicap(queue):
    queue.open("desk-1", "desk-2", "desk-3")
    bound = queue.issue("papers")
    queue.ask(Transfer, desk="desk-1", ticket=bound, to_desk="desk-3")
    assert queue.ticket(bound).service == "papers"
    assert desk_answer(queue.press("desk-1")).outcome is DeskOutcome.NOBODY
    assert desk_answer(queue.press("desk-2")).outcome is DeskOutcome.NOBODY
    refused(queue.ask(Pick, desk="desk-2", ticket=bound), "not_this_desk")
    queue.turn(1)
    queue.issue("social")
    assert queue.called("desk-3") == bound


def test_while_its_desk_is_paused_others_of_the_service_may_pick_a_ticket_that_waits_for_it(queue):
    queue.open("desk-1", "desk-2", "desk-3")
    bound = queue.issue("civil")
    queue.ask(Transfer, desk="desk-1", ticket=bound, to_desk="desk-1")
    queue.mode("desk-1", DeskMode.PAUSED)
    refused(queue.ask(Pick, desk="desk-3", ticket=bound), "not_this_desk")
    assert desk_answer(queue.press("desk-2")).outcome is DeskOutcome.NOBODY, "they see it, the order does not give it"
    queue.ask(Pick, desk="desk-2", ticket=bound)
    assert queue.held("desk-2") == bound


# --- taken back, transferred, set aside ---------------------------------------------------------------------------


def test_a_call_by_mistake_is_taken_back_and_the_visitor_keeps_the_place(queue):
    queue.open("desk-1")
    first, second = queue.issue(), queue.issue()
    due_ms = queue.ticket(first).due_ms
    queue.called()
    queue.ask(Withdraw, desk="desk-1", shown=first)
    after = queue.ticket(first)
    assert (after.state, after.due_ms, after.kind, after.desk, after.call) == ("waiting", due_ms, "open", None, None)
    assert queue.listed() == []
    assert queue.called() == first
    assert queue.called() == second


@pytest.mark.parametrize("kind", [Withdraw, Undo])
def test_who_was_set_aside_is_set_aside_again_where_taking_up_the_visit_is_taken_back(queue, kind):
    queue.open("desk-1", "desk-2")
    first = queue.issue()
    queue.called()
    queue.ask(Start, desk="desk-1", shown=first)
    queue.ask(Park, desk="desk-1", shown=first)
    second = queue.issue()
    said = queue.table("announcement")
    queue.ask(Resume, desk="desk-1", ticket=first)
    queue.ask(kind, desk="desk-1", shown=first)
    assert (queue.state(first), queue.ticket(first).desk) == ("parked", "desk-1")
    assert queue.table("announcement") == said
    assert desk_answer(queue.press("desk-2")).ticket == second
    queue.ask(Resume, desk="desk-1", ticket=first)
    assert queue.state(first) == "called"


def test_an_appointment_that_was_called_early_and_taken_back_can_be_called_again_at_once(queue):
    queue.open("desk-1")
    booked = queue.book(queue.now_ms + 30 * MINUTE)
    queue.ask(CheckIn, desk="", ticket=booked)
    assert queue.called() == booked
    queue.ask(Withdraw, desk="desk-1", shown=booked)
    assert queue.ticket(booked).kind == "open"
    deferred = queue.issue()
    queue.ask(Defer, ticket=deferred, by_ms=5 * MINUTE)
    assert queue.called() == booked


def test_a_transferred_visitor_keeps_the_seniority_and_the_number(queue):
    queue.open("desk-1", "desk-3")
    first = queue.issue()
    queue.turn(30 * MINUTE)
    other = queue.issue("taxes")
    assert queue.called() == first
    before = queue.ticket(first)
    queue.ask(Transfer, desk="desk-1", ticket=first, service="taxes")
    after = queue.ticket(first)
    assert (after.service, after.due_ms, after.label, after.kind) == ("taxes", before.due_ms, "A001", "open")
    assert queue.called("desk-3") == first
    assert queue.called("desk-3") == other


def test_a_transfer_to_a_service_without_an_open_desk_asks_once(queue):
    queue.open("desk-1")
    ticket = queue.issue()
    queue.called()
    before = queue.snapshot()
    answer = refused(queue.ask(Transfer, desk="desk-1", ticket=ticket, service="taxes"), "no_open_desk")
    assert answer.facts == {"service": "taxes", "ticket": "A001", "state": "called", "event": "transfer"}
    assert queue.snapshot() == before
    queue.ask(Transfer, desk="desk-1", ticket=ticket, service="taxes", confirmed=True)
    assert queue.ticket(ticket).service == "taxes"


def test_a_paused_desk_is_no_open_desk_for_a_transfer(queue):
    queue.open("desk-1", "desk-3")
    queue.mode("desk-3", DeskMode.PAUSED)
    ticket = queue.issue()
    refused(queue.ask(Transfer, desk="desk-1", ticket=ticket, service="taxes"), "no_open_desk")


@pytest.mark.parametrize("mode", [DeskMode.PAUSED, DeskMode.CLOSED])
def test_a_desk_that_calls_nobody_after_its_visitor_is_no_open_desk_for_a_transfer(queue, mode):
    queue.open("desk-1", "desk-3")
    queue.issue("taxes")
    queue.called("desk-3")
    queue.mode("desk-3", mode)
    ticket = queue.issue()
    refused(queue.ask(Transfer, desk="desk-1", ticket=ticket, service="taxes"), "no_open_desk")
    queue.open("desk-3")
    queue.ask(Transfer, desk="desk-1", ticket=ticket, service="taxes")
    assert queue.ticket(ticket).service == "taxes"


def test_nobody_is_sent_to_wait_for_a_closed_desk(queue):
    queue.open("desk-1")
    ticket = queue.issue()
    refused(queue.ask(Transfer, desk="desk-1", ticket=ticket, to_desk="desk-3"), "desk_not_open")


def test_a_ticket_held_by_another_desk_is_not_transferred_from_here(queue):
    queue.open("desk-1", "desk-2")
    ticket = queue.issue()
    queue.called("desk-2")
    refused(queue.ask(Transfer, desk="desk-1", ticket=ticket, service="papers"), "not_this_desk")
    assert queue.held("desk-2") == ticket


def test_another_desk_resumes_what_was_set_aside_only_while_the_first_is_away(queue):
    queue.open("desk-1", "desk-2", "desk-3")
    ticket = queue.issue()
    queue.called()
    queue.ask(Park, desk="desk-1", shown=ticket)
    answer = refused(queue.ask(Resume, desk="desk-2", ticket=ticket), "not_this_desk")
    assert named(answer) == ("A001", "parked", "resume")
    for mode in (DeskMode.PAUSED, DeskMode.CLOSED):
        queue.mode("desk-1", mode)
        refused(queue.ask(Resume, desk="desk-3", ticket=ticket), "not_this_desk")
        queue.ask(Resume, desk="desk-2", ticket=ticket)
        assert queue.held("desk-2") == ticket
        queue.ask(Park, desk="desk-2", shown=ticket)
        queue.open("desk-1")
        queue.mode("desk-2", DeskMode.PAUSED)
        queue.ask(Resume, desk="desk-1", ticket=ticket)
        queue.ask(Park, desk="desk-1", shown=ticket)
        queue.open("desk-2")


def test_a_visit_taken_up_again_is_announced_and_measured_from_that_call(queue):
    queue.open("desk-1")
    ticket = queue.issue()
    queue.called()
    queue.ask(Start, desk="desk-1", shown=ticket)
    queue.ask(Park, desk="desk-1", shown=ticket)
    queue.turn(30 * MINUTE)
    queue.ask(Resume, desk="desk-1", ticket=ticket)
    after = queue.ticket(ticket)
    assert (after.serving_ms, after.called_ms) == (None, queue.now_ms)
    assert queue.sayings()[-1] == (ticket, queue.now_ms + 250)


# --- undone -------------------------------------------------------------------------------------------------------


def test_a_finish_by_mistake_is_reopened_within_ten_minutes_and_not_later(queue):
    queue.open("desk-1")
    ticket = queue.issue()
    queue.called()
    queue.ask(Start, desk="desk-1", shown=ticket)
    queue.ask(Finish, desk="desk-1", shown=ticket)
    sayings = queue.sayings()
    queue.turn(10 * MINUTE)
    queue.ask(Reopen, desk="desk-1", ticket=ticket)
    assert queue.state(ticket) is State.SERVING
    assert queue.sayings() == sayings, "nothing is announced"
    queue.ask(Finish, desk="desk-1", shown=ticket)
    queue.turn(10 * MINUTE + 1)
    answer = refused(queue.ask(Reopen, desk="desk-1", ticket=ticket), "too_old")
    assert named(answer) == ("A001", "served", "reopen")
    assert answer.detail == "the end of ticket A001 is 600.0 s old: the limit is 600 s"


def test_another_desk_does_not_reopen_what_this_one_finished(queue):
    queue.open("desk-1", "desk-2")
    ticket = queue.issue()
    queue.called()
    queue.ask(Finish, desk="desk-1", shown=ticket)
    answer = refused(queue.ask(Reopen, desk="desk-2", ticket=ticket), "not_this_desk")
    assert named(answer) == ("A001", "served", "reopen")


def test_undo_takes_back_a_finish_and_call_in_one_command(queue):
    queue.open("desk-1")
    first, second = queue.issue(), queue.issue()
    queue.called()
    queue.turn(MINUTE)
    queue.called()
    due_ms = queue.ticket(second).due_ms
    answer = desk_answer(queue.ask(Undo, desk="desk-1", shown=second))
    assert answer.ticket == first
    assert queue.held("desk-1") == first
    assert queue.state(first) is State.CALLED
    assert (queue.state(second), queue.ticket(second).due_ms) == (State.WAITING, due_ms)
    assert queue.listed() == [first]
    assert queue.events(first)[-2:] == ["finish", "reopen"]


def test_undo_brings_the_finished_visitor_back_also_after_a_recall_and_after_a_look_at_the_lists(queue):
    queue.open("desk-1")
    first, second, third = queue.issue(), queue.issue(), queue.issue()
    queue.called()
    queue.turn(MINUTE)
    queue.called()
    queue.turn(20 * SECOND)
    queue.do(recall_by_button(queue))
    queue.ask(Transfer, desk="desk-1", ticket=third, service="papers")
    queue.ask(Undo, desk="desk-1", shown=second)
    assert queue.held("desk-1") == first
    assert queue.state(second) is State.WAITING


@pytest.mark.parametrize("desk_2", ["free", "busy", "closed"])
def test_undo_leaves_alone_who_went_on_to_another_desk_since(queue, desk_2):
    queue.open("desk-1", "desk-2")
    first, second = queue.issue(), queue.issue()
    queue.called()
    queue.ask(Start, desk="desk-1", shown=first)
    queue.called()
    queue.turn(10 * SECOND)
    queue.ask(Finish, desk="desk-1", shown=second)
    queue.ask(Reopen, desk="desk-1", ticket=first)
    queue.ask(Transfer, desk="desk-1", ticket=first, to_desk="desk-2")
    queue.called("desk-2")
    queue.ask(Finish, desk="desk-2", shown=first)
    if desk_2 == "busy":
        queue.issue()
        queue.called("desk-2")
    if desk_2 == "closed":
        queue.mode("desk-2", DeskMode.CLOSED)
    held = queue.held("desk-2")
    queue.ask(Reopen, desk="desk-1", ticket=second)
    desk_answer(queue.ask(Undo, desk="desk-1", shown=second))
    assert (queue.state(first), queue.state(second)) == (State.SERVED, State.WAITING)
    assert (queue.held("desk-1"), queue.held("desk-2")) == (None, held)


def test_undo_leaves_alone_a_visit_that_this_desk_has_ended_once_more(queue):
    queue.open("desk-1")
    first, second = queue.issue(), queue.issue()
    queue.called()
    queue.called()
    queue.turn(10 * SECOND)
    queue.ask(Finish, desk="desk-1", shown=second)
    queue.ask(Reopen, desk="desk-1", ticket=first)
    queue.turn(10 * SECOND)
    queue.ask(Finish, desk="desk-1", shown=first)
    queue.ask(Reopen, desk="desk-1", ticket=second)
    desk_answer(queue.ask(Undo, desk="desk-1", shown=second))
    assert (queue.state(first), queue.state(second), queue.held("desk-1")) == (State.SERVED, State.WAITING, None)


def test_undo_of_a_call_alone_only_takes_the_call_back(queue):
    queue.open("desk-1")
    first, second = queue.issue(), queue.issue()
    queue.called()
    queue.ask(Finish, desk="desk-1", shown=first)
    queue.called()
    queue.ask(Undo, desk="desk-1", shown=second)
    assert queue.held("desk-1") is None
    assert (queue.state(first), queue.state(second)) == (State.SERVED, State.WAITING)


def test_after_ten_minutes_nothing_is_undone(queue):
    queue.open("desk-1")
    queue.issue()
    second = queue.issue()
    queue.called()
    queue.called()
    queue.turn(10 * MINUTE + 1)
    before = queue.snapshot()
    refused(queue.ask(Undo, desk="desk-1", shown=second), "too_old")
    assert queue.snapshot() == before


def test_a_call_that_was_finished_before_it_was_said_can_be_said_after_it_is_reopened(new_queue):
    queue = new_queue(town(services=SERVICES))
    queue.open("desk-1", "desk-2")
    first, second = queue.issue(), queue.issue()
    queue.called("desk-1")
    queue.turn(-4 * SECOND)
    queue.called("desk-2")
    assert len(queue.sayings()) == 2
    queue.ask(Finish, desk="desk-2", shown=second)
    queue.ask(Reopen, desk="desk-2", ticket=second)
    assert [ticket for ticket, _ in queue.sayings()] == [first]
    queue.do(recall_by_button(queue, "desk-2"))
    assert [ticket for ticket, _ in queue.sayings()] == [first, second]


def test_a_reopened_call_at_a_desk_that_confirms_arrivals_can_become_absent_again(queue):
    queue.open("desk-4")
    ticket = queue.issue()
    queue.called("desk-4")
    queue.ask(Finish, desk="desk-4", shown=ticket)
    queue.turn(9 * MINUTE)
    queue.ask(Reopen, desk="desk-4", ticket=ticket)
    assert queue.ticket(ticket).absent_at_ms == queue.now_ms + 5 * MINUTE


# --- absent -------------------------------------------------------------------------------------------------------


def test_who_was_called_and_absent_comes_back_to_the_same_place(queue):
    queue.open("desk-1")
    ticket = queue.issue()
    due_ms = queue.ticket(ticket).due_ms
    queue.called()
    queue.ask(MarkAbsent, desk="desk-1", shown=ticket)
    assert queue.listed() == []
    queue.turn(20 * MINUTE)
    queue.ask(Readmit, desk="desk-1", ticket=ticket)
    after = queue.ticket(ticket)
    assert (after.due_ms, after.kind, after.label, after.call) == (due_ms, "open", "A001", None)


def test_an_appointment_that_was_called_and_absent_comes_back_as_one_that_is_there(queue):
    queue.open("desk-1")
    booked = queue.book(queue.now_ms + 5 * MINUTE)
    queue.ask(CheckIn, desk="", ticket=booked)
    queue.called()
    queue.ask(MarkAbsent, desk="desk-1", shown=booked)
    queue.ask(Readmit, desk="desk-1", ticket=booked)
    assert queue.ticket(booked).kind == "open"


def test_who_came_after_all_is_served_at_once_and_not_announced(queue):
    queue.open("desk-1", "desk-2")
    ticket = queue.issue()
    queue.called()
    queue.ask(MarkAbsent, desk="desk-1", shown=ticket)
    sayings = queue.sayings()
    queue.ask(StartAbsent, desk="desk-2", ticket=ticket)
    assert queue.held("desk-2") == ticket
    assert queue.state(ticket) is State.SERVING
    assert queue.sayings() == sayings


def test_the_desk_where_an_absent_visitor_was_called_is_told_that_another_one_serves_them(queue):
    queue.open("desk-1", "desk-2")
    ticket = queue.issue()
    queue.called()
    queue.ask(MarkAbsent, desk="desk-1", shown=ticket)
    queue.ask(StartAbsent, desk="desk-2", ticket=ticket)
    assert queue.effects.desks == {"desk-1", "desk-2"}


def test_a_desk_that_may_be_told_to_wait_for_someone_is_told_though_it_does_not_serve_that_service(queue):
    queue.open("desk-1", "desk-3")
    ticket = queue.issue("papers")
    queue.ask(Transfer, desk="desk-1", ticket=ticket, to_desk="desk-3")
    assert "desk-3" in queue.effects.desks
    queue.mode("desk-3", DeskMode.PAUSED)
    queue.ask(Pick, desk="desk-1", ticket=ticket)
    assert "desk-3" in queue.effects.desks


def test_an_absent_visitor_of_a_service_is_not_started_by_a_desk_of_others(queue):
    queue.open("desk-1", "desk-3")
    ticket = queue.issue()
    queue.called()
    queue.ask(MarkAbsent, desk="desk-1", shown=ticket)
    refused(queue.ask(StartAbsent, desk="desk-3", ticket=ticket), "not_this_desk")


def test_an_absent_visitor_is_put_back_by_the_desk_of_the_call_though_it_serves_the_service_no_more(queue):
    queue.open("desk-1")
    ticket = queue.issue("papers")
    queue.called()
    queue.ask(MarkAbsent, desk="desk-1", shown=ticket)
    queue.configure(replace(queue.site, desks=(replace(queue.site.desks[0], serves=("civil",)), *queue.site.desks[1:])))
    refused(queue.ask(Readmit, desk="desk-3", ticket=ticket), "not_this_desk")
    queue.ask(Readmit, desk="desk-1", ticket=ticket)
    assert queue.state(ticket) is State.WAITING


def test_a_visitor_whose_service_left_the_site_file_is_still_let_go_by_the_desk(new_queue):
    queue = new_queue()
    queue.open("desk-1")
    ticket = queue.issue("papers")
    queue.called()
    left = replace(
        queue.site,
        services=tuple(each for each in queue.site.services if each.name != "papers"),
        desks=tuple(replace(desk, serves=("civil",), helps=()) for desk in queue.site.desks),
    )
    queue.index = type(queue.index)(left)
    queue.ask(Finish, desk="desk-1", shown=ticket)
    assert queue.state(ticket) is State.SERVED


def recall_by_button(queue, desk="desk-1"):
    return ButtonRecall(origin=queue.origin(Source.BUTTON), desk=desk, at_ms=queue.now_ms)


def test_how_long_a_visit_took_that_ends_aside_is_not_known(queue):
    queue.open("desk-1")
    ticket = queue.issue()
    queue.called()
    queue.ask(Park, desk="desk-1", shown=ticket)
    queue.turn(30 * MINUTE)
    queue.ask(FinishParked, desk="desk-1", ticket=ticket)
    assert (queue.state(ticket), queue.ticket(ticket).end_known) == ("served", False)
    queue.ask(Reopen, desk="desk-1", ticket=ticket)
    assert queue.ticket(ticket).end_known
