"""An announcement, and when it starts after the one before it. Pure."""

from dataclasses import dataclass

from protocol.messages import ANNOUNCEMENT_LATE_MS

# How long after its call an announcement starts if none is playing: time to reach every display.
LEAD_MS = 250
# How long a picture stays; KEPT_MS is the shorter time if another call follows.
FULL_MS = 8_000
KEPT_MS = 4_000
# An announcement goes out to the displays this long before it starts; after that it can't be moved.
GOES_OUT_MS = 1_000
# Its call is announced again if it could not go out within this time after its start. The next announcement may start
# KEPT_MS after that planned start and would cut it to less than half.
HELD_UP_MS = KEPT_MS // 2


@dataclass(frozen=True, slots=True)
class Announcement:
    """One announcement of a call, as displays get it after the commit."""

    id: int
    call: int
    hall: str
    ticket: int
    number: str
    desk: str
    play_ms: int
    length_ms: int

    def is_held_up(self, now_ms: int) -> bool:
        """Whether displays would show too little of it if it went out now."""
        return self.play_ms < now_ms - HELD_UP_MS

    def is_too_late(self, now_ms: int) -> bool:
        """Whether displays would drop it if it went out now."""
        return self.play_ms < now_ms - ANNOUNCEMENT_LATE_MS


def play_ms(now_ms: int, last_play_ms: int) -> int:
    """When an announcement made now starts: after a short lead, or in turn after the one before it."""
    return max(now_ms + LEAD_MS, last_play_ms + KEPT_MS)
