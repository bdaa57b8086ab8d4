"""What a source reports of its bookings: lost and found, moved, cancelled, in slices, and invalid."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hub.queue.answers import DoneAnswer
from hub.queue.bookings import LATEST_MS, NAME_MOST, TEXT_MOST, shown_name
from hub.queue.requests import (
    Admit,
    Book,
    Cancel,
    CancelBooking,
    CheckIn,
    CheckInByCode,
    EndDay,
    ExpireExpected,
    Finish,
    ForgetBookings,
    Issue,
    MarkAbsent,
    Move,
    Next,
    PlanReports,
    Reopen,
    Source,
    Undo,
)
from hub.queue.states import State
from tests.checkers import check_all, read
from tests.queue.harness import DAY, HOUR, MINUTE, SERVICES, TUESDAY_AT_TEN, Queue, moment, only, town

CIVIL_LOST = tuple(service for service in SERVICES if service.name != "civil")


def book_of(booking="b-1", at_ms=TUESDAY_AT_TEN + HOUR, service="civil", name=None, code=None):
    return Book(
        booking=booking,
        reference=f"form/{booking}",
        service=service,
        appointment_ms=at_ms,
        confirmation=booking.upper().replace("-", ""),
        code=code or f"follow-{booking}",
        name=name,
    )


def move_of(booking="b-1", at_ms=TUESDAY_AT_TEN + 2 * HOUR, **facts):
    return Move(booking=booking, appointment_ms=at_ms, **facts)


def cancel_of(booking="b-1"):
    return CancelBooking(booking=booking)


def tickets_of(queue, booking="b-1"):
    return [each for each in queue.tickets() if each.booking == booking]


def row_of(queue, booking="b-1"):
    names = ("site", "id", "ticket", "reference", "service", "start_ms", "day", "code", "gone")
    return next(dict(zip(names, row, strict=True)) for row in queue.table("booking") if row[1] == booking)


# --- lost and found -----------------------------------------------------------------------------------------------


def test_what_the_source_said_last_is_kept_whatever_becomes_of_the_ticket(queue):
    queue.take(book_of())
    assert row_of(queue) == {
        "site": queue.site.name,
        "id": "b-1",
        "ticket": 1,
        "reference": "form/b-1",
        "service": "civil",
        "start_ms": TUESDAY_AT_TEN + HOUR,
        "day": "2026-11-24",
        "code": "B1",
        "gone": 0,
    }
    queue.ask(CheckIn, desk="", ticket=1)
    queue.take(move_of(at_ms=TUESDAY_AT_TEN + DAY, reference="form/other", confirmation="OTHER"))
    row = row_of(queue)
    assert (row["start_ms"], row["day"], row["reference"], row["code"]) == (
        TUESDAY_AT_TEN + DAY,
        "2026-11-25",
        "form/other",
        "OTHER",
    )


def test_a_booking_that_was_lost_and_is_found_again_gets_another_ticket(queue):
    queue.take(book_of(name="Zoé Exemple-Inventée"))
    queue.take(cancel_of())
    assert (queue.state(1), bool(row_of(queue)["gone"])) == (State.CANCELLED, True)
    queue.take(book_of(code="follow-again", name="Zoé Exemple-Inventée"))
    first, second = tickets_of(queue)
    assert (first.state, second.state, second.code) == (State.CANCELLED, State.EXPECTED, "follow-again")
    assert (row_of(queue)["ticket"], bool(row_of(queue)["gone"])) == (2, False)
    assert [row[1] for row in queue.table("visitor_name")] == [1, 2]


def test_found_again_while_the_visitor_is_here_it_makes_nothing_new_and_takes_its_mark_back(queue):
    queue.take(book_of())
    queue.ask(CheckIn, desk="", ticket=1)
    queue.take(cancel_of())
    assert queue.ticket(1).booking_note == "cancelled"
    queue.take(book_of())
    after = only(tickets_of(queue))
    assert (after.state, after.booking_note) == (State.WAITING, None)
    assert queue.events(1)[-2:] == ["booking_cancelled", "booking_restored"]
    assert not row_of(queue)["gone"]


def test_found_again_at_another_time_the_visitor_who_is_here_is_marked_as_moved(queue):
    queue.take(book_of())
    queue.ask(CheckIn, desk="", ticket=1)
    queue.take(cancel_of())
    queue.take(book_of(at_ms=TUESDAY_AT_TEN + 3 * HOUR))
    assert only(tickets_of(queue)).booking_note == "moved"


def test_a_move_that_the_source_takes_back_takes_its_mark_back(queue):
    queue.take(book_of())
    queue.ask(CheckIn, desk="", ticket=1)
    queue.take(move_of())
    assert queue.ticket(1).booking_note == "moved"
    queue.take(move_of(at_ms=TUESDAY_AT_TEN + HOUR))
    assert queue.ticket(1).booking_note is None


@pytest.mark.parametrize("called_in_vain", [False, True])
def test_who_is_here_and_whose_request_has_another_booking_by_now_is_marked_as_moved(queue, called_in_vain):
    queue.open("desk-1")
    queue.take(book_of())
    queue.ask(CheckIn, desk="", ticket=1)
    if called_in_vain:
        end_as(queue, State.ABSENT)
    moved = CancelBooking(booking="b-1", moved=True)
    queue.take(moved, book_of("b-2", at_ms=TUESDAY_AT_TEN + 2 * HOUR))
    assert (queue.ticket(1).booking_note, row_of(queue)["gone"]) == ("moved", 1)
    assert queue.take(moved).count == 0
    assert queue.state(2) is State.EXPECTED
    check_all(read(queue.engine, queue.site.name))


@pytest.mark.parametrize("note", ["cancelled", "moved"])
@pytest.mark.parametrize("undone", [False, True])
def test_who_was_finished_when_the_booking_went_is_marked_once_the_visit_is_reopened(queue, note, undone):
    queue.open("desk-1")
    queue.take(book_of())
    queue.ask(CheckIn, desk="", ticket=1)
    queue.turn(HOUR)
    queue.ask(Next, desk="desk-1", shown=None)
    queue.issue()
    queue.ask(Next if undone else Finish, desk="desk-1", shown=1)
    gone = CancelBooking(booking="b-1", moved=note == "moved")
    assert [queue.take(gone), queue.take(gone)] == [DoneAnswer(count=1), DoneAnswer(count=0)]
    if undone:
        queue.ask(Undo, desk="desk-1", shown=2)
    else:
        queue.ask(Reopen, desk="desk-1", ticket=1)
    assert (queue.state(1), queue.ticket(1).booking_note) == (State.CALLED, note)
    assert queue.events(1)[-2:] == [f"booking_{note}", "reopen"]
    check_all(read(queue.engine, queue.site.name))


@pytest.mark.parametrize("note", ["cancelled", "moved"])
@pytest.mark.parametrize("later_ms", [0, HOUR])
def test_a_booking_that_is_found_again_takes_the_mark_from_who_was_served_at_whatever_time_it_is(queue, note, later_ms):
    queue.open("desk-1")
    queue.take(book_of())
    queue.ask(CheckIn, desk="", ticket=1)
    queue.called()
    queue.ask(Finish, desk="desk-1", shown=1)
    queue.take(CancelBooking(booking="b-1", moved=note == "moved"))
    assert queue.ticket(1).booking_note == note
    queue.take(book_of(at_ms=TUESDAY_AT_TEN + HOUR + later_ms))
    assert (only(queue.tickets()).state, queue.ticket(1).booking_note) == (State.SERVED, None)


TOMORROW = TUESDAY_AT_TEN + DAY


def moved_while_here(queue):
    """A booking that its source moves to tomorrow although the visitor has checked in."""
    queue.open("desk-1")
    queue.take(book_of(name="Zoé Exemple-Inventée"))
    queue.ask(CheckIn, desk="", ticket=1)
    queue.take(move_of(at_ms=TOMORROW))
    assert queue.ticket(1).booking_note == "moved"


def end_as(queue, state):
    if state is State.CANCELLED:
        queue.ask(Cancel, desk="desk-1", ticket=1)
        return
    queue.ask(Next, desk="desk-1", shown=None)
    kind = Finish if state is State.SERVED else MarkAbsent
    queue.ask(kind, desk="desk-1", shown=1)


@pytest.mark.parametrize("state", [State.SERVED, State.ABSENT, State.CANCELLED])
def test_who_was_here_when_the_booking_was_moved_is_expected_at_the_new_time_once_that_visit_has_ended(queue, state):
    moved_while_here(queue)
    queue.job(PlanReports)
    assert len(queue.tickets()) == 1
    end_as(queue, state)
    queue.job(PlanReports)
    queue.job(PlanReports)
    first, second = queue.tickets()
    assert (first.state, second.state, second.appointment_ms) == (state, State.EXPECTED, TOMORROW)
    assert (second.booking, second.day, row_of(queue)["ticket"]) == ("b-1", "2026-11-25", 2)
    assert [row[1] for row in queue.table("visitor_name")] == [1, 2]
    check_all(read(queue.engine, queue.site.name))


def test_who_still_waits_at_the_end_of_the_day_is_expected_at_the_new_time_too(queue):
    moved_while_here(queue)
    queue.now_ms = moment("2026-11-24 18:00")
    queue.job(EndDay, day="2026-11-24")
    queue.job(PlanReports)
    assert [each.state for each in queue.tickets()] == [State.CANCELLED, State.EXPECTED]


def test_who_was_received_for_an_appointment_that_was_moved_to_later_today_is_not_expected_again(queue):
    queue.open("desk-1")
    queue.take(book_of())
    queue.ask(CheckIn, desk="", ticket=1)
    queue.take(move_of())
    end_as(queue, State.SERVED)
    queue.job(PlanReports)
    assert [each.state for each in queue.tickets()] == [State.SERVED]


def test_a_moved_booking_whose_time_has_passed_or_that_is_gone_is_not_taken_up(queue):
    moved_while_here(queue)
    queue.take(cancel_of())
    end_as(queue, State.ABSENT)
    queue.job(PlanReports)
    assert [each.state for each in queue.tickets()] == [State.ABSENT]


def test_who_was_only_admitted_is_expected_at_the_new_time_at_once(queue):
    queue.take(book_of(service="taxes", name="Zoé Exemple-Inventée"))
    queue.now_ms = TUESDAY_AT_TEN + HOUR
    queue.job(Admit, ticket=1)
    queue.take(move_of(at_ms=TOMORROW))
    first, second = queue.tickets()
    assert (first.state, first.booking_note) == (State.CANCELLED, None)
    assert (second.state, second.appointment_ms, second.service) == (State.EXPECTED, TOMORROW, "taxes")
    assert queue.events(1) == ["book", "admit", "cancel"]
    queue.job(PlanReports)
    assert queue.table("report") == []
    check_all(read(queue.engine, queue.site.name))


def test_who_was_admitted_and_has_said_so_since_is_marked(queue):
    queue.take(book_of(service="taxes"))
    queue.now_ms = TUESDAY_AT_TEN + HOUR
    queue.job(Admit, ticket=1)
    queue.do(CheckInByCode(origin=queue.origin(Source.DISPENSER), confirmation="B1", hall="floor"))
    queue.take(move_of(at_ms=TOMORROW))
    assert (queue.state(1), queue.ticket(1).booking_note) == (State.WAITING, "moved")


def test_cancelled_twice_it_is_cancelled_once(queue):
    queue.take(book_of())
    queue.take(cancel_of())
    before = queue.snapshot()
    assert queue.take(cancel_of()) == DoneAnswer(count=0)
    assert queue.snapshot() == before


def lapse_of(booking="b-1"):
    return CancelBooking(booking=booking, lapsed=True)


def test_a_booking_that_lapsed_ends_for_who_is_not_here_yet(queue):
    queue.take(book_of())
    assert queue.take(lapse_of()).count == 1
    assert (queue.state(1), row_of(queue)["gone"]) == (State.CANCELLED, 1)
    queue.take(book_of(code="again"))
    assert [each.state for each in tickets_of(queue)] == [State.CANCELLED, State.EXPECTED]


@pytest.mark.parametrize("state", [State.WAITING, State.CALLED, State.SERVED, State.ABSENT])
def test_a_booking_that_lapsed_stands_for_who_is_or_was_here(queue, state):
    """Publik's own form changes its status when the hub reports the arrival."""
    queue.open("desk-1")
    queue.take(book_of())
    if state is State.ABSENT:
        queue.turn(2 * HOUR)
        queue.job(ExpireExpected, ticket=1)
    else:
        queue.ask(CheckIn, desk="", ticket=1)
        queue.turn(HOUR)
    if state in {State.CALLED, State.SERVED}:
        queue.ask(Next, desk="desk-1", shown=None)
    if state is State.SERVED:
        queue.ask(Next, desk="desk-1", shown=1)
    assert queue.state(1) is state
    before = queue.snapshot()
    assert queue.take(lapse_of()) == DoneAnswer(count=0)
    assert queue.snapshot() == before
    # A real cancellation still reaches the agent.
    assert queue.take(cancel_of()).count == 1
    assert queue.ticket(1).booking_note == "cancelled"


