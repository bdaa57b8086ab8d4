"""Where the focus goes when its element is removed: it stays in its place, and off anything that calls a visitor."""

import re

import pytest
from playwright.sync_api import Page, Route, expect

from hub.queue import requests as q
from protocol.messages import DeskMode
from tests.browser import scenes
from tests.browser.at_desk import held, show
from tests.browser.pictures import A_SECOND_LATER, HAND_MS, STANDING_STILL
from tests.web.stand import Stand, TurnedClock

DESK = scenes.DESK


def answer_after(page: Page, address: str, gone: str) -> None:
    """Delay the answer until the command is done and the page already shows its result."""

    def late(route: Route) -> None:
        answer = route.fetch()
        expect(page.locator(gone)).to_have_count(0)
        route.fulfill(response=answer)

    page.route(address, late)


def test_who_cancels_a_ticket_is_on_the_one_in_its_place_and_enter_calls_nobody(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    ids = scenes.called(stand, clock)
    show(page)
    rows = page.locator(".queue .row-link")
    following = rows.nth(2).inner_text()
    answer_after(page, "**/tickets/*/cancel", f"#row-{ids['A013']}")
    expect(rows.nth(1)).to_have_text("A\u00a0013")
    rows.nth(1).click()
    page.locator("#panel a.choice", has_text="Annuler").click()
    page.locator("#panel button.choice", has_text="Annuler").click()
    expect(page.locator("#panel")).to_be_empty()
    expect(rows.nth(1)).to_have_text(following)
    expect(rows.nth(1)).to_be_focused()
    page.evaluate(A_SECOND_LATER)
    page.keyboard.press("Enter")
    expect(page.locator("#panel h2")).to_have_text(f"Ticket {following}")
    expect(page.locator("#ticket .number")).to_have_text("A\u00a0012")


def test_who_ends_the_only_visit_that_was_set_aside_is_at_the_desk(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    scenes.serving(stand, clock)
    show(page)
    answer_after(page, "**/tickets/*/finish", ".box.is-parked .box-number")
    page.locator(".box.is-parked .box-number").click()
    page.locator("#panel .choice", has_text="Terminer").click()
    expect(page.locator("#panel")).to_be_empty()
    expect(page.locator("#ticket")).to_be_focused()


def test_who_reads_of_a_ticket_that_another_desk_calls_stays_in_its_panel(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    scenes.free(stand, clock)
    show(page)
    page.locator(".queue .row-link").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#panel .panel")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#panel .choice").first).to_be_focused()
    stand.next("desk-8")
    expect(page.locator("#panel")).to_contain_text("C’est au guichet qui l’a appelé de décider.")
    expect(page.locator("#panel h2")).to_be_focused()


def test_who_goes_through_a_list_stays_in_place_where_somebody_takes_one_off_it(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    ids = scenes.called(stand, clock)
    stand.do(q.MarkAbsent(origin=stand.origin(), desk=DESK, shown=ids["A012"]))
    show(page)
    page.locator("#absent-title a").click()
    page.wait_for_selector("#panel .panel")
    page.locator(f"#aside-{ids['A012']}").focus()
    stand.do(q.Readmit(origin=stand.origin(), desk=DESK, ticket=ids["A012"]))
    expect(page.locator(f"#aside-{ids['A012']}")).to_have_count(0)
    expect(page.locator(f"#aside-{ids['A010']}")).to_be_focused()


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_a_key_struck_twice_on_reopen_calls_nobody(page: Page, stand: Stand, clock: TurnedClock, key: str) -> None:
    scenes.away(DeskMode.PAUSED)(stand, clock)
    show(page).locator("#next").focus()
    page.evaluate(STANDING_STILL)
    page.keyboard.press(key)
    expect(page.locator("#next")).to_contain_text("Suivant")
    expect(page.locator("#next")).to_be_focused()
    page.keyboard.press(key)
    # Answers come in the order of the requests, so earlier requests are answered by then.
    page.keyboard.press("u")
    expect(page.locator("#next")).to_contain_text("Rouvrir")
    assert held(stand) is None


def test_enter_a_second_after_reopening_calls(page: Page, stand: Stand, clock: TurnedClock) -> None:
    scenes.away(DeskMode.PAUSED)(stand, clock)
    show(page).locator("#next").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#next")).to_contain_text("Suivant")
    page.evaluate(A_SECOND_LATER)
    page.keyboard.press("Enter")
    expect(page.locator("#ticket .number")).to_be_visible()


def test_a_key_is_heard_again_though_the_computers_clock_is_set_back(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    scenes.away(DeskMode.PAUSED)(stand, clock)
    show(page).locator("#next").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#next")).to_contain_text("Suivant")
    page.evaluate(A_SECOND_LATER)
    page.evaluate("() => { const now = Date.now; Date.now = () => now() - 5000; }")
    page.keyboard.press("Enter")
    expect(page.locator("#ticket .number")).to_be_visible()


def test_the_key_that_reopens_a_visit_struck_twice_does_not_take_its_call_back(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    scenes.called(stand, clock)
    show(page)
    page.keyboard.press("t")
    expect(page.locator("#undo")).to_contain_text("Rouvrir A\u00a0012")
    page.evaluate(STANDING_STILL)
    page.keyboard.press("n")
    expect(page.locator("#undo")).to_contain_text("Annuler")
    page.keyboard.press("n")
    page.wait_for_timeout(HAND_MS)
    page.keyboard.press("u")
    expect(page.locator("#mode-pause")).to_contain_text("Pause après A\u00a0012")


def test_the_key_that_takes_a_call_back_struck_twice_leaves_the_one_before(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    scenes.called(stand, clock)
    for _ in range(2):
        stand.press(DESK)
        clock.turn(seconds=10)
    show(page)
    page.evaluate(STANDING_STILL)
    page.keyboard.press("n")
    expect(page.locator("#ticket .number")).to_have_text("A\u00a0015")
    page.keyboard.press("n")
    page.wait_for_timeout(HAND_MS)
    page.keyboard.press("u")
    expect(page.locator("#mode-pause")).to_contain_text("Pause après A\u00a0015")


# Notes what has the focus once the page is done with a request: a test waits for the page, not for what it shows.
NOTE_WHAT_HAS_FOCUS = """() => document.addEventListener("htmx:finally:request", () => {
  document.body.dataset.offers = document.activeElement.textContent.trim();
})"""


def test_enter_struck_twice_in_a_ticket_s_panel_checks_in_and_calls_nobody(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    scenes.free(stand, clock)
    ticket = stand.book("civil", clock.now_ms() + 15 * 60_000)

    def late(route: Route) -> None:
        answer = route.fetch()
        expect(page.locator("body")).to_have_attribute("data-offers", re.compile("^Appeler ce ticket"))
        page.keyboard.press("Enter")
        route.fulfill(response=answer)

    page.route("**/check-in", late)
    show(page)
    page.evaluate(NOTE_WHAT_HAS_FOCUS)
    page.evaluate(STANDING_STILL)
    page.locator(f"#row-{ticket}").click()
    expect(page.get_by_role("button", name="Il est arrivé")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#panel")).to_be_empty()
    page.keyboard.press("u")
    expect(page.locator("#next")).to_contain_text("Rouvrir")
    assert held(stand) is None


def test_the_key_of_a_press_that_was_off_for_a_while_means_the_same_again(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    scenes.morning(stand, clock)
    show(page)
    page.evaluate(STANDING_STILL)
    page.keyboard.press("s")
    expect(page.locator("#next .when-online")).to_have_text("Appel en cours…")
    clock.turn(seconds=3.1)
    expect(page.locator("#next .when-online")).to_have_text("Termine A\u00a0012, puis appelle A\u00a0015")
    page.keyboard.press("s")
    expect(page.locator("#ticket .number")).to_have_text("A\u00a0015")


@pytest.mark.parametrize("path", ["/", "/desks/desk-3", "/nothing"])
def test_the_first_stop_of_the_tab_key_is_a_way_to_the_main_content(page: Page, stand: Stand, path: str) -> None:
    page.goto(path)
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Aller au contenu")
    expect(skip).to_be_focused()
    box = skip.bounding_box()
    assert box is not None
    assert box["width"] > 40
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


RING = """() => {
  const style = getComputedStyle(document.querySelector('main'));
  return [document.querySelector('main').matches(':focus-visible'), style.outlineStyle, style.boxShadow];
}"""


@pytest.mark.parametrize("path", ["/", "/desks/desk-3", "/nothing"])
def test_a_key_after_a_click_beside_all_buttons_draws_no_ring_round_the_page(
    page: Page, stand: Stand, path: str
) -> None:
    page.goto(path)
    page.locator("main").click(position={"x": 3, "y": 3})
    page.keyboard.press("Shift")
    page.keyboard.press("x")
    assert page.evaluate(RING) == [True, "none", "none"]


@pytest.mark.parametrize("width", [420, 1024, 1366])
def test_who_goes_past_the_bar_moves_no_button(page: Page, stand: Stand, clock: TurnedClock, width: int) -> None:
    scenes.called(stand, clock)
    page.set_viewport_size({"width": width, "height": 600})
    show(page)
    top = "document.querySelector('#next').getBoundingClientRect().top"
    before = page.evaluate(top)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    assert page.evaluate(top) == before
