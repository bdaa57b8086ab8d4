"""Turns edges at a pin into gestures. Pure: level and time in, gesture out."""

from dataclasses import dataclass
from enum import StrEnum

from nodes.debounce import Debouncer

# A contact that closes again within this time of its release is chattering: still one press.
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
    """One gesture, decided at release; `at_ms` is the time of the release."""

    kind: Kind
    at_ms: int


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

    def settle(self) -> None:
        """Take the current level as the initial one: a contact that is closed counts as stuck until it opens."""
        self._level.settle()
        if self._level.pressed:
            self._level.since_ms -= STUCK_MS

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
    """The gesture for a press of this length, or None from 10 s on (a bag on the button)."""
    if held_ms >= STUCK_MS:
        return None
    if held_ms >= VERY_LONG_MS:
        return Kind.VERY_LONG
    return Kind.LONG if held_ms >= LONG_MS else Kind.SHORT