def test_a_booking_that_is_gone_is_not_moved(queue):
    queue.take(book_of())
    queue.take(cancel_of())
    assert queue.take(move_of()).refused == (("b-1", "this site has no booking 'b-1'"),)


def test_who_missed_the_appointment_and_gets_a_later_one_is_expected_again(queue):
    queue.take(book_of())
    queue.turn(2 * HOUR)
    queue.job(ExpireExpected, ticket=1)
    queue.take(move_of(at_ms=queue.now_ms + HOUR))
    old, new = queue.ticket(1), queue.ticket(2)
    assert (old.state, old.booking) == (State.ABSENT, None)
    assert (new.state, new.booking, new.appointment_ms) == (State.EXPECTED, "b-1", queue.now_ms + HOUR)
    assert new.code not in ("", old.code)
    assert queue.events(1)[-1] == "booking_released"


def test_who_missed_the_appointment_and_gets_one_that_is_past_too_stays_absent(queue):
    queue.take(book_of())
    queue.turn(2 * HOUR)
    queue.job(ExpireExpected, ticket=1)
    queue.take(move_of(at_ms=queue.now_ms - MINUTE))
    assert queue.state(only(tickets_of(queue)).id) is State.ABSENT
    assert row_of(queue)["start_ms"] == queue.now_ms - MINUTE


