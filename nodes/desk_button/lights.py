"""What the lamp in the button shows: a table of moments. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from nodes.desk_button.gestures import LONG_MS, STUCK_MS, VERY_LONG_MS
from nodes.lamp import DARK, STEADY, Lamp, Pattern, shown
from protocol.messages import DeskMode, DeskState


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
    """All that the lamp depends on. A moment is paired with the time at which it began.

    `answer`: the outcome of the last request, also when no answer came. `rest`: the result of `at_rest`. `identify`:
    from when until when.
    """

    started_ms: int
    rest: tuple[Moment, int]
    identify: tuple[int, int] | None = None
    held_since_ms: int | None = None
    sent_ms: int | None = None
    answer: tuple[Moment, int] | None = None


def at_rest(*, lost: bool, desk: DeskState | None) -> Moment:
    """The moment at rest. Without a desk state from the hub it is LOST, as without a broker."""
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
    """What the lamp shows: the highest row that applies wins."""
    for moment, since_ms, until_ms in _rows(view, now_ms):
        row = shown(PATTERNS[moment], since_ms, now_ms)
        if row is not None:
            ends = [each for each in (until_ms, row.until_ms) if each is not None]
            return Lamp(row.lit, min(ends, default=None))
    raise AssertionError("unreachable: the moment at rest always applies")


def _rows(view: View, now_ms: int) -> Iterator[tuple[Moment, int, int | None]]:
    """The rows that may apply, highest first: the moment, its start, and its end if another moment replaces it."""
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
