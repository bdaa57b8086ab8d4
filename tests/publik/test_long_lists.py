"""A form's list that is longer than a page and changes while it is read."""

import itertools

import pytest

from hub.appointments.source import SourceRefuses
from hub.publik.client import Client, Credentials
from hub.publik.wcs import Page, Wcs
from tests.publik import wcs_side
from tests.publik.conftest import DAYS, FORM, Opened, form, ids, system_ms
from tests.publik.server import CLIENT, KEY, TestPublik


def wcs(publik: TestPublik, page: int) -> tuple[Wcs, Client]:
    nonces = map(str, itertools.count())
    credentials = Credentials(CLIENT, key=KEY.encode())
    client = Client(publik.address, credentials, now_ms=system_ms, new_nonce=nonces.__next__)
    return Wcs(client, page), client


@pytest.mark.parametrize("many", [0, 1, 9, 10, 11, 14, 15, 16, 57])
@pytest.mark.parametrize("newest_first", [False, True])
def test_a_long_list_comes_in_pages_that_meet(publik: TestPublik, many: int, newest_first: bool):
    publik.town.switches.newest_first = newest_first
    for _ in range(many):
        publik.town.book(FORM, "2026-11-25 10:00")
    asked, client = wcs(publik, page=10)
    pages = list(asked.pages(FORM))
    client.close()
    found = [entry["id"] for page in pages for entry in page.entries]
    assert sorted(found, key=int) == [str(number + 1) for number in range(many)]
    assert all(page.linked for page in pages)


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("lost", [0, 3])
def test_requests_that_come_and_go_while_a_list_is_read_leave_no_gap_in_it(
    publik: TestPublik, newest_first: bool, lost: int
):
    publik.town.switches.newest_first = newest_first
    for _ in range(60):
        publik.town.book(FORM, "2026-11-25 10:00")
    asked, client = wcs(publik, page=20)
    found: list[str] = []
    linked = True
    for number, page in enumerate(asked.pages(FORM)):
        found += [entry["id"] for entry in page.entries]
        linked = linked and page.linked
        if number == 0:
            publik.town.book(FORM, "2026-11-25 10:00")
            for entry in page.entries[5 : 5 + lost]:
                publik.town.lose(FORM, int(entry["id"]))
    client.close()
    assert linked
    # All requests that were in the list the whole time.
    assert {str(number) for number in range(1, 61)} <= set(found)


def test_a_request_that_changes_while_a_list_by_last_change_is_read_is_not_left_out(
    publik: TestPublik, opened: Opened, monkeypatch
):
    """[infer] A request that changes moves to the front of such a list, onto a page that was already read."""
    now_ms = system_ms()
    for number in range(60):
        publik.town.book(FORM, "2026-11-25 10:00", changed_ms=now_ms - 10_000_000 + number * 1_000)
    by_last_change = lambda forms, **_: sorted(forms, key=lambda each: -each.changed_ms)  # noqa: E731
    monkeypatch.setattr(wcs_side, "sorted", by_last_change, raising=False)
    source = opened()
    monkeypatch.setattr(source._wcs, "_page", 20)
    list_page, asked = source._wcs._list, []

    def list_one(*args):
        answer = list_page(*args)
        asked.append(args)
        if len(asked) == 1:
            publik.town.set_status(FORM, 15, "2")
        return answer

    monkeypatch.setattr(source._wcs, "_list", list_one)
    listing = source.list_all(*DAYS)
    assert listing.complete
    assert ids(listing) == {str(1_001 + number) for number in range(60)}


def pages_that_shift(publik: TestPublik, bookings: int, lost: int) -> list[Page]:
    """Pages of twenty, the oldest first; the first `lost` requests are deleted after the first page is read."""
    for _ in range(bookings):
        publik.town.book(FORM, "2026-11-25 10:00")
    publik.town.switches.newest_first = False
    asked, client = wcs(publik, page=20)
    pages: list[Page] = []
    for page in asked.pages(FORM):
        pages.append(page)
        if len(pages) == 1:
            for id_ in range(1, lost + 1):
                publik.town.lose(FORM, id_)
    client.close()
    return pages


