"""From edges at a pin to a level one can trust. Pure.

Bounce is ours to remove: gpiozero's own filter drops edges and then misses the next press, and its mock ignores it.
"""

from dataclasses import dataclass

# Contacts bounce for 5 to 15 ms; a hand cannot press for less than this.
STABLE_MS = 25


@dataclass(slots=True)
class Debouncer:
    """A level counts once it was stable for 25 ms, and then from its first instant on."""

    pressed: bool = False
    since_ms: int = 0
    _raw: bool = False
    _raw_since_ms: int = 0

    def edge(self, pressed: bool, at_ms: int) -> bool:
        """A level at the pin, in the order of time; True where the level before it had become stable by then."""
        changed = self.advance(at_ms)
        if pressed != self._raw:
            self._raw = pressed
            self._raw_since_ms = at_ms
        return changed

    def advance(self, now_ms: int) -> bool:
        """True where `pressed` changed: at `since_ms`."""
        if self._raw == self.pressed or now_ms - self._raw_since_ms < STABLE_MS:
            return False
        self.pressed = self._raw
        self.since_ms = self._raw_since_ms
        return True

    def settle(self) -> None:
        """The level at the pin is no news: it was so before anybody looked."""
        self.pressed = self._raw
        self.since_ms = self._raw_since_ms

    def due_ms(self) -> int | None:
        """When the level at the pin will have been stable, or None where nothing is open."""
        return None if self._raw == self.pressed else self._raw_since_ms + STABLE_MS
