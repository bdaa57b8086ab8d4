"""What a listing changes: every change is made once, and none is lost or repeated, whatever fails."""

from dataclasses import replace as with_
from itertools import count
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hub.appointments.comparing import compare, lapsed_of, window_of
from hub.appointments.source import Booking, Flaw, Listing
from hub.queue.bookings import Known
from hub.queue.hours import local_day
from hub.queue.requests import Book, CancelBooking, Move
from hub.site import Appointments
from tests.queue.harness import DAY, HOUR, MINUTE, TUESDAY_AT_TEN, ZONE, moment, only, town

SITE = town(appointments=Appointments(days_ahead=7, days_off=("2026-11-27",)))
NOW = TUESDAY_AT_TEN
WINDOW = window_of(SITE, NOW)
_codes = count(1)


def booking(number=1, **facts):
    return Booking(
        **{
            "id": f"b{number}",
            "reference": f"rdv/{number}",
            "service": "civil",
            "start_ms": NOW + HOUR,
            "code": f"R{number}",
        }
        | facts
    )


def known(number=1, **facts):
    made = booking(number, **{name: value for name, value in facts.items() if name != "day"})
    return Known(
        id=made.id,
        ticket=number,
        reference=made.reference,
        service=made.service,
        start_ms=made.start_ms,
        day=facts.get("day", local_day(made.start_ms, ZONE)),
        code=made.code,
        gone=made.gone,
    )


def found(rows, *bookings, complete=False, flaws=(), names=None):
    listing = Listing(tuple(bookings), tuple(flaws), complete)
    lazily = compare(rows, listing, WINDOW, lambda: f"code-{next(_codes)}", names or {})
    return SimpleNamespace(changes=tuple(lazily.changes), flaws=tuple(lazily.flaws))


def changes(rows, *bookings, **how):
    return found(rows, *bookings, **how).changes


# --- one booking --------------------------------------------------------------------------------------------------


def test_a_new_booking_is_booked_with_all_that_is_known_of_it():
    change = only(changes([], booking(name="Zoé Exemple-Inventée")))
    assert isinstance(change, Book)
    assert (change.booking, change.reference, change.service) == ("b1", "rdv/1", "civil")
    assert (change.appointment_ms, change.confirmation) == (NOW + HOUR, "R1")
    assert change.name == "Zoé Exemple-Inventée"
    assert change.code.startswith("code-")


def test_a_booking_that_is_known_as_it_is_told_changes_nothing():
    assert changes([known()], booking(), complete=True) == ()


@pytest.mark.parametrize(
    ("told", "moved"),
    [
        ({"start_ms": NOW + 2 * HOUR}, {"appointment_ms": NOW + 2 * HOUR}),
        ({"service": "papers"}, {"service": "papers"}),
        ({"reference": "rdv/9"}, {"reference": "rdv/9"}),
        ({"code": "R9"}, {"confirmation": "R9"}),
    ],
)
def test_what_is_told_otherwise_is_moved_and_nothing_else_is_said(told, moved):
    change = only(changes([known()], booking(**told)))
    assert isinstance(change, Move)
    expected = {"appointment_ms": NOW + HOUR, "service": None, "reference": None, "confirmation": None} | moved
    assert {name: getattr(change, name) for name in expected} == expected


@pytest.mark.parametrize("before", [None, "Zoe Exemple"])
def test_a_name_that_is_told_later_or_corrected_is_brought(before):
    change = only(changes([known()], booking(name="Zoé  Exemple"), names={1: before}))
    assert isinstance(change, Move)
    assert (change.booking, change.appointment_ms, change.name) == ("b1", NOW + HOUR, "Zoé  Exemple")


@pytest.mark.parametrize(
    ("told", "names"),
    [
        ("Zoé  Exemple", {1: "Zoé Exemple"}),
        (None, {1: "Zoé Exemple"}),
        ("\u202e", {1: "Zoé Exemple"}),
        ("Zoé Exemple", {}),
    ],
    ids=["the same on one line", "no longer told", "nothing to be seen", "who has left"],
)
def test_a_name_that_is_no_other_one_changes_nothing(told, names):
    assert changes([known()], booking(name=told), names=names, complete=True) == ()


