"""Debounces a pin: edges in, a stable level out. Pure.

gpiozero's own filter is not used: it drops edges and then misses the next press, and gpiozero's mock pins ignore it.
"""

from dataclasses import dataclass

# Contacts bounce for 5 to 15 ms; no hand presses for less than 25 ms.
STABLE_MS = 25


@dataclass(slots=True)
class Debouncer:
    """Accepts a level once it has been stable for 25 ms, and dates it from its first instant."""

    pressed: bool = False
    since_ms: int = 0
    _raw: bool = False
    _raw_since_ms: int = 0

    def edge(self, pressed: bool, at_ms: int) -> bool:
        """Take an edge, in order of time. True if the level before it had become stable and changed `pressed`."""
        changed = self.advance(at_ms)
        if pressed != self._raw:
            self._raw = pressed
            self._raw_since_ms = at_ms
        return changed

    def advance(self, now_ms: int) -> bool:
        """True if `pressed` changed; `since_ms` says when."""
        if self._raw == self.pressed or now_ms - self._raw_since_ms < STABLE_MS:
            return False
        self.pressed = self._raw
        self.since_ms = self._raw_since_ms
        return True

    def settle(self) -> None:
        """Take the level at the pin as the initial one, not as a change."""
        self.pressed = self._raw
        self.since_ms = self._raw_since_ms

    def due_ms(self) -> int | None:
        """When the new level at the pin becomes stable, or None if it has not changed."""
        return None if self._raw == self.pressed else self._raw_since_ms + STABLE_MS
