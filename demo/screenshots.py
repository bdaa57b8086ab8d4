"""`make screenshots`: plays a demo and takes the pictures in docs/ with the installed browser."""

import io
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import urlopen

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from demo.people import AGENTS, GUESTS, PASSWORD

DOCS = Path(__file__).parent.parent / "docs/screenshots"
WINDOW = {"width": 1366, "height": 768}
PATIENCE_S = 400.0
LOOK_PERIOD_MS = 150
PAPER = (0xFF, 0xFA, 0xF0)
# A call covers more than a third of the display with a ticket, a hall at rest less than a sixth.
CALL_SHARE, REST_SHARE = 0.3, 0.2
# By this many tickets all desks have called, and the list is long.
PAPERS_BEFORE = 28


def main() -> int:
    DOCS.mkdir(parents=True, exist_ok=True)
    _draw_slips()
    with TemporaryDirectory() as folder, _demo(Path(folder)) as (address, hub), sync_playwright() as playwright:
        # Chromium's sandbox refuses root; the pages are our own.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium-headless-shell"), args=arguments)
        hall = browser.new_page(viewport=WINDOW)  # type: ignore[arg-type]
        hall.goto(address)
        _until(hall, lambda: _printed(hall) >= PAPERS_BEFORE)
        # The last fate to appear: Publik was told of a no-show.
        hall.locator("[data-fate=absent]").first.wait_for(timeout=PATIENCE_S * 1000)
        _take_display(hall, address)
        _until(hall, lambda: _share(address) > CALL_SHARE)
        # The page fetches a frame just after the display has drawn it.
        hall.wait_for_timeout(LOOK_PERIOD_MS * 3)
        hall.screenshot(path=DOCS / "demo.png")
        _take_paper(hall, address)
        desk = browser.new_page(viewport=WINDOW)  # type: ignore[arg-type]
        desk.goto(f"{hub}/desks/desk-5")
        desk.screenshot(path=DOCS / "login.png")
        _log_in(desk, AGENTS[4].account)
        # Wait past the first 3 s of a call, in which « Suivant » is disabled.
        desk.wait_for_timeout(4_500)
        desk.screenshot(path=DOCS / "desk.png")
        _take_search(desk)
        desk.keyboard.press("Escape")
        _take_over(browser, hub)
        desk.wait_for_timeout(2_000)
        desk.screenshot(path=DOCS / "desk-taken-over.png")
        browser.close()
    print("\n".join(f"docs/screenshots/{picture.name}" for picture in sorted(DOCS.glob("*.png"))))
    return 0


def _draw_slips() -> None:
    """Draw the slips for visitors with an appointment."""
    with TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "nodes.ticket_printer.pictures", folder], check=True)
        shutil.copy(Path(folder) / "slips.png", DOCS)


@contextmanager
def _demo(folder: Path) -> Iterator[tuple[str, str]]:
    """Run a separate demo; yields the addresses of its page and of the hub."""
    environ = os.environ | {"PORT": "0", "DEMO_DIR": str(folder / "demo"), "SPEED": "3", "SECONDS_LIMIT": "600"}
    process = subprocess.Popen([sys.executable, "-m", "demo"], env=environ, stdout=subprocess.PIPE, text=True)
    try:
        said = ""
        for line in process.stdout or ():
            said += line
            if "Ctrl-C" in line:
                break
        yield read_addresses(said)
    finally:
        process.terminate()
        process.communicate()


def read_addresses(said: str) -> tuple[str, str]:
    """The addresses of the demo's page and of the hub in its output. Raises RuntimeError if there are none."""
    page = re.search(r"The hall, live: +(http://\S+?)/", said)
    hub = re.search(r"Desk pages: +(http://\S+?)/desks/", said)
    if page is None or hub is None:
        raise RuntimeError(f"the demo did not start: {said}")
    return page[1], hub[1]


def _log_in(page: Page, account: str) -> None:
    page.fill("#account", account)
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda address: "/login" not in address)


def _take_over(browser: Browser, hub: str) -> None:
    """Sign somebody else on at the desk that is shown."""
    guest = browser.new_page()
    guest.goto(f"{hub}/desks/desk-5")
    _log_in(guest, GUESTS[0].account)
    answer = guest.request.post(f"{hub}/api/v1/desks/desk-5/sign-on", headers={"origin": hub}, data={})
    if not answer.ok:
        raise RuntimeError(f"the desk was not taken over: {answer.text()}")


def _take_search(desk: Page) -> None:
    """Search for a visitor; one in seven of the made-up last names begins with `mod`."""
    desk.keyboard.press("v")
    desk.locator("#query").fill("mod")
    desk.keyboard.press("Enter")
    desk.locator(".found").wait_for()
    desk.screenshot(path=DOCS / "desk-search.png")


def _take_display(hall: Page, address: str) -> None:
    for name, wanted in {
        "display-call": lambda share: share > CALL_SHARE,
        "display-rest": lambda share: 0.0 < share < REST_SHARE,
    }.items():
        _until(hall, lambda wanted=wanted: wanted(_share(address)))  # type: ignore[misc]
        (DOCS / f"{name}.png").write_bytes(_fetch(f"{address}/frame.png"))


def _take_paper(hall: Page, address: str) -> None:
    """Print a ticket with a button of the dispenser, and take it."""
    before = _printed(hall)
    hall.locator("button.service").first.click(delay=250)
    _until(hall, lambda: _printed(hall) > before)
    paper = hall.locator("[data-papers] a").first.get_attribute("href")
    (DOCS / "ticket.png").write_bytes(_fetch(f"{address}{paper}"))


def _printed(hall: Page) -> int:
    """How many tickets the dispenser has printed, from the number of the newest picture."""
    newest = hall.locator("[data-papers] a").first
    name = newest.get_attribute("data-name") if newest.count() else None
    return int((name or "0").removesuffix(".png"))


def _until(page: Page, true: Callable[[], bool]) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while not true():
        if time.monotonic() > until_s:
            raise TimeoutError(f"the demo did not show the expected state within {PATIENCE_S:.0f} s")
        page.wait_for_timeout(LOOK_PERIOD_MS)


def _share(address: str) -> float:
    """The share of the display's frame that has a ticket's colour."""
    with Image.open(io.BytesIO(_fetch(f"{address}/frame.png"))) as frame:
        small = frame.convert("RGB").resize((96, 54), Image.Resampling.NEAREST)
        return sum(pixel == PAPER for pixel in small.get_flattened_data()) / (96 * 54)


def _fetch(address: str) -> bytes:
    with urlopen(address, timeout=10) as answer:  # noqa: S310, the demo's own
        content: bytes = answer.read()
        return content


if __name__ == "__main__":
    sys.exit(main())
