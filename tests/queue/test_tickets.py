"""Issuing tickets: numbers, hours, the wait promised on paper, and a dispenser that gives up."""

import pytest
from msgspec.structs import replace
from sqlalchemy import update

from hub.database.statements import Write
from hub.queue import store
from hub.queue.estimate import wait_range_min
from hub.queue.requests import (
    Abandon,
    Cancel,
    CheckIn,
    Defer,
    ExpireExpected,
    Finish,
    Issue,
    MarkAbsent,
    NotePrinted,
    Park,
    Readmit,
    Source,
    Transfer,
)
from hub.queue.states import State
from protocol.messages import DeskMode
from tests.queue.harness import DAY, HOUR, MINUTE, moment, refused, round_the_clock, town


def labels(queue):
    return [ticket.label for ticket in queue.tickets()]


def issue(queue, request, service="civil", **facts):
    origin = queue.origin(Source.DISPENSER, "printer-1")
    return queue.do(Issue(origin=replace(origin, request=request), service=service, code=request, **facts))


def test_numbers_are_counted_by_letter(queue):
    queue.issue("civil")
    queue.issue("papers")
    queue.issue("civil")
    assert labels(queue) == ["A001", "B001", "A002"]


def test_a_walk_in_is_due_after_the_target_wait_and_a_priority_visitor_an_hour_earlier(queue):
    plain, priority = queue.issue(), queue.issue(priority=True)
    assert queue.ticket(plain).due_ms == queue.now_ms + 20 * MINUTE
    assert queue.ticket(priority).due_ms == queue.now_ms - 40 * MINUTE
    assert queue.ticket(priority).kind == "open"


def test_the_paper_says_how_many_wait_before(queue):
    assert [queue.ticket_answer().people_ahead for _ in range(3)] == [0, 1, 2]
    assert queue.ticket_answer("papers").people_ahead == 0
    assert queue.ticket_answer(priority=True).people_ahead == 0


def test_who_waits_for_one_desk_alone_is_one_of_the_people_ahead(queue):
    queue.open("desk-1", "desk-2")
    queue.ask(Transfer, desk="desk-1", ticket=queue.issue(), to_desk="desk-2")
    queue.issue()
    assert queue.ticket_answer().people_ahead == 2


@pytest.mark.parametrize(("people_ahead", "minutes"), [(0, (0, 5)), (2, (5, 20)), (3, (10, 30))])
def test_a_range_is_rounded_outward_to_five_minutes(people_ahead, minutes):
    """Before rounding, at 12 min a visit and 2 desks: 0; 7.2 to 19.2; 10.8 to 28.8 min."""
    assert wait_range_min(people_ahead, 12 * MINUTE, 2) == minutes


def test_a_range_is_promised_only_with_measured_visits_and_an_open_desk(new_queue):
    queue = new_queue(mean_visit_ms={"civil": 12 * MINUTE}.get)
    for _ in range(3):
        assert queue.ticket_answer().wait_min is None, "no desk is open"
    queue.open("desk-1", "desk-2")
    # 3 people ahead at 12 min each and 2 desks: 18 min, so 10.8 to 28.8, rounded outward to 10 and 30.
    assert queue.ticket_answer().wait_min == (10, 30)
    assert queue.ticket_answer("papers").wait_min is None, "too little was measured"


@pytest.mark.parametrize("mode", [DeskMode.PAUSED, DeskMode.CLOSED])
def test_no_range_counts_a_desk_that_calls_nobody_after_its_visitor(new_queue, mode):
    queue = new_queue(mean_visit_ms={"civil": 12 * MINUTE}.get)
    queue.open("desk-1", "desk-2")
    for desk in ("desk-1", "desk-2"):
        queue.issue()
        queue.called(desk)
    for _ in range(3):
        queue.issue()
    queue.mode("desk-1", mode)
    # 3 people ahead at 12 min each and 1 desk: 36 min, so 21.6 to 57.6, rounded outward.
    assert queue.ticket_answer().wait_min == (20, 60)
    queue.mode("desk-2", mode)
    assert queue.ticket_answer().wait_min is None
    queue.open("desk-1")
    # 5 people ahead.
    assert queue.ticket_answer().wait_min == (35, 100)


