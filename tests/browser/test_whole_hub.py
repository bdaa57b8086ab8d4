"""The page before the whole hub at a real broker: the desk's button and two windows agree within a second."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, expect

from hub.app import web_parts
from hub.web.app import create_web
from tests.browser.pictures import SETTLED
from tests.databases import sqlite_url
from tests.hub.standing import Standing, node, standing

LIMIT_S = 20


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Standing]:
    (tmp_path / "data").mkdir()
    with standing(sqlite_url(tmp_path / "data"), tmp_path) as running:
        yield running


@pytest.fixture
def address(hub: Standing) -> Iterator[str]:
    web = create_web(web_parts(hub.hub))
    hub.hub.outbox.listen(lambda changed: web.state.changed(changed.desks, changed.services))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(16)
        server = uvicorn.Server(uvicorn.Config(web, log_config=None, timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join(LIMIT_S)


def test_a_press_on_the_button_shows_in_every_window_at_once(browser: Browser, hub: Standing, address: str) -> None:
    hub.open("desk-1")
    contexts = [browser.new_context(base_url=address) for _ in range(2)]
    windows = [context.new_page() for context in contexts]
    for window in windows:
        window.goto("/desks/desk-1")
        window.wait_for_function(SETTLED)
    with node(hub, "button-1") as button, node(hub, "printer-1") as printer:
        ticket = printer.ticket("civil")
        for window in windows:
            expect(window.locator(".is-next strong").first).to_have_text("A\u00a0001")
        answer = button.ask(button.press())
        for window in windows:
            expect(window.locator("#ticket .number")).to_have_text("A\u00a0001")
        assert (ticket.number, answer.number) == ("A001", "A001")  # type: ignore[union-attr]
        windows[0].keyboard.press("t")
        expect(windows[1].locator("#ticket .none-title")).to_be_visible()
    for context in contexts:
        context.close()
