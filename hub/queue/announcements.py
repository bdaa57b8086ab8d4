"""An announcement, and when it starts behind the one before it. Pure."""

from dataclasses import dataclass

# An announcement starts so long after its call when nothing else is said: time to reach every display.
LEAD_MS = 250
# A picture stays so long; when another call follows, it is kept to the shorter time.
FULL_MS = 8_000
KEPT_MS = 4_000
# An announcement goes out to the displays this long before it starts; after that it can't be moved.
GOES_OUT_MS = 1_000


@dataclass(frozen=True, slots=True)
class Announcement:
    """A call to be said: what the display gets, once committed."""

    id: int
    call: int
    hall: str
    ticket: int
    number: str
    desk: str
    play_ms: int
    length_ms: int


def play_ms(now_ms: int, last_play_ms: int) -> int:
    """When an announcement made now starts: at once after a short lead, or in turn behind the one before it."""
    return max(now_ms + LEAD_MS, last_play_ms + KEPT_MS)
