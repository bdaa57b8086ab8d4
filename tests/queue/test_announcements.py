"""A hall makes one announcement at a time, in order, and none for a call that was withdrawn."""

import pytest
from msgspec.structs import replace

from hub.queue.requests import (
    ButtonRecall,
    CloseLostDesks,
    Finish,
    MarkAbsent,
    Park,
    PutOffAbsences,
    Recall,
    Source,
    Start,
    Transfer,
    Withdraw,
)
from hub.site import Desk
from protocol.messages import CHIME_MS, DeskOutcome
from tests.queue.harness import MINUTE, SECOND, desk_answer, refused, town

LEAD, KEPT = 250, 4 * SECOND
MANY = tuple(
    Desk(name=f"desk-{n}", number=str(n), hall="hall", serves=("civil", "papers"), confirms_arrivals=n > 5)
    for n in range(1, 10)
)


@pytest.fixture
def hall(new_queue):
    """Nine open desks and twenty visitors waiting in one hall."""
    queue = new_queue(town(desks=MANY))
    queue.open(*(desk.name for desk in MANY))
    for _ in range(20):
        queue.issue()
    queue.turn(MINUTE)
    return queue


def call(queue, number):
    """Press at a desk without letting time pass; return the ticket called."""
    return desk_answer(queue.press(f"desk-{number}", after_ms=0)).ticket


def recall(queue, number):
    return queue.do(ButtonRecall(origin=queue.origin(Source.BUTTON), desk=f"desk-{number}", at_ms=queue.now_ms))


def test_a_call_into_silence_is_said_after_a_short_lead(hall):
    ticket = call(hall, 1)
    assert hall.sayings() == [(ticket, hall.now_ms + LEAD)]


def test_calls_made_at_once_are_said_in_turn_each_four_seconds_after_the_one_before(hall):
    tickets = [call(hall, number) for number in (1, 2, 3)]
    start = hall.now_ms + LEAD
    assert hall.sayings() == [(tickets[0], start), (tickets[1], start + KEPT), (tickets[2], start + 2 * KEPT)]
    hall.turn(5 * SECOND)
    assert [*hall.sayings(), (call(hall, 4), start + 3 * KEPT)] == hall.sayings()


def test_a_call_five_seconds_after_another_starts_at_once(hall):
    call(hall, 1)
    hall.turn(5 * SECOND)
    ticket = call(hall, 2)
    assert hall.sayings()[-1] == (ticket, hall.now_ms + LEAD)


def test_halls_do_not_wait_for_one_another(queue):
    queue.open("desk-1", "desk-3")
    queue.issue("civil")
    queue.issue("taxes")
    first = queue.called("desk-1")
    queue.turn(-4 * SECOND)
    second = queue.called("desk-3")
    assert queue.sayings("hall") == [(first, queue.now_ms + LEAD)]
    assert queue.sayings("floor") == [(second, queue.now_ms + LEAD)]


def test_a_ticket_is_announced_where_its_service_waits_also_by_a_desk_of_another_hall(queue):
    queue.open("desk-4")
    ticket = queue.issue("civil")
    queue.called("desk-4")
    assert [each for each, _ in queue.sayings("hall")] == [ticket]
    assert queue.sayings("floor") == []


@pytest.mark.parametrize("end", [Withdraw, MarkAbsent, Park, "transfer"])
def test_a_call_that_is_taken_away_leaves_list_and_queue_and_those_behind_move_up(hall, end):
    first, second, third = (call(hall, number) for number in (1, 2, 3))
    start = hall.now_ms + LEAD
    hall.turn(SECOND)
    if end == "transfer":
        hall.ask(Transfer, desk="desk-2", ticket=second, service="papers")
    else:
        hall.ask(end, desk="desk-2", shown=second)
    assert hall.sayings() == [(first, start), (third, start + KEPT)]
    assert hall.listed() == [third, first]
    fourth = call(hall, 4)
    assert hall.sayings()[-1] == (fourth, start + 2 * KEPT)


@pytest.mark.parametrize("end", [Start, Finish])
def test_a_visitor_who_came_before_the_call_was_said_is_not_called_out_any_more_but_stays_listed(hall, end):
    first, second, third = (call(hall, number) for number in (1, 2, 3))
    start = hall.now_ms + LEAD
    hall.ask(end, desk="desk-2", shown=second)
    assert hall.sayings() == [(first, start), (third, start + KEPT)]
    assert hall.listed() == [third, second, first]


