"""Which announcement a display shows and plays. Pure; times are the hub's, in ms since 1970.

An announcement is played once ever: its id is remembered before it sounds, so that a display which dies while it
sounds says nothing twice. A call that a hall's picture no longer lists is taken away at once.
"""

from bisect import insort
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from protocol.messages import ANNOUNCEMENT_LATE_MS, Announce, HallState, Revision

# More than a hall calls in an hour; the broker keeps an announcement for 20 s.
PLAYED_REMEMBERED = 200
# The hub sends them at most 1 s ahead; a queue this long would be minutes.
PENDING_MOST = 50
# One that came late stays at least so long, as one behind which another call waits.
SHOWN_LEAST_MS = 4_000


@dataclass(slots=True)
class Announcements:
    """`played`: the ids that were said before, oldest first."""

    _played: deque[str] = field(default_factory=lambda: deque(maxlen=PLAYED_REMEMBERED))
    _pending: list[Announce] = field(default_factory=list)
    _current: Announce | None = None
    _ends_ms: int = 0
    _latest: Revision | None = None

    @classmethod
    def after(cls, played: Iterable[str]) -> "Announcements":
        return cls(deque(played, maxlen=PLAYED_REMEMBERED))

    @property
    def played(self) -> tuple[str, ...]:
        return tuple(self._played)

    def receive(self, announce: Announce, hall: HallState | None) -> None:
        """Takes one into the queue, unless it came before, is older than the last one, or was withdrawn already."""
        if announce.id in self._played or any(announce.id == known.id for known in self._pending):
            return
        # Each call has a revision of its own; an older one only comes again by mistake.
        if self._latest is not None and announce.revision < self._latest:
            return
        if hall is not None and _withdrawn(announce, hall):
            return
        if self._latest is not None and announce.revision[0] > self._latest[0]:
            # A restored database knows nothing of what was said before it.
            self._pending.clear()
        self._latest = announce.revision
        if len(self._pending) < PENDING_MOST:
            insort(self._pending, announce, key=lambda each: each.play_at)

    def withdraw(self, hall: HallState) -> None:
        """Takes away what the hall no longer lists, the one on the screen included."""
        self._pending = [each for each in self._pending if not _withdrawn(each, hall)]
        if self._current is not None and _withdrawn(self._current, hall):
            self._current = None

    def anew(self) -> None:
        """Another run of the hub: its revisions may be lower, and it tells again what it still wants said."""
        self._pending.clear()
        self._latest = None

    def leave(self) -> None:
        """This display now belongs to another hall."""
        self.anew()
        self._current = None

    def advance(self, hub_ms: int) -> Announce | None:
        """Moves to that moment: the announcement that begins now and is to be played, or None.

        Where several came due unseen, the newest takes over and the others are not said.
        """
        begun = None
        while self._pending and self._pending[0].play_at <= hub_ms:
            begun = self._pending.pop(0)
            self._played.append(begun.id)
        if begun is not None and hub_ms - begun.play_at <= ANNOUNCEMENT_LATE_MS:
            self._current, self._ends_ms = begun, _end(begun, hub_ms)
            return begun
        if self._current is not None:
            # Of another run of the hub, whose clock may stand earlier.
            self._ends_ms = min(self._ends_ms, hub_ms + max(self._current.length_ms, SHOWN_LEAST_MS))
        if begun is not None or hub_ms >= self._ends_ms:
            self._current = None
        return None

    @property
    def current(self) -> Announce | None:
        """What is on the screen."""
        return self._current

    def next_change(self) -> int | None:
        """The hub's time at which `advance` has something to do next."""
        begins = self._pending[0].play_at if self._pending else None
        ends = self._ends_ms if self._current is not None else None
        return min((each for each in (begins, ends) if each is not None), default=None)


def _end(announce: Announce, begun_ms: int) -> int:
    """As planned, in step with the hall's other displays, but where it began late."""
    return max(announce.play_at + announce.length_ms, begun_ms + min(announce.length_ms, SHOWN_LEAST_MS))


def _withdrawn(announce: Announce, hall: HallState) -> bool:
    return hall.revision >= announce.revision and all(call.id != announce.call for call in hall.calls)
