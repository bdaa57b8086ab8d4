"""Which announcement a display shows and plays. Pure; times are the hub's, in ms since 1970.

An announcement is played at most once: its id is kept before it sounds, so that a display that crashes while it sounds
does not repeat it. An announcement whose call the hall's state no longer lists is removed at once.
"""

from bisect import insort
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from protocol.messages import ANNOUNCEMENT_LATE_MS, Announce, HallState, Revision

# More than a hall's calls in an hour; the broker keeps an announcement for only 20 s.
PLAYED_REMEMBERED = 200
# The hub sends them at most 1 s ahead, while a queue of this length would last for minutes.
PENDING_MOST = 50
# The least time for which a late one is shown, the same as for one behind which another call waits.
SHOWN_LEAST_MS = 4_000


@dataclass(slots=True)
class Announcements:
    """A hall's announcements. `played`: the ids of those that have begun, oldest first."""

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
        """Queue one, unless it is a duplicate, older than the last one, or already withdrawn."""
        if announce.id in self._played or any(announce.id == known.id for known in self._pending):
            return
        # Each call has its own revision, so an older one is a redelivery.
        if self._latest is not None and announce.revision < self._latest:
            return
        if hall is not None and _withdrawn(announce, hall):
            return
        if self._latest is not None and announce.revision[0] > self._latest[0]:
            # A new generation: the restored database does not know the calls announced before.
            self._pending.clear()
        self._latest = announce.revision
        if len(self._pending) < PENDING_MOST:
            insort(self._pending, announce, key=lambda each: each.play_at)

    def withdraw(self, hall: HallState) -> None:
        """Remove the announcements whose calls the hall no longer lists, including the one on the screen."""
        self._pending = [each for each in self._pending if not _withdrawn(each, hall)]
        if self._current is not None and _withdrawn(self._current, hall):
            self._current = None

    def anew(self) -> None:
        """Empty the queue for a restarted hub: its revisions may be lower, and it resends what it still wants said."""
        self._pending.clear()
        self._latest = None

    def leave(self) -> None:
        """Drop everything pending and shown: this display now belongs to another hall."""
        self.anew()
        self._current = None

    def advance(self, hub_ms: int) -> Announce | None:
        """Advance to that time; returns the announcement that begins now and is to be played, or None.

        If several became due since the last call, only the newest is shown and played.
        """
        begun = None
        while self._pending and self._pending[0].play_at <= hub_ms:
            begun = self._pending.pop(0)
            self._played.append(begun.id)
        if begun is not None and hub_ms - begun.play_at <= ANNOUNCEMENT_LATE_MS:
            self._current, self._ends_ms = begun, _end(begun, hub_ms)
            return begun
        if self._current is not None:
            # It may be from an earlier run of the hub, and the new hub's clock may be behind: limit what is left of it.
            self._ends_ms = min(self._ends_ms, hub_ms + max(self._current.length_ms, SHOWN_LEAST_MS))
        if begun is not None or hub_ms >= self._ends_ms:
            self._current = None
        return None

    @property
    def current(self) -> Announce | None:
        """The announcement on the screen."""
        return self._current

    def next_change(self) -> int | None:
        """The hub's time at which `advance` has something to do next."""
        begins = self._pending[0].play_at if self._pending else None
        ends = self._ends_ms if self._current is not None else None
        return min((each for each in (begins, ends) if each is not None), default=None)


def _end(announce: Announce, begun_ms: int) -> int:
    """The planned end, in step with the hall's other displays; later for one that began late."""
    return max(announce.play_at + announce.length_ms, begun_ms + min(announce.length_ms, SHOWN_LEAST_MS))


def _withdrawn(announce: Announce, hall: HallState) -> bool:
    return hall.revision >= announce.revision and all(call.id != announce.call for call in hall.calls)