@pytest.mark.parametrize("end", [Start, Finish])
def test_what_runs_already_goes_on_when_the_visitor_comes(hall, end):
    ticket = call(hall, 1)
    start = hall.now_ms + LEAD
    hall.turn(2 * SECOND)
    hall.ask(end, desk="desk-1", shown=ticket)
    assert hall.sayings() == [(ticket, start)]
    assert hall.listed() == [ticket]


@pytest.mark.parametrize("end", [Start, Finish])
def test_what_has_gone_out_to_the_displays_keeps_its_place_so_that_nothing_overlaps_it(hall, end):
    first, second, third = (call(hall, number) for number in (1, 2, 3))
    start = hall.now_ms + LEAD
    hall.turn(LEAD + KEPT - 500)
    hall.ask(end, desk="desk-2", shown=second)
    assert hall.sayings() == [(first, start), (second, start + KEPT), (third, start + 2 * KEPT)]


@pytest.mark.parametrize("end", [Withdraw, MarkAbsent, Park])
def test_a_running_picture_goes_with_the_call_that_is_withdrawn(hall, end):
    ticket = call(hall, 1)
    hall.turn(2 * SECOND)
    hall.ask(end, desk="desk-1", shown=ticket)
    assert hall.sayings() == []
    assert hall.listed() == []


@pytest.mark.parametrize("end", [Withdraw, MarkAbsent, Park])
@pytest.mark.parametrize(
    ("ended_after", "called_after", "said_after"),
    [
        (LEAD + 2 * SECOND, 100, LEAD + 2 * SECOND + 100 + LEAD),
        (LEAD + 2 * SECOND, 0, LEAD + 2 * SECOND + LEAD),
        # The chime is played to its end …
        (LEAD + 500, 100, LEAD + CHIME_MS),
        # … and a display may start the chime before it hears that the call has ended.
        (100, 100, LEAD + CHIME_MS),
    ],
)
def test_behind_a_call_that_is_taken_back_while_it_is_said_the_next_waits_for_no_more_than_its_chime(
    hall, end, ended_after, called_after, said_after
):
    start = hall.now_ms
    first = call(hall, 1)
    hall.turn(ended_after)
    hall.ask(end, desk="desk-1", shown=first)
    hall.turn(called_after)
    second = call(hall, 2)
    assert hall.sayings() == [(second, start + said_after)]


def test_a_call_that_waits_behind_one_that_is_taken_back_while_it_is_said_moves_up(hall):
    first, second, third = (call(hall, number) for number in (1, 2, 3))
    hall.turn(LEAD + SECOND)
    hall.ask(Withdraw, desk="desk-1", shown=first)
    # Not at once: the announcement might have gone out while this command was being committed.
    moved_ms = hall.now_ms + SECOND + 101
    assert hall.sayings() == [(second, moved_ms), (third, moved_ms + KEPT)]


def test_two_calls_taken_back_one_behind_the_other_leave_the_first_one_s_chime_its_time(hall):
    first, second, third = (call(hall, number) for number in (1, 2, 3))
    start = hall.now_ms + LEAD
    for desk, ticket in (("desk-1", first), ("desk-2", second)):
        hall.ask(Withdraw, desk=desk, shown=ticket)
    assert hall.sayings() == [(third, start + CHIME_MS)]


def test_one_that_has_gone_out_keeps_its_moment_when_the_one_before_it_is_taken_back(hall):
    first, second = call(hall, 1), call(hall, 2)
    start = hall.now_ms + LEAD
    hall.turn(LEAD + KEPT - SECOND)
    hall.ask(Withdraw, desk="desk-1", shown=first)
    assert hall.sayings() == [(second, start + KEPT)]
    third = call(hall, 3)
    assert hall.sayings()[-1] == (third, start + 2 * KEPT)


