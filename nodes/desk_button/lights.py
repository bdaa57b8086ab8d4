"""What the lamp in the button says: a table of moments. Pure.

At most three flashes begin in any second, since more can bring on a seizure (WCAG 2.3.1). What may follow a flash of
another row begins dark, so that the limit does not eat a flash that means something.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from nodes.desk_button.gestures import LONG_MS, STUCK_MS, VERY_LONG_MS
from protocol.messages import DeskMode, DeskState

FLASHES_MOST = 3
FLASHES_WITHIN_MS = 1_000


class Moment(Enum):
    STARTING = auto()
    IDENTIFY = auto()
    HELD = auto()
    HELD_LONG = auto()
    HELD_VERY_LONG = auto()
    HELD_STUCK = auto()
    SENT = auto()
    TAKEN = auto()
    NOBODY = auto()
    NOTHING = auto()
    REFUSED = auto()
    NOT_TAKEN = auto()
    LOST = auto()
    CALLABLE = auto()
    IDLE = auto()
    ENDING = auto()
    PAUSED = auto()
    CLOSED = auto()


@dataclass(frozen=True, slots=True)
class Pattern:
    """Lit and dark in turn, in ms, beginning lit. One that does not repeat ends its moment; no steps: always so."""

    steps_ms: tuple[int, ...]
    repeats: bool = True
    begins_lit: bool = True

    @property
    def length_ms(self) -> int:
        return sum(self.steps_ms)


STEADY = Pattern(())
DARK = Pattern((), begins_lit=False)

PATTERNS = {
    Moment.STARTING: Pattern((2_000, 1_000), repeats=False),
    Moment.IDENTIFY: Pattern((170, 170)),
    Moment.HELD: STEADY,
    Moment.HELD_LONG: Pattern((100, 500), begins_lit=False),
    Moment.HELD_VERY_LONG: Pattern((100, 100, 100, 500), begins_lit=False),
    Moment.HELD_STUCK: DARK,
    Moment.SENT: Pattern((250, 250)),
    Moment.TAKEN: Pattern((1_500,), repeats=False),
    Moment.NOBODY: Pattern((350, 600, 350, 600, 350), repeats=False, begins_lit=False),
    Moment.NOTHING: Pattern((350, 100, 350), repeats=False, begins_lit=False),
    Moment.REFUSED: Pattern((350, *(150, 200) * 2, 150, 400), repeats=False, begins_lit=False),
    Moment.NOT_TAKEN: Pattern((350, *(150, 200) * 5, 150, 400), repeats=False, begins_lit=False),
    Moment.LOST: Pattern((350, 100, 300, 100, 1_150), begins_lit=False),
    Moment.CALLABLE: STEADY,
    Moment.IDLE: Pattern((350, 100, 1_550), begins_lit=False),
    Moment.ENDING: Pattern((1_700, 300)),
    Moment.PAUSED: Pattern((1_500, 1_500)),
    Moment.CLOSED: DARK,
}


@dataclass(frozen=True, slots=True)
class View:
    """All that the lamp depends on; a moment stands with the time since when it has been so.

    `answer`: the last answer, or that there was none. `rest`: what `at_rest` gave, and since when.
    """

    started_ms: int
    rest: tuple[Moment, int]
    identify: tuple[int, int] | None = None
    held_since_ms: int | None = None
    sent_ms: int | None = None
    answer: tuple[Moment, int] | None = None


@dataclass(frozen=True, slots=True)
class Lamp:
    """Lit or not, and when that changes by itself."""

    lit: bool
    until_ms: int | None


class FlashLimit:
    """Keeps the lamp dark rather than let a fourth flash begin within a second, whatever comes together."""

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


def at_rest(*, lost: bool, desk: DeskState | None) -> Moment:
    """Without a word from the hub about its desk, a button knows as little as without a broker."""
    if lost or desk is None:
        return Moment.LOST
    if desk.mode is DeskMode.PAUSED:
        return Moment.PAUSED
    if desk.mode is DeskMode.CLOSED:
        return Moment.CLOSED
    if desk.pausing or desk.closing:
        return Moment.ENDING
    return Moment.CALLABLE if desk.callable else Moment.IDLE


def lamp(view: View, now_ms: int) -> Lamp:
    """The highest row that applies wins."""
    for moment, since_ms, until_ms in _rows(view, now_ms):
        shown = _shown(PATTERNS[moment], now_ms - since_ms)
        if shown is None:
            continue
        lit, for_ms = shown
        ends = [each for each in (until_ms, None if for_ms is None else now_ms + for_ms) if each is not None]
        return Lamp(lit, min(ends, default=None))
    raise AssertionError("the moment at rest always applies")


def _rows(view: View, now_ms: int) -> Iterator[tuple[Moment, int, int | None]]:
    """The rows that may apply, highest first: the moment, since when, and until when where another takes its place."""
    yield Moment.STARTING, view.started_ms, None
    if view.identify is not None and now_ms < view.identify[1]:
        yield Moment.IDENTIFY, *view.identify
    if view.held_since_ms is not None:
        yield _held(view.held_since_ms, now_ms)
    if view.sent_ms is not None:
        yield Moment.SENT, view.sent_ms, None
    if view.answer is not None:
        yield *view.answer, None
    yield *view.rest, None


def _held(since_ms: int, now_ms: int) -> tuple[Moment, int, int | None]:
    held_ms = now_ms - since_ms
    if held_ms >= STUCK_MS:
        return Moment.HELD_STUCK, since_ms + STUCK_MS, None
    if held_ms >= VERY_LONG_MS:
        return Moment.HELD_VERY_LONG, since_ms + VERY_LONG_MS, since_ms + STUCK_MS
    if held_ms >= LONG_MS:
        return Moment.HELD_LONG, since_ms + LONG_MS, since_ms + VERY_LONG_MS
    return Moment.HELD, since_ms, since_ms + LONG_MS


def _shown(pattern: Pattern, elapsed_ms: int) -> tuple[bool, int | None] | None:
    """Lit or not and for how long yet, or None where the pattern is over."""
    if not pattern.steps_ms:
        return pattern.begins_lit, None
    if not pattern.repeats and elapsed_ms >= pattern.length_ms:
        return None
    place_ms = elapsed_ms % pattern.length_ms
    lit = pattern.begins_lit
    for step_ms in pattern.steps_ms:
        if place_ms < step_ms:
            return lit, step_ms - place_ms
        place_ms -= step_ms
        lit = not lit
    raise AssertionError("the steps fill the pattern")
