"""Late answers of the hub close and open nothing under the agent's hands, and no typed letter is taken for a key."""

import pytest
from playwright.sync_api import Page, Route, expect

from hub.queue import requests as q
from protocol.messages import DeskMode
from tests.browser import at_desk, scenes
from tests.browser.at_desk import held
from tests.browser.pictures import HAND_MS
from tests.web.stand import Stand, TurnedClock

DESK = scenes.DESK
# Counts the requests that the page is done with: a test waits for the page itself, not for the network.
COUNT_ANSWERS = """() => document.addEventListener("htmx:finally:request", (event) => {
  if (event.detail.ctx.sourceElement.matches(".panel")) return; // it only keeps itself new
  document.body.dataset.answered = Number(document.body.dataset.answered ?? 0) + 1;
})"""


def show(page: Page) -> Page:
    at_desk.show(page)
    page.evaluate(COUNT_ANSWERS)
    return page


class Held:
    """Requests to an address, held until the test lets them go on."""

    def __init__(self, page: Page, address: str) -> None:
        self._page, self._routes = page, []
        page.route(address, lambda route: self._routes.append(route))  # noqa: PLW0108 - playwright looks into it

    _routes: list[Route]

    def wait(self) -> None:
        while not self._routes:
            self._page.wait_for_timeout(10)

    def answer(self, answered: int) -> None:
        """Let one request go on. `answered`: how many requests the page is done with by then."""
        self.wait()
        self._routes.pop(0).continue_()
        self._expect(answered)

    def fail(self, answered: int) -> None:
        """Fail one request, as if nothing answered."""
        self.wait()
        self._routes.pop(0).abort()
        self._expect(answered)

    def _expect(self, answered: int) -> None:
        expect(self._page.locator("body")).to_have_attribute("data-answered", str(answered))


def types(page: Page, text: str) -> None:
    """Type as a hand does: a scanner is faster."""
    page.keyboard.type(text, delay=HAND_MS)


