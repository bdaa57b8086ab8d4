"""The machine's own Chromium on the real pages; the test controls the hub's clock."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from hub.database.engine import open_engine
from hub.site import Site
from tests.browser.pictures import enter, launch
from tests.databases import sqlite_url
from tests.web.stand import Served, Stand, TurnedClock, a_site, served

WAIT_MS = 20_000
expect.set_options(timeout=WAIT_MS)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
def site() -> Site:
    return a_site()


@pytest.fixture
def stand(tmp_path: Path, clock: TurnedClock, site: Site) -> Iterator[Stand]:
    engine = open_engine(sqlite_url(tmp_path))
    made = Stand(engine, site, clock.now_ms)
    yield made
    made.stop()
    engine.dispose()


@pytest.fixture
def server(stand: Stand) -> Iterator[Served]:
    with served(stand) as running:
        yield running


@pytest.fixture
def page(browser: Browser, server: Served) -> Iterator[Page]:
    """The window of one agent who is logged in and signed on; no page is open yet.

    Script errors and violations of the content security policy fail the test.
    """
    context = browser.new_context(base_url=server.address, viewport={"width": 1366, "height": 768})
    context.set_default_timeout(WAIT_MS)
    page = enter(context, server).new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if "Content Security" in message.text else None)
    yield page
    context.close()
    assert errors == []