def test_numbers_begin_anew_at_the_site_s_own_midnight(new_queue):
    queue = new_queue(round_the_clock(town()), at_ms=moment("2026-11-24 23:59"))
    queue.issue()
    queue.now_ms = moment("2026-11-25 00:00") - 1
    queue.issue()
    queue.turn(1)
    queue.issue()
    assert [(ticket.day, ticket.label) for ticket in queue.tickets()] == [
        ("2026-11-24", "A001"),
        ("2026-11-24", "A002"),
        ("2026-11-25", "A001"),
    ]


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_a_night_in_which_the_clocks_change_gives_no_number_twice(new_queue, day):
    queue = new_queue(round_the_clock(town()), at_ms=moment(f"{day} 00:30"))
    end = moment(f"{day} 23:45")
    while queue.now_ms < end:
        queue.issue()
        queue.turn(30 * MINUTE)
    assert {ticket.day for ticket in queue.tickets()} == {day}
    assert labels(queue) == [f"A{number:03d}" for number in range(1, len(queue.tickets()) + 1)]


def test_a_number_given_yesterday_does_not_stand_in_the_way_of_today_s(new_queue):
    queue = new_queue(round_the_clock(town()))
    ticket = queue.issue()
    queue.turn(DAY)
    queue.open("desk-1")
    queue.issue()
    assert queue.called("desk-1") == ticket
    assert labels(queue) == ["A001", "A001"]


def test_after_999_the_service_says_that_its_numbers_are_used_up(queue):
    queue.issue()
    booked = queue.book(queue.now_ms + MINUTE)
    counter = update(store.counter).where(store.counter.c.site == store.SITE, store.counter.c.series == "A")
    queue.connection.begin()
    queue.connection.write([Write(counter.values(last=998), {"site": queue.site.name})])
    queue.connection.commit()
    assert queue.ticket_answer().number == "A999"
    before = queue.snapshot()
    answer = refused(issue(queue, "late"), "numbers_used_up")
    assert answer.facts == {"service": "civil"}
    refused(queue.ask(CheckIn, desk="", ticket=booked), "numbers_used_up")
    assert queue.snapshot() == before
    assert queue.ticket_answer("papers").number == "B001"


def test_a_number_keeps_the_letter_under_which_it_was_issued(queue):
    queue.open("desk-1")
    ticket = queue.issue("civil")
    queue.ask(Transfer, desk="desk-1", ticket=ticket, service="papers")
    assert queue.ticket(ticket).label == "A001"
    assert queue.ticket_answer("papers").number == "B001"


def test_a_refused_ticket_takes_no_number(queue):
    queue.issue()
    refused(issue(queue, "r", "nothing"), "unknown")
    queue.now_ms = moment("2026-11-24 20:00")
    refused(issue(queue, "s"), "service_closed")
    queue.now_ms = moment("2026-11-25 10:00")
    assert queue.ticket_answer().number == "A001"
    assert queue.tickets()[-1].id == 2


@pytest.mark.parametrize(
    ("at", "issued"),
    [
        ("2026-11-24 08:29", False),
        ("2026-11-24 08:30", True),
        ("2026-11-24 16:44", True),
        ("2026-11-24 16:45", False),
        ("2026-11-28 10:00", False),  # a Saturday
    ],
)
def test_tickets_are_issued_from_the_opening_to_the_last_ticket(new_queue, at, issued):
    queue = new_queue(at_ms=moment(at))
    answer = issue(queue, "r")
    assert (answer.code == "r") is issued
    if not issued:
        refused(answer, "service_closed")


def test_who_waits_after_the_last_ticket_is_still_called(queue):
    queue.open("desk-1")
    ticket = queue.issue()
    queue.now_ms = moment("2026-11-24 17:20")
    assert queue.called() == ticket