def test_a_booking_whose_code_is_not_told_is_found_by_its_id_until_one_is_and_keeps_that():
    new = only(changes([], booking(code=None)))
    assert isinstance(new, Book)
    assert new.confirmation == "B1"
    assert changes([known(code="R1")], booking(code=None)) == ()
    assert only(changes([known(code="R1", gone=True)], booking(code=None))).confirmation == "R1"
    later = only(changes([known(code="B1")], booking(code="R1")))
    assert isinstance(later, Move)
    assert later.confirmation == "R1"


def test_a_cancelled_booking_is_cancelled_once():
    assert isinstance(only(changes([known()], booking(gone=True))), CancelBooking)
    assert changes([known(gone=True)], booking(gone=True)) == ()
    assert changes([], booking(gone=True)) == ()


def test_a_booking_that_lapsed_is_not_taken_in_and_asks_for_no_more_than_that_of_one_that_is_known():
    lapsed = booking(gone=True, lapsed=True)
    assert changes([], lapsed, complete=True) == ()
    assert changes([known(gone=True)], lapsed, complete=True) == ()
    assert only(changes([known()], lapsed, complete=True)).lapsed
    assert not only(changes([known()], booking(gone=True), complete=True)).lapsed
    assert changes([known(day="2026-11-23")], lapsed) == ()


@pytest.mark.parametrize("complete", [True, False])
def test_of_who_is_here_what_lapsed_changes_nothing_but_a_cancellation_does(complete):
    """A request that lapsed no longer has the booking; another request has taken it over."""
    left, cancelled = booking(gone=True, lapsed=True), booking(reference="rdv/7", gone=True)

    def asked(rows, *told):
        listing = Listing(told, complete=complete)
        return tuple(compare(rows, listing, WINDOW, lambda: "code", here=frozenset({"b1"})).changes)

    assert asked([known()], left) == ()
    assert not only(asked([known(reference="rdv/7")], left, cancelled)).lapsed


def test_of_what_lapsed_only_what_is_known_and_could_end_is_looked_up():
    told = [booking(number, gone=True, lapsed=True) for number in range(1, 5)]
    rows = [known(1), known(2, gone=True), known(3, start_ms=NOW - DAY), known(5), known(6)]
    listing = Listing((*told, booking(5), booking(6, gone=True)), complete=True)
    assert lapsed_of(listing, rows, WINDOW) == ["b1"]


def test_a_booking_that_was_gone_is_booked_again():
    assert isinstance(only(changes([known(gone=True)], booking())), Book)


@pytest.mark.parametrize("start_ms", [NOW - DAY, NOW + 8 * DAY, moment("2026-11-27 10:00"), -(10**15), 10**16])
def test_bookings_of_other_days_and_of_days_off_are_passed_over(start_ms):
    assert found([], booking(start_ms=start_ms)) == found([])


def test_of_today_what_is_past_is_booked_too_and_of_the_last_day_the_last_minute():
    assert changes([], booking(start_ms=moment("2026-11-24 00:00")))
    assert changes([], booking(start_ms=moment("2026-12-01 23:59")))
    assert not changes([], booking(start_ms=moment("2026-12-02 00:00")))


def test_a_booking_moved_to_a_day_off_or_out_of_sight_has_no_ticket_any_more():
    for start_ms in (moment("2026-11-27 10:00"), NOW + 30 * DAY):
        rows = [known()]
        assert isinstance(only(changes(rows, booking(start_ms=start_ms))), CancelBooking)
        assert changes([known(gone=True)], booking(start_ms=start_ms)) == ()


