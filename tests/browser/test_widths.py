"""Nothing on a page is wider than its place or overlaps its neighbours, at the widths of staff's screens."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Browser, Page, expect

import hub
from hub.appointments.list_state import ListState
from hub.auth.roles import Role
from hub.config import read_site
from hub.queue import requests as q
from hub.site import EVERY_DAY, Site
from protocol.messages import DeskMode
from tests.browser.pictures import SETTLED
from tests.web.stand import COOKIE, Served, Stand, TurnedClock

WIDTHS = (1024, 1280, 1366, 1920)
# The widths of phones and small windows, some of them less a scrollbar of 15 px.
SMALL_WIDTHS = (305, 320, 360, 375, 390, 397, 404, 405, 412, 420, 430, 460, 700)
DESK = "desk-1"
# Boxes that hold others, and those of them that something is cut off in or reaches out of. The ticket is not among
# them: its notches reach over its edge.
BOXES = "html, .bar, .modes, .list, .coming, .box, .next, .action, .place, .panel, .desk-choice"
TOO_WIDE = f"""() => [...document.querySelectorAll('{BOXES}')]
  .filter((each) => each.offsetParent !== null || each === document.documentElement)
  .filter((each) => each.scrollWidth > each.clientWidth)
  .map((each) => `${{each.className || each.tagName}}: ${{each.scrollWidth}} in ${{each.clientWidth}}`)"""
OVERLAPPING = """() => {
  const places = [...document.querySelectorAll('.bar *')]
    .filter((each) => !each.children.length || each.matches('.mode'))
    .filter((each) => each.offsetParent && !each.closest('svg') && !each.matches('.unseen'))
    .map((each) => ({ each, box: each.getBoundingClientRect() }));
  const over = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
  return places.flatMap((one, place) => places.slice(place + 1)
    .filter((other) => !one.each.contains(other.each) && !other.each.contains(one.each) && over(one.box, other.box))
    .map((other) => `${one.each.textContent} | ${other.each.textContent}`));
}"""

# With these flags of the page's links. In one evaluation: a beat of the hub would change them.
IN_HEAD = f"""(flags) => {{
  flags.forEach((flag) => {{ document.documentElement.dataset[flag] = ''; }});
  const agent = document.querySelector('.agent');
  return [({OVERLAPPING})(), ({TOO_WIDE})(), agent.scrollWidth - agent.clientWidth];
}}"""

# From the last character that a desk's place says to its button.
GAPS = """() => [...document.querySelectorAll('.place:has(form)')].map((each) => {
  const words = [...each.querySelectorAll('.place-text > :not(.unseen)')].map((line) => {
    const range = document.createRange();
    range.selectNodeContents(line);
    return Math.max(...[...range.getClientRects()].map((box) => box.right));
  });
  return each.querySelector('button').getBoundingClientRect().left - Math.max(...words);
})"""

LOST = """async () => {
  const { now } = await import('/static/desk/clock.js');
  const { lose } = await import('/static/desk/link.js');
  lose(now() - 754_000);
}"""

# From a ticket's number to the time that runs beside it, unless that is below; and from the time to the paper's inner
# edge.
TIME_ROOM = """async ([number, time]) => {
  const { now, showTimes } = await import('/static/desk/clock.js');
  const moment = now();
  const place = document.querySelector('.number');
  place.textContent = number;
  const slots = document.querySelector('.slots');
  slots.dataset.since = moment - 1000 * time;
  showTimes(moment);
  const range = document.createRange();
  range.selectNodeContents(place);
  const running = slots.getBoundingClientRect();
  const below = running.top >= place.getBoundingClientRect().bottom - 1;
  const paper = document.getElementById('ticket');
  const inner = paper.getBoundingClientRect().right - parseFloat(getComputedStyle(paper).paddingRight);
  return [below ? Infinity : running.left - range.getBoundingClientRect().right, inner - running.right];
}"""


@pytest.fixture
def site() -> Site:
    """The site file that an administrator begins with, but open around the clock."""
    site = read_site(Path(hub.__file__).with_name("example-site.yaml")).site
    hours = {"days": EVERY_DAY, "opens": "0:00", "last_ticket": "24:00", "closes": "24:00"}
    services = tuple(msgspec.structs.replace(each, **hours, short="Urbanismes") for each in site.services)
    # The tests turn the clock by an hour.
    login = msgspec.structs.replace(site.login, idle_min=1440, absolute_h=24)
    return msgspec.structs.replace(site, services=services, login=login)


@pytest.fixture
def window(browser: Browser, server: Served) -> Iterator[Page]:
    context = browser.new_context(base_url=server.address)
    token = server.stand.log_in(Role.AGENT, name="Alix Inventée")
    context.add_cookies([{"name": COOKIE, "value": token, "url": server.address}])
    yield context.new_page()
    context.close()


def helping_out(stand: Stand, clock: TurnedClock) -> int:
    """Desk 1 at its fullest: a visit, and in each of its queues an appointment, a moved one and a long wait."""
    stand.list_state = ListState(source="Publik", as_of_ms=clock.now_ms())
    stand.open(DESK)
    stand.sign_on(DESK)
    for service in ("civil-status", "identity"):
        for _ in range(2):
            stand.issue(service, priority=True)
        soon = stand.book(service, clock.now_ms() + 30 * 60_000, name="Zoé Exemple-Inventée")
        stand.book(service, clock.now_ms() + 90 * 60_000, name="Jean-Baptiste d’Œuvre-Factice")
        stand.check_in(soon)
        stand.take(q.CancelBooking(booking=stand.booking_of(soon)))
    clock.turn(minutes=65)
    held = stand.press(DESK).ticket
    assert held is not None
    return int(held)


def show(window: Page) -> None:
    window.goto(f"/desks/{DESK}")
    window.evaluate(SETTLED)


def widen(window: Page, width: int) -> None:
    window.set_viewport_size({"width": width, "height": 800})


def test_a_desk_that_helps_out_sees_its_whole_queue(window: Page, stand: Stand, clock: TurnedClock) -> None:
    helping_out(stand, clock)
    show(window)
    for width in WIDTHS:
        widen(window, width)
        assert (width, window.evaluate(TOO_WIDE), window.evaluate(OVERLAPPING)) == (width, [], [])


@pytest.mark.parametrize("mode", [DeskMode.PAUSED, DeskMode.CLOSED])
def test_nothing_in_the_head_lies_over_its_neighbour_however_much_it_says(
    window: Page, stand: Stand, clock: TurnedClock, mode: DeskMode
) -> None:
    held = helping_out(stand, clock)
    stand.do(q.SetMode(origin=stand.origin(), desk=DESK, shown=held, mode=mode))
    stand.list_state = replace(stand.list_state, late=True)
    show(window)
    for flags, width in product(([], ["screensOff"], ["screensOff", "offline"]), WIDTHS):
        widen(window, width)
        assert (width, flags, *window.evaluate(IN_HEAD, flags)) == (width, flags, [], [], 0)


def test_a_lost_link_is_said_whole_and_moves_no_button(window: Page, stand: Stand, clock: TurnedClock) -> None:
    helping_out(stand, clock)
    for width in (*WIDTHS, *SMALL_WIDTHS):
        widen(window, width)
        show(window)
        height = window.locator(".bar").evaluate("each => each.offsetHeight")
        window.evaluate(LOST)
        chip = window.locator(".chip-offline").evaluate("each => each.getBoundingClientRect().right")
        assert chip <= width - 12, width
        assert (width, window.locator(".bar").evaluate("each => each.offsetHeight")) == (width, height)


def test_what_a_desk_serves_stays_in_its_box_of_a_transfer(window: Page, stand: Stand, clock: TurnedClock) -> None:
    helping_out(stand, clock)
    stand.open("desk-2")
    show(window)
    window.keyboard.press("f")
    for width in WIDTHS:
        widen(window, width)
        expect(window.locator("#panel .desk-choice", has_text="Urbanismes")).to_be_visible()
        assert (width, window.evaluate(TOO_WIDE)) == (width, [])


def test_the_words_of_a_desk_end_before_the_button_that_takes_it(window: Page) -> None:
    window.goto("/")
    for width in WIDTHS:
        widen(window, width)
        gaps = window.evaluate(GAPS)
        assert gaps
        assert min(gaps) >= 4, width


def test_the_time_of_a_visit_keeps_clear_of_the_number_and_of_the_edge_of_the_paper(
    window: Page, stand: Stand, clock: TurnedClock
) -> None:
    helping_out(stand, clock)
    show(window)
    for width, number, seconds in product(SMALL_WIDTHS, ("A 030", "M 000", "W 000"), (49, 3_723)):
        widen(window, width)
        beside, inside = window.evaluate(TIME_ROOM, [number, seconds])
        assert beside >= 4, (width, number, seconds)
        assert inside >= -1, (width, number, seconds)


def test_in_a_small_window_the_key_of_next_stays_in_its_button(window: Page, stand: Stand, clock: TurnedClock) -> None:
    helping_out(stand, clock)
    show(window)
    for width in SMALL_WIDTHS:
        widen(window, width)
        assert (width, window.evaluate(TOO_WIDE)) == (width, [])


# Text spacing as a reader may set it (WCAG 1.4.12); set in the page's own style sheet, since its policy takes no other.
SPACED = """() => {
  const rule = '* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important; }';
  document.styleSheets[0].insertRule(rule);
}"""


def test_the_number_stays_on_its_paper_with_the_spacing_that_a_reader_sets(
    window: Page, stand: Stand, clock: TurnedClock
) -> None:
    helping_out(stand, clock)
    show(window)
    window.evaluate(SPACED)
    for width in (320, 342):
        widen(window, width)
        ends = window.evaluate("""() => {
          const range = document.createRange();
          range.selectNodeContents(document.querySelector('.ticket .number'));
          return [range.getBoundingClientRect().right, document.querySelector('.ticket').getBoundingClientRect().right];
        }""")
        assert ends[0] < ends[1], width
