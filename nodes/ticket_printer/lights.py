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


def at_rest(
    *, configured: bool, identify: bool, busy: bool, paper_hangs: bool, printer_well: bool, hub_there: bool
) -> Moment:
    """What the lamp shows while nothing passes; the first that holds."""
    rules = (
        (identify, Moment.IDENTIFY),
        (not configured, Moment.STARTING),
        (paper_hangs, Moment.NO_PAPER),
        (busy, Moment.BUSY),
        (not printer_well, Moment.NO_PAPER),
        (not hub_there, Moment.AWAY),
    )
    return next((moment for holds, moment in rules if holds), Moment.READY)


class Shining:
    """The lamp over time: what it shows at rest, and for a while a moment that passes. `due_ms`: its next change."""

    def __init__(self, now_ms: int) -> None:
        self._flash: tuple[Moment, int] | None = None
        self._rest = Moment.STARTING, now_ms
        self.due_ms: int | None = None

    def flash(self, moment: Moment, now_ms: int) -> None:
        self._flash = moment, now_ms

    def lit(self, at_rest: Moment, now_ms: int) -> bool:
        shown = None
        if self._flash is not None and at_rest is not Moment.IDENTIFY:
            shown = lamp(*self._flash, now_ms)
        if shown is None:
            # After a flash the rest begins anew, so that its own first flash does not come too soon.
            if at_rest is not self._rest[0] or self._flash is not None:
                self._rest = at_rest, now_ms
            self._flash = None
            # A moment at rest repeats, so it always shows something.
            shown = lamp(*self._rest, now_ms) or Lamp(False, None)
        self.due_ms = shown.until_ms
        return shown.lit
