"""Takes a picture of the desk page in each state: `python -m tests.browser.pictures FOLDER [STATE …]`."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from hub.auth.roles import Role
from hub.database.engine import open_engine
from protocol.messages import DeskMode
from tests.browser import scenes
from tests.databases import sqlite_url
from tests.web.stand import COOKIE, Served, Stand, TurnedClock, a_site, served

# The time between two keys of a fast typist; faster keys come from a scanner.
HAND_MS = 80
SIZES = {"guichet": (1366, 768), "fenetre": (420, 640), "etroit": (320, 640)}
# One evaluation that does its own waiting: the page's policy refuses what Playwright evaluates to try again later.
SETTLED = """async () => {
  await document.fonts.ready;
  while (!document.querySelector('[data-htmx-powered]')) await new Promise((go) => setTimeout(go, 20));
}"""
# A second passes at once, time enough to read what was opened; and no time passes, however slow the machine is.
A_SECOND_LATER = "() => { const now = performance.now.bind(performance); performance.now = () => now() + 1000; }"
STANDING_STILL = "() => { const moment = performance.now(); performance.now = () => moment; }"


@dataclass(frozen=True)
class State:
    scene: Callable[[Stand, TurnedClock], object]
    keys: str = ""
    desk: str = scenes.DESK
    offline: bool = False
    focus: str = ""
    typed: str = ""
    opens: str = ""


STATES = {
    "appel": State(scenes.called, focus="#recall"),
    "entretien": State(scenes.serving),
    "vide": State(scenes.free),
    "personne": State(scenes.nobody),
    "transfert": State(scenes.serving, keys="f"),
    "horsligne": State(scenes.serving, offline=True),
    "pause": State(scenes.away(DeskMode.PAUSED)),
    "ferme": State(scenes.away(DeskMode.CLOSED)),
    "pause-apres": State(scenes.waiting_for_end(DeskMode.PAUSED)),
    "fermeture-apres": State(scenes.waiting_for_end(DeskMode.CLOSED)),
    "absent": State(scenes.absent),
    "sans-presence": State(scenes.unconfirmed, desk="desk-4"),
    "touches": State(scenes.called, keys="?"),
    "longue-file": State(scenes.crowded),
    "rendez-vous": State(scenes.appointments),
    "rendez-vous-ancien": State(scenes.away_source),
    "rendez-vous-jamais": State(scenes.unreached_source),
    "recherche-vide": State(scenes.appointments, keys="v"),
    "recherche": State(scenes.appointments, keys="v", typed="exem"),
    "recherche-rien": State(scenes.appointments, keys="v", typed="personne"),
    "fiche-avance": State(scenes.appointments, opens=".expected .row-link >> text=11:05"),
    "fiche-manque": State(scenes.appointments, opens=".expected .row-link >> text=10:05"),
    "transmission": State(scenes.away_source, opens=".notice a"),
}


def launch(playwright: object) -> Browser:
    """Launch the machine's own Chromium. As root it has no sandbox, which refuses root; the pages are ours."""
    arguments = ["--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-first-run"]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")
    chromium = playwright.chromium  # type: ignore[attr-defined]
    browser: Browser = chromium.launch(executable_path=shutil.which("chromium-headless-shell"), args=arguments)
    return browser


@contextmanager
def scene(state: State, folder: Path) -> Iterator[Served]:
    engine = open_engine(sqlite_url(folder))
    clock = TurnedClock()
    stand = Stand(engine, a_site(), clock.now_ms)
    try:
        state.scene(stand, clock)
        with served(stand) as server:
            yield server
    finally:
        stand.stop()
        engine.dispose()


def enter(context: BrowserContext, server: Served, desk: str = scenes.DESK) -> BrowserContext:
    """Log an agent in to this browser and sign them on at the desk."""
    token = server.stand.log_in(Role.AGENT)
    server.stand.sign_on(desk)
    context.add_cookies([{"name": COOKIE, "value": token, "url": server.address}])
    return context


def show(page: Page, state: State, address: str) -> None:
    """Open the desk's page and bring it into the state."""
    page.goto(f"{address}/desks/{state.desk}")
    page.evaluate(SETTLED)
    if state.keys:
        page.keyboard.press(state.keys)
        page.wait_for_selector("#panel .panel")
    if state.typed:
        page.keyboard.type(state.typed)
        page.keyboard.press("Enter")
        page.wait_for_selector(".found")
    if state.opens:
        # In a small window the list is hidden, but its links are there.
        page.locator(state.opens).evaluate("each => each.click()")
        page.wait_for_selector("#panel .panel")
    if state.focus:
        page.keyboard.press("Shift")  # so that focus is shown as to a keyboard user
        page.focus(state.focus)


def take(browser: Browser, folder: Path, name: str) -> None:
    state = STATES[name]
    with TemporaryDirectory() as data, scene(state, Path(data)) as server:
        for size, (width, height) in SIZES.items():
            context = browser.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce")
            page = enter(context, server, state.desk).new_page()
            show(page, state, server.address)
            if state.offline:
                page.evaluate("window.dispatchEvent(new Event('offline'))")
            page.screenshot(path=folder / f"{size}-{name}.png")
            context.close()


def main(arguments: list[str]) -> int:
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = launch(playwright)
        for name in arguments[1:] or STATES:
            take(browser, folder, name)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