def test_tickets_are_issued_while_no_desk_is_open(queue):
    assert queue.ticket_answer().number == "A001"


# --- asked again, printed, given up -------------------------------------------------------------------------------


def test_a_ticket_asked_for_five_times_is_one_ticket(queue):
    answers = [issue(queue, "same") for _ in range(5)]
    assert len(set(map(repr, answers))) == 1
    assert labels(queue) == ["A001"]


def test_what_the_dispenser_says_of_the_paper_is_in_the_journal(queue):
    first, second = issue(queue, "one"), issue(queue, "two")
    queue.ask(NotePrinted, of="one", sure=True)
    queue.ask(NotePrinted, of="two", sure=False)
    assert queue.events(first.ticket) == ["issue", "printed"]
    assert queue.events(second.ticket) == ["issue", "perhaps_printed"]
    before = queue.snapshot()
    queue.ask(NotePrinted, of="none", sure=True)
    assert queue.snapshot() == before


def test_a_request_that_was_given_up_before_it_arrived_issues_nothing(queue):
    queue.ask(Abandon, of="late")
    answer = refused(issue(queue, "late"), "abandoned")
    assert answer.facts == {"request": "late"}
    assert queue.tickets() == []
    assert refused(issue(queue, "late")) == answer


def test_a_dispenser_that_gives_up_twice_is_answered_twice(queue):
    first = queue.ask(Abandon, of="late")
    assert queue.ask(Abandon, of="late") == first
    refused(issue(queue, "late"), "abandoned")


def test_a_ticket_that_was_called_meanwhile_stays_when_its_dispenser_gives_up(queue):
    queue.open("desk-1")
    answer = issue(queue, "slow")
    queue.called()
    queue.ask(Abandon, of="slow")
    assert queue.state(answer.ticket) is State.CALLED


@pytest.mark.parametrize("end", [Finish, MarkAbsent, Park])
def test_a_ticket_that_has_been_at_a_desk_stays_what_it_is_when_its_dispenser_gives_up(queue, end):
    queue.open("desk-1")
    answer = issue(queue, "slow")
    queue.called()
    queue.ask(end, desk="desk-1", shown=answer.ticket)
    before = queue.table("ticket")
    assert queue.ask(Abandon, of="slow").count == 0
    assert queue.table("ticket") == before


def test_who_waits_for_one_desk_alone_is_told_so_where_they_ask_for_more_time(queue):
    queue.open("desk-1")
    ticket = queue.issue()
    queue.ask(Transfer, desk="desk-1", ticket=ticket, to_desk="desk-1")
    before = queue.snapshot()
    answer = refused(queue.ask(Defer, ticket=ticket, by_ms=15 * MINUTE), "waits_for_desk")
    assert answer.detail == "ticket A001 waits for desk desk-1 only: defer is refused"
    assert answer.facts == {"ticket": "A001", "state": "waiting", "desk": "desk-1", "event": "defer"}
    assert queue.snapshot() == before
    queue.ask(Cancel, desk="desk-1", ticket=ticket)
    refused(queue.ask(Defer, ticket=ticket, by_ms=15 * MINUTE), "transition_refused")


def test_a_cancelled_number_is_not_given_again(queue):
    queue.open("desk-1")
    ticket = queue.issue()
    queue.ask(Cancel, desk="desk-1", ticket=ticket)
    assert queue.ticket_answer().number == "A002"


def test_who_comes_back_the_next_day_gets_a_number_of_that_day(new_queue):
    queue = new_queue()
    booked = queue.book(queue.now_ms - HOUR)
    queue.job(ExpireExpected, ticket=booked)
    queue.turn(DAY)
    queue.issue()
    queue.ask(Readmit, desk="desk-1", ticket=booked)
    ticket = queue.ticket(booked)
    assert (ticket.day, ticket.label) == ("2026-11-25", "A002")
