"""From edges at a pin to gestures. Pure: level and time in, gesture out.

Bounce is ours to remove: gpiozero's own filter drops edges and then misses the next press, and its mock ignores it.
"""

from dataclasses import dataclass
from enum import StrEnum

# Contacts bounce for 5 to 15 ms; a hand cannot press for less than this.
STABLE_MS = 25
# A button that chatters while it is let go is still one press.
GAP_MS = 300
LONG_MS = 1_200
VERY_LONG_MS = 4_000
STUCK_MS = 10_000


class Kind(StrEnum):
    SHORT = "short"
    LONG = "long"
    VERY_LONG = "very_long"


@dataclass(frozen=True, slots=True)
class Gesture:
    """Decided at release; `at_ms` is the moment of the release."""

    kind: Kind
    at_ms: int


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

    def due_ms(self) -> int | None:
        """When the level at the pin will have been stable, or None where nothing is open."""
        return None if self._raw == self.pressed else self._raw_since_ms + STABLE_MS


class Gestures:
    """One button's gestures."""

    def __init__(self) -> None:
        self._level = Debouncer()
        self._last_release_ms: int | None = None

    @property
    def held_since_ms(self) -> int | None:
        return self._level.since_ms if self._level.pressed else None

    def stuck(self, now_ms: int) -> bool:
        held_since_ms = self.held_since_ms
        return held_since_ms is not None and now_ms - held_since_ms >= STUCK_MS

    def edge(self, pressed: bool, at_ms: int) -> Gesture | None:
        held_since_ms = self.held_since_ms
        return self._decide(held_since_ms) if self._level.edge(pressed, at_ms) else None

    def advance(self, now_ms: int) -> Gesture | None:
        held_since_ms = self.held_since_ms
        return self._decide(held_since_ms) if self._level.advance(now_ms) else None

    def due_ms(self) -> int | None:
        return self._level.due_ms()

    def _decide(self, held_since_ms: int | None) -> Gesture | None:
        if held_since_ms is None:
            return None
        released_ms = self._level.since_ms
        too_soon = self._last_release_ms is not None and held_since_ms - self._last_release_ms < GAP_MS
        self._last_release_ms = released_ms
        kind = kind_of(released_ms - held_since_ms)
        return None if too_soon or kind is None else Gesture(kind, released_ms)


def kind_of(held_ms: int) -> Kind | None:
    """What a press of this length means, or None for one that was held for 10 s: a bag on the desk."""
    if held_ms >= STUCK_MS:
        return None
    if held_ms >= VERY_LONG_MS:
        return Kind.VERY_LONG
    return Kind.LONG if held_ms >= LONG_MS else Kind.SHORT