@pytest.mark.parametrize(("later_ms", "tickets"), [(HOUR, 1), (DAY, 2)])
def test_who_was_served_comes_again_only_on_another_day(queue, later_ms, tickets):
    queue.open("desk-1")
    queue.take(book_of())
    queue.ask(CheckIn, desk="", ticket=1)
    queue.called()
    queue.ask(Finish, desk="desk-1", shown=1)
    queue.take(move_of(at_ms=TUESDAY_AT_TEN + HOUR + later_ms))
    assert len(queue.tickets()) == tickets
    assert (queue.state(1), queue.ticket(1).booking_note) == (State.SERVED, None)


def test_what_an_agent_cancelled_stays_cancelled_until_the_source_moves_it(queue):
    queue.open("desk-1")
    queue.take(book_of())
    queue.ask(Cancel, desk="desk-1", ticket=1)
    queue.take(book_of())
    assert len(queue.tickets()) == 1
    queue.take(move_of())
    assert [each.state for each in tickets_of(queue)] == [State.CANCELLED, State.EXPECTED]


def test_a_booking_that_was_forgotten_and_comes_again_gets_another_ticket(queue):
    queue.take(book_of())
    queue.now_ms = moment("2026-11-24 18:00")
    queue.job(EndDay, day="2026-11-24")
    queue.turn(DAY)
    queue.job(ForgetBookings, day="2026-11-26")
    assert queue.table("booking") == []
    queue.take(book_of(at_ms=queue.now_ms + DAY, code="follow-again"))
    assert queue.state(only(tickets_of(queue)).id) is State.EXPECTED
    assert queue.ticket(1).booking is None


