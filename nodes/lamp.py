"""What a lamp shows over time, and the limit on its flashes. Pure.

At most three flashes begin in any second, since more can bring on a seizure (WCAG 2.3.1). A pattern that may follow
a flash of another one begins dark, so that the limit does not suppress a flash that means something.
"""

from collections import deque
from dataclasses import dataclass

FLASHES_MOST = 3
FLASHES_WITHIN_MS = 1_000


@dataclass(frozen=True, slots=True)
class Pattern:
    """Lit and dark in turn; `steps_ms` are their lengths. Without `repeats` it ends; without steps it never changes."""

    steps_ms: tuple[int, ...]
    repeats: bool = True
    begins_lit: bool = True

    @property
    def length_ms(self) -> int:
        return sum(self.steps_ms)


STEADY = Pattern(())
DARK = Pattern((), begins_lit=False)


@dataclass(frozen=True, slots=True)
class Lamp:
    """Lit or not, and until when; None: until something happens."""

    lit: bool
    until_ms: int | None


def shown(pattern: Pattern, since_ms: int, now_ms: int) -> Lamp | None:
    """What the lamp shows of a pattern that began at `since_ms`, or None once the pattern has ended."""
    if not pattern.steps_ms:
        return Lamp(pattern.begins_lit, None)
    elapsed_ms = now_ms - since_ms
    if not pattern.repeats and elapsed_ms >= pattern.length_ms:
        return None
    place_ms = elapsed_ms % pattern.length_ms
    lit = pattern.begins_lit
    for step_ms in pattern.steps_ms:
        if place_ms < step_ms:
            return Lamp(lit, now_ms + step_ms - place_ms)
        place_ms -= step_ms
        lit = not lit
    raise AssertionError("unreachable: the steps fill the pattern")


class FlashLimit:
    """Keeps the lamp dark rather than let a fourth flash begin within a second, whatever patterns follow each other."""

    def __init__(self) -> None:
        self._lit = False
        self._begun_ms: deque[int] = deque(maxlen=FLASHES_MOST)

    def limited(self, wanted: Lamp, now_ms: int) -> Lamp:
        if not wanted.lit or self._lit:
            self._lit = wanted.lit
            return wanted
        if len(self._begun_ms) == FLASHES_MOST and now_ms - self._begun_ms[0] < FLASHES_WITHIN_MS:
            again_ms = self._begun_ms[0] + FLASHES_WITHIN_MS
            return Lamp(False, again_ms if wanted.until_ms is None else min(again_ms, wanted.until_ms))
        self._lit = True
        self._begun_ms.append(now_ms)
        return wanted
