"""The demo's page in a browser, for a hall whose state the test decides."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from demo.board import Board
from demo.hall import Hall, read_hall
from demo.hands import Hands
from demo.picture import render
from demo.server import DemoPage, serving
from demo.stage import SITE_FILE
from tests.browser.pictures import launch

PAPERS = ["3.png", "2.png", "1.png"]
WINDOWS = [
    (390, 844),
    (760, 800),
    (1024, 768),
    (1200, 800),
    (1201, 768),
    (1366, 768),
    (1440, 900),
    (1920, 800),
    (1920, 1080),
]


@dataclass(slots=True)
class Shown:
    """A page that is served. `driven`: what its hands did to pins, as node, pin and whether it went down."""

    address: str
    driven: SimpleQueue[tuple[str, int, bool]]
    show: Callable[..., None]
    frame: Path


@pytest.fixture(scope="module")
def hall() -> Hall:
    return read_hall(SITE_FILE)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def shown(tmp_path: Path, hall: Hall) -> Iterator[Shown]:
    """A page on which every program is up and three tickets are printed."""
    for name in PAPERS:
        Image.new("L", (576, 1000), 255).save(tmp_path / name)
    frame = tmp_path / "frame.png"
    board = Board()
    for part in ("hub", "broker", "publik", "display", *(button.name for button in hall.buttons.values())):
        board.show(part, state="up")
    board.show("dispenser", state="up", papers=PAPERS)
    driven: SimpleQueue[tuple[str, int, bool]] = SimpleQueue()
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
    page = DemoPage(
        board,
        Hands(lambda *moved: driven.put(moved)),
        page=lambda language: render(hall, hub="http://127.0.0.1:9", speed=10, language=language),
        frame=frame,
        papers=tmp_path,
        pins={button.name: frozenset({button.button_pin}) for button in hall.buttons.values()},
        pressed=lambda _node: None,
        scan=lambda _code: None,
        restart=lambda _part: None,
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=lambda: asyncio.run(_serve(page, listener, started)))
        thread.start()
        loop, stop = started.result(timeout=20)

        def show(part: str, **changes: Any) -> None:
            loop.call_soon_threadsafe(lambda: board.show(part, **changes))

        yield Shown(f"http://127.0.0.1:{listener.getsockname()[1]}", driven, show, frame)
        loop.call_soon_threadsafe(stop.set)
        thread.join()


async def _serve(
    page: DemoPage, listener: socket.socket, started: "Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]"
) -> None:
    stop = asyncio.Event()
    async with serving(page.app(), listener):
        started.set_result((asyncio.get_running_loop(), stop))
        await stop.wait()


@pytest.fixture
def window(browser: Browser, shown: Shown) -> Iterator[Page]:
    with browser.new_page(base_url=shown.address) as page:
        page.goto("/")
        page.wait_for_function("document.querySelectorAll('[data-papers] img').length === 3")
        page.evaluate("document.fonts.ready")
        yield page


def test_an_older_ticket_is_never_drawn_larger_than_the_newest(window: Page) -> None:
    for width, height in WINDOWS:
        window.set_viewport_size({"width": width, "height": height})
        newest, *older = window.evaluate("[...document.querySelectorAll('.papers img')].map((each) => each.width)")
        assert newest >= 150, (width, height)
        assert max(older) <= newest / 2, (width, height)


# The gap in px from the colon after a part's name to what is wrong with it.
COLON_GAP = """() => {
  const why = document.querySelector('[data-part=hub] [data-why]');
  const name = document.createRange();
  name.setStart(why.previousSibling, 0);
  name.setEnd(why.previousSibling, why.previousSibling.data.trimEnd().length);
  return why.getBoundingClientRect().left - name.getBoundingClientRect().right;
}"""


@pytest.mark.parametrize("down", [["hub"], ["broker"], ["hub", "broker"]])
def test_the_header_says_what_is_wrong_within_the_window(window: Page, shown: Shown, down: list[str]) -> None:
    for part in down:
        shown.show(part, state="silent")
    window.wait_for_function(f"document.querySelectorAll('.parts .down').length === {len(down)}")
    for width, height in WINDOWS:
        window.set_viewport_size({"width": width, "height": height})
        across = window.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert across == 0, (width, height)
        rights = window.evaluate(
            "[...document.querySelectorAll('header *')].map((e) => e.getBoundingClientRect().right)"
        )
        assert max(rights) <= width, (width, height)


def test_the_header_of_a_fast_demo_stands_in_one_line_of_a_common_window(window: Page) -> None:
    one_line = window.evaluate("parseInt(getComputedStyle(document.body).getPropertyValue('--header'))")
    for width, height in [each for each in WINDOWS if each[0] >= 1366]:
        window.set_viewport_size({"width": width, "height": height})
        assert window.evaluate("document.querySelector('header').offsetHeight") == one_line, (width, height)


@pytest.mark.parametrize("part", ["dispenser", "publik"])
@pytest.mark.parametrize("state", ["ended", "silent"])
def test_nothing_lies_over_what_starts_a_part_again(window: Page, shown: Shown, part: str, state: str) -> None:
    shown.show(part, state=state)
    restart = window.locator(f"[data-part={part}] [data-restart]")
    restart.wait_for()
    for width, height in WINDOWS:
        window.set_viewport_size({"width": width, "height": height})
        restart.click(trial=True)


def test_one_part_that_is_down_moves_nothing_of_the_page(window: Page, shown: Shown) -> None:
    window.set_viewport_size({"width": 1440, "height": 900})
    before = window.locator("main").bounding_box()
    shown.show("hub", state="frozen")
    window.wait_for_selector(".parts .down")
    assert window.locator("main").bounding_box() == before
    assert window.locator(".speed").is_visible()


def test_a_colon_is_followed_by_one_space(window: Page, shown: Shown) -> None:
    shown.show("hub", state="frozen")
    window.wait_for_selector(".parts .down")
    assert 0 < window.evaluate(COLON_GAP) < 6


def test_a_click_of_no_length_on_a_button_presses_and_lets_go(window: Page, shown: Shown) -> None:
    window.locator("[data-node=button-3]:enabled").click()
    assert shown.driven.get(timeout=20) == ("button-3", 17, True)
    assert shown.driven.get(timeout=20) == ("button-3", 17, False)


def test_the_viewers_ticket_is_marked_and_its_number_stays_in_sight(window: Page, shown: Shown) -> None:
    assert not any(each.is_visible() for each in window.get_by_text("Le vôtre").all())
    for name in PAPERS:
        shown.show("dispenser", yours=name)
        window.wait_for_selector(f".yours[data-name='{name}']")
        assert [each.is_visible() for each in window.get_by_text("Le vôtre").all()] == [
            paper == name for paper in PAPERS
        ]
        for width, height in WINDOWS:
            window.set_viewport_size({"width": width, "height": height})
            head, foot = window.evaluate(HEAD_AND_FOOT)
            assert head <= foot, (name, width, height)


# The lower edge of the number on the viewer's ticket, and of the place for tickets.
HEAD_AND_FOOT = """() => {
  const paper = document.querySelector('.yours img').getBoundingClientRect();
  return [paper.top + paper.width * 408 / 576, document.querySelector('.papers').getBoundingClientRect().bottom + 1];
}"""


def test_the_page_says_that_the_qr_code_of_a_ticket_leads_nowhere_in_one_line_of_a_common_window(window: Page) -> None:
    note = window.get_by_text("Le QR code des tickets est factice.")
    for width, height in WINDOWS:
        window.set_viewport_size({"width": width, "height": height})
        assert note.evaluate("(note) => note.offsetHeight") < 2 * 14 * 1.4, (width, height)


def test_the_dispensers_lamp_is_drawn_as_long_as_the_dispenser_runs(window: Page, shown: Shown) -> None:
    lamp = window.locator("[data-part=dispenser] .lamp")
    colour = "(lamp) => getComputedStyle(lamp).backgroundColor"
    assert lamp.is_visible()
    dark = lamp.evaluate(colour)
    shown.show("dispenser", led=True)
    window.wait_for_selector("[data-part=dispenser].lit")
    assert lamp.evaluate(colour) != dark
    shown.show("dispenser", state="ended")
    lamp.wait_for(state="hidden")


BOOKING = {"id": "rdv-etat-civil/1", "time": "10:40", "letter": "A", "code": "FSW3CK", "fate": "expected"}
# The colours of an element, and its opacity with that of all elements around it.
LOOK = """(element) => {
  const { color, backgroundColor, borderColor, borderStyle } = getComputedStyle(element);
  let opacity = 1;
  for (let each = element; each; each = each.parentElement) opacity *= Number(getComputedStyle(each).opacity);
  return [color, backgroundColor, borderColor, borderStyle, opacity];
}"""


def test_a_code_that_can_be_scanned_without_publik_looks_so_and_what_publik_said_looks_old(
    window: Page, shown: Shown
) -> None:
    shown.show("publik", bookings=[BOOKING])
    scan, fate = window.locator("[data-scan]"), window.locator("[data-bookings] .fate")
    scan.wait_for()
    scan_before, fate_before = scan.evaluate(LOOK), fate.evaluate(LOOK)
    shown.show("publik", state="ended")
    window.wait_for_selector("[data-part=publik].down")
    assert scan.is_enabled()
    assert scan.evaluate(LOOK) == scan_before
    assert fate.evaluate(LOOK) != fate_before


def test_only_a_cancelled_booking_is_struck_out_and_not_the_link_to_a_page_that_is_away(
    window: Page, shown: Shown
) -> None:
    struck = "(element) => getComputedStyle(element).textDecorationLine"
    link = window.locator("[data-needs-hub]").first
    assert link.evaluate(struck) == "underline"
    shown.show("hub", state="ended")
    window.wait_for_selector("[data-needs-hub][inert]")
    assert link.evaluate(struck) == "none"


@pytest.mark.parametrize("state", ["ended", "frozen", "silent", "starting"])
def test_what_a_desk_without_its_button_says_stays_within_its_card(window: Page, shown: Shown, state: str) -> None:
    shown.show("button-4", state=state)
    card = window.locator("[data-part=button-4].down")
    card.wait_for()
    for width, height in WINDOWS:
        window.set_viewport_size({"width": width, "height": height})
        left, right, *inside = card.evaluate(EDGES)
        assert all(left <= each <= right for each in inside), (width, height, left, right, inside)


# The left and right inner edges of a card, then those of the texts and boxes below its number.
EDGES = """(card) => {
  const outer = card.getBoundingClientRect();
  const ill = card.querySelector('.ill');
  const texts = document.createRange();
  texts.selectNodeContents(ill);
  const boxes = [...ill.querySelectorAll('*')].map((each) => each.getBoundingClientRect());
  return [outer.left + card.clientLeft, outer.right - card.clientLeft,
    ...[...texts.getClientRects(), ...boxes].filter((each) => each.width).flatMap((each) => [each.left, each.right])];
}"""


# The lower edge of a text, which may stick out of its box.
FOOT = """(element) => {
  const text = document.createRange();
  text.selectNodeContents(element);
  return text.getBoundingClientRect().bottom;
}"""


def test_hub_and_broker_may_both_be_away_and_nothing_is_pushed_out_of_a_common_window(
    window: Page, shown: Shown
) -> None:
    for part in ("hub", "broker"):
        shown.show(part, state="silent")
    window.wait_for_function("document.querySelectorAll('.parts .down').length === 2")
    for width, height in [each for each in WINDOWS if each[0] > 1200]:
        window.set_viewport_size({"width": width, "height": height})
        assert window.locator(".legend").evaluate(FOOT) <= height, (width, height)


LINES = """(element) => {
  const text = document.createRange();
  text.selectNodeContents(element);
  return text.getClientRects().length;
}"""


@pytest.mark.parametrize("language", ["fr", "en"])
def test_how_to_press_is_said_in_one_line_of_a_common_window(window: Page, language: str) -> None:
    window.goto(f"/?lang={language}")
    window.evaluate("document.fonts.ready")
    for width, height in [each for each in WINDOWS if each[0] >= 1366]:
        window.set_viewport_size({"width": width, "height": height})
        assert window.locator(".legend").evaluate(LINES) == 1, (width, height)


def test_a_telephone_shows_no_empty_half_screen_before_the_first_ticket(window: Page, shown: Shown) -> None:
    window.set_viewport_size({"width": 390, "height": 844})
    shown.show("dispenser", papers=[])
    window.wait_for_selector(".hint", state="visible")
    gap = window.evaluate(
        "document.querySelector('.hint').getBoundingClientRect().top"
        " - document.querySelector('.slot').getBoundingClientRect().bottom"
    )
    assert gap < 40


# Whether the frame that is shown has the wanted colour.
FRAME_IS = """(wanted) => {
  const frame = document.querySelector('[data-frame]');
  const brush = document.createElement('canvas').getContext('2d');
  brush.drawImage(frame, 0, 0, 1, 1);
  return brush.getImageData(0, 0, 1, 1).data.slice(0, 3).join() === wanted;
}"""


def test_a_display_that_was_started_again_shows_its_own_frames(window: Page, shown: Shown) -> None:
    def draw(number: int, colour: tuple[int, int, int]) -> None:
        Image.new("RGB", (192, 108), colour).save(shown.frame)
        shown.show("display", state="up", frame=number)
        window.wait_for_function(FRAME_IS, arg=",".join(map(str, colour)))

    draw(1, (255, 0, 0))
    draw(2, (0, 255, 0))
    shown.show("display", state="ended")
    window.wait_for_selector("[data-part=display].down")
    draw(1, (0, 0, 255))


BOXES_OF_CALLS = """() => [...document.querySelectorAll('.calls, [data-calls] > span')]
  .map((each) => each.getBoundingClientRect().toJSON())"""


def test_the_calls_below_the_display_are_named_for_what_sets_them_apart_and_none_is_cut(
    window: Page, shown: Shown
) -> None:
    shown.show("hub", calls=[(f"A00{number}", str(number)) for number in range(1, 6)])
    window.wait_for_function("document.querySelectorAll('[data-calls] > span').length === 5")
    assert window.locator(".calls > span").first.inner_text() == "Derniers appels, hors rappels"
    for width, height in WINDOWS:
        window.set_viewport_size({"width": width, "height": height})
        place, *calls = window.evaluate(BOXES_OF_CALLS)
        seen = [call for call in calls if call["top"] < place["bottom"]]
        assert len(seen) >= 3, (width, height)
        inside = [call["right"] <= place["right"] and call["bottom"] <= place["bottom"] + 1 for call in seen]
        assert all(inside), (width, height, place, seen)


def test_an_address_that_is_no_page_leads_back_to_the_hall(window: Page) -> None:
    answer = window.goto("/desks/desk-3")
    assert answer is not None
    assert answer.status == 404
    assert "Il n’y a pas de page à cette adresse." in window.inner_text("body")
    window.get_by_role("link").click()
    window.wait_for_selector(".desks")