# --- another service ----------------------------------------------------------------------------------------------


def test_an_expected_ticket_goes_with_its_booking_to_another_service(queue):
    queue.take(book_of())
    queue.take(move_of(service="taxes"))
    after = queue.ticket(1)
    assert (after.service, after.appointment_ms, after.absent_at_ms) == ("taxes", TUESDAY_AT_TEN + 2 * HOUR, None)
    assert row_of(queue)["service"] == "taxes"


def test_another_service_alone_moves_an_expected_ticket_and_marks_one_who_is_here(queue):
    queue.take(book_of())
    queue.take(move_of(at_ms=TUESDAY_AT_TEN + HOUR, service="papers"))
    assert queue.ticket(1).service == "papers"
    queue.ask(CheckIn, desk="", ticket=1)
    queue.take(move_of(at_ms=TUESDAY_AT_TEN + HOUR, service="civil"))
    assert (queue.ticket(1).service, queue.ticket(1).booking_note) == ("papers", "moved")


def test_a_service_that_the_site_has_no_more_is_named_and_changes_nothing(new_queue):
    queue = new_queue()
    queue.take(book_of())
    queue.take(book_of("b-2", service="papers"))
    queue.index = type(queue.index)(replace(queue.site, services=CIVIL_LOST, desks=()))
    before = queue.snapshot()
    answer = queue.take(book_of("b-3"), move_of("b-1"), move_of("b-2", service="civil"))
    assert (answer.count, queue.snapshot()) == (0, before)
    assert [booking for booking, _ in answer.refused] == ["b-3", "b-1", "b-2"]
    assert all(why == "this site has no service 'civil'" for _, why in answer.refused)
    assert queue.take(cancel_of("b-1")).count == 1
    assert queue.state(1) is State.CANCELLED


