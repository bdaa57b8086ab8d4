"""Chrono's ids of meeting slots, `30:2026-11-25-1000`: the meeting type and the local start."""

import re
from dataclasses import dataclass
from datetime import datetime

_SLOT = re.compile(r"(?P<type>[^:\s]{1,128}):(?P<start>\d{4}-\d{2}-\d{2}-\d{4})")


@dataclass(frozen=True, slots=True)
class Slot:
    """`start`: naive, in Publik's local time."""

    meeting_type: str
    start: datetime


def parse_slot(text: str) -> Slot | None:
    """Parse a slot id; None if it is not a meeting's: an event's id is its slug."""
    found = _SLOT.fullmatch(text.strip())
    if not found:
        return None
    try:
        start = datetime.strptime(found["start"], "%Y-%m-%d-%H%M")  # noqa: DTZ007 - the id holds a naive time
    except ValueError:
        return None
    return Slot(found["type"], start)
