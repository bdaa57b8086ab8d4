"""What the dispenser's lamp says: a table. Pure.

At most three flashes begin in any second, since more can bring on a seizure (WCAG 2.3.1); so what may follow a flash of
another row begins dark.
"""

from dataclasses import dataclass
from enum import Enum, auto


class Moment(Enum):
    STARTING = auto()  # no configuration yet
    IDENTIFY = auto()
    REFUSED = auto()  # this press gives no ticket
    NO_ANSWER = auto()  # the hub was silent for 5 s, or the paper did not come out
    BUSY = auto()  # a ticket is on its way
    AWAY = auto()  # broker or hub
    NO_PAPER = auto()  # or another fault of the printer
    READY = auto()


# Lit and dark in turn, in ms, beginning dark where the first is 0; the second value: whether it repeats.
PATTERNS: dict[Moment, tuple[tuple[int, ...], bool]] = {
    Moment.STARTING: ((2_000, 1_000), True),
    Moment.IDENTIFY: ((170, 170), True),
    Moment.REFUSED: ((0, 350, 150, 200, 150, 200, 150, 400), False),
    Moment.NO_ANSWER: ((0, 350, *(150, 200) * 6, 200), False),
    Moment.BUSY: ((250, 250), True),
    Moment.AWAY: ((0, 350, 100, 300, 100, 1_150), True),
    Moment.NO_PAPER: ((0, 350, 500, 500), True),
    Moment.READY: ((), True),
}


@dataclass(frozen=True, slots=True)
class Lamp:
    """Lit or not, and when that changes by itself."""

    lit: bool
    until_ms: int | None


def lamp(moment: Moment, since_ms: int, now_ms: int) -> Lamp | None:
    """None where a moment that does not repeat is over."""
    steps_ms, repeats = PATTERNS[moment]
    if not steps_ms:
        return Lamp(True, None)
    length_ms = sum(steps_ms)
    elapsed_ms = now_ms - since_ms
    if not repeats and elapsed_ms >= length_ms:
        return None
    place_ms = elapsed_ms % length_ms
    lit = True
    for step_ms in steps_ms:
        if place_ms < step_ms:
            return Lamp(lit, now_ms + step_ms - place_ms)
        place_ms -= step_ms
        lit = not lit
    raise AssertionError("the steps fill the pattern")