# --- slices -------------------------------------------------------------------------------------------------------


def test_a_change_that_is_refused_leaves_the_others_of_its_slice_alone(queue):
    answer = queue.take(
        book_of("b-1"),
        book_of("b-2", service="nothing"),
        move_of("unknown"),
        book_of("b-3"),
        cancel_of("unknown"),
        book_of("b-4", at_ms=LATEST_MS),
    )
    assert (answer.count, [booking for booking, _ in answer.refused]) == (2, ["b-2", "unknown", "unknown", "b-4"])
    assert sorted(each.booking for each in queue.tickets()) == ["b-1", "b-3"]
    check_all(read(queue.engine, queue.site.name))


def test_a_first_name_for_a_known_ticket_and_a_new_ticket_with_one_stand_in_one_slice(queue):
    queue.take(book_of())
    assert queue.take(move_of(name="Zoé Exemple-Inventée"), book_of("b-2", name="Zoe")).count == 2
    assert [row[1:3] for row in queue.table("visitor_name")] == [(1, "Zoé Exemple-Inventée"), (2, "Zoe")]


def test_several_changes_of_one_booking_in_a_slice_are_done_one_after_the_other(queue):
    answer = queue.take(book_of(), cancel_of(), book_of(code="second"), move_of(), cancel_of())
    assert answer.count == 5
    assert [each.state for each in tickets_of(queue)] == [State.CANCELLED, State.CANCELLED]
    assert queue.events(2) == ["book", "move", "cancel"]


def test_each_change_of_a_slice_has_its_own_journal_row_and_the_journal_rebuilds_the_tickets(queue):
    queue.take(*(book_of(f"b-{number}", name="Zoé Exemple-Inventée") for number in range(100)))
    assert queue.events().count("book") == 100
    assert [each.id for each in queue.tickets()] == list(range(1, 101))
    queue.take(*(move_of(f"b-{number}") for number in range(100)))
    check_all(read(queue.engine, queue.site.name))
    assert "Inventée" not in json.dumps([list(map(str, row)) for row in queue.table("ticket_event")])


def test_an_empty_slice_and_one_that_changes_nothing_write_nothing(queue):
    queue.take(book_of())
    before = queue.snapshot()
    for changes in ((), (book_of(), move_of(at_ms=TUESDAY_AT_TEN + HOUR))):
        assert queue.take(*changes).count == 0
    assert queue.snapshot() == before


