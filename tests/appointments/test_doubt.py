"""When many bookings end at once without a reason, the hub does not believe it."""

from dataclasses import replace as with_

import pytest

from hub.appointments.comparing import compare
from hub.appointments.doubt import DOUBTED_FROM, kept_in, lost_of, suspected_of
from hub.appointments.source import Flaw, Listing, Missed
from hub.queue.requests import CancelBooking
from tests.appointments.test_comparing import NOW, WINDOW, booking, known
from tests.queue.harness import DAY


@pytest.mark.parametrize("many", [True, False])
def test_a_part_that_lists_nothing_at_all_is_believed_where_few_are_to_come(many):
    to_come = [known(number) for number in range(DOUBTED_FROM - 1 + many)]
    over = known(98, start_ms=NOW - 2 * DAY)
    elsewhere = known(99, reference="papers/99")
    listing = Listing((), complete=True, parts=PARTS)
    rows = [*to_come, over, elsewhere]
    assert doubted(listing, rows) == (PARTS[:1] if many else ())
    assert doubted(listing, rows, unserved={"b98", "b99"}) == (), "all were served or cancelled"
    gone = cancelled_by(listing, rows)
    assert gone == (["b99"] if many else [*(each.id for each in to_come), "b99"])


PARTS = (
    Missed(("civil",), "rdv/", "it is empty"),
    Missed(("papers",), "papers/", "it is empty"),
    Missed(("papers",), "rdv/", "it is empty"),
)


def lost(listing, rows, reported=frozenset()):
    return lost_of(listing, rows, WINDOW, reported)


def doubted(listing, rows, unserved=None, before=None, seen=None):
    """`unserved` defaults to all known bookings; `before` is what was in doubt already."""
    unserved = {each.id for each in rows} if unserved is None else unserved
    suspected = suspected_of(listing, rows, lost(listing, rows), WINDOW, before or {}, seen or {})
    return tuple(part for part, bookings in suspected.items() if not bookings.isdisjoint(unserved))


def cancelled_by(listing, rows, here=frozenset()):
    doubts = doubted(listing, rows, unserved={each.id for each in rows} - here)
    kept = kept_in(doubts, rows, lost(listing, rows))
    found = compare(rows, listing, WINDOW, lambda: "code", {}, kept, here)
    return [change.booking for change in found.changes if isinstance(change, CancelBooking)]


def of_many(**facts):
    """`DOUBTED_FROM` known bookings, and the same bookings as the source now tells them."""
    numbers = range(1, DOUBTED_FROM + 1)
    return [known(each) for each in numbers], tuple(booking(each, **facts) for each in numbers)


@pytest.mark.parametrize("facts", [{"unfit": True}, {"lapsed": True}], ids=["unfit", "lapsed"])
def test_that_all_of_many_fit_no_filter_any_more_is_not_believed(facts):
    rows, told = of_many(gone=True, **facts)
    assert cancelled_by(Listing(told, complete=True, parts=PARTS), rows) == []
    few = Listing(told[1:], complete=True, parts=PARTS)
    assert cancelled_by(few, rows[1:]) == [each.id for each in rows[1:]]


def test_what_is_cancelled_or_was_moved_is_so_in_a_part_that_is_not_believed_too():
    rows, told = of_many(gone=True, unfit=True)
    rows += [known(number) for number in (11, 12, 13, 14)]
    moved = booking(21, reference="rdv/13", gone=True, lapsed=True), booking(22, reference="rdv/14")
    listing = Listing((*told, booking(11, gone=True), moved[0]), (), True, 0, ("rdv/12",), moved[1:], parts=PARTS)
    assert sorted(cancelled_by(listing, rows)) == ["b11", "b12", "b13", "b14"]


def test_many_that_were_cancelled_or_moved_are_believed():
    rows, told = of_many(gone=True)
    assert len(cancelled_by(Listing(told, complete=True, parts=PARTS), rows)) == len(rows)
    postponed = of_many()[1]
    for later in (postponed, tuple(with_(each, id=f"c{each.id}") for each in postponed)):
        assert len(cancelled_by(Listing((), complete=True, later=later, parts=PARTS), rows)) == len(rows)


def test_one_that_stands_proves_the_others_unless_it_came_after_them():
    rows, told = of_many(gone=True, unfit=True)
    older, newer = known(0), known(99)
    assert cancelled_by(Listing((*told, booking(0)), complete=True, parts=PARTS), [older, *rows]) == [
        each.id for each in rows
    ]
    assert cancelled_by(Listing((*told, booking(99)), complete=True, parts=PARTS), [*rows, newer]) == []


def test_what_was_there_when_all_of_it_was_believed_proves_the_others_and_what_came_later_does_not():
    rows, _ = of_many()
    listing = Listing((booking(50),), complete=True, parts=PARTS)
    for seen, in_doubt in ((50, ()), (49, PARTS[:1]), (0, PARTS[:1])):
        assert doubted(listing, [*rows, known(50)], seen={PARTS[0]: seen}) == in_doubt
    assert doubted(listing, [*rows, known(50), known(60)]) == (), "the last that is lost came after it"
    assert doubted(listing, [*rows, known(50), known(60)], seen={PARTS[0]: 49}) == PARTS[:1]


