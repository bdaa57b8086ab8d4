"""Appointments in the demo: booked in the test Publik, scanned at the dispenser, seen by staff, reported to Publik."""

import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, TypeVar
from urllib.request import urlopen
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import sync_playwright

from demo.processes import ProcessState
from tests.browser.pictures import launch
from tests.demo.conftest import PATIENCE_S, Demo, children, running_demo

T = TypeVar("T")
# How many times to look, ten times a second, before a confirmation is scanned again.
LOOKS = 150


@pytest.fixture(scope="module", autouse=True)
def one_day():
    """Skip around midnight: one morning's bookings would fall on two days, and a confirmation on the wrong one."""
    now = datetime.now(ZoneInfo("Europe/Paris"))
    if {(now + timedelta(minutes=shift)).date() for shift in (-9, 24)} != {now.date()}:
        pytest.skip("the demo's bookings would be of two days")


@pytest.fixture(scope="module")
def slow_demo(tmp_path_factory, accounts) -> Iterator[Demo]:
    """A demo in which a visit lasts long enough to be looked at."""
    with running_demo(tmp_path_factory.mktemp("slow") / "demo", accounts, SPEED="1") as running:
        yield running


def fetch(address: str) -> str:
    with urlopen(address, timeout=10) as answer:  # noqa: S310 - loopback
        return answer.read().decode()


def publik(demo: Demo) -> str:
    (line,) = [line for line in children(demo.process.pid).values() if "tests.publik.server" in line]
    return f"http://127.0.0.1:{re.findall(r'--port ([0-9]+)', line)[0]}"


def told(demo: Demo) -> list[dict[str, Any]]:
    return json.loads(fetch(f"{publik(demo)}/control/told"))["told"]


def fate(demo: Demo, code: str) -> str | None:
    """A booking's fate; None once the page has no room for it: on a slow machine it is over by then."""
    bookings = demo.parts["publik"]["bookings"]
    return next((each["fate"] for each in bookings if each["code"] == code), None)


def arrival(booking: dict[str, str]) -> dict[str, Any]:
    """The arrival as it is reported to Publik."""
    form, _, number = booking["id"].partition("/")
    return {"how": "jump", "form": form, "id": int(number), "name": "suivant-arrive", "from": "1"}


def last_expected(demo: Demo, letter: str) -> dict[str, str]:
    """Of the bookings that are still expected, the one whose turn in the script comes last."""

    def expected() -> list[dict[str, str]]:
        bookings = demo.parts["publik"]["bookings"]
        return [each for each in bookings if (each["letter"], each["fate"]) == (letter, "expected")]

    # The page shows a limited number, the next ones first: a row it showed a moment ago may have made room for others.
    demo.catch_up()
    demo.until(lambda parts: len(parts["publik"].get("bookings", ())) > 11, "the first bookings are made")
    demo.until(lambda _: bool(expected()), f"somebody is expected for {letter}")
    return expected()[-1]


def within(look: Callable[[], T | None], what: str, patience_s: float = PATIENCE_S) -> T:
    """Look until something is found; returns it."""
    until_s = time.monotonic() + patience_s
    while (found := look()) is None:
        assert time.monotonic() < until_s, f"not within {patience_s} s: {what}"
        time.sleep(0.1)  # only the hub's page itself tells when it changes
    return found


def ticket_on_page(demo: Demo, desk: str, code: str) -> int | None:
    """The id of the expected ticket that the desk's page names by this code."""
    found = re.search(rf'id="row-([0-9]+)"(?:(?!</tr>).)*{code}', demo.ask_hub(f"/desks/{desk}"), re.DOTALL)
    return int(found[1]) if found else None


def journal(demo: Demo, ticket: int) -> list[tuple[str, str]]:
    return [
        (entry["event"], entry["source"]) for entry in json.loads(demo.ask_hub(f"/api/v1/tickets/{ticket}"))["journal"]
    ]


def number_of(demo: Demo, ticket: int) -> str | None:
    """The ticket's number; a booking has none before it is checked in."""
    return json.loads(demo.ask_hub(f"/api/v1/tickets/{ticket}"))["number"]