def test_pages_of_the_service_are_told_of_today_s_bookings_and_not_of_later_ones(queue):
    queue.take(book_of())
    assert queue.effects.services == {"civil"}
    queue.take(book_of("b-2", at_ms=TUESDAY_AT_TEN + DAY))
    assert queue.effects.services == set()
    queue.take(move_of("b-2", at_ms=TUESDAY_AT_TEN))
    assert queue.effects.services == {"civil"}


BOOKINGS = st.sampled_from(["b-1", "b-2", "b-3"])
TIMES = st.sampled_from([-HOUR, HOUR, 2 * HOUR, DAY]).map(lambda by_ms: TUESDAY_AT_TEN + by_ms)
SERVICE = st.sampled_from(["civil", "papers", "taxes", "nothing"])
NAME = st.sampled_from([None, "Zoé Exemple-Inventée", "Zoe"])
CHANGES = st.lists(
    st.builds(book_of, BOOKINGS, TIMES, SERVICE, name=NAME)
    | st.builds(move_of, BOOKINGS, TIMES, service=st.none() | SERVICE, name=NAME)
    | st.builds(cancel_of, BOOKINGS),
    max_size=12,
)


@settings(max_examples=60, suppress_health_check=list(HealthCheck), deadline=None)
@given(changes=CHANGES, size=st.integers(1, 6), here=st.sets(st.integers(1, 3)))
def test_slices_do_what_the_changes_one_by_one_do(shared_engine, changes, size, here):
    """Some of the visitors have checked in, some were admitted, some are absent."""
    changes = [
        replace(each, code=f"follow-{at}") if isinstance(each, Book) else each for at, each in enumerate(changes)
    ]
    singly, sliced = Queue(shared_engine, town()), Queue(shared_engine, town())
    for queue in (singly, sliced):
        for number, service in enumerate(("civil", "papers", "taxes"), 1):
            queue.take(
                book_of(f"b-{number}", TUESDAY_AT_TEN + 10 * MINUTE, service, code=f"{queue.site.name}-{number}")
            )
        for ticket in sorted(here):
            queue.job(
                *((Admit,) if ticket == 3 else (CheckIn,)), **({} if ticket == 3 else {"desk": ""}), ticket=ticket
            )
        queue.turn(30 * MINUTE)
        queue.job(ExpireExpected, ticket=1)
    for change in changes:
        singly.take(change)
    for start in range(0, len(changes), size):
        sliced.take(*changes[start : start + size])
    for name in ("booking", "visitor_name", "counter"):
        assert [row[1:] for row in sliced.table(name)] == [row[1:] for row in singly.table(name)]
    for one, other in zip(sliced.tickets(), singly.tickets(), strict=True):
        assert replace(one, code="") == replace(other, code="")
        assert sliced.events(one.id) == singly.events(other.id)
    for queue in (singly, sliced):
        check_all(read(shared_engine, queue.site.name))
        queue.close()


# --- invalid values -----------------------------------------------------------------------------------------------

UNSTORABLE = "contains a character that the database cannot store"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (book_of("b\0"), f"its booking {UNSTORABLE}"),
        (book_of("b\ud800"), f"its booking {UNSTORABLE}"),
        (replace(book_of(), reference="\0"), f"its reference {UNSTORABLE}"),
        (replace(book_of(), confirmation="\udfff"), f"its confirmation {UNSTORABLE}"),
        (book_of("b" * (TEXT_MOST + 1)), "its booking is longer than 300 characters"),
        (book_of(at_ms=-1), "its time is before 1970 or after 2199"),
        (book_of(at_ms=10**18), "its time is before 1970 or after 2199"),
        (move_of(at_ms=10**18), "its time is before 1970 or after 2199"),
        (cancel_of("b\0"), f"its booking {UNSTORABLE}"),
    ],
)
def test_what_no_database_keeps_is_refused_with_the_reason_alone_and_in_a_slice(queue, change, why):
    queue.take(book_of("b-9"))
    before = queue.snapshot()
    alone = only(queue.take(change).refused)[1]
    assert alone == why
    assert queue.snapshot() == before
    answer = queue.take(change, book_of("b-10"))
    assert answer.count == 1
    assert only(answer.refused)[1] == alone


