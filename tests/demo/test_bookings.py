from datetime import datetime, timedelta
from itertools import islice, pairwise
from random import Random

import pytest

from demo.bookings import (
    A_DAY_MIN,
    BETWEEN_BOOKINGS_LEAST_S,
    BOOKED_BEFORE_MIN,
    HEARD_S,
    Citizen,
    Doing,
    Fate,
    citizens,
)
from demo.publik import OVER_SHOWN, SHOWN_MOST, in_view

SPEEDS = (1, 10)
# Rules of the hub and the demo's site, in s after an appointment's time: when a visitor who has not come is found
# absent, and when Publik is told so.
ABSENCE_S, TOLD_S = 300.0, 420.0
BEGINS_S = 41.0
LETTERS = {"rdv-identite": "C"}
NOW = datetime(2026, 11, 25, 10, 0)  # noqa: DTZ001 - local, as the times of bookings are


def first(speed: int, begins_s: float = BEGINS_S) -> list[Citizen]:
    return list(islice(citizens(Random(5), speed, begins_s), 400))


def scans(citizen: Citizen) -> list[float]:
    return [step.at_s for step in citizen.steps if step.doing is Doing.SCAN]


@pytest.mark.parametrize("speed", SPEEDS)
def test_one_seed_books_one_morning(speed):
    assert first(speed) == first(speed)


@pytest.mark.parametrize("speed", SPEEDS)
def test_every_fate_is_seen_in_the_first_two_minutes_whatever_the_speed(speed):
    due_s = {Fate.NEVER: lambda each: each.start_min * 60 + ABSENCE_S}
    seen = {
        each.fate
        for each in first(speed)
        if due_s.get(each.fate, lambda each: each.steps[0].at_s)(each) < BEGINS_S + 120
    }
    assert seen == set(Fate)


@pytest.mark.parametrize("speed", SPEEDS)
def test_rules_and_clocks_stay_real_whatever_the_speed(speed):
    for each in first(speed):
        start_s = each.start_min * 60
        match each.fate:
            case Fate.LATE:
                assert start_s < scans(each)[0] < start_s + ABSENCE_S
            case Fate.MISSED:
                assert start_s + ABSENCE_S < scans(each)[0] < start_s + TOLD_S
            case Fate.COMES | Fate.TWICE:
                assert start_s - 12 * 60 <= scans(each)[0] < start_s
            case Fate.NEVER | Fate.CANCELS:
                assert not scans(each)
            case Fate.WRONG_DAY:
                assert each.start_min > A_DAY_MIN


@pytest.mark.parametrize("begins_s", [0.0, 59.9])
@pytest.mark.parametrize("speed", SPEEDS)
def test_who_never_comes_is_booked_early_enough_to_be_found_absent_and_told(speed, begins_s):
    never = [each for each in first(speed, begins_s) if each.fate is Fate.NEVER]
    assert all(max(each.booked_s, begins_s) + HEARD_S < each.start_min * 60 + ABSENCE_S for each in never)


@pytest.mark.parametrize("speed", SPEEDS)
def test_who_moves_an_appointment_comes_for_the_new_time(speed):
    movers = [each for each in first(speed) if each.fate is Fate.MOVES]
    assert len(movers) > 5
    for each in movers:
        move, scan = each.steps
        assert move.doing is Doing.MOVE
        assert move.at_s < each.start_min * 60 < move.to_min * 60
        assert move.at_s < scan.at_s < move.to_min * 60


@pytest.mark.parametrize("speed", SPEEDS)
def test_nobody_does_anything_before_the_booking_is_made_or_the_morning_begins(speed):
    for each in first(speed):
        assert all(step.at_s >= max(each.booked_s, BEGINS_S) for step in each.steps)
        assert [step.at_s for step in each.steps] == sorted(step.at_s for step in each.steps)


@pytest.mark.parametrize("speed", SPEEDS)
def test_bookings_go_on_for_ever_and_leave_the_desks_time_for_others(speed):
    later = [each for each in first(speed) if each.booked_s > 0]
    gaps = [after.start_min - before.start_min for before, after in pairwise(later)]
    assert sum(gaps) / len(gaps) * 60 == pytest.approx(max(80 / speed, BETWEEN_BOOKINGS_LEAST_S), rel=0.1)
    assert all(each.start_min * 60 - each.booked_s == BOOKED_BEFORE_MIN * 60 for each in later)


def test_no_two_of_a_morning_share_a_code_or_stand_beside_one_of_the_same_name():
    morning = first(1)
    assert len({each.code for each in morning}) == len(morning)
    for at in range(len(morning) - 77):
        assert len({(each.first_name, each.last_name) for each in morning[at : at + 77]}) == 77


def form(id_: int, minutes: int, status: str = "1") -> dict:
    start = NOW + timedelta(minutes=minutes)
    return {"form": "rdv-identite", "id": id_, "start": f"{start}", "status": status, "code": f"CODE{id_}"}


def test_the_page_shows_what_comes_next_in_order_of_time_as_one_reads_it():
    shown = in_view([form(1, 70), form(2, -55)], LETTERS, NOW)
    assert shown == [
        {"id": "rdv-identite/2", "time": "9:05", "letter": "C", "code": "CODE2", "fate": "expected"},
        {"id": "rdv-identite/1", "time": "11:10", "letter": "C", "code": "CODE1", "fate": "expected"},
    ]


def test_the_page_names_each_status_of_publik():
    forms = [form(place, 10 + place, status) for place, status in enumerate(["1", "2", "3", "4", "5"])]
    fates = [row["fate"] for row in in_view(forms, LETTERS, NOW)]
    assert fates == ["expected", "arrived", "served", "absent", "cancelled"]


def test_what_is_over_makes_room_and_who_did_not_come_is_seen_a_while_longer():
    served = [form(place, place - 60, "3") for place in range(40)]
    absent = [form(100, -14, "4"), form(101, -16, "4")]
    shown = in_view(served + absent, LETTERS, NOW)
    assert {row["code"] for row in shown} == {"CODE37", "CODE38", "CODE39", "CODE100"}


def test_the_page_shows_no_more_than_a_window_holds_and_nothing_of_another_day():
    shown = in_view([form(place, place) for place in range(60)] + [form(99, A_DAY_MIN)], LETTERS, NOW)
    assert len(shown) == SHOWN_MOST - OVER_SHOWN
    assert in_view([form(99, A_DAY_MIN)], LETTERS, NOW) == []
