"""One gesture makes one request with one id, resent until it is answered, for at most 10 s. Pure."""

from collections.abc import Callable
from dataclasses import dataclass

from nodes.desk_button.gestures import Gesture, Kind
from nodes.desk_button.lights import Moment
from protocol.heartbeat import HubTime
from protocol.ids import ENTROPY_BYTES, uuid7
from protocol.instants import Instant
from protocol.messages import (
    PRESS_LIFE_MS,
    DeskMode,
    DeskOutcome,
    DeskReply,
    DeskRequest,
    DeskState,
    Open,
    Pause,
    Press,
    Recall,
    Refused,
    Reply,
    encode,
)

RESEND_MS = 2_000

ANSWERS = {
    DeskOutcome.CALLED: Moment.TAKEN,
    DeskOutcome.TAKEN: Moment.TAKEN,
    DeskOutcome.NOBODY: Moment.NOBODY,
    DeskOutcome.NOTHING: Moment.NOTHING,
}


@dataclass(slots=True)
class _Open:
    """The request under way. `gesture_ms`: the time of its gesture, from which its age counts."""

    id: str
    payload: bytes
    gesture_ms: int
    sent_ms: int


@dataclass(frozen=True, slots=True)
class Send:
    """A message to the hub that is of no use after `expiry_s`."""

    payload: bytes
    expiry_s: int


class Presses:
    """A desk button's requests, one at a time. `entropy(n)` returns n random bytes."""

    def __init__(self, hub_time: HubTime, entropy: Callable[[int], bytes]) -> None:
        self._hub_time = hub_time
        self._entropy = entropy
        self._open: _Open | None = None
        # What the lamp shows about the last request, and since when.
        self.answer: tuple[Moment, int] | None = None

    @property
    def since_ms(self) -> int | None:
        """When the gesture of the request under way was made, or None."""
        return None if self._open is None else self._open.gesture_ms

    def gesture(self, gesture: Gesture, desk: DeskState | None, now_ms: int) -> Send | None:
        """The request for a gesture, or None while one is under way. `desk`: its state when the gesture began."""
        if self._open is not None:
            return None
        stamp = self._hub_time.stamp(gesture.at_ms)
        kind = _request_kind(gesture.kind, desk)
        if stamp is None or kind is None or now_ms - gesture.at_ms >= PRESS_LIFE_MS:
            self.answer = Moment.NOT_TAKEN, now_ms
            return None
        beat_ms, since_ms = stamp
        name = uuid7(beat_ms + since_ms, self._entropy(ENTROPY_BYTES))
        payload = encode(kind(id=name, beat=Instant(beat_ms), since_ms=since_ms))
        self._open = _Open(name, payload, gesture.at_ms, now_ms)
        self.answer = None
        return self._send(self._open, now_ms)

    def again(self, now_ms: int) -> Send | None:
        """The request under way once more, for a new connection."""
        return None if self._open is None else self._send(self._open, now_ms)

    def replied(self, reply: Reply, now_ms: int) -> None:
        """Take an answer. A duplicate or late one changes nothing; the lamp then follows the desk's state."""
        if self._open is None or reply.id != self._open.id:
            return
        match reply:
            case DeskReply():
                self._close(ANSWERS[reply.outcome], now_ms)
            case Refused():
                self._close(Moment.REFUSED, now_ms)

    def advance(self, now_ms: int) -> Send | None:
        if self._open is None:
            return None
        if now_ms - self._open.gesture_ms >= PRESS_LIFE_MS:
            self._close(Moment.NOT_TAKEN, now_ms)
            return None
        return self._send(self._open, now_ms) if now_ms - self._open.sent_ms >= RESEND_MS else None

    def drop(self) -> None:
        """Drop the request under way and the last answer: the button belongs to another desk now."""
        self._open = None
        self.answer = None

    def due_ms(self) -> int | None:
        if self._open is None:
            return None
        return min(self._open.sent_ms + RESEND_MS, self._open.gesture_ms + PRESS_LIFE_MS)

    def _send(self, request: _Open, now_ms: int) -> Send:
        request.sent_ms = now_ms
        left_ms = PRESS_LIFE_MS - (now_ms - request.gesture_ms)
        return Send(request.payload, max(left_ms // 1000, 1))

    def _close(self, moment: Moment, now_ms: int) -> None:
        self._open = None
        self.answer = moment, now_ms


def _request_kind(kind: Kind, desk: DeskState | None) -> type[DeskRequest] | None:
    """The request for a gesture. None for a very long press while the desk's state is unknown: pause or open?"""
    match kind:
        case Kind.SHORT:
            return Press
        case Kind.LONG:
            return Recall
        case Kind.VERY_LONG:
            if desk is None:
                return None
            staying_open = desk.mode is DeskMode.OPEN and not desk.pausing and not desk.closing
            return Pause if staying_open else Open