@pytest.mark.parametrize(
    ("given_name", "kept"),
    [
        ("Zoé Exemple-Inventée", "Zoé Exemple-Inventée"),
        ("王小明 示例", "王小明 示例"),
        ("مثال تجريبي", "مثال تجريبي"),
        ("ตัวอย่าง สมมติ", "ตัวอย่าง สมมติ"),
        ("Exemple 👩‍👩‍👧 Inventé", "Exemple 👩‍👩‍👧 Inventé"),
        ("<script>alert(1)</script> & 'Exemple' \"x\"", "<script>alert(1)</script> & 'Exemple' \"x\""),
        ("  deux\n lignes\t\0 ", "deux lignes"),
        ("Exemple\u202eénvers", "Exemple énvers"),
        ("\ud800Exemple", "Exemple"),
        ("Exe\u0301mple", "Exémple"),
        ("x" * 1000, "x" * NAME_MOST),
        ("", None),
        ("\u200b \n", None),
    ],
)
def test_a_name_of_any_script_is_kept_on_one_line(queue, given_name, kept):
    assert shown_name(given_name) == kept
    queue.take(book_of(name=given_name), book_of("b-2", name=given_name))
    assert [row[2] for row in queue.table("visitor_name")] == ([] if kept is None else [kept, kept])


def test_two_bookings_at_the_same_time_are_both_expected(queue):
    queue.take(book_of("b-1"), book_of("b-2"))
    assert [each.state for each in queue.tickets()] == [State.EXPECTED, State.EXPECTED]


def test_a_booking_of_earlier_today_is_expected_until_the_job_finds_it_absent(queue):
    queue.take(book_of(at_ms=TUESDAY_AT_TEN - 2 * HOUR))
    assert queue.state(1) is State.EXPECTED
    queue.job(ExpireExpected, ticket=1)
    after = queue.ticket(1)
    assert (after.state, after.ended_ms) == (State.ABSENT, TUESDAY_AT_TEN - 2 * HOUR + 5 * MINUTE)


def test_ten_thousand_bookings_are_taken_and_a_walk_in_gets_its_number_behind_them(queue):
    changes = [book_of(f"b-{number}", at_ms=TUESDAY_AT_TEN + number * 1000) for number in range(10_000)]
    taken = [queue.take(*changes[start : start + 500]).count for start in range(0, 10_000, 500)]
    assert sum(taken) == 10_000
    assert queue.ticket_answer("civil").number == "A001"
    origin = queue.origin(Source.DISPENSER)
    assert queue.do(Issue(origin=origin, service="civil", code="c")).ticket == 10_002


def names(queue):
    return [row[1:] for row in queue.table("visitor_name")]


@pytest.mark.parametrize("before", [None, "Zoe Exemple"])
@pytest.mark.parametrize("here", [False, True])
def test_a_name_told_later_or_corrected_comes_without_a_journal_row_and_once(queue, before, here):
    queue.open("desk-1")
    queue.take(book_of(name=before))
    if here:
        queue.ask(CheckIn, desk="", ticket=1)
        queue.called()
    events, renamed = queue.events(), move_of(at_ms=TUESDAY_AT_TEN + HOUR, name="Zoé  Exemple-Inventée")
    assert queue.take(renamed).count == 1
    assert names(queue) == [(1, "Zoé Exemple-Inventée", moment("2026-11-24 18:00"))]
    assert "civil" in queue.effects.services, "pages show it"
    assert queue.events() == events
    assert queue.take(renamed).count == 0
    assert queue.take(move_of(at_ms=TUESDAY_AT_TEN + HOUR)).count == 0
    assert [name for _, name, _ in names(queue)] == ["Zoé Exemple-Inventée"]


@pytest.mark.parametrize("by_source", [True, False])
def test_the_name_of_a_cancelled_appointment_goes_with_the_day_it_was_cancelled_on(queue, by_source):
    queue.open("desk-1")
    queue.take(book_of(at_ms=TUESDAY_AT_TEN + 7 * DAY, name="Zoé Exemple-Inventée"))
    if by_source:
        queue.take(cancel_of())
    else:
        queue.ask(Cancel, desk="desk-1", ticket=1)
    assert names(queue) == [(1, "Zoé Exemple-Inventée", moment("2026-11-24 18:00"))]