@pytest.mark.parametrize("complete", [True, False])
def test_a_doubt_lasts_until_the_last_of_its_visitors_is_served(complete):
    rows, told = of_many(gone=True, lapsed=True)
    listing = Listing(told, complete=complete, parts=PARTS)
    ids = [each.id for each in rows]
    for many in range(len(ids)):
        here = frozenset(ids[:many])
        assert doubted(listing, rows, unserved={*ids} - here) == PARTS[:1]
        assert cancelled_by(listing, rows, here=here) == []
    assert doubted(listing, rows, unserved=()) == (), "all were served or cancelled"


def test_whose_request_the_hub_itself_moved_on_is_not_lost():
    rows, told = of_many(gone=True, lapsed=True)
    listing = Listing(told, complete=True, parts=PARTS)
    assert lost(listing, rows, reported=frozenset({"b1"})) == {each.id for each in rows[1:]}


def test_a_part_in_doubt_stays_so_while_one_is_lost_whatever_the_reason_was():
    row, before = known(1), {with_(PARTS[0], why="none fits"): frozenset({"b1"})}
    listing = Listing((booking(1, gone=True, unfit=True),), complete=True, parts=PARTS)
    assert doubted(listing, [row], before=before) == PARTS[:1]
    assert doubted(listing, [row], before=dict.fromkeys(PARTS[1:], frozenset())) == ()
    assert doubted(Listing((booking(1),), complete=True, parts=PARTS), [row], before=before) == ()


def test_an_incomplete_listing_leaves_a_doubt_that_it_does_not_disprove():
    rows, before = [known(1), known(2)], {PARTS[0]: frozenset({"b1"})}
    for listing in (Listing(()), Listing((), parts=PARTS), Listing((booking(2),), parts=PARTS)):
        assert doubted(listing, rows, before=before) == PARTS[:1]
        assert doubted(listing, rows, before=before, unserved={"b2"}) == ()
    assert doubted(Listing((booking(1),), parts=PARTS), rows, before=before) == ()
    assert doubted(Listing((), complete=True, parts=PARTS[1:]), [], before=before) == (), "a complete one does"


def test_a_doubt_ends_once_one_that_was_lost_is_there_again_though_others_are_not():
    rows = [known(1), known(2), known(3)]
    listing = Listing((booking(2), booking(3)), complete=True, parts=PARTS)
    assert doubted(listing, rows, before={PARTS[0]: frozenset({"b1"})}) == PARTS[:1], "a form made anew"
    assert doubted(listing, rows, before={PARTS[0]: frozenset({"b1", "b2"})}) == ()


@pytest.mark.parametrize("facts", [{"unfit": True}, {"lapsed": True}], ids=["unfit", "lapsed"])
def test_of_a_listing_that_is_not_complete_it_is_not_believed_either(facts):
    rows, told = of_many(gone=True, **facts)
    listing = Listing(told, parts=PARTS)
    assert cancelled_by(listing, rows) == []
    unspoken, elsewhere = known(0), known(0, service="papers")
    assert len(cancelled_by(listing, [unspoken, *rows])) == len(rows), "what it does not speak of stands"
    assert cancelled_by(listing, [elsewhere, *rows]) == []
    assert cancelled_by(replace_flaws(listing, Flaw("b0", "no start", "rdv/0")), [unspoken, *rows]) == []
    for few in (rows[1:], [*rows[1:], known(1, start_ms=NOW - DAY)]):
        assert len(cancelled_by(Listing(told[1:], parts=PARTS), few)) == len(rows) - 1
    told_cancelled = with_(listing, cancelled=frozenset({"rdv/0"}))
    assert cancelled_by(told_cancelled, [unspoken, *rows]) == ["b0"], "and one that it says is cancelled proves nothing"


def test_what_is_lost_of_days_gone_by_does_not_count():
    rows = [known(number, start_ms=NOW - 2 * DAY) for number in range(DOUBTED_FROM)]
    told = tuple(booking(number, gone=True, unfit=True) for number in range(DOUBTED_FROM))
    assert doubted(Listing(told, complete=True, parts=PARTS), rows) == ()


def replace_flaws(listing, *flaws):
    return with_(listing, flaws=flaws)


@pytest.mark.parametrize("complete", [True, False])
def test_what_stands_of_one_service_of_a_form_proves_nothing_of_another(complete):
    rows, told = of_many(gone=True, unfit=True)
    rows, told = [known(0, service="papers"), *rows], (booking(0, service="papers"), *told)
    listing = Listing(told, complete=complete, parts=PARTS)
    assert doubted(listing, rows) == PARTS[:1]
    assert cancelled_by(listing, rows) == []
    lacking = [known(number, service="papers", reference=f"rdv/{number}") for number in (21, 22)]
    assert cancelled_by(listing, [*rows, *lacking]) == (["b21", "b22"] if complete else []), "few of the other"


@pytest.mark.parametrize("complete", [True, False])
def test_that_all_of_many_requests_keep_but_one_of_their_two_bookings_is_not_believed(complete):
    first, told = of_many()
    second = [known(50 + each.ticket, reference=each.reference, service="papers") for each in first]
    listing = Listing(told, complete=complete, parts=PARTS)
    assert doubted(listing, [*first, *second]) == PARTS[2:]
    assert cancelled_by(listing, [*first, *second]) == []
    assert cancelled_by(listing, [*first[1:], *second[1:]]) == [each.id for each in second[1:]]
