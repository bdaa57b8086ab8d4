"""Somebody else acts between an agent's gesture and the page's handling of it: it means the ticket the agent saw."""

import pytest
from playwright.sync_api import Page, expect

from hub.queue.states import State
from tests.browser import scenes
from tests.browser.at_desk import show, state_of
from tests.browser.pictures import A_SECOND_LATER, STANDING_STILL
from tests.web.stand import Stand, TurnedClock

DESK = scenes.DESK
BUTTONS = {"t": "#finish", "a": "#absent", "c": "#park"}


def call_the_next(page: Page, stand: Stand) -> None:
    """Press the desk's button, and wait until the page shows the call."""
    stand.press(DESK)
    expect(page.locator("#ticket .number")).to_have_text("A\u00a0015")


def expect_refused(page: Page) -> None:
    expect(page.locator("#answer")).to_contain_text("Déjà fait\u00a0: le bouton a appelé A\u00a0015")


@pytest.mark.parametrize("key", BUTTONS)
def test_a_key_means_who_was_shown_when_it_was_struck(page: Page, stand: Stand, clock: TurnedClock, key: str) -> None:
    ids = scenes.called(stand, clock)
    page.clock.install()
    show(page)
    page.clock.pause_at(page.evaluate("Date.now()") / 1000 + 1)
    page.keyboard.press(key)
    call_the_next(page, stand)
    page.clock.resume()
    expect_refused(page)
    assert state_of(stand, ids["A015"]) is State.CALLED


@pytest.mark.parametrize("button", BUTTONS.values())
def test_a_click_means_who_was_shown_when_the_mouse_was_pressed(
    page: Page, stand: Stand, clock: TurnedClock, button: str
) -> None:
    ids = scenes.called(stand, clock)
    show(page)
    page.evaluate(STANDING_STILL)
    page.locator(button).hover()
    page.mouse.down()
    call_the_next(page, stand)
    page.mouse.up()
    expect_refused(page)
    assert state_of(stand, ids["A015"]) is State.CALLED


def test_a_mouse_held_down_for_long_means_who_was_shown_when_it_was_pressed(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    ids = scenes.called(stand, clock)
    show(page)
    page.evaluate(STANDING_STILL)
    page.locator("#finish").hover()
    page.mouse.down()
    call_the_next(page, stand)
    page.evaluate(A_SECOND_LATER)
    page.mouse.up()
    expect_refused(page)
    assert state_of(stand, ids["A015"]) is State.CALLED


def test_a_space_bar_held_down_for_long_means_who_was_shown_when_it_was_struck(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    ids = scenes.called(stand, clock)
    show(page)
    page.evaluate(STANDING_STILL)
    page.locator("#finish").focus()
    page.keyboard.down(" ")
    call_the_next(page, stand)
    page.evaluate(A_SECOND_LATER)
    page.keyboard.up(" ")
    expect_refused(page)
    assert state_of(stand, ids["A015"]) is State.CALLED


def test_a_click_without_key_or_mouse_means_who_is_shown(page: Page, stand: Stand, clock: TurnedClock) -> None:
    ids = scenes.called(stand, clock)
    show(page)
    page.keyboard.press("r")
    expect(page.locator(".last")).to_contain_text("A\u00a0012 rappelé")
    call_the_next(page, stand)
    page.evaluate(A_SECOND_LATER)
    page.locator("#finish").evaluate("each => each.click()")  # as a screen reader does
    expect(page.locator(".last")).to_contain_text("A\u00a0015 terminé")
    assert state_of(stand, ids["A015"]) is State.SERVED
