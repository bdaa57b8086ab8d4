"""The page of the whole hub at a real broker: the desk's button and two windows agree within a second."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, expect

from hub.auth.people import Person
from hub.auth.roles import Role
from hub.auth.sessions import Session, hash_token
from hub.queue.answers import SessionAnswer
from hub.queue.people_requests import OpenSession
from hub.queue.requests import Origin, SignOn, Source
from hub.serve import web_parts
from hub.web.app import create_web
from tests.browser.pictures import SETTLED
from tests.databases import sqlite_url
from tests.hub.standing import Standing, new_id, node, standing
from tests.web.stand import COOKIE

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


def log_in(hub: Standing) -> str:
    """Log an agent in and sign them on at desk 1; returns the token of their session."""
    account, token = "m.exemple", hub.hub.gate.new_token()
    origin = Origin(Source.PAGE, account, new_id())
    opened = hub.do(
        OpenSession(
            origin=origin, token_hash=hash_token(token), account=account, name="Maude Exemple", roles=(Role.AGENT,)
        )
    )
    assert isinstance(opened, SessionAnswer)
    hub.do(SignOn(origin=Origin(Source.PAGE, account, new_id()), desk="desk-1"))
    now_ms = hub.hub.clock.now_ms()
    hub.hub.gate.book.add(
        Session(
            id=opened.session,
            token_hash=hash_token(token),
            person=Person(account=account, name="Maude Exemple", roles=frozenset({Role.AGENT})),
            opened_ms=now_ms,
            seen_ms=now_ms,
            checked_ms=now_ms,
        )
    )
    return token


def test_a_press_on_the_button_shows_in_every_window_at_once(browser: Browser, hub: Standing, address: str) -> None:
    hub.open("desk-1")
    contexts = [browser.new_context(base_url=address) for _ in range(2)]
    token = log_in(hub)
    for context in contexts:
        context.add_cookies([{"name": COOKIE, "value": token, "url": address}])
    windows = [context.new_page() for context in contexts]
    for window in windows:
        window.goto("/desks/desk-1")
        window.evaluate(SETTLED)
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