@pytest.mark.parametrize("is_called_before", [True, False])
def test_two_calls_taken_back_the_later_first_leave_the_later_one_s_chime_its_time(hall, is_called_before):
    first, second = call(hall, 1), call(hall, 2)
    start = hall.now_ms + LEAD
    third = call(hall, 3) if is_called_before else None
    hall.turn(LEAD + KEPT - SECOND)
    for desk, ticket in (("desk-2", second), ("desk-1", first)):
        hall.ask(Withdraw, desk=desk, shown=ticket)
    third = third or call(hall, 3)
    assert hall.sayings() == [(third, start + KEPT + CHIME_MS)]


def test_a_call_taken_back_long_after_it_was_said_leaves_the_hall_s_queue_alone(hall):
    ticket = call(hall, 1)
    hall.turn(LEAD + KEPT)
    before = hall.table("hall")
    hall.ask(Withdraw, desk="desk-1", shown=ticket)
    assert hall.table("hall") == before


def test_a_desk_that_calls_the_next_before_the_last_was_said_leaves_no_gap(hall):
    first, second = call(hall, 1), call(hall, 2)
    start = hall.now_ms + LEAD
    hall.turn(3_100)
    third = call(hall, 2)
    assert hall.sayings() == [(first, start), (third, start + KEPT)]
    assert hall.listed() == [third, second, first]


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1)])
def test_calls_of_several_desks_that_a_site_file_has_no_more_go_together(hall, order):
    tickets = {number: call(hall, number) for number in order}
    hall.turn(2 * SECOND)
    hall.configure(replace(hall.site, desks=hall.site.desks[2:]))
    hall.job(CloseLostDesks)
    assert [hall.state(tickets[number]) for number in (1, 2, 3)] == ["parked", "parked", "called"]
    assert tickets[3] in [ticket for ticket, _ in hall.sayings()]
    assert hall.job(CloseLostDesks).count == 0


def test_what_the_outbox_sends_between_a_command_s_time_and_its_commit_keeps_its_place(hall):
    tickets = [call(hall, number) for number in (1, 2, 3)]
    start = hall.now_ms + LEAD
    # The second goes out 1 s before its time: in 5 ms, while this command is being committed.
    hall.turn(LEAD + KEPT - SECOND - 5)
    hall.ask(Start, desk="desk-2", shown=tickets[1])
    assert hall.sayings() == [(ticket, start + place * KEPT) for place, ticket in enumerate(tickets)]


def test_those_that_move_up_keep_their_order_and_are_not_brought_forward_into_what_has_gone_out(hall):
    tickets = [call(hall, number) for number in range(1, 7)]
    start = hall.now_ms + LEAD
    hall.turn(LEAD + KEPT - SECOND + 1)
    hall.ask(Withdraw, desk="desk-3", shown=tickets[2])
    hall.ask(Withdraw, desk="desk-5", shown=tickets[4])
    assert hall.sayings() == [
        (tickets[0], start),
        (tickets[1], start + KEPT),
        (tickets[3], start + 2 * KEPT),
        (tickets[5], start + 3 * KEPT),
    ]


def test_a_call_that_is_said_no_more_keeps_no_place_for_those_that_move_up_past_it(hall):
    tickets = [call(hall, number) for number in range(1, 5)]
    start = hall.now_ms + LEAD
    hall.ask(Start, desk="desk-3", shown=tickets[2])
    hall.ask(Withdraw, desk="desk-2", shown=tickets[1])
    assert hall.sayings() == [(tickets[0], start), (tickets[3], start + KEPT)]


@pytest.mark.parametrize(("behind", "first_place"), [(16, 1), (17, 2)])
def test_sixteen_at_most_move_up_and_behind_a_longer_queue_the_gap_stays(new_queue, behind, first_place):
    desks = tuple(Desk(name=f"desk-{n}", number=str(n), hall="hall", serves=("civil",)) for n in range(1, behind + 3))
    hall = new_queue(town(desks=desks))
    hall.open(*(desk.name for desk in desks))
    for _ in desks:
        hall.issue()
    tickets = [call(hall, number) for number in range(1, len(desks) + 1)]
    start = hall.now_ms + LEAD
    hall.ask(Withdraw, desk="desk-2", shown=tickets[1])
    moved = [(ticket, start + place * KEPT) for place, ticket in enumerate(tickets[2:], first_place)]
    assert hall.sayings() == [(tickets[0], start), *moved]


# --- recall -------------------------------------------------------------------------------------------------------