def scanned(demo: Demo, letter: str) -> dict[str, str]:
    """Scan the last expected confirmation until its visitor waits or is called; returns the booking.

    If the hub answers the dispenser too late, the dispenser says so, and the test scans again. By then the script may
    have cancelled the first booking in Publik, so that another one is the last expected.
    """
    until_s = time.monotonic() + PATIENCE_S
    while True:
        booking = last_expected(demo, letter)
        ticket = within(lambda: ticket_on_page(demo, "desk-5", booking["code"]), "staff see the booking")  # noqa: B023 - asked at once
        demo.send(json.dumps({"scan": booking["code"]}))
        for _ in range(LOOKS):
            if number_of(demo, ticket) is not None:
                return booking
            time.sleep(0.1)  # only the ticket's page itself tells when it changes
        assert time.monotonic() < until_s, f"not within {PATIENCE_S} s: the visitor waits or is called"


def test_who_scans_a_confirmation_of_the_page_waits_or_is_called_and_publik_is_told(slow_demo):
    demo = slow_demo
    booking = scanned(demo, "C")
    assert ticket_on_page(demo, "desk-5", booking["code"]) is None

    demo.until(lambda _: fate(demo, booking["code"]) != "expected", "the page shows that Publik knows")
    assert told(demo).count(arrival(booking)) == 1


def test_who_never_comes_is_absent_within_two_minutes(slow_demo):
    demo = slow_demo
    last_expected(demo, "A")
    page = demo.ask_hub("/desks/desk-1")
    tickets = [int(found) for found in re.findall(r'id="row-([0-9]+)"', page)]
    within(lambda: any(("absent", "job") in journal(demo, each) for each in tickets) or None, "one is absent", 120.0)


def test_only_a_code_that_the_page_shows_can_be_scanned_from_it(slow_demo):
    demo = slow_demo
    booking = last_expected(demo, "F")
    demo.send(json.dumps({"scan": "NOBODYS"}))
    demo.send(json.dumps({"scan": ["A"]}))
    demo.send(json.dumps({"scan": booking["code"]}))
    demo.until(lambda _: fate(demo, booking["code"]) != "expected", "the next one is taken all the same")


def test_check_in_goes_on_without_publik_which_is_told_once_it_is_back(slow_demo):
    demo = slow_demo
    booking = last_expected(demo, "C")
    ticket = within(lambda: ticket_on_page(demo, "desk-5", booking["code"]), "staff see the booking")
    os.kill(demo.pid("tests.publik.server"), signal.SIGKILL)
    demo.until(lambda parts: parts["publik"]["state"] == ProcessState.ENDED, "the page says that Publik is away")

    demo.send(json.dumps({"scan": booking["code"]}))
    within(lambda: any(event == "check_in" for event, _ in journal(demo, ticket)) or None, "the visitor is checked in")
    assert fate(demo, booking["code"]) in {"expected", None}

    demo.send(json.dumps({"restart": "publik"}))
    demo.until(lambda parts: parts["publik"]["state"] == "up", "Publik is back")
    # On a slow machine the hub may have failed several times; it then waits longer before it tries again.
    within(lambda: arrival(booking) in told(demo) or None, "Publik knows it now", patience_s=300.0)


# For the last row's button: whether the list shows all of it, how far the list is scrolled sideways and can be.
LAST_ROW = """() => {
  const list = document.querySelector("[data-bookings]"), button = list.lastElementChild.querySelector("button");
  button.focus();
  const [shown, frame] = [button.getBoundingClientRect(), list.getBoundingClientRect()];
  const seen = shown.top >= frame.top && shown.bottom <= frame.bottom + 1;
  return [seen, list.scrollLeft, list.scrollWidth - list.clientWidth];
}"""


def test_a_row_of_the_page_that_takes_the_focus_is_seen(slow_demo):
    """Rows that did not fit used to stand in a column beside the list, out of sight."""
    # This must be the demo's last test: nobody reads what its first page is told meanwhile.
    with sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_page(viewport={"width": 1366, "height": 640})
        page.goto(slow_demo.address)
        page.locator("[data-bookings] [data-scan]:enabled").nth(11).wait_for(
            state="attached", timeout=PATIENCE_S * 1000
        )
        assert page.evaluate(LAST_ROW) == [True, 0, 0]
        page.set_viewport_size({"width": 1100, "height": 768})
        assert page.evaluate(LAST_ROW) == [True, 0, 0]
        browser.close()