def test_the_name_of_who_moved_to_an_earlier_day_does_not_stay_with_the_later_one(queue):
    queue.take(book_of(at_ms=TUESDAY_AT_TEN + 7 * DAY, name="Zoé Exemple-Inventée"))
    queue.take(cancel_of(), book_of("b-2", at_ms=TUESDAY_AT_TEN + DAY, name="Zoé Exemple-Inventée"))
    ends = [ends_ms for _, _, ends_ms in names(queue)]
    assert ends == [moment("2026-11-24 18:00"), moment("2026-11-25 18:00")]


def test_who_has_left_gets_no_name(queue):
    queue.take(book_of())
    queue.ask(CheckIn, desk="", ticket=1)
    queue.open("desk-1")
    queue.called()
    queue.ask(Finish, desk="desk-1", shown=1)
    assert queue.take(move_of(at_ms=TUESDAY_AT_TEN + HOUR, name="Zoé Exemple-Inventée")).count == 0
    assert names(queue) == []


def test_a_name_whose_day_has_ended_is_not_brought(queue):
    queue.take(book_of())
    queue.now_ms = moment("2026-11-24 18:00")
    assert queue.take(move_of(at_ms=TUESDAY_AT_TEN + HOUR, name="Zoé Exemple-Inventée")).count == 0
    assert names(queue) == []


@pytest.mark.parametrize("before", [None, "Zoe Exemple", "Zoé Exemple-Inventée"])
@pytest.mark.parametrize(
    ("at_ms", "kept_until"), [(moment("2026-11-26 09:00"), "2026-11-26 18:00"), (moment("2026-11-24 08:00"), None)]
)
def test_a_name_that_comes_with_a_move_is_kept_as_long_as_the_new_day(queue, before, at_ms, kept_until):
    queue.take(book_of(at_ms=TUESDAY_AT_TEN + DAY, name=before))
    queue.now_ms = moment("2026-11-24 20:00")
    assert queue.take(move_of(at_ms=at_ms, name="Zoé Exemple-Inventée")).count == 1
    assert names(queue) == ([(1, "Zoé Exemple-Inventée", moment(kept_until))] if kept_until else [])


def test_a_second_visit_has_the_name_of_its_move_where_the_first_has_none_any_more(queue):
    queue.take(book_of())
    queue.now_ms = TUESDAY_AT_TEN + HOUR + 10 * MINUTE
    queue.job(ExpireExpected, ticket=1)
    queue.take(move_of(at_ms=TUESDAY_AT_TEN + 3 * HOUR, name="Zoé Exemple-Inventée"))
    assert [(ticket, name) for ticket, name, _ in names(queue)] == [(2, "Zoé Exemple-Inventée")]


def test_many_names_are_brought_in_one_slice(queue):
    queue.take(*(book_of(f"b-{number}", name="Zoe" if number % 2 else None) for number in range(60)))
    moves = [move_of(f"b-{number}", at_ms=TUESDAY_AT_TEN + HOUR, name=f"Zoé {number}") for number in range(60)]
    assert queue.take(*moves).count == 60
    assert sorted(name for _, name, _ in names(queue)) == sorted(f"Zoé {number}" for number in range(60))


def test_a_name_goes_with_its_booking_to_another_ticket(queue):
    queue.take(book_of(name="Zoé Exemple-Inventée"))
    queue.now_ms = TUESDAY_AT_TEN + HOUR + 10 * MINUTE
    queue.job(ExpireExpected, ticket=queue.tickets()[0].id)
    queue.take(move_of(at_ms=TUESDAY_AT_TEN + 3 * HOUR))
    second = queue.tickets()[-1]
    assert (len(queue.tickets()), second.state) == (2, "expected")
    assert "Zoé Exemple-Inventée" in {row[2] for row in queue.table("visitor_name") if row[1] == second.id}