def test_a_name_is_typed_on_where_a_command_from_before_is_answered(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    scenes.appointments(stand, clock)
    show(page)
    recall = Held(page, "**/desks/*/recall")
    page.keyboard.press("r")
    recall.wait()
    page.keyboard.press("v")
    expect(page.locator("#query")).to_be_focused()
    types(page, "zo")
    recall.answer(2)
    expect(page.locator(".last")).to_contain_text("A\u00a0012 rappelé")
    types(page, "e")
    expect(page.locator("#query")).to_have_value("zoe")
    assert held(stand) == "A012"


def test_a_transfer_is_chosen_on_where_a_command_from_before_is_answered(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    scenes.called(stand, clock)
    show(page)
    recall = Held(page, "**/desks/*/recall")
    page.keyboard.press("r")
    recall.wait()
    page.keyboard.press("f")
    page.locator("#panel .choice").first.focus()
    recall.answer(2)
    expect(page.locator("#panel h2")).to_have_text("Transférer A\u00a0012")
    expect(page.locator("#panel .choice").first).to_be_focused()


def test_letters_mean_nothing_until_the_panel_stands_though_a_command_is_answered_meanwhile(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    scenes.appointments(stand, clock)
    show(page)
    recall, search = Held(page, "**/desks/*/recall"), Held(page, "**/desks/*?panel=search*")
    page.keyboard.press("r")
    recall.wait()
    page.keyboard.press("v")
    search.wait()
    recall.answer(1)
    types(page, "at")
    page.wait_for_timeout(HAND_MS)
    search.answer(2)
    expect(page.locator("#query")).to_be_focused()
    assert held(stand) == "A012"


def test_a_question_about_what_was_left_is_not_put_any_more(page: Page, stand: Stand, clock: TurnedClock) -> None:
    scenes.called(stand, clock)
    for desk in ("desk-6", "desk-9"):
        stand.do(q.SetMode(origin=stand.origin(), desk=desk, shown=None, mode=DeskMode.CLOSED))
    show(page)
    transfer = Held(page, "**/tickets/*/transfer?service=family")
    page.keyboard.press("f")
    page.locator("#panel .choice", has_text="Famille").click()
    transfer.wait()
    page.keyboard.press("Escape")
    expect(page.locator("#panel")).to_be_empty()
    transfer.answer(2)
    page.keyboard.press("c")  # also the letter of a service
    expect(page.locator("#parked-title")).to_contain_text("De côté (2)")
    expect(page.locator("#panel")).to_be_empty()


def test_a_command_of_a_panel_that_was_left_leaves_the_next_one_alone(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    scenes.appointments(stand, clock)
    show(page)
    transfer = Held(page, "**/tickets/*/transfer?service=identity")
    page.keyboard.press("f")
    page.locator("#panel .choice", has_text="Identité").click()
    transfer.wait()
    page.keyboard.press("Escape")
    page.keyboard.press("v")
    expect(page.locator("#query")).to_be_focused()
    types(page, "ex")
    transfer.answer(3)
    expect(page.locator(".none-title")).to_have_text("Personne n’est appelé")
    types(page, "e")
    expect(page.locator("#query")).to_have_value("exe")


def test_every_key_is_sent_though_the_first_one_is_not_answered_yet(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    scenes.called(stand, clock)
    show(page)
    recall = Held(page, "**/desks/*/recall")
    for key in "rpt":
        page.keyboard.press(key)
        page.wait_for_timeout(HAND_MS)
    recall.answer(3)
    expect(page.locator(".none-title")).to_have_text("Personne n’est appelé")
    expect(page.locator(".last")).to_contain_text("A\u00a0012 terminé")


def test_a_click_that_waited_too_long_behind_another_one_does_nothing_and_is_said(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    scenes.called(stand, clock)
    show(page)
    recall = Held(page, "**/desks/*/recall")
    for key in "rt":
        page.keyboard.press(key)
        page.wait_for_timeout(HAND_MS)
    recall.wait()
    clock.turn(seconds=8)
    recall.answer(2)
    expect(page.locator("#answer")).to_contain_text("Votre clic est arrivé trop tard")
    assert held(stand) == "A012"


def test_a_panel_that_cannot_be_kept_new_claims_no_failed_command(page: Page, stand: Stand, clock: TurnedClock) -> None:
    scenes.called(stand, clock)
    show(page)
    page.keyboard.press("f")
    expect(page.locator("#panel .choice-text").first).to_contain_text("4 en attente")
    away = {"status": 503, "content_type": "application/problem+json", "body": "{}"}
    page.route("**/desks/*?panel=transfer*", lambda route: route.fulfill(**away), times=1)
    with page.expect_response("**/desks/*?panel=transfer*"):
        stand.issue("identity")
    stand.issue("identity")
    expect(page.locator("#panel .choice-text").first).to_contain_text("6 en attente")
    expect(page.locator("#answer")).to_be_empty()


@pytest.mark.parametrize("order", ["first", "last"])
def test_of_two_panels_asked_for_the_last_one_stands(page: Page, stand: Stand, clock: TurnedClock, order: str) -> None:
    scenes.appointments(stand, clock)
    show(page)
    keys, search = Held(page, "**/desks/*?panel=keys*"), Held(page, "**/desks/*?panel=search*")
    page.locator("#keys-link").click()
    keys.wait()
    page.locator("#row-search").click()
    search.wait()
    for count, each in enumerate((keys, search) if order == "first" else (search, keys), start=1):
        each.answer(count)
    expect(page.locator("#panel h2")).to_have_text("Chercher un rendez-vous")
    expect(page.locator("#query")).to_be_focused()


def test_a_panel_that_was_asked_for_before_the_open_one_was_left_is_not_opened(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    scenes.called(stand, clock)
    show(page)
    page.keyboard.press("?")
    expect(page.locator("#panel .leave")).to_be_visible()
    transfer = Held(page, "**/desks/*?panel=transfer*")
    page.locator("#transfer").click()
    transfer.wait()
    page.locator("#panel .leave").click()
    transfer.answer(2)
    expect(page.locator("#panel")).to_be_empty()


def test_a_panel_that_is_not_answered_is_said(page: Page, stand: Stand, clock: TurnedClock) -> None:
    scenes.called(stand, clock)
    show(page)
    transfer = Held(page, "**/desks/*?panel=transfer*")
    page.keyboard.press("f")
    transfer.fail(1)
    expect(page.locator("#answer")).to_contain_text("Le serveur n’a pas répondu")
    expect(page.locator("#panel")).to_be_empty()


def test_that_a_panel_is_not_answered_is_no_news_to_who_opened_another_one(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    scenes.called(stand, clock)
    show(page)
    transfer = Held(page, "**/desks/*?panel=transfer*")
    page.locator("#transfer").click()
    transfer.wait()
    page.locator("#keys-link").click()
    expect(page.locator("#panel .leave")).to_be_visible()
    transfer.fail(2)
    expect(page.locator("#answer")).to_be_empty()
