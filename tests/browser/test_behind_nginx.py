"""An agent's browser and a hub under its own host name or a path, with nginx and TLS between them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from hub.auth.roles import Role
from hub.database.engine import open_engine
from tests.browser.test_login import ACCOUNT, PASSWORD, log_in, ready
from tests.databases import sqlite_url
from tests.nginx import BASE, Nginx, free_ports, start_nginx
from tests.web.stand import Stand, TurnedClock, a_site, served

SIGN_ON = "fetch('{desk}/sign-on', {{method: 'POST', headers: {{'HX-Request': 'true'}}}}).then(answer => answer.status)"
BY = "performance.getEntriesByType('navigation')[0].nextHopProtocol"


@pytest.fixture(params=["", BASE], ids=["own name", "path"])
def between(request: pytest.FixtureRequest, tmp_path: Path, clock: TurnedClock) -> Iterator[tuple[Stand, Nginx]]:
    ports = free_ports(request.param)
    engine = open_engine(sqlite_url(tmp_path))
    stand = Stand(engine, a_site(), clock.now_ms, ports.reached)
    stand.directory.add(ACCOUNT, PASSWORD, Role.AGENT)
    with served(stand) as hub, start_nginx(tmp_path / "nginx", hub.port, ports) as nginx:
        yield stand, nginx
    stand.stop()
    engine.dispose()


@pytest.fixture
def window(browser: Browser, between: tuple[Stand, Nginx]) -> Iterator[Page]:
    # Other tests check the certificate: this browser would have to be taught the test's authority.
    context = browser.new_context(base_url=between[1].origin, ignore_https_errors=True)
    yield context.new_page()
    context.close()


def test_an_agent_logs_in_signs_on_and_calls(window: Page, between: tuple[Stand, Nginx]) -> None:
    stand, nginx = between
    stand.open("desk-3")
    stand.issue("civil")
    desk = f"{nginx.ports.base}/desks/desk-3"
    window.goto(desk)
    assert window.evaluate(BY) == "h2"
    log_in(window)
    expect(window).to_have_url(f"{nginx.origin}{desk}")
    ready(window)
    [cookie] = window.context.cookies()
    assert (cookie["name"], cookie["secure"], cookie["httpOnly"], cookie["path"]) == ("__Host-suivant", True, True, "/")
    expect(window.locator(".chip-online")).to_be_visible()
    assert window.evaluate(SIGN_ON.format(desk=desk)) == 200
    expect(window.locator("#next")).to_be_visible()
    window.keyboard.press("s")
    expect(window.locator("#ticket .number")).to_have_text("A\u00a0001")
    # Through the live page alone.
    stand.next("desk-3", shown=1)
    expect(window.locator("#ticket .number")).to_have_count(0)
