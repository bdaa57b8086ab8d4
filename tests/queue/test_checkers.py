"""The checkers themselves: rows from which a number, a ticket or a booking was lost do not pass."""

from dataclasses import replace

import pytest

from hub.queue.requests import CheckIn, ExpireExpected, Source
from tests.checkers import check_no_booking_vanished, check_no_gaps, check_requests, read
from tests.queue.harness import HOUR, MINUTE, TUESDAY_AT_TEN
from tests.queue.test_bookings import book_of, cancel_of, move_of


def all_rows(queue):
    return read(queue.engine, queue.site.name)


@pytest.fixture
def numbered(queue):
    """The rows of two walk-ins and a visitor with an appointment, who have the numbers A001, B001 and A002."""
    queue.issue()
    queue.issue("papers")
    queue.ask(CheckIn, desk="", ticket=queue.book(TUESDAY_AT_TEN + 5 * MINUTE))
    rows = all_rows(queue)
    check_no_gaps(rows)
    check_requests(rows)
    return rows


@pytest.mark.parametrize("series", ["A", "B", "ticket"])
def test_a_number_that_was_counted_and_has_no_ticket_is_found(numbered, series):
    counters = [each | {"last": each["last"] + (each["series"] == series)} for each in numbered.counters]
    with pytest.raises(AssertionError, match="numbers of"):
        check_no_gaps(replace(numbered, counters=counters))


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_a_ticket_that_was_lost_with_its_number_is_found(numbered, lost):
    left = replace(numbered, tickets=[each for each in numbered.tickets if each["id"] != lost])
    with pytest.raises(AssertionError, match="numbers of"):
        check_no_gaps(left)
    with pytest.raises(AssertionError, match=f"ticket {lost} has another number or none"):
        check_requests(left)


def test_a_number_that_no_counter_counted_is_found(numbered):
    with pytest.raises(AssertionError, match="of the 0 numbers of"):
        check_no_gaps(replace(numbered, counters=[each for each in numbered.counters if each["series"] != "B"]))


def test_a_booking_that_was_detached_from_its_ticket_and_got_no_other_is_found(queue):
    queue.take(book_of(at_ms=TUESDAY_AT_TEN + MINUTE))
    queue.turn(10 * MINUTE)
    queue.job(ExpireExpected, ticket=1)
    queue.take(move_of(at_ms=TUESDAY_AT_TEN + 2 * HOUR))
    rows = all_rows(queue)
    check_no_booking_vanished(rows)
    assert [each["event"] for each in rows.events[-2:]] == ["booking_released", "book"]
    with pytest.raises(AssertionError, match="b-1 was detached from its ticket"):
        check_no_booking_vanished(replace(rows, events=rows.events[:-1], tickets=rows.tickets[:-1]))


def test_a_booking_without_a_row_whose_ticket_is_expected_is_found(queue):
    queue.take(book_of())
    with pytest.raises(AssertionError, match="b-1 was forgotten, and its ticket is expected"):
        check_no_booking_vanished(replace(all_rows(queue), bookings=[]))


def test_a_booking_without_any_ticket_is_found(queue):
    queue.take(book_of())
    with pytest.raises(AssertionError, match="never got a ticket"):
        check_no_booking_vanished(replace(all_rows(queue), events=[]))


@pytest.mark.parametrize("by", [Source.SYNC, Source.PAGE])
def test_a_booking_that_stands_on_while_the_source_cancelled_its_ticket_is_found(queue, by):
    queue.take(book_of(), cancel_of())
    rows = all_rows(queue)
    check_no_booking_vanished(rows)
    events = [each | {"source": by} for each in rows.events]
    stands_on = replace(rows, events=events, bookings=[each | {"gone": False} for each in rows.bookings])
    if by is Source.PAGE:
        check_no_booking_vanished(stands_on)
        return
    with pytest.raises(AssertionError, match="the source has cancelled its ticket"):
        check_no_booking_vanished(stands_on)
