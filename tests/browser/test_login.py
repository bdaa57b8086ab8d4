"""Somebody logs in with a real browser, works, and is logged out when the session ends."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from hub.auth.roles import Role
from hub.database.engine import open_engine
from hub.reached import Reached, parse_proxies
from tests.databases import sqlite_url
from tests.web.stand import COOKIE, Served, Stand, TurnedClock, a_site, served

ACCOUNT, PASSWORD = "b.exemple", "trois tilleuls"
BASE = "/suivant"


@pytest.fixture
def window(browser: Browser, server: Served) -> Iterator[Page]:
    """A browser in which nobody is logged in."""
    server.stand.directory.add(ACCOUNT, PASSWORD, Role.AGENT, name="Basile Exemple")
    context = browser.new_context(base_url=server.address)
    yield context.new_page()
    context.close()


def log_in(window: Page, password: str = PASSWORD) -> None:
    window.get_by_label("Identifiant").fill(ACCOUNT)
    window.get_by_label("Mot de passe").fill(password)
    window.keyboard.press("Enter")


def ready(window: Page) -> None:
    """Wait for the page's script to begin. By a selector: while a page loads, its policy forbids waiting by script."""
    expect(window.locator("[data-htmx-powered]").first).to_be_attached()


def session_of(window: Page, stand: Stand) -> int:
    token = next(each["value"] for each in window.context.cookies() if each["name"] == COOKIE)
    session = stand.gate.book.find(token, stand.now_ms())
    assert session is not None
    return session.id


def test_an_agent_comes_in_and_calls_after_a_wrong_password(window: Page, stand: Stand) -> None:
    stand.open("desk-3")
    stand.issue("civil")
    window.goto("/desks/desk-3")
    expect(window).to_have_url(re.compile(r"/login\?to=/desks/desk-3$"))
    log_in(window, "wrong")
    expect(window.get_by_role("alert")).to_contain_text("L’identifiant ou le mot de passe est faux")
    expect(window.get_by_label("Mot de passe")).to_be_focused()
    log_in(window)
    expect(window).to_have_url(re.compile(r"/desks/desk-3$"))
    ready(window)
    window.keyboard.press("g")
    expect(window.locator("#next")).to_be_visible()
    window.keyboard.press("s")
    expect(window.locator("#ticket .number")).to_have_text("A\u00a0001")


def test_a_page_whose_session_ends_leads_to_the_login_and_back(window: Page, stand: Stand) -> None:
    window.goto("/desks/desk-3")
    log_in(window)
    ready(window)
    expect(window.locator(".chip-online")).to_be_visible()
    stand.gate.book.drop(session_of(window, stand))
    expect(window.get_by_label("Identifiant")).to_be_visible()
    expect(window.get_by_role("status")).to_have_text("Votre session est terminée. Reconnectez-vous.")
    log_in(window)
    expect(window).to_have_url(re.compile(r"/desks/desk-3$"))


def test_who_logs_out_is_not_led_back_to_the_desk_though_its_socket_closes_too(window: Page, server: Served) -> None:
    window.goto("/desks/desk-3")
    with window.expect_websocket() as live:
        log_in(window)
    ready(window)
    expect(window.locator(".chip-online")).to_be_visible()
    # The answer leads to the login page, and the socket closes before that page is there.
    coming: list[Route] = []
    window.route(re.compile("/login"), lambda route: coming.append(route))  # noqa: PLW0108 - Playwright takes no builtin
    window.locator("#log-out").click(no_wait_after=True)
    if not live.value.is_closed():
        live.value.wait_for_event("close")
    while not coming:
        window.wait_for_timeout(20)
    window.wait_for_timeout(200)
    assert [each.request.url for each in coming] == [f"{server.address}/login"]
    coming[0].continue_()
    expect(window.get_by_label("Identifiant")).to_be_visible()


def test_a_click_after_the_session_ended_leads_to_the_login(window: Page, stand: Stand) -> None:
    window.goto("/desks/desk-3")
    log_in(window)
    ready(window)
    window.context.clear_cookies()
    window.keyboard.press("?")
    expect(window.get_by_label("Identifiant")).to_be_visible()
    expect(window).to_have_url(re.compile(r"/login\?to=/desks/desk-3$"))


def test_who_logs_out_reads_the_login_and_gets_no_page_any_more(window: Page) -> None:
    window.goto("/")
    log_in(window)
    expect(window.locator(".who-is-in")).to_contain_text("Basile Exemple")
    window.get_by_role("button", name="Se déconnecter").click()
    expect(window.get_by_label("Identifiant")).to_be_visible()
    window.go_back()
    expect(window.get_by_label("Identifiant")).to_be_visible()


# --- under a path ---------------------------------------------------------------------------------------------------


@pytest.fixture
def below(tmp_path: Path, clock: TurnedClock) -> Iterator[Served]:
    """A hub under a path, as behind a proxy that forwards everything unchanged: the browser takes the proxy's place."""
    engine = open_engine(sqlite_url(tmp_path))
    with served(Stand(engine, a_site(), clock.now_ms)) as free:
        port = free.port
    free.stand.stop()
    reached = Reached(origin=f"http://localhost:{port}", path=BASE, proxies=parse_proxies("127.0.0.1"))
    stand = Stand(engine, a_site(), clock.now_ms, reached)
    stand.directory.add(ACCOUNT, PASSWORD, Role.AGENT)
    with served(stand, port) as running:
        yield running
    stand.stop()
    engine.dispose()


def test_everything_works_under_a_path(browser: Browser, below: Served) -> None:
    stand = below.stand
    stand.open("desk-3")
    stand.issue("civil")
    context = browser.new_context(base_url=stand.reached.origin)
    window = context.new_page()
    window.goto(f"{BASE}/desks/desk-3")
    log_in(window)
    ready(window)
    expect(window).to_have_url(f"{stand.reached.origin}{BASE}/desks/desk-3")
    window.keyboard.press("g")
    expect(window.locator("#next")).to_be_visible()
    window.keyboard.press("s")
    expect(window.locator("#ticket .number")).to_have_text("A\u00a0001")
    window.keyboard.press("?")
    expect(window.locator("#panel .key-list")).to_be_visible()
    stand.gate.book.drop(session_of(window, stand))
    expect(window).to_have_url(f"{stand.reached.origin}{BASE}/login?to=%2Fdesks%2Fdesk-3")
    context.close()