def test_yesterday_s_bookings_are_left_alone():
    yesterday = NOW - DAY
    rows = [known(start_ms=yesterday)]
    assert changes(rows, booking(start_ms=yesterday)) == ()
    assert changes(rows, complete=True) == ()


def test_an_unknown_service_is_a_flaw_and_leaves_the_others_alone():
    seen = found([], booking(1, service="nowhere", name="Zoé Exemple-Inventée"), booking(2))
    assert [change.booking for change in seen.changes] == ["b2"]
    assert only(seen.flaws).reference == "rdv/1"
    assert only(seen.flaws).why == "its service is not one of the site's: civil, papers, social, taxes"


# --- bookings missing from a listing ------------------------------------------------------------------------------


def test_only_a_complete_listing_says_that_something_is_gone():
    assert changes([known(1), known(2)], booking(1)) == ()
    assert only(changes([known(1), known(2)], booking(1), complete=True)).booking == "b2"


def test_what_a_complete_listing_could_not_have_told_is_not_gone():
    beyond = known(start_ms=NOW + 20 * DAY)
    assert changes([beyond], complete=True) == ()


def test_a_booking_with_a_flaw_is_not_taken_to_be_gone():
    flaw = Flaw("request 2", "its start is missing", "rdv/2")
    seen = found([known(1), known(2)], booking(1), complete=True, flaws=[flaw])
    assert seen.changes == ()
    assert seen.flaws == (flaw,)


@pytest.mark.parametrize("complete", [True, False])
def test_what_may_hide_another_booking_of_a_request_is_a_flaw_where_one_is_known_that_is_not_told(complete):
    flaw = Flaw("request 1", "it shows no workflow.data", "rdv/1", if_known=True)
    other, yesterday = known(2, reference="rdv/1"), known(3, reference="rdv/1", start_ms=NOW - DAY)
    for rows, flaws in (([known(1), other], (flaw,)), ([known(1)], ()), ([known(1), yesterday], ())):
        seen = found(rows, booking(1), complete=complete, flaws=[flaw])
        assert (seen.changes, seen.flaws) == ((), flaws)


@pytest.mark.parametrize("complete", [True, False])
def test_what_hides_bookings_of_one_service_spares_none_of_another_that_was_moved(complete):
    flaw = Flaw("request 1", "it shows no workflow.data", "rdv/1", if_known=True, services=("papers",))
    new = booking(3, reference="rdv/1")
    seen = found([known(1)], new, complete=complete, flaws=[flaw])
    assert [(each.booking, isinstance(each, Book)) for each in seen.changes] == [("b1", False), ("b3", True)]
    assert seen.flaws == ()
    hidden = known(2, reference="rdv/1", service="papers")
    seen = found([known(1), hidden], new, complete=complete, flaws=[flaw])
    assert [each.booking for each in seen.changes] == ["b1", "b3"]
    assert seen.flaws == (flaw,)


def test_a_request_that_names_another_booking_lost_the_old_one_at_once():
    old, new = known(1), booking(2, reference="rdv/1", start_ms=NOW + 3 * HOUR)
    cancel, book = changes([old], new)
    assert isinstance(cancel, CancelBooking)
    assert (cancel.booking, cancel.moved) == ("b1", True)
    assert isinstance(book, Book)
    assert changes([old, known(2)], new, complete=True)[0] == cancel
    assert len(changes([old], new, complete=True)) == 2, "cancelled once, though it vanished too"


def test_a_request_that_was_moved_beyond_the_days_lost_what_it_had_to_a_move():
    rows = [known(1), known(2, start_ms=NOW + 20 * DAY)]
    later = (booking(3, reference="rdv/1", start_ms=NOW + 20 * DAY), booking(2, start_ms=NOW + 20 * DAY))
    change = only(compare(rows, Listing((), complete=True, later=later), WINDOW, lambda: "code").changes)
    assert (change.booking, change.moved) == ("b1", True)


