"""The end of a day: done once or twice, on time or at the next start."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hub.queue.hours import Opening, day_end_ms, is_open, last_ended_day, local_day, next_opening
from hub.queue.requests import (
    Admit,
    CheckIn,
    EndDay,
    ExpireExpected,
    Finish,
    MarkAbsent,
    Park,
    Pick,
    Readmit,
    Reopen,
    Start,
    StartAbsent,
    Transfer,
    Undo,
)
from hub.queue.states import State
from hub.site import EVERY_DAY
from protocol.messages import DeskMode
from tests.queue.harness import DAY, HOUR, MINUTE, SECOND, SERVICES, moment, named, refused, round_the_clock, town

TODAY, EVENING = "2026-11-24", moment("2026-11-24 18:00")


def end(queue, day=TODAY, limit=50):
    return queue.job(EndDay, day=day, limit=limit).count


def a_day(queue):
    """One ticket in each open state, and open desks with held and bound tickets."""
    queue.open("desk-1", "desk-2", "desk-3", "desk-4")
    expected = queue.book(queue.now_ms + 2 * MINUTE)
    called, serving, parked, confirming, waiting, bound = (queue.issue() for _ in range(6))
    queue.ask(Pick, desk="desk-2", ticket=parked)
    queue.ask(Park, desk="desk-2", shown=parked)
    queue.ask(Pick, desk="desk-1", ticket=called)
    queue.ask(Pick, desk="desk-2", ticket=serving)
    queue.ask(Start, desk="desk-2", shown=serving)
    queue.ask(Pick, desk="desk-4", ticket=confirming)
    queue.ask(Transfer, desk="desk-1", ticket=bound, to_desk="desk-2")
    return {
        expected: (State.ABSENT, True),
        called: (State.SERVED, False),
        serving: (State.SERVED, False),
        parked: (State.SERVED, False),
        confirming: (State.ABSENT, True),
        waiting: (State.CANCELLED, True),
        bound: (State.CANCELLED, True),
    }


@pytest.mark.parametrize("limit", [50, 1, 2])
def test_every_ticket_of_the_day_ends_desks_close_and_halls_are_emptied(queue, limit):
    ends = a_day(queue)
    queue.now_ms = EVENING
    slices = 0
    while end(queue, limit=limit) == limit:
        slices += 1
    assert slices == {50: 0, 1: 7, 2: 3}[limit]
    assert {each.id: (each.state, each.end_known) for each in queue.tickets()} == ends
    assert [queue.desk_mode(f"desk-{n}")[0] for n in (1, 2, 3, 4)] == ["closed"] * 4
    assert queue.listed("hall") == queue.listed("floor") == []
    assert queue.effects.halls >= {"hall", "floor"}


def absent_at_the_end(queue):
    """A ticket marked absent after its call; then the day ended and the desk closed."""
    queue.open("desk-1")
    ticket = queue.issue()
    queue.called("desk-1")
    queue.ask(MarkAbsent, desk="desk-1", shown=ticket)
    queue.now_ms = EVENING
    end(queue)
    return ticket


@pytest.mark.parametrize("command", [Readmit, StartAbsent])
def test_an_absent_ticket_of_yesterday_is_not_brought_back_beside_the_same_number_of_today(queue, command):
    yesterdays = absent_at_the_end(queue)
    queue.now_ms = EVENING + 15 * HOUR
    queue.open("desk-1")
    todays = queue.issue()
    assert queue.ticket(todays).label == queue.ticket(yesterdays).label
    answer = refused(queue.ask(command, desk="desk-1", ticket=yesterdays), "day_over")
    assert named(answer)[:2] == ("A001", "absent")
    assert queue.ticket(yesterdays).state is State.ABSENT


@pytest.mark.parametrize("command", [Readmit, StartAbsent])
def test_after_the_end_of_the_day_nobody_is_put_back_to_wait_all_night(queue, command):
    ticket = absent_at_the_end(queue)
    queue.open("desk-1")
    before = queue.snapshot()
    refused(queue.ask(command, desk="desk-1", ticket=ticket), "day_over")
    assert queue.snapshot() == before


@pytest.mark.parametrize("command", [Reopen, Undo])
def test_a_visit_of_yesterday_is_not_reopened_beside_the_same_number_of_today(queue, command):
    queue.configure(round_the_clock(queue.site))
    queue.open("desk-1")
    yesterdays = queue.issue()
    queue.now_ms = moment("2026-11-25 00:58")
    queue.called()
    todays = queue.issue()
    assert queue.ticket(todays).label == queue.ticket(yesterdays).label
    if command is Undo:
        assert queue.called() == todays
        told = {"shown": todays}
    else:
        queue.ask(Finish, desk="desk-1", shown=yesterdays)
        told = {"ticket": yesterdays}
    queue.now_ms = moment("2026-11-25 01:02")
    end(queue)
    before = queue.snapshot()
    refused(queue.ask(command, desk="desk-1", **told), "day_over")
    assert queue.snapshot() == before


def test_a_visit_of_the_evening_is_reopened_though_the_day_of_the_others_has_ended(queue):
    ticket = queue.book(moment("2026-11-24 18:05"))
    queue.now_ms = moment("2026-11-24 17:57")
    queue.ask(CheckIn, desk="", ticket=ticket)
    queue.now_ms = EVENING
    end(queue)
    queue.open("desk-1")
    assert queue.called() == ticket
    queue.ask(Finish, desk="desk-1", shown=ticket)
    queue.ask(Reopen, desk="desk-1", ticket=ticket)
    assert queue.held("desk-1") == ticket


@pytest.mark.parametrize(("command", "desk"), [(Readmit, "desk-1"), (CheckIn, "desk-1"), (CheckIn, "")])
def test_who_missed_an_appointment_of_the_evening_is_put_back_by_whoever_finds_them(queue, command, desk):
    ticket = queue.book(moment("2026-11-24 18:30"))
    queue.now_ms = EVENING
    end(queue)
    queue.now_ms = moment("2026-11-24 18:35")
    queue.job(ExpireExpected, ticket=ticket)
    queue.turn(2 * MINUTE)
    queue.ask(command, desk=desk, ticket=ticket)
    assert queue.state(ticket) is State.WAITING


@pytest.mark.parametrize(("command", "desk"), [(Readmit, "desk-1"), (CheckIn, "desk-1"), (CheckIn, "")])
def test_after_the_end_of_the_day_who_missed_an_appointment_is_not_put_back_either(queue, command, desk):
    ticket = queue.book(moment("2026-11-24 16:30"))
    queue.now_ms = moment("2026-11-24 16:35")
    queue.job(ExpireExpected, ticket=ticket)
    queue.now_ms = EVENING
    end(queue)
    before = queue.snapshot()
    refused(queue.ask(command, desk=desk, ticket=ticket), "day_over")
    assert queue.snapshot() == before


@pytest.mark.parametrize("desk", ["desk-1", ""])
@pytest.mark.parametrize("at", ["2026-11-25 09:00", "2026-11-23 16:30"])
def test_nobody_waits_today_for_an_appointment_of_another_day(queue, at, desk):
    """Its due time would be days away: it would never be called, or be called before everybody else."""
    ticket = queue.book(moment(at))
    before = queue.snapshot()
    answer = refused(queue.ask(CheckIn, desk=desk, ticket=ticket), "wrong_day")
    assert named(answer) == (queue.ticket(ticket).label, "expected", "check_in")
    assert queue.snapshot() == before


def test_just_after_midnight_an_appointment_of_the_evening_still_counts(queue):
    ticket = queue.book(moment("2026-11-24 23:58"))
    queue.now_ms = moment("2026-11-25 00:01")
    queue.ask(CheckIn, desk="desk-1", ticket=ticket)
    assert queue.state(ticket) is State.WAITING


def test_before_the_end_of_the_day_who_missed_an_appointment_is_put_back(queue):
    ticket = queue.book(moment("2026-11-24 16:30"))
    queue.now_ms = moment("2026-11-24 16:35")
    queue.job(ExpireExpected, ticket=ticket)
    queue.now_ms = EVENING - 1
    queue.ask(CheckIn, desk="desk-1", ticket=ticket)
    assert queue.state(ticket) is State.WAITING


@pytest.mark.parametrize("service", ["civil", "taxes"])
def test_an_appointment_after_the_end_of_the_day_outlives_it_until_its_own_time(queue, service):
    ticket = queue.book(moment("2026-11-24 18:30"), service)
    queue.now_ms = EVENING
    assert end(queue) == 0
    queue.now_ms = moment("2026-11-24 18:32")
    assert end(queue) == 0, "a hub that starts then"
    assert queue.state(ticket) is State.EXPECTED
    queue.now_ms = moment("2026-11-25 07:00")
    end(queue)
    assert queue.state(ticket) is State.ABSENT


def test_who_missed_an_appointment_at_the_very_end_of_the_day_is_put_back(queue):
    ticket = queue.book(EVENING)
    queue.now_ms = EVENING + 5 * MINUTE
    assert end(queue) == 0
    queue.job(ExpireExpected, ticket=ticket)
    queue.ask(Readmit, desk="desk-1", ticket=ticket)
    assert queue.state(ticket) is State.WAITING


def test_who_is_here_already_for_an_appointment_of_the_evening_waits_on_until_the_day_is_over(queue):
    walk_in = queue.issue()
    admitted, here = queue.book(moment("2026-11-24 18:05"), "taxes"), queue.book(moment("2026-11-24 18:05"))
    sent = queue.book(moment("2026-11-24 18:06"))
    queue.now_ms = moment("2026-11-24 17:57")
    queue.job(Admit, ticket=admitted)
    queue.open("desk-1", "desk-2")
    for ticket in (here, sent):
        queue.ask(CheckIn, desk="", ticket=ticket)
    queue.ask(Transfer, desk="desk-1", ticket=sent, to_desk="desk-2")
    queue.now_ms = EVENING
    end(queue)
    assert [queue.state(each) for each in (admitted, here, sent)] == ["waiting"] * 3
    assert queue.state(walk_in) is State.CANCELLED
    queue.open("desk-1")
    assert queue.called("desk-1") == here
    queue.now_ms = moment("2026-11-25 00:00")
    end(queue)
    assert [queue.state(each) for each in (admitted, here, sent)] == ["cancelled", "served", "cancelled"]


def test_who_was_absent_before_midnight_is_brought_back_after_it_while_that_day_goes_on(new_queue):
    queue = new_queue(round_the_clock(town()), at_ms=moment("2026-11-24 23:50"))
    queue.open("desk-1")
    ticket = queue.issue()
    queue.called("desk-1")
    queue.ask(MarkAbsent, desk="desk-1", shown=ticket)
    queue.now_ms = moment("2026-11-25 00:05")
    queue.ask(Readmit, desk="desk-1", ticket=ticket)
    assert queue.ticket(ticket).state is State.WAITING


def test_a_day_that_is_ended_twice_changes_nothing_the_second_time(queue):
    a_day(queue)
    queue.now_ms = EVENING
    end(queue)
    before = queue.snapshot()
    assert end(queue) == 0
    queue.turn(20 * SECOND)
    assert end(queue) == 0
    assert queue.snapshot() == before


def test_a_desk_that_wanted_to_close_frees_and_ends_those_bound_to_it_whatever_their_order(queue):
    queue.open("desk-1", "desk-2")
    held, bound = queue.issue(), queue.issue()
    queue.ask(Pick, desk="desk-2", ticket=held)
    queue.ask(Transfer, desk="desk-1", ticket=bound, to_desk="desk-2")
    queue.mode("desk-2", DeskMode.CLOSED)
    queue.now_ms = EVENING
    end(queue)
    assert (queue.state(held), queue.state(bound)) == (State.SERVED, State.CANCELLED)
    assert queue.desk_mode("desk-2") == ("closed", False, False)


def test_days_that_were_missed_are_ended_too_and_later_appointments_stay(queue):
    old = queue.issue()
    tomorrow = queue.book(queue.now_ms + 3 * DAY)
    queue.turn(2 * DAY)
    today = queue.issue()
    end(queue, "2026-11-25")
    assert [queue.state(each) for each in (old, tomorrow, today)] == ["cancelled", "expected", "waiting"]


def test_an_appointment_belongs_to_the_day_of_its_time_until_it_is_checked_in(queue):
    booked = queue.book(moment("2026-11-25 09:00"))
    queue.now_ms = EVENING
    end(queue)
    assert queue.state(booked) is State.EXPECTED
    queue.now_ms = moment("2026-11-25 09:00")
    queue.ask(CheckIn, desk="", ticket=booked)
    assert queue.ticket(booked).day == "2026-11-25"


def test_round_the_clock_desks_stay_open_and_the_hall_keeps_its_list(new_queue):
    queue = new_queue(round_the_clock(town()), at_ms=moment("2026-11-24 23:50"))
    queue.open("desk-1")
    yesterday = queue.issue()
    queue.now_ms = moment("2026-11-25 00:55")
    today = queue.issue()
    assert queue.called() == yesterday
    queue.ask(Finish, desk="desk-1", shown=yesterday)
    queue.now_ms = moment("2026-11-25 01:00")
    end(queue)
    assert queue.desk_mode("desk-1") == ("open", False, False)
    assert queue.listed() == [yesterday]
    assert queue.called() == today


def test_round_the_clock_a_call_that_the_day_s_end_ended_is_not_said_any_more(new_queue):
    queue = new_queue(round_the_clock(town()), at_ms=moment("2026-11-24 23:50"))
    queue.open("desk-1", "desk-2", "desk-4")
    first, second, third = (queue.issue() for _ in range(3))
    queue.now_ms = moment("2026-11-25 01:00")
    for desk, ticket in (("desk-1", first), ("desk-2", second), ("desk-4", third)):
        queue.ask(Pick, desk=desk, ticket=ticket)
    end(queue)
    assert [ticket for ticket, _ in queue.sayings()] == [first]
    assert queue.listed() == [second, first], "the third is absent: its row goes too"


def test_round_the_clock_the_list_of_calls_does_not_grow_for_ever(new_queue):
    queue = new_queue(round_the_clock(town()), at_ms=moment("2026-11-24 23:50"))
    queue.open("desk-1")
    queue.issue()
    queue.called()
    queue.now_ms = moment("2026-11-26 01:00")
    end(queue, "2026-11-25")
    assert queue.table("announcement") == []


def test_a_hub_that_restarts_after_the_last_closing_does_not_close_the_desks_that_are_still_at_work(queue):
    queue.open("desk-1", "desk-2")
    held, waiting = queue.issue(), queue.issue()
    assert queue.called("desk-1") == held
    queue.now_ms = moment("2026-11-24 17:30")
    end(queue, "2026-11-23")
    assert queue.desk_mode("desk-1") == queue.desk_mode("desk-2") == ("open", False, False)
    assert queue.held("desk-1") == held
    assert queue.listed() == [held]
    assert queue.called("desk-2") == waiting


@pytest.mark.parametrize("state", [State.CALLED, State.SERVING, State.PARKED])
def test_a_hub_that_restarts_in_the_evening_ends_no_visit_of_an_appointment_of_the_evening(queue, state):
    ticket = queue.book(moment("2026-11-24 18:30"))
    queue.now_ms = EVENING
    end(queue)
    queue.now_ms = moment("2026-11-24 18:25")
    queue.open("desk-1")
    queue.ask(CheckIn, desk="", ticket=ticket)
    assert queue.called("desk-1") == ticket
    if state is not State.CALLED:
        queue.ask(Start if state is State.SERVING else Park, desk="desk-1", shown=ticket)
    before = queue.snapshot()
    queue.turn(MINUTE)
    assert end(queue) == 0
    assert queue.state(ticket) == state
    assert queue.desk_mode("desk-1")[0] == "open"
    assert queue.snapshot() == before
    queue.now_ms = moment("2026-11-25 00:00:05")
    assert end(queue) == 1


def test_a_press_between_the_day_s_end_and_the_hub_s_look_at_it_keeps_no_desk_open_all_night(queue):
    queue.open("desk-1", "desk-2")
    queue.issue()
    queue.issue()
    queue.now_ms = EVENING - MINUTE
    queue.called("desk-2")
    queue.now_ms = EVENING + 5 * SECOND
    queue.press("desk-1", after_ms=0)
    queue.now_ms = EVENING + 15 * SECOND
    end(queue)
    assert [queue.desk_mode(f"desk-{number}")[0] for number in (1, 2)] == ["closed", "closed"]
    assert queue.listed() == []


@pytest.mark.parametrize("at", ["2026-11-24 23:00", "2026-11-25 07:00", "2026-11-25 10:50", "2026-11-30 10:50"])
def test_a_desk_left_open_on_an_evening_when_the_hub_was_off_is_closed_at_its_next_start(queue, at):
    queue.open("desk-1")
    queue.issue()
    queue.called()
    queue.now_ms = moment(at)
    end(queue, last_ended_day(queue.site, queue.now_ms))
    assert queue.desk_mode("desk-1") == ("closed", False, False)
    assert queue.listed() == []


def test_what_was_called_in_the_evening_is_not_listed_beside_the_next_day_s_calls(queue):
    ticket = queue.book(moment("2026-11-24 18:30"))
    queue.now_ms = EVENING
    end(queue)
    queue.now_ms = moment("2026-11-24 18:25")
    queue.open("desk-1")
    queue.ask(CheckIn, desk="", ticket=ticket)
    queue.called()
    end(queue)
    assert queue.listed() == [ticket]
    queue.ask(Finish, desk="desk-1", shown=ticket)
    queue.now_ms = moment("2026-11-25 00:00:10")
    end(queue)
    assert queue.desk_mode("desk-1")[0] == "open"
    assert queue.listed() == []


def open_to_midnight(site):
    """The same, its services open every day from 8:30 to midnight: its days end at 1:00."""
    late = {"opens": "8:30", "last_ticket": "24:00", "closes": "24:00", "days": EVERY_DAY}
    return replace(site, services=tuple(replace(each, **late) for each in site.services))


def test_a_press_just_after_a_day_that_ended_past_midnight_leaves_no_number_of_it_to_the_next_day(new_queue):
    queue = new_queue(open_to_midnight(town()), at_ms=moment("2026-11-24 23:40"))
    queue.open("desk-1")
    queue.issue()
    yesterdays = queue.issue()
    queue.called()
    queue.now_ms = moment("2026-11-25 01:00:05")
    assert queue.called() == yesterdays
    queue.now_ms = moment("2026-11-25 01:00:15")
    end(queue)
    assert queue.listed() == []
    queue.now_ms = moment("2026-11-25 09:00")
    queue.open("desk-1")
    todays = queue.issue()
    assert queue.called() == todays
    assert queue.listed() == [todays]


def test_a_call_of_the_next_day_outlives_a_day_that_ends_past_midnight(new_queue):
    queue = new_queue(open_to_midnight(town()), at_ms=moment("2026-11-25 00:20"))
    queue.open("desk-1")
    ticket = queue.book(moment("2026-11-25 00:30"))
    queue.ask(CheckIn, desk="", ticket=ticket)
    queue.now_ms = moment("2026-11-25 00:55")
    assert queue.called() == ticket
    queue.now_ms = moment("2026-11-25 01:00:15")
    end(queue)
    assert queue.listed() == [ticket]
    assert queue.held("desk-1") == ticket


def test_a_call_just_before_the_day_s_end_for_an_appointment_after_it_stays_listed_while_it_is_held(queue):
    ticket = queue.book(moment("2026-11-24 18:05"))
    queue.now_ms = moment("2026-11-24 17:57")
    queue.open("desk-1")
    queue.ask(CheckIn, desk="", ticket=ticket)
    queue.now_ms = EVENING - 5 * SECOND
    assert queue.called() == ticket
    queue.now_ms = EVENING + 15 * SECOND
    end(queue)
    assert queue.held("desk-1") == ticket
    assert queue.listed() == [ticket]
    queue.ask(Finish, desk="desk-1", shown=ticket)
    queue.now_ms = moment("2026-11-25 00:00:10")
    end(queue)
    assert queue.listed() == []


def test_a_press_between_midnight_and_the_hub_s_look_leaves_no_number_of_the_evening_to_the_next_day(queue):
    ticket = queue.book(moment("2026-11-24 18:30"))
    queue.now_ms = moment("2026-11-24 18:25")
    queue.open("desk-1")
    queue.ask(CheckIn, desk="", ticket=ticket)
    end(queue)
    queue.now_ms = moment("2026-11-25 00:00:05")
    assert queue.called() == ticket
    queue.now_ms = moment("2026-11-25 00:00:10")
    assert end(queue) == 1
    assert queue.listed() == []


def test_a_restart_at_noon_while_all_desks_are_closed_keeps_what_was_called_that_day(queue):
    queue.open("desk-1")
    queue.issue()
    queue.called()
    queue.ask(Finish, desk="desk-1", shown=queue.held("desk-1"))
    queue.mode("desk-1", DeskMode.CLOSED)
    before = queue.listed()
    assert before
    queue.turn(MINUTE)
    end(queue, last_ended_day(queue.site, queue.now_ms))
    assert queue.listed() == before


# --- pure functions -----------------------------------------------------------------------------------------------


def test_a_day_ends_an_hour_after_the_last_closing():
    assert day_end_ms(town(), TODAY) == EVENING
    assert day_end_ms(round_the_clock(town()), TODAY) == moment("2026-11-25 01:00")


@pytest.mark.parametrize(
    ("at", "day"), [("2026-11-24 17:59", "2026-11-23"), ("2026-11-24 18:00", TODAY), ("2026-11-25 08:00", TODAY)]
)
def test_the_day_whose_end_has_come_is_known_at_any_moment(at, day):
    assert last_ended_day(town(), moment(at)) == day


def test_a_local_day_is_the_site_s_own():
    assert local_day(moment("2026-11-25 00:00") - 1, "Europe/Paris") == TODAY
    assert local_day(moment("2026-11-25 00:00"), "Europe/Paris") == "2026-11-25"
    assert local_day(moment("2026-11-25 00:00"), "America/Martinique") == TODAY


@given(
    st.integers(1_672_531_200, 4_102_444_800),  # 2023 to 2100
    st.sampled_from(["Europe/Paris", "Asia/Kathmandu", "Pacific/Chatham", "Australia/Lord_Howe", "America/St_Johns"]),
)
def test_a_local_day_begins_at_its_first_millisecond(second, zone):
    first = datetime.combine(
        datetime.fromtimestamp(second, UTC).astimezone(ZoneInfo(zone)).date(), time(), ZoneInfo(zone)
    )
    for at_ms in (int(first.timestamp()) * 1000, second * 1000 + 999):
        assert local_day(at_ms, zone) == first.date().isoformat()
    assert local_day(int(first.timestamp()) * 1000 - 1, zone) < first.date().isoformat()


def test_the_next_opening_is_found_within_a_week():
    assert next_opening(SERVICES, moment("2026-11-24 07:00"), "Europe/Paris") == Opening(date(2026, 11, 24), "8:30")
    assert next_opening(SERVICES, moment("2026-11-28 08:00"), "Europe/Paris") == Opening(date(2026, 11, 30), "8:30")
    assert next_opening(SERVICES, moment("2026-12-31 12:00"), "Europe/Paris") == Opening(date(2027, 1, 1), "8:30")
    assert next_opening((), moment("2026-11-24 07:00"), "Europe/Paris") is None
    tuesdays = (replace(SERVICES[0], days=("tuesday",)),)
    assert next_opening(tuesdays, moment("2026-11-24 18:00"), "Europe/Paris") == Opening(date(2026, 12, 1), "8:30")
    assert is_open(SERVICES[0], moment("2026-11-24 16:59"), "Europe/Paris")
    assert not is_open(SERVICES[0], moment("2026-11-24 17:00"), "Europe/Paris")
