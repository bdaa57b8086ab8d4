"""Pages as they are asked for and read."""

import html
import re

from tests.web.stand import TurnedClock

# Asked by the page's script: what stands in the page, not the page.
SCRIPT = {"HX-Request": "true"}


def text_of(page: str) -> str:
    """What is read, spaces made one."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page))).strip()


def at(clock_time: str) -> int:
    """A time of the stand's morning."""
    clock = TurnedClock()
    clock.set(clock_time)
    return clock.at_ms
