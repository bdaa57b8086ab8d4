"""Sends the announcements of calls, each once, and recalls a call whose announcement was held up."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from hub.database.statements import Connection
from hub.mqtt import outbox_reading
from hub.mqtt.pictures import shown_desk
from hub.queue.announcements import GOES_OUT_MS, Announcement
from hub.queue.requests import Command, Origin, Recall, Source
from hub.site_index import SiteIndex
from hub.writer import Committed
from protocol.instants import Instant
from protocol.messages import ANNOUNCEMENT_LATE_MS, Announce, encode
from protocol.topics import Topics

log = structlog.get_logger(__name__)

SENT_REMEMBERED = 2_000
_JOB = Origin(Source.JOB, "outbox")


class Publish(Protocol):
    """Publishes at QoS 1; returns False if the broker is not reached just now."""

    def __call__(self, topic: str, payload: bytes, *, retain: bool = False, expiry_s: int | None = None) -> bool: ...


class Announcer:
    """`committed` runs on the writer's thread, `say_what_is_due` on the outbox's."""

    def __init__(
        self,
        *,
        index: SiteIndex,
        topics: Topics,
        publish: Publish,
        now_ms: Callable[[], int],
        later: Callable[[Command, Callable[[object], None]], None],
    ) -> None:
        self._index = index
        self._topics = topics
        self._publish = publish
        self._now_ms = now_ms
        self._later = later
        self._generation = 0
        self._sent: deque[int] = deque(maxlen=SENT_REMEMBERED)
        # The announcements whose recall ran, as they were when it was queued: one that moved up meanwhile differs.
        self._recalled: deque[Announcement] = deque(maxlen=SENT_REMEMBERED)
        # The calls whose recall is queued and not run yet.
        self._recalling: set[int] = set()
        # The hub's time of the start, and of the last look at the announcements that are due.
        self._started_ms = self._looked_ms = 0

    def start(self, generation: int) -> None:
        """`generation`: the database's, which every announcement carries."""
        self._generation = generation
        self._started_ms = self._looked_ms = self._now_ms()

    def committed(self, batch: Sequence[Committed]) -> None:
        """Sends the announcements of a batch that start soon; `say_what_is_due` sends the others."""
        now_ms = self._now_ms()
        for announcement, last_event, may_have_moved in _announcements(batch):
            if may_have_moved:
                # `say_what_is_due` sends it at its present time, but does not look back so far.
                if announcement.is_too_late(now_ms):
                    self.say_again(announcement, even_if_moved=True)
                continue
            # A recall that is held up as well goes out late: with a slow database, another would be held up again.
            is_recalled = announcement.call in self._recalling and not announcement.is_too_late(now_ms)
            if announcement.is_held_up(now_ms) and not is_recalled:
                self.say_again(announcement)
            elif announcement.play_ms <= now_ms + GOES_OUT_MS:
                self._announce(announcement, last_event)

    def say_again(self, announcement: Announcement, *, even_if_moved: bool = False) -> None:
        """Recalls a call whose announcement was held up, if the call still stands."""
        log.warning("announcement.held_up", number=announcement.number, desk=announcement.desk)

        def then(outcome: object) -> None:
            if not isinstance(outcome, Exception):
                self._recalled.append(announcement)
            self._recalling.discard(announcement.call)

        self._recalling.add(announcement.call)
        # With `said_ms`, the recall does nothing if the call moved up meanwhile, or an agent recalled it.
        said_ms = None if even_if_moved else announcement.play_ms + announcement.length_ms
        self._later(Recall(origin=_JOB, desk=announcement.desk, shown=announcement.ticket, said_ms=said_ms), then)

    def say_what_is_due(self, connection: Connection, last_event: int, *, reached: bool) -> None:
        """Sends the announcements that are due, and says again those that the database or the broker held up.

        `last_event`: the last journal row that the outbox has noted. `reached`: the broker took the last message.
        """
        looked_ms = self._now_ms()
        due = outbox_reading.to_say(connection, self._index.site.name, self._looked_ms, looked_ms)
        # The database may have stood still during the read.
        now_ms = self._now_ms()
        for announcement in due:
            # An announcement that is not noted yet is sent by the writer's thread.
            if announcement.id > last_event or announcement.id in self._sent or announcement in self._recalled:
                continue
            # An earlier run may have sent it. Displays play it only once in any case, but would play a recall as well.
            is_of_earlier_run = announcement.play_ms <= self._started_ms
            if not announcement.is_held_up(now_ms) or (is_of_earlier_run and not announcement.is_too_late(now_ms)):
                self._announce(announcement, announcement.id)
            elif reached and not is_of_earlier_run and announcement.call not in self._recalling:
                self.say_again(announcement)
        self._looked_ms = looked_ms

    def _announce(self, announcement: Announcement, last_event: int) -> None:
        """Sends an announcement, and notes it if it is on its way; otherwise the next round tries again."""
        desk, place = shown_desk(self._index, announcement.desk, announcement.hall)
        message = Announce(
            revision=(self._generation, last_event),
            # A restored database gives the same ids again; the generation keeps a new call apart from a played one.
            id=f"{self._generation}-{announcement.id}",
            call=str(announcement.call),
            number=announcement.number,
            desk=desk,
            place=place,
            play_at=Instant(announcement.play_ms),
            length_ms=announcement.length_ms,
        )
        topic = self._topics.hall_announce(announcement.hall)
        if self._publish(topic, encode(message), expiry_s=ANNOUNCEMENT_LATE_MS // 1000):
            self._sent.append(announcement.id)


def _announcements(batch: Sequence[Committed]) -> list[tuple[Announcement, int, bool]]:
    """The announcements of a batch, each with the last journal row of its command, and whether it may have moved.

    It may have moved if a later command of the batch published its desk: that command may have moved it up or ended
    the call, so only the database has its present time.
    """
    desks: set[str] = set()
    found: list[tuple[Announcement, int, bool]] = []
    for done in reversed(batch):
        effects = done.effects
        found += [(each, effects.last_event, each.desk in desks) for each in effects.announcements]
        desks |= effects.desks
    return found[::-1]
