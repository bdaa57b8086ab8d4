"""Naive local times to moments and back, across both clock changes."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.publik.slots import parse_slot
from hub.publik.times import NotATime, changed_since, local_day, local_time, moment_ms

PARIS = ZoneInfo("Europe/Paris")
HOUR_MS = 3_600_000


def utc_ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def read(text: str) -> int:
    return moment_ms(local_time(text), PARIS)


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-11-25 10:00:00", "2026-11-25T09:00"),
        ("2026-11-25T10:00:00", "2026-11-25T09:00"),
        ("2026-11-25 10:00", "2026-11-25T09:00"),
        ("2026-07-01 10:00", "2026-07-01T08:00"),
        (" 2026-11-25 10:00 ", "2026-11-25T09:00"),
        ("2026-11-25T10:00:00+05:00", "2026-11-25T05:00"),
        ("2026-11-25T10:00:00Z", "2026-11-25T10:00"),
        # This time does not exist: it is read as if the clocks had not gone forward.
        ("2026-03-29 02:30", "2026-03-29T01:30"),
        # This time exists twice: the first one is taken.
        ("2026-10-25 02:30", "2026-10-25T00:30"),
        ("2026-10-25 03:00", "2026-10-25T02:00"),
    ],
)
def test_a_local_time_becomes_a_moment(text: str, utc: str):
    assert read(text) == utc_ms(utc)


@pytest.mark.parametrize(
    "text", ["", "2026-11-25", "10:00", "demain", "2026-13-01 10:00", "2026-11-25 25:00", "1" * 20]
)
def test_what_is_no_time_is_told(text: str):
    with pytest.raises(NotATime):
        local_time(text)


def test_another_zone_gives_another_moment():
    assert moment_ms(local_time("2026-11-25 10:00"), ZoneInfo("America/Martinique")) == utc_ms("2026-11-25T14:00")


def test_a_day_is_a_local_one():
    assert local_day(utc_ms("2026-11-25T23:30"), PARIS) == date(2026, 11, 26)


@given(st.integers(utc_ms("2000-01-01T00:00"), utc_ms("2100-01-01T00:00")))
def test_a_moment_is_found_again_from_its_local_time_but_in_the_hour_that_is_there_twice(moment):
    aware = datetime.fromtimestamp(moment // 1000, UTC).astimezone(PARIS)
    found = moment_ms(aware.replace(tzinfo=None, fold=0), PARIS)
    assert found - aware.timestamp() * 1000 in {0, -HOUR_MS if aware.fold else 0}


@pytest.mark.parametrize(
    ("since", "written"),
    [
        ("2026-11-25T09:00:30", "2026-11-25 09:58"),
        ("2026-11-24T23:01:00", "2026-11-24 23:59"),
        ("2026-03-29T01:01:00", "2026-03-29 01:59"),
        # 2:50 exists twice: nothing is left out, whichever is meant.
        ("2026-10-25T00:52:00", "2026-10-25 01:50"),
        ("2026-10-25T01:52:00", "2026-10-25 01:50"),
        ("2026-10-25T02:02:00", "2026-10-25 03:00"),
    ],
)
def test_changes_are_asked_for_from_two_minutes_before_cut_to_the_minute(since: str, written: str):
    assert changed_since(utc_ms(since), PARIS) == written


@given(st.integers(utc_ms("2026-10-24T20:00"), utc_ms("2026-10-25T06:00")), st.integers(0, 4 * HOUR_MS))
def test_no_change_is_left_out_around_the_hour_that_is_there_twice(since_ms: int, later_ms: int):
    """Holds however w.c.s. compares: times as written, or the first or second moment of a naive time."""
    asked = datetime.fromisoformat(changed_since(since_ms, PARIS))
    changed = datetime.fromtimestamp((since_ms + later_ms) / 1000, UTC).astimezone(PARIS)
    assert changed.replace(tzinfo=None) >= asked
    assert changed.timestamp() >= asked.replace(tzinfo=PARIS, fold=0).timestamp()
    assert changed.timestamp() >= asked.replace(tzinfo=PARIS, fold=1).timestamp()


def test_a_meetings_slot_carries_its_type_and_its_start():
    slot = parse_slot("30:2023-10-04-1000")
    assert slot is not None
    assert (slot.meeting_type, slot.start.isoformat()) == ("30", "2023-10-04T10:00:00")


@pytest.mark.parametrize(
    "text", ["conference-2026", "30:2023-10-04", "30:2023-13-04-1000", ":2023-10-04-1000", "", "a:b"]
)
def test_an_events_slot_is_none(text: str):
    assert parse_slot(text) is None


def test_a_meeting_types_slug_may_be_a_word():
    slot = parse_slot("passeport-long:2023-10-04-0930")
    assert slot is not None
    assert (slot.meeting_type, slot.start.hour, slot.start.minute) == ("passeport-long", 9, 30)
