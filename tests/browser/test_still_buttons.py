"""No button of a desk moves up or down under the hand, whatever the page says, at the widths of staff's screens."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace
from playwright.sync_api import Browser, Page, expect

from hub.appointments.list_state import ListState
from hub.queue import requests as q
from hub.queue.requests import Origin, Source
from protocol.messages import DeskMode
from tests.browser import scenes
from tests.browser.at_desk import show
from tests.browser.pictures import SETTLED, enter
from tests.browser.test_widths import SMALL_WIDTHS
from tests.browser.test_widths import WIDTHS as USUAL_WIDTHS
from tests.queue.harness import slice_of
from tests.web.stand import Stand, TurnedClock, new_id, served

DESK = scenes.DESK
# Besides the widths of staff's screens: the first and the last width of each layout of the page.
WIDTHS = sorted(
    {*SMALL_WIDTHS, *USUAL_WIDTHS, 403, 559, 560, 719, 720, 799, 800, 859, 860, 1279, 1365, 1440, 1536, 1599, 1600}
)
# The list of small widths already has each of them with and without it.
SCROLLBAR_PX = 15
NAME = "Marie-Christine Exemple-Inventée de la Longue-Dénomination d’Œuvre-Factice"
# What a page says of its links: the flags set at its root, and for how long the hub has been lost.
SAID = {
    "online": ((), ""),
    "online, keys off": (("keys",), ""),
    "screens and buttons cut off": (("screensOff",), ""),
    "screens and buttons cut off, keys off": (("screensOff", "keys"), ""),
    "offline": (("offline",), "12:34"),
    "offline for hours, keys off": (("offline", "keys"), "599:59"),
}
# In one evaluation: a beat of the hub would change what is said.
TOPS = """([saids, scrollbars]) => {
  const root = document.documentElement;
  const topsOf = ([flags, lost]) => {
    flags.forEach((flag) => { root.dataset[flag] = "off"; });
    document.querySelectorAll('.lost-for').forEach((each) => { each.textContent = lost; });
    const tops = [...document.querySelectorAll('.next, .action')].filter((each) => each.offsetParent)
      .map((each) => [each.matches('.next') ? 'next' : each.id, each.getBoundingClientRect().top]);
    flags.forEach((flag) => { delete root.dataset[flag]; });
    return Object.fromEntries(tops);
  };
  return scrollbars.map((scrollbar) => {
    document.body.style.marginRight = `${scrollbar}px`;
    const wide = [...document.querySelectorAll('.facts')]
      .filter((each) => each.scrollWidth > each.clientWidth).map((each) => each.textContent);
    return [wide, saids.map(topsOf)];
  });
}"""

Tops = dict[tuple[int, int, str], dict[str, float]]


def measured(page: Page) -> Tops:
    """Where each button begins, by the width of the window and of its scrollbar, and by what is said of the links."""
    page.goto(f"/desks/{DESK}")
    page.evaluate(SETTLED)
    tops: Tops = {}
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 768})
        scrollbars = (0, SCROLLBAR_PX) if width >= min(USUAL_WIDTHS) else (0,)
        found = page.evaluate(TOPS, [list(SAID.values()), scrollbars])
        for scrollbar, (wide, there) in zip(scrollbars, found, strict=True):
            assert (width, scrollbar, wide) == (width, scrollbar, [])
            tops |= {(width, scrollbar, said): place for said, place in zip(SAID, there, strict=True)}
    return tops


def moved(tops: Tops, first: Tops) -> list[str]:
    """The places where a button is not where it was at first, while the page was online."""
    return [
        f"{width} px, {scrollbar} of them a scrollbar, {said}: {there} instead of {usual}"
        for (width, scrollbar, said), there in tops.items()
        if there != (usual := first[width, scrollbar, "online"])
    ]


def test_no_button_moves_whatever_the_head_and_the_ticket_say(
    page: Page, stand: Stand, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(scenes._BOOKED, "10:25", NAME)
    held = scenes.called(stand, clock)["A012"]
    first = measured(page)
    assert moved(first, first) == []

    def then(*commands: q.Command) -> list[str]:
        for command in commands:
            stand.do(command)
        return moved(measured(page), first)

    def mode(wanted: DeskMode, shown: int | None = held) -> q.SetMode:
        return q.SetMode(origin=stand.origin(), desk=DESK, shown=shown, mode=wanted)

    assert then(slice_of(q.CancelBooking(booking=stand.booking_of(held)))) == []
    assert then(q.Start(origin=stand.origin(), desk=DESK, shown=held)) == []
    assert then(mode(DeskMode.PAUSED)) == []
    assert then(mode(DeskMode.OPEN), mode(DeskMode.CLOSED)) == []
    assert then(mode(DeskMode.OPEN), q.Finish(origin=stand.origin(), desk=DESK, shown=held)) == []
    assert then(mode(DeskMode.PAUSED, None)) == []
    stand.list_state = ListState("Publik", clock.at_ms, late=True)
    assert then() == []
    # Nobody is signed on at a closed desk: the button to sign on takes Suivant's place.
    assert then(mode(DeskMode.CLOSED, None)) == []
    assert then(q.SignOn(origin=Origin(Source.PAGE, "c.exemple", new_id()), desk=DESK)) == []


LISTS = "() => [...document.querySelectorAll('.lists button')].map((each) => each.getBoundingClientRect().top)"


def test_what_is_answered_moves_no_button_of_the_lists(page: Page, stand: Stand, clock: TurnedClock) -> None:
    scenes.called(stand, clock)
    stand.press(DESK)
    show(page)
    expect(page.locator("#undo")).to_have_text("Annuler N", use_inner_text=True)
    before = page.evaluate(LISTS)
    assert len(before) == 3
    for answer in ("failed", "unanswered"):
        page.evaluate(
            "(id) => document.getElementById('answer').replaceChildren(window[id].content.cloneNode(true))", answer
        )
        expect(page.locator("#answer .refused")).to_be_visible()
        assert (answer, page.evaluate(LISTS)) == (answer, before)


def test_a_page_that_fits_its_window_cannot_be_scrolled(page: Page, stand: Stand, clock: TurnedClock) -> None:
    scenes.nobody(stand, clock)
    show(page)
    for height in (768, 1080):
        page.set_viewport_size({"width": 1366, "height": height})
        assert page.evaluate("document.documentElement.scrollHeight") == height


# Where the lines under the queue that have these words end.
BOTTOMS = """(words) => {
  const texts = document.createTreeWalker(document.querySelector('.others'), NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  while (texts.nextNode()) {
    const at = texts.currentNode.data.indexOf(words);
    if (at < 0) continue;
    range.setStart(texts.currentNode, at);
    range.setEnd(texts.currentNode, at + words.length);
    return [...range.getClientRects()].map((each) => each.bottom);
  }
}"""


def test_a_service_without_an_open_desk_stands_on_its_line_and_tears_no_other_one_apart(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    scenes.called(stand, clock)
    stand.issue("family")
    for desk in ("desk-6", "desk-9"):
        stand.do(q.SetMode(origin=stand.origin(), desk=desk, shown=None, mode=DeskMode.PAUSED))
    show(page)
    for width in (1280, 1366, 1600):
        page.set_viewport_size({"width": width, "height": 768})
        line, marked = (
            page.evaluate(BOTTOMS, words) for words in ("Autres services", "F Famille 1, aucun guichet ouvert")
        )
        assert (width, len(line), marked) == (width, 1, pytest.approx(line, abs=1))
        assert (width, len(page.evaluate(BOTTOMS, "M Accueil 12"))) == (width, 1)


def test_a_name_that_is_cut_is_whole_where_the_mouse_rests(
    page: Page, stand: Stand, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(scenes._BOOKED, "10:25", NAME)
    scenes.called(stand, clock)
    page.goto(f"/desks/{DESK}")
    name = page.locator("#ticket .name")
    assert name.evaluate("each => each.scrollWidth > each.clientWidth")
    assert name.get_attribute("title") == NAME
    assert page.locator(".bar .agent").get_attribute("title") == "Maude Exemple"


def test_a_title_is_whole_where_the_line_has_room_and_a_name_gives_way_first(
    browser: Browser, stand: Stand, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(scenes._BOOKED, "10:25", NAME)
    scenes.called(stand, clock)
    title = "Carte d’identité et passeport"
    services = tuple(replace(each, title=title) if each.name == "civil" else each for each in stand.site.services)
    titled = Stand(stand.engine, replace(stand.site, services=services), clock.now_ms)
    with served(titled) as server:
        context = browser.new_context(base_url=server.address, viewport={"width": 1280, "height": 768})
        page = show(enter(context, server).new_page())
        assert page.locator("#ticket .service").evaluate("each => each.scrollWidth <= each.clientWidth")
        assert page.locator("#ticket .name").evaluate("each => each.clientWidth") > 80
        context.close()
    titled.stop()


def empty(stand: Stand, clock: TurnedClock) -> None:
    clock.set("9:00")
    stand.open(DESK)


CUT = "Écrans et boutons coupés\u00a0: appelez de vive voix"
# Whether the words can be read in the head or in the box of who comes next.
READ = """(words) => [...document.querySelectorAll('.bar *, .coming *')]
  .some((each) => each.textContent.trim() === words && !each.matches('.unseen')
    && each.checkVisibility({ checkVisibilityCSS: true }))"""


@pytest.mark.parametrize("scene", [scenes.called, scenes.nobody, empty])
def test_whoever_is_next_it_is_read_to_call_out_loud_while_the_screens_are_cut_off(
    page: Page, stand: Stand, clock: TurnedClock, scene: Callable[[Stand, TurnedClock], object]
) -> None:
    scene(stand, clock)
    show(page)
    assert not page.evaluate(READ, CUT)
    height = page.locator(".coming.when-online").evaluate("each => each.offsetHeight")
    stand.hears_the_hub = False
    expect(page.locator(".chip-screens")).to_be_visible(timeout=15_000)
    assert page.locator(".coming.when-online").evaluate("each => each.offsetHeight") == height
    for width in (860, 1280, 1366, 1600):
        page.set_viewport_size({"width": width, "height": 768})
        assert (width, page.evaluate(READ, CUT)) == (width, True)


def test_a_small_window_says_that_nobody_can_be_called_though_the_screens_are_cut_off(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    empty(stand, clock)
    stand.hears_the_hub = False
    page.set_viewport_size({"width": 420, "height": 640})
    show(page)
    expect(page.locator(".chip-screens")).to_be_visible(timeout=15_000)
    assert page.evaluate(READ, "Aucun visiteur à appeler")