def test_a_cancelled_request_that_names_no_booking_lost_all_it_had():
    rows = [known(1), known(2, reference="rdv/1"), known(3, gone=True, reference="rdv/1"), known(4)]
    for complete in (False, True):
        listing = Listing((booking(4),), complete=complete, cancelled=("rdv/1", "rdv/9"))
        found = compare(rows, listing, WINDOW, lambda: "code")
        assert [change.booking for change in found.changes if isinstance(change, CancelBooking)] == ["b1", "b2"]


def test_a_request_that_names_another_booking_and_is_cancelled_moved_nothing():
    cancel = only(changes([known(1)], booking(2, reference="rdv/1", gone=True)))
    assert (cancel.booking, cancel.moved) == ("b1", False)


def test_a_request_that_loses_one_of_its_two_bookings_moved_nothing():
    rows = [known(1), known(2, reference="rdv/1")]
    cancel = only(changes(rows, booking(2, reference="rdv/1")))
    assert (cancel.booking, cancel.moved) == ("b1", False)


def test_what_one_of_two_bookings_was_moved_to_is_the_new_one():
    rows = [known(1), known(2, reference="rdv/1")]
    stays, new = booking(2, reference="rdv/1"), booking(3, reference="rdv/1")
    for told in ((stays, new), (new, stays)):
        cancel, book = changes(rows, *told)
        assert (cancel.booking, cancel.moved, book.booking) == ("b1", True, "b3")


def test_a_move_of_who_is_here_is_one_though_the_request_moved_on_since():
    cancel = only(changes([known(1)], booking(2, reference="rdv/1", gone=True, lapsed=True)))
    assert (cancel.booking, cancel.moved) == ("b1", True)


def test_a_request_with_two_bookings_keeps_both():
    rows = [known(1), known(2, reference="rdv/1")]
    assert changes(rows, booking(1), booking(2, reference="rdv/1")) == ()


def test_of_two_requests_with_one_booking_the_known_one_has_it_and_the_other_is_a_flaw():
    first, second = (booking(1, reference=each, name="Zoé Exemple-Inventée") for each in ("rdv/1", "rdv/7"))
    for order in ((first, second), (second, first)):
        seen = found([known(1)], *order, names={1: "Zoé Exemple-Inventée"})
        assert seen.changes == ()
        assert seen.flaws == (Flaw("b1", "the request rdv/1 has this booking too, and keeps it", "rdv/7"),)


def test_a_booking_that_a_cancelled_request_leaves_to_another_goes_to_that_one():
    first, second = booking(1, gone=True), booking(1, reference="rdv/7")
    for order in ((first, second), (second, first)):
        seen = found([known(1)], *order)
        assert only(seen.changes).reference == "rdv/7"
        assert seen.flaws == ()


def test_a_booking_that_went_to_another_request_is_not_gone_with_the_one_it_left():
    of_second, left = known(1, reference="rdv/7"), booking(1, gone=True)
    assert changes([of_second], left) == ()
    # A complete listing would have included the second request too.
    assert isinstance(only(changes([of_second], left, complete=True)), CancelBooking)
    assert isinstance(only(changes([of_second], booking(1, reference="rdv/7", gone=True))), CancelBooking)


def test_a_booking_told_twice_in_one_listing_counts_as_it_was_told_last():
    assert only(changes([], booking(start_ms=NOW + MINUTE), booking())).appointment_ms == NOW + HOUR


# --- any town and any failure -------------------------------------------------------------------------------------

BOOKINGS = st.builds(
    booking,
    st.integers(1, 8),
    start_ms=st.integers(-3, 12).map(lambda days: NOW + days * DAY),
    service=st.sampled_from(["civil", "papers", "nowhere"]),
    gone=st.booleans(),
    code=st.sampled_from(["R1", "R2"]),
    reference=st.integers(1, 5).map(lambda number: f"rdv/{number}"),
)
TOWNS = st.lists(BOOKINGS, max_size=8, unique_by=lambda each: each.id)


