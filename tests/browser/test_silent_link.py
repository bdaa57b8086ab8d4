"""A link that carries nothing any more but does not close: the page gives it up itself, each time."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from enum import Enum
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from hub.auth.roles import Role
from hub.database.engine import open_engine
from hub.reached import Reached, parse_proxies
from tests.browser import scenes
from tests.browser.pictures import SETTLED
from tests.databases import sqlite_url
from tests.web.stand import COOKIE, Stand, TurnedClock, a_site, served

LIVE, HEAD_END = b"/live HTTP/1.1", b"\r\n\r\n"
LIMIT_S = 20
# Longer than the page waits for a message from the hub.
SILENT_S = 13
# How wrong a computer's clock may be when its battery is flat, until the network corrects it.
STEP_MS = 600_000
AHEAD_MS = "import('/static/desk/clock.js').then(({ now }) => now() - Date.now())"


class Lets(Enum):
    """What still passes from the hub to the browser."""

    ALL = 0
    HANDSHAKE = 1
    NOTHING = 2


class Link:
    """Lies between a browser and a hub, whose `port` is set later. `lets`: what passes on live sockets opened next."""

    def __init__(self) -> None:
        self.port = 0
        self.lets = Lets.ALL
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.live: list[Wire] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        """Call it once browser and hub are gone."""
        self._listening.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(LIMIT_S)
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                browser, _ = self._listening.accept()
                self._threads.append(threading.Thread(target=self._carry, args=(browser,), daemon=True))
                self._threads[-1].start()

    def _carry(self, browser: socket.socket) -> None:
        with browser, socket.create_connection(("127.0.0.1", self.port)) as hub:
            wire = Wire(browser, hub)
            head = browser.recv(65536)
            if LIVE in head:
                wire.lets = self.lets
                self.live.append(wire)
            hub.sendall(head)
            back = threading.Thread(target=wire.to_browser, daemon=True)
            back.start()
            wire.to_hub()
            back.join(LIMIT_S)


class Wire:
    """One connection."""

    def __init__(self, browser: socket.socket, hub: socket.socket) -> None:
        self.browser, self.hub = browser, hub
        self.lets = Lets.ALL

    def to_hub(self) -> None:
        with contextlib.suppress(OSError):
            while data := self.browser.recv(65536):
                if self.lets is Lets.ALL:
                    self.hub.sendall(data)
            self.cut()

    def to_browser(self) -> None:
        with contextlib.suppress(OSError):
            while data := self.hub.recv(65536):
                if self.lets is Lets.HANDSHAKE:
                    data, self.lets = data[: data.index(HEAD_END) + len(HEAD_END)], Lets.NOTHING
                    self.browser.sendall(data)
                elif self.lets is Lets.ALL:
                    self.browser.sendall(data)
            self.cut()

    def cut(self) -> None:
        for end in (self.browser, self.hub):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def link() -> Iterator[Link]:
    made = Link()
    yield made
    made.close()


@pytest.fixture
def page(browser: Browser, link: Link, tmp_path: Path) -> Iterator[Page]:
    """An agent's window on the desk's page; all is well, and the test turns the page's clock."""
    clock = TurnedClock()
    engine = open_engine(sqlite_url(tmp_path))
    stand = Stand(engine, a_site(), clock.now_ms, Reached(origin=link.address, proxies=parse_proxies("127.0.0.1")))
    scenes.called(stand, clock)
    context = browser.new_context(base_url=link.address)
    context.add_cookies([{"name": COOKIE, "value": stand.log_in(Role.AGENT), "url": link.address}])
    stand.sign_on(scenes.DESK)
    with served(stand) as server:
        link.port = server.port
        page = context.new_page()
        page.clock.install()
        page.goto(f"/desks/{scenes.DESK}")
        page.evaluate(SETTLED)
        expect(page.locator("#clock")).not_to_be_empty()
        wait_for(page, link, 1)
        yield page
        context.close()
    stand.stop()
    engine.dispose()


def wait_for(page: Page, link: Link, sockets: int) -> None:
    while len(link.live) < sockets:
        page.wait_for_timeout(10)


def wait_in_silence(page: Page) -> None:
    """Wait until the page notices the silence. Its clock then stands still until the test turns it."""
    page.clock.pause_at(page.evaluate("Date.now()") / 1000 + SILENT_S)
    expect(page.locator(".chip-offline")).to_be_visible()


def test_a_silent_link_is_not_waited_for_to_close(page: Page, link: Link) -> None:
    link.live[0].lets = Lets.NOTHING
    wait_in_silence(page)
    page.clock.run_for(2_000)
    expect(page.locator(".chip-online")).to_be_visible()
    expect(page.locator("#recall")).not_to_have_attribute("aria-disabled", "true")


@pytest.mark.parametrize("lets", [Lets.NOTHING, Lets.HANDSHAKE])
def test_the_link_after_a_broken_one_is_given_up_too_where_it_is_silent(page: Page, link: Link, lets: Lets) -> None:
    link.lets = lets
    link.live[0].cut()
    expect(page.locator(".chip-offline")).to_be_visible()
    wait_for(page, link, 2)
    link.lets = Lets.ALL
    wait_in_silence(page)
    page.clock.run_for(2_000)
    expect(page.locator(".chip-online")).to_be_visible()


def test_a_link_that_falls_silent_after_the_computers_clock_was_set_forward_is_given_up_as_soon(
    page: Page, link: Link
) -> None:
    link.live[0].lets = Lets.NOTHING  # so that no beat comes before the page has looked at its clock
    was = page.evaluate(AHEAD_MS)
    page.clock.set_system_time((page.evaluate("Date.now()") + STEP_MS) / 1000)
    wait_for(page, link, 2)
    # The hub's next beat brings the right time.
    while page.evaluate(AHEAD_MS) > was - STEP_MS / 2:
        page.wait_for_timeout(10)
    expect(page.locator(".chip-online")).to_be_visible()
    link.live[1].lets = Lets.NOTHING
    wait_in_silence(page)
