"""Telling 'the broker is lost' from 'the hub is away', and the hub's time on a clock of our own.

Pure: time comes in.
"""

from collections import deque
from dataclasses import dataclass, field

from protocol.messages import BEAT_LOST_MS, ECHO_PERIOD_MS

# Three in a row without an answer, counted from when the first was sent: so a stall of less than 15 s costs no new TLS
# handshake, wherever between two echoes it begins.
ECHO_LOST_MS = 3 * ECHO_PERIOD_MS
# A link that knows an address reports a failure at least each 30 s (connect, handshake, the longest delay). The look-up
# before has no deadline: with three name servers that are silent and six search domains it takes 3.5 min.
LINK_SILENT_MS = 300_000
# Two minutes of beats: long enough to meet a quick one, short enough that crystals have not drifted by a millisecond.
BEATS_KEPT = 40
# Where the hub's clock was set back, it goes on at half speed until both meet (`hub.clock`).
SLOW_BELOW = 0.75


@dataclass(frozen=True, slots=True)
class SendEcho:
    count: int


@dataclass(frozen=True, slots=True)
class Reconnect:
    reason: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The program should exit and be started again."""

    reason: str


@dataclass(slots=True)
class Heartbeat:
    """A program's own echo through the broker.

    Feed it what the link says and a tick at least each second. It asks for one reconnect when echoes stay away although
    the link says it is connected, and for an exit when the new connection is no better. Where it is told of other
    messages, it asks for no exit while such still come: the link works, and somebody floods it; nor where it is told
    that the broker refuses what is said, for a new start says the same. It knows nothing of the hub.

    `is_refused`: the broker did, and no echo came back since.
    """

    now_ms: int
    is_refused: bool = False
    _connected: bool = False
    _link_said_ms: int = field(init=False)
    _send_at_ms: int = 0
    # When the first echo since the last answer was sent.
    _unanswered_ms: int | None = None
    _count: int = 0
    # The last that came back; on a new connection the last that was sent.
    _answered: int = 0
    _reconnected_for_echo: bool = False
    _arrived_ms: int | None = None

    def __post_init__(self) -> None:
        self._link_said_ms = self.now_ms

    def connected(self, now_ms: int) -> None:
        self._connected = True
        self._unanswered_ms = None
        self._answered = self._count
        self._send_at_ms = now_ms

    def disconnected(self, now_ms: int) -> None:
        """The link lost its connection, or an attempt failed."""
        self._connected = False
        self._link_said_ms = now_ms

    def echoed(self, count: int) -> bool:
        """One of our own echoes came back; those of an earlier run or an old connection count for nothing.

        Gives whether the broker takes again what it refused, echoes before this one as well: it did not refuse one
        topic alone.
        """
        if not self._connected or count > self._count:
            return False
        takes_again = self.is_refused and count > self._answered + 1
        self._unanswered_ms = None
        self._answered = count
        self._reconnected_for_echo = self.is_refused = False
        return takes_again

    def refused(self) -> None:
        """The broker threw away something that was said."""
        self.is_refused = True

    def arrived(self, arrived_ms: int) -> None:
        """Something came from the broker, whoever sent it."""
        self._arrived_ms = arrived_ms

    def tick(self, now_ms: int) -> list[SendEcho | Reconnect | GiveUp]:
        if not self._connected and now_ms - self._link_said_ms >= LINK_SILENT_MS:
            return [GiveUp(f"no word from the link for {LINK_SILENT_MS // 60_000} min: its thread hangs or is dead")]
        if not self._connected:
            return []
        if self._unanswered_ms is not None and now_ms - self._unanswered_ms >= ECHO_LOST_MS:
            return [self._lost(now_ms)]
        if now_ms < self._send_at_ms:
            return []
        if self._unanswered_ms is None:
            self._unanswered_ms = now_ms
        self._send_at_ms = now_ms + ECHO_PERIOD_MS
        self._count += 1
        return [SendEcho(self._count)]

    def _lost(self, now_ms: int) -> Reconnect | GiveUp:
        # Not what a new connection brings at once, which is retained.
        still_comes = self._arrived_ms is not None and now_ms - self._arrived_ms < ECHO_PERIOD_MS
        if self._reconnected_for_echo and not still_comes and not self.is_refused:
            return GiveUp("no echo came back from the broker, and a new connection did not help")
        self._reconnected_for_echo = True
        self._connected = False
        self._link_said_ms = now_ms
        return Reconnect(f"no echo came back from the broker for {ECHO_LOST_MS // 1000} s")


@dataclass(frozen=True, slots=True)
class _HeardBeat:
    hub_ms: int
    arrived_ms: int


@dataclass(slots=True)
class HubTime:
    """What the beats say: whether the hub is there, when a gesture was on its clock, and what time it is there now.

    `arrived_ms`, `moment_ms` and `now_ms` are of our own monotonic clock; `hub_ms` is the hub's, since 1970.
    """

    _beats: deque[_HeardBeat] = field(default_factory=lambda: deque(maxlen=BEATS_KEPT))
    _before_restart: _HeardBeat | None = None
    # Whether the last gap between beats was longer than the hub's clock says, and whether the one before it was too.
    _last_slow: bool = False
    _goes_slowly: bool = False

    def beat(self, hub_ms: int, arrived_ms: int) -> None:
        before = self._beats[-1] if self._beats else None
        slow = before is not None and hub_ms - before.hub_ms < SLOW_BELOW * (arrived_ms - before.arrived_ms)
        # One slow gap alone may be a delay. What is older than a slow time is too far ahead.
        if before is not None and (self._goes_slowly or (slow and self._last_slow)):
            self._beats.clear()
            self._beats.append(before)
        self._goes_slowly, self._last_slow = slow and self._last_slow, slow
        self._beats.append(_HeardBeat(hub_ms, arrived_ms))

    def restarted(self) -> None:
        """Another run of the hub, perhaps after its clock was set: the time there is estimated anew.

        A press before its first beat still carries the last one: its age is right unless the clock was set.
        """
        self._before_restart = self._last()
        self._beats.clear()
        self._last_slow = self._goes_slowly = False

    def away(self, now_ms: int) -> bool:
        """No beat for 15 s, or none yet."""
        last = self._last()
        return last is None or now_ms - last.arrived_ms >= BEAT_LOST_MS

    def stamp(self, moment_ms: int) -> tuple[int, int] | None:
        """The beat before a moment (hub_ms) and the time from its arrival to the moment, or None without a beat.

        Their sum is never later than the moment was on the hub's clock: delay only makes it older.
        """
        for heard in (*reversed(self._beats), self._before_restart):
            if heard is not None and heard.arrived_ms <= moment_ms:
                return heard.hub_ms, moment_ms - heard.arrived_ms
        return None

    def hub_now_ms(self, now_ms: int) -> int | None:
        """The hub's time by its least delayed beat of the last two minutes, or None without a beat.

        While the hub's clock goes at half speed, by the last one: up to 1.5 s ahead, at first some seconds.
        """
        if not self._beats:
            return None
        counted = list(self._beats)[-1:] if self._goes_slowly else self._beats
        return now_ms + max(heard.hub_ms - heard.arrived_ms for heard in counted)

    def _last(self) -> _HeardBeat | None:
        return self._beats[-1] if self._beats else self._before_restart