def test_a_list_whose_pages_no_longer_meet_is_not_complete(publik: TestPublik):
    assert not all(page.linked for page in pages_that_shift(publik, bookings=60, lost=44))


def test_what_stands_behind_a_gap_in_a_list_is_told_all_the_same(publik: TestPublik):
    pages = pages_that_shift(publik, bookings=100, lost=30)
    assert [page.linked for page in pages].count(False) == 1
    found = {int(entry["id"]) for page in pages for entry in page.entries}
    assert set(range(31, 101)) - found == set(range(31, 41))


def test_a_server_that_gives_the_same_page_again_is_not_asked_for_ever(publik: TestPublik):
    for _ in range(30):
        publik.town.book(FORM, "2026-11-25 10:00")
    asked, client = wcs(publik, page=10)
    real = client.get
    client.get = lambda path, query=(): real(path, [*query[:-2], ("limit", "10")])  # type: ignore[method-assign]
    pages = list(asked.pages(FORM))
    client.close()
    assert [page.linked for page in pages] == [True, False]


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("cap", [2, 3, 7, 25])
def test_a_server_that_gives_fewer_than_it_is_asked_for_leaves_none_out(
    publik: TestPublik, opened: Opened, cap: int, newest_first: bool
):
    """A page shorter than asked for used to be taken for the last, and the rest would have been cancelled."""
    publik.town.switches.newest_first = newest_first
    publik.town.limit_most = cap
    for _ in range(30):
        publik.town.book(FORM, "2026-11-25 10:00")
    listing = opened().list_all(*DAYS)
    assert (len(listing.bookings), len(ids(listing)), listing.complete) == (30, 30, True)


def test_a_server_that_gives_one_request_at_a_time_proves_nothing_and_its_form_is_said_to_lack(
    publik: TestPublik, opened: Opened
):
    """Its pages can't overlap. Staff used to read that such a list was up to date."""
    publik.town.add_form("other")
    publik.town.limit_most = 1
    for _ in range(3):
        publik.town.book(FORM, "2026-11-25 10:00")
    source = opened(forms=(form(form="other"), form(), form(service="papers")))
    whole, changed = source.list_all(*DAYS), source.list_changed(system_ms() - 600_000)
    assert changed is not None
    for listing in (whole, changed):
        (missed,) = listing.missed
        assert (missed.services, missed.prefix) == (("identity", "papers"), f"{FORM}/")
        assert missed.why == f"the pages of form {FORM}'s list do not join, so requests between them may be missing"
        assert (len(ids(listing)), listing.complete) == (3, False)


def test_changes_are_all_listed_by_a_server_that_gives_fewer_than_it_is_asked_for(publik: TestPublik, opened: Opened):
    publik.town.limit_most = 5
    for _ in range(12):
        publik.town.book(FORM, "2026-11-25 10:00")
    changed = opened().list_changed(system_ms())
    assert len(ids(changed)) == 12


def test_requests_that_vanish_at_the_end_of_a_list_leave_it_unproved(publik: TestPublik):
    for _ in range(25):
        publik.town.book(FORM, "2026-11-25 10:00")
    asked, client = wcs(publik, page=20)
    pages: list[Page] = []
    for page in asked.pages(FORM):
        pages.append(page)
        if len(pages) == 1:
            for id_ in range(1, 16):
                publik.town.lose(FORM, id_)
    client.close()
    assert [(len(page.entries), page.linked) for page in pages] == [(20, True), (0, False)]


def test_a_list_of_something_else_is_no_list_of_requests(publik: TestPublik, opened: Opened, monkeypatch):
    monkeypatch.setattr("tests.publik.wcs_side._export", lambda *_, **__: "rendez-vous/1")
    publik.town.book(FORM, "2026-11-25 10:00")
    with pytest.raises(SourceRefuses, match="a list of something other than requests"):
        opened().list_all(*DAYS)


def test_ten_thousand_bookings_are_listed_whole(publik: TestPublik, opened: Opened):
    for number in range(10_000):
        publik.town.book(FORM, f"2026-11-{25 + number % 5} {8 + number % 8:02d}:00")
    listing = opened().list_all(*DAYS)
    assert (len(ids(listing)), listing.complete) == (10_000, True)
