"""Asking for pages and reading their text."""

import html
import re

from tests.web.stand import TurnedClock

# The header of the page's script, which gets a part of the page instead of the whole.
SCRIPT = {"HX-Request": "true"}


def text_of(page: str) -> str:
    """The text that is read, with each run of spaces made one."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page))).strip()


def at(clock_time: str) -> int:
    """The time in ms of this local time on the stand's morning."""
    clock = TurnedClock()
    clock.set(clock_time)
    return clock.at_ms
