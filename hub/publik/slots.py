"""Chrono's ids of meeting slots, `30:2026-11-25-1000`: the meeting type and the local start."""

import re
from dataclasses import dataclass
from datetime import datetime

_SLOT = re.compile(r"(?P<type>[^:\s]{1,128}):(?P<start>\d{4}-\d{2}-\d{2}-\d{4})")


@dataclass(frozen=True, slots=True)
class Slot:
    """`start`: naive, local to the Publik that named it."""

    meeting_type: str
    start: datetime


def parse_slot(text: str) -> Slot | None:
    """None where this is no id of a meeting's slot: an event's is its slug."""
    found = _SLOT.fullmatch(text.strip())
    if not found:
        return None
    try:
        start = datetime.strptime(found["start"], "%Y-%m-%d-%H%M")  # noqa: DTZ007 - naive as it is written
    except ValueError:
        return None
    return Slot(found["type"], start)