def test_a_recall_says_the_call_again_and_moves_it_to_the_first_place(hall):
    first, second = call(hall, 1), call(hall, 2)
    hall.turn(20 * SECOND)
    assert desk_answer(recall(hall, 1)).outcome is DeskOutcome.CALLED
    assert hall.sayings()[-1] == (first, hall.now_ms + LEAD)
    assert hall.listed() == [first, second]
    assert hall.ticket(first).said_ms == hall.now_ms + LEAD + 8 * SECOND


def test_a_recall_of_a_call_that_was_not_said_yet_changes_nothing(hall):
    call(hall, 1)
    second = call(hall, 2)
    before = hall.snapshot()
    assert desk_answer(recall(hall, 2)).outcome is DeskOutcome.CALLED
    assert desk_answer(hall.ask(Recall, desk="desk-2", shown=second)).outcome is DeskOutcome.CALLED
    assert hall.snapshot() == before


def test_a_recall_of_a_recall_that_was_not_said_yet_changes_nothing(hall):
    call(hall, 1)
    hall.turn(20 * SECOND)
    call(hall, 2)
    recall(hall, 1)
    before = hall.snapshot()
    recall(hall, 1)
    assert hall.snapshot() == before


def test_a_recall_that_was_not_said_yet_goes_when_the_visitor_comes_and_its_row_stays_first(hall):
    first = call(hall, 1)
    hall.turn(20 * SECOND)
    second = call(hall, 2)
    recall(hall, 1)
    hall.ask(Start, desk="desk-1", shown=first)
    assert [ticket for ticket, _ in hall.sayings()] == [first, second]
    assert hall.listed() == [first, second]


def test_nobody_is_recalled_whose_visit_has_begun(hall):
    ticket = call(hall, 1)
    hall.ask(Start, desk="desk-1", shown=ticket)
    refused(hall.ask(Recall, desk="desk-1", shown=ticket), "transition_refused")


# --- the absence clock --------------------------------------------------------------------------------------------


def test_the_absence_clock_starts_when_the_call_has_been_said(hall):
    call(hall, 6)
    second = call(hall, 7)
    assert hall.ticket(second).absent_at_ms == hall.now_ms + LEAD + KEPT + 8 * SECOND + 5 * MINUTE


def test_a_desk_that_does_not_confirm_arrivals_never_makes_anybody_absent_by_itself(hall):
    assert hall.ticket(call(hall, 1)).absent_at_ms is None


def test_the_absence_clock_moves_up_with_the_announcement(hall):
    first, second = call(hall, 6), call(hall, 7)
    third = call(hall, 8)
    hall.ask(Withdraw, desk="desk-7", shown=second)
    assert hall.ticket(third).absent_at_ms == hall.now_ms + LEAD + KEPT + 8 * SECOND + 5 * MINUTE
    assert hall.ticket(first).absent_at_ms == hall.now_ms + LEAD + 8 * SECOND + 5 * MINUTE
    assert hall.events(third)[-1] == "announce_earlier"


def test_the_absence_clock_starts_anew_with_a_recall(hall):
    ticket = call(hall, 6)
    hall.turn(4 * MINUTE)
    recall(hall, 6)
    assert hall.ticket(ticket).absent_at_ms == hall.now_ms + LEAD + 8 * SECOND + 5 * MINUTE


@pytest.mark.parametrize("end", [Start, Finish, Withdraw, MarkAbsent, Park])
def test_the_absence_clock_ends_with_the_call(hall, end):
    ticket = call(hall, 6)
    hall.ask(end, desk="desk-6", shown=ticket)
    assert hall.ticket(ticket).absent_at_ms is None


def test_a_desk_is_told_that_the_time_has_moved_at_which_whom_it_called_becomes_absent(hall):
    call(hall, 1)
    second, third = call(hall, 2), call(hall, 6)
    absent_at_ms = hall.ticket(third).absent_at_ms
    hall.ask(Withdraw, desk="desk-2", shown=second)
    assert hall.ticket(third).absent_at_ms == absent_at_ms - KEPT
    assert "desk-6" in hall.effects.desks
    hall.turn(MINUTE)
    assert hall.job(PutOffAbsences).count == 1
    assert hall.effects.desks == {"desk-6"}