class Table:
    """The `booking` rows as the queue keeps them: the source's last word on each booking."""

    def __init__(self):
        self.rows = {}
        self.tickets = count(1)

    def apply(self, change):
        row = self.rows.get(change.booking)
        match change:
            case Book():
                assert row is None or row.gone, "booked twice"
                self.rows[change.booking] = Known(
                    id=change.booking,
                    ticket=next(self.tickets),
                    reference=change.reference,
                    service=change.service,
                    start_ms=change.appointment_ms,
                    day=local_day(change.appointment_ms, ZONE),
                    code=change.confirmation,
                    gone=False,
                )
            case Move():
                assert not row.gone, "moved, though it is gone"
                changed = {
                    "service": change.service,
                    "reference": change.reference,
                    "code": change.confirmation,
                    "start_ms": change.appointment_ms,
                    "day": local_day(change.appointment_ms, ZONE),
                }
                told = {name: value for name, value in changed.items() if value is not None}
                self.rows[change.booking] = replace(row, **told)
            case CancelBooking():
                assert not row.gone, "cancelled twice"
                self.rows[change.booking] = replace(row, gone=True)

    def take(self, listing, done_most=None):
        for change in tuple(compare(self.rows.values(), listing, WINDOW, lambda: "code").changes)[:done_most]:
            self.apply(change)

    def alive(self):
        return {
            row.id: (row.reference, row.service, row.start_ms, row.code) for row in self.rows.values() if not row.gone
        }


def full(bookings):
    return Listing(tuple(bookings), complete=True)


def alive_in(bookings):
    """What the hub must know of a town: the bookings that count and no others."""
    counted = [
        each for each in bookings if not each.gone and each.service in WINDOW.services and WINDOW.counts(each.start_ms)
    ]
    return {each.id: (each.reference, each.service, each.start_ms, each.code) for each in counted}


@given(TOWNS, TOWNS)
def test_a_listing_taken_twice_changes_nothing_the_second_time(before, after):
    table = Table()
    table.take(full(before))
    for listing in (Listing(tuple(after)), full(after)):
        table.take(listing)
        assert tuple(compare(table.rows.values(), listing, WINDOW, lambda: "code").changes) == ()


@given(TOWNS, TOWNS)
def test_what_changed_and_then_all_of_it_is_the_same_as_all_of_it(before, after):
    changed = [each for each in after if each not in before]
    one, other = Table(), Table()
    for table in (one, other):
        table.take(full(before))
    one.take(Listing(tuple(changed)))
    one.take(full(after))
    other.take(full(after))
    assert one.alive() == other.alive()


@given(st.lists(st.tuples(TOWNS, st.booleans(), st.integers(0, 6)), max_size=6), TOWNS)
def test_no_booking_is_lost_or_doubled_however_often_a_pass_breaks_off(passes, last):
    table, before = Table(), []
    for bookings, whole, done_most in passes:
        changed = [each for each in bookings if each not in before]
        table.take(full(bookings) if whole else Listing(tuple(changed)), done_most)
        before = bookings
    table.take(full(last))
    # A booking told with a service unknown to the site keeps its known row.
    strange = {each.id for each in last if each.service not in WINDOW.services}
    known_now = {id_: row for id_, row in table.alive().items() if id_ not in strange}
    assert known_now == alive_in(last)


@given(TOWNS)
def test_what_is_not_told_by_a_partial_listing_stays(bookings):
    table = Table()
    table.take(full(bookings))
    before = table.alive()
    table.take(Listing(()))
    assert table.alive() == before


def test_the_window_spans_the_days_ahead_in_the_site_s_own_zone_over_a_clock_change():
    site = town(appointments=Appointments(days_ahead=1))
    window = window_of(site, moment("2026-10-24 23:30"))
    assert (window.first_day, window.last_day) == ("2026-10-24", "2026-10-25")
    assert window.end_ms - window.first_ms == 49 * HOUR
    assert with_(window, days_off=frozenset({"2026-10-25"})).counts(moment("2026-10-24 12:00"))
