"""What the dispenser's lamp shows: a table. Pure."""

from enum import Enum, auto

from nodes.lamp import STEADY, FlashLimit, Lamp, Pattern, shown


class Moment(Enum):
    IDENTIFY = auto()
    REFUSED = auto()  # this press gives no ticket
    NO_ANSWER = auto()  # the hub was silent for 5 s, or the paper did not come out
    BUSY = auto()  # a ticket is on its way
    AWAY = auto()  # broker or hub is away, or the hub does not answer
    NO_PAPER = auto()  # or another fault of the printer
    READY = auto()


PATTERNS = {
    Moment.IDENTIFY: Pattern((170, 170)),
    Moment.REFUSED: Pattern((350, *(150, 200) * 2, 150, 400), repeats=False, begins_lit=False),
    Moment.NO_ANSWER: Pattern((350, *(150, 200) * 5, 150, 400), repeats=False, begins_lit=False),
    Moment.BUSY: Pattern((250, 250)),
    Moment.AWAY: Pattern((350, 100, 300, 100, 1_150), begins_lit=False),
    Moment.NO_PAPER: Pattern((350, 500, 500), begins_lit=False),
    Moment.READY: STEADY,
}


def at_rest(*, identify: bool, busy: bool, paper_hangs: bool, printer_well: bool, hub_there: bool) -> Moment:
    """What the lamp shows at rest: the first rule that holds."""
    rules = (
        (identify, Moment.IDENTIFY),
        (paper_hangs, Moment.NO_PAPER),
        (busy, Moment.BUSY),
        (not printer_well, Moment.NO_PAPER),
        (not hub_there, Moment.AWAY),
    )
    return next((moment for holds, moment in rules if holds), Moment.READY)


class Shining:
    """The lamp over time: a moment at rest, interrupted by flashes. `due_ms`: its next change."""

    def __init__(self) -> None:
        self._flash: tuple[Moment, int] | None = None
        self._rest: tuple[Moment, int] | None = None
        self._flash_limit = FlashLimit()
        self.due_ms: int | None = None

    def flash(self, moment: Moment, now_ms: int) -> None:
        self._flash = moment, now_ms

    def lit(self, at_rest: Moment, now_ms: int) -> bool:
        lamp = self._flash_limit.limited(self._lamp(at_rest, now_ms), now_ms)
        self.due_ms = lamp.until_ms
        return lamp.lit

    def _lamp(self, at_rest: Moment, now_ms: int) -> Lamp:
        if self._flash is not None and at_rest is not Moment.IDENTIFY:
            moment, since_ms = self._flash
            passing = shown(PATTERNS[moment], since_ms, now_ms)
            if passing is not None:
                return passing
        # After a flash the pattern at rest starts over, so that its first flash does not come too soon.
        if self._rest is None or at_rest is not self._rest[0] or self._flash is not None:
            self._rest = at_rest, now_ms
        self._flash = None
        # A moment at rest repeats, so it always shows something.
        return shown(PATTERNS[at_rest], self._rest[1], now_ms) or Lamp(False, None)
