"""Where focus is after something was taken away under it: in the same place, and on nothing that calls a visitor."""

from playwright.sync_api import Page, Route, expect

from tests.browser import scenes
from tests.browser.pictures import SETTLED
from tests.web.stand import Stand, TurnedClock

DESK = scenes.DESK


def show(page: Page) -> Page:
    page.goto(f"/desks/{DESK}")
    page.evaluate(SETTLED)
    return page


def answer_after(page: Page, address: str, gone: str) -> None:
    """The command is done and the picture of it is there before its answer is."""

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
    page.locator("#panel .choice", has_text="Annuler").click()
    page.locator("#panel .choice", has_text="Annuler").click()
    expect(page.locator("#panel")).to_be_empty()
    expect(rows.nth(1)).to_have_text(following)
    expect(rows.nth(1)).to_be_focused()
    page.evaluate("openedAt = 0")
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
