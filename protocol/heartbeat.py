"""Tells 'the broker is lost' from 'the hub is away', and estimates the hub's time from our own clock.

Pure: the time is passed in.
"""

from collections import deque
from dataclasses import dataclass, field

from protocol.messages import BEAT_LOST_MS, ECHO_PERIOD_MS

# Counted from when the first unanswered echo was sent: so a stall of less than 15 s costs no new TLS handshake,
# wherever between two echoes it begins.
ECHO_LOST_MS = 3 * ECHO_PERIOD_MS
# Once the broker's name is resolved, the link reports a failure at least every 30 s (connect, handshake, the longest
# delay). Resolving it has no time-out: with three silent name servers and six search domains it takes 3.5 min.
LINK_SILENT_MS = 300_000
# Two minutes of beats: long enough to contain one with little delay, short enough that the clocks drift apart by less
# than a millisecond.
BEATS_KEPT = 40
# The hub's clock is slow if it advances by less than this share of ours between two beats. After its system's clock was
# set back, it goes at half speed until the two meet (`hub.clock`).
SLOW_BELOW = 0.75


@dataclass(frozen=True, slots=True)
class SendEcho:
    count: int


@dataclass(frozen=True, slots=True)
class Reconnect:
    reason: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The program should exit, so that systemd restarts it."""

    reason: str


@dataclass(slots=True)
class Heartbeat:
    """A program's own echo through the broker. It knows nothing of the hub.

    Feed it the link's events, and a tick at least once a second. If echoes do not come back although the link says that
    it is connected, it asks for one reconnect; if the new connection is no better, for an exit. It asks for no exit
    - while `arrived` reports other messages: the link works, and somebody floods it;
    - while the broker refuses, on this connection, what we publish (`refused`): a restarted program would publish the
      same.

    `is_refused`: the broker refused a message, and no echo has come back since.
    """

    now_ms: int
    is_refused: bool = False
    _connected: bool = False
    # The broker refused a message on this connection.
    _refused_here: bool = False
    _link_said_ms: int = field(init=False)
    _send_at_ms: int = 0
    # When the first echo since the last answer was sent.
    _unanswered_ms: int | None = None
    _count: int = 0
    # The last echo that came back; on a new connection, the last that was sent.
    _answered: int = 0
    _reconnected_for_echo: bool = False
    _arrived_ms: int | None = None

    def __post_init__(self) -> None:
        self._link_said_ms = self.now_ms

    def connected(self, now_ms: int) -> None:
        self._connected = True
        self._refused_here = False
        self._unanswered_ms = None
        self._answered = self._count
        self._send_at_ms = now_ms

    def disconnected(self, now_ms: int) -> None:
        """The link lost its connection, or an attempt failed."""
        self._connected = False
        self._link_said_ms = now_ms

    def echoed(self, count: int) -> bool:
        """One of our own echoes came back. Echoes of an earlier run or of an old connection are ignored.

        Returns whether the broker now accepts what it refused before. That is so only if it also refused echoes before
        this one: otherwise it may still refuse some other topic.
        """
        if not self._connected or count > self._count:
            return False
        takes_again = self.is_refused and count > self._answered + 1
        self._unanswered_ms = None
        self._answered = count
        self._reconnected_for_echo = self.is_refused = self._refused_here = False
        return takes_again

    def refused(self) -> None:
        """The broker refused a message of ours."""
        self.is_refused = self._refused_here = True

    def arrived(self, arrived_ms: int) -> None:
        """A message came from the broker, whoever sent it."""
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
        # Retained messages, which come right after connecting, are too old to count.
        still_comes = self._arrived_ms is not None and now_ms - self._arrived_ms < ECHO_PERIOD_MS
        if self._reconnected_for_echo and not still_comes and not self._refused_here:
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
    """What the beats say: whether the hub is there, when a gesture was by the hub's clock, and the hub's time now.

    `arrived_ms`, `moment_ms` and `now_ms` are on our own monotonic clock, in ms; `hub_ms` is the hub's time in ms since
    1970.
    """

    _beats: deque[_HeardBeat] = field(default_factory=lambda: deque(maxlen=BEATS_KEPT))
    _before_restart: _HeardBeat | None = None
    # `_last_slow`: the hub's clock was slow in the last gap between beats. `_goes_slowly`: in the last two.
    _last_slow: bool = False
    _goes_slowly: bool = False

    def beat(self, hub_ms: int, arrived_ms: int) -> None:
        before = self._beats[-1] if self._beats else None
        slow = before is not None and hub_ms - before.hub_ms < SLOW_BELOW * (arrived_ms - before.arrived_ms)
        # A single slow gap may be a delay. Beats from before a slow period give times that are too far ahead.
        if before is not None and (self._goes_slowly or (slow and self._last_slow)):
            self._beats.clear()
            self._beats.append(before)
        self._goes_slowly, self._last_slow = slow and self._last_slow, slow
        self._beats.append(_HeardBeat(hub_ms, arrived_ms))

    def restarted(self) -> None:
        """The hub was restarted, perhaps after its clock was set: estimate its time anew.

        A press before the new run's first beat still carries the last beat of the old run. Its age is then right unless
        the clock was set.
        """
        self._before_restart = self._last()
        self._beats.clear()
        self._last_slow = self._goes_slowly = False

    def away(self, now_ms: int) -> bool:
        """Whether there was no beat for 15 s, or none yet."""
        last = self._last()
        return last is None or now_ms - last.arrived_ms >= BEAT_LOST_MS

    def stamp(self, moment_ms: int) -> tuple[int, int] | None:
        """The last beat before a moment (hub_ms) and the time from its arrival to the moment; None without a beat.

        Their sum is never later than the moment by the hub's clock: delay only makes it older.
        """
        for heard in (*reversed(self._beats), self._before_restart):
            if heard is not None and heard.arrived_ms <= moment_ms:
                return heard.hub_ms, moment_ms - heard.arrived_ms
        return None

    def hub_now_ms(self, now_ms: int) -> int | None:
        """The hub's time by its least delayed beat of the last two minutes, or None without a beat.

        While the hub's clock goes at half speed, its last beat is used: the result is up to 1.5 s ahead, and at first
        some seconds.
        """
        if not self._beats:
            return None
        counted = list(self._beats)[-1:] if self._goes_slowly else self._beats
        return now_ms + max(heard.hub_ms - heard.arrived_ms for heard in counted)

    def _last(self) -> _HeardBeat | None:
        return self._beats[-1] if self._beats else self._before_restart
