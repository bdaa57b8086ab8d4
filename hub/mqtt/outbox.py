"""Publishes state in commit order: announcements at once or in their turn, then the pictures of desks and halls.

The outbox notes which pictures changed and makes them when it publishes, so that many changes become one message. The
pictures of the acting desk and its hall go out at once, those of other affected desks at most every 500 ms.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import msgspec
import structlog
from sqlalchemy import Engine

from hub.database.engine import ANSWER_LIMIT_S
from hub.database.faults import DatabaseFault
from hub.database.statements import Connection, Reading
from hub.database.statistics import Statistics
from hub.failures import HubFault, failure_of
from hub.metrics import Metrics
from hub.mqtt import outbox_reading
from hub.mqtt.announcer import Announcer, Publish
from hub.mqtt.pictures import Pictures
from hub.queue.requests import Command, Origin, Refresh, Source
from hub.site_index import SiteIndex
from hub.tasks import Busy, Task
from hub.writer import Committed
from protocol.instants import Instant
from protocol.messages import DeskState, HallState, encode
from protocol.topics import Topics

log = structlog.get_logger(__name__)

OTHERS_EVERY_S = 0.5
# After a commit, announcements and answers are on their way out and more presses may be queued. They get the
# interpreter first: pictures wait ANSWER_S for each command of the batch, at most LATE_MOST_S.
ANSWER_S = 0.002
LATE_MOST_S = 0.3
# An announcement that waits for its turn goes out 1 s before it starts; a look every 0.2 s is soon enough for that.
LOOK_EVERY_S = 0.2
# Opening hours and deferred tickets change pictures without any command.
REVIEW_EVERY_S = 20.0
# When the hub stops: every read times out before this. Only `analyze` has no time-out.
STOP_LIMIT_S = ANSWER_LIMIT_S + 2.0
_JOB = Origin(Source.JOB, "outbox")


@dataclass(frozen=True, slots=True)
class Changed:
    """What pages are told: which desks and halls have a new picture, and which services' waiting tickets changed."""

    desks: frozenset[str]
    halls: frozenset[str]
    services: frozenset[str]
    revision: tuple[int, int]


@dataclass(slots=True)
class _Pending:
    """What the writer has committed and the outbox's thread has not taken yet."""

    desks: set[str] = field(default_factory=set)
    halls: set[str] = field(default_factory=set)
    services: set[str] = field(default_factory=set)
    since_s: float | None = None
    # Whether unchanged pictures are published again too: if so, the outbox's thread clears `_shown`.
    anew: bool = False


class Outbox:
    """Publishes on one thread. The writer calls `committed`; `republish` is called when the broker is back."""

    def __init__(
        self,
        *,
        engine: Engine,
        index: SiteIndex,
        topics: Topics,
        publish: Publish,
        now_ms: Callable[[], int],
        put_later: Callable[[Task], None],
        metrics: Metrics,
    ) -> None:
        self._engine = engine
        self._index = index
        self._topics = topics
        self._publish = publish
        self._now_ms = now_ms
        self._put_later = put_later
        self._metrics = metrics
        self._generation = 0
        self._listeners: list[Callable[[Changed], None]] = []
        self._lock = threading.Lock()
        self._pending = _Pending()
        self._waiting: dict[str, int] = {}
        self._last_event = 0
        self._statistics = Statistics()
        # Services whose other desks are still to be published, and the earliest time for that; the next review.
        self._others: set[str] = set()
        self._others_at_s = self._review_at_s = 0.0
        # Whether the broker took the last message.
        self._reached = False
        self._shown: dict[str, DeskState | HallState] = {}
        # The topics of pictures that could not be sent; `republish` sends them when the broker is back.
        self._untaken: set[str] = set()
        self._reading = Reading(engine)
        self._announcer = Announcer(index=index, topics=topics, publish=self._send, now_ms=now_ms, later=self._later)
        self._answered_at_s = 0.0
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="outbox", daemon=True)
        metrics.watch_outbox(lambda: len(self._pending.desks) + len(self._pending.halls) + len(self._untaken))

    def start(self, generation: int) -> None:
        """Counts the waiting tickets once and starts the thread; from here on each commit updates the counts."""
        self._generation = generation
        self._announcer.start(generation)
        self._count(self._reading.connection())
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread, or leaves it behind if the database does not answer."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(STOP_LIMIT_S)
        if self._thread.is_alive():
            log.warning("outbox.left_behind")
            return
        self._reading.lose()

    def listen(self, listener: Callable[[Changed], None]) -> None:
        """`listener` is called on the outbox's thread and must not block."""
        self._listeners.append(listener)

    @property
    def revision(self) -> tuple[int, int]:
        return self._generation, self._last_event

    @property
    def waiting(self) -> dict[str, int]:
        with self._lock:
            return dict(self._waiting)

    def committed(self, batch: Sequence[Committed]) -> None:
        """Called on the writer's thread after a commit: sends announcements that are due, then notes the rest."""
        try:
            self._announcer.committed(batch)
        except Exception:
            log.exception("announcement.not_sent")
        with self._lock:
            for done in batch:
                self._note(done)
        self._answered_at_s = time.monotonic() + ANSWER_S * len(batch)
        self._wake.set()

    def recount(self, connection: Connection) -> None:
        """Called on the writer's thread after it lost its connection: nobody may know of what it committed last."""
        unheard = outbox_reading.unheard(connection, self._index.site.name, self._last_event, self._now_ms())
        self._count(connection)
        for announcement in unheard:
            self._announcer.say_again(announcement)
        self.republish()

    def republish(self) -> None:
        """Publishes all retained pictures anew when the broker is reached, at the hub's start or later.

        They get a new revision, because time alone may have changed a picture meanwhile and receivers accept only
        greater revisions. If no new revision can be stored, they go out under the present one.
        """
        desks = tuple(desk.name for desk in self._index.site.desks)
        halls = tuple(hall.name for hall in self._index.site.halls)
        self._later(Refresh(origin=_JOB, desks=desks, halls=halls), self._show_all)

    def _count(self, connection: Connection) -> None:
        site = self._index.site
        waiting = {service.name: 0 for service in site.services} | outbox_reading.waiting(connection, site.name)
        last_event = outbox_reading.last_event(connection, site.name)
        with self._lock:
            self._waiting, self._last_event = waiting, last_event
        self._metrics.waiting(waiting)

    def _show_all(self, _outcome: object) -> None:
        with self._lock:
            self._pending.anew = True
            self._pending.desks |= {desk.name for desk in self._index.site.desks}
            self._pending.halls |= {hall.name for hall in self._index.site.halls}
        self._wake.set()

    def _note(self, done: Committed) -> None:
        effects, pending = done.effects, self._pending
        self._last_event = max(self._last_event, effects.last_event)
        pending.desks |= effects.desks
        pending.halls |= effects.halls
        pending.services |= effects.services
        for service, change in effects.waiting.items():
            self._waiting[service] = self._waiting.get(service, 0) + change
        if effects.last_event and pending.since_s is None:
            pending.since_s = time.monotonic()

    # --- the outbox's thread --------------------------------------------------------------------------------------

    def _serve(self) -> None:
        while not self._stopping.is_set():
            if self._wake.wait(LOOK_EVERY_S):
                self._let_answers_out(time.monotonic() + LATE_MOST_S)
            self._wake.clear()
            try:
                self._go_round(time.monotonic())
            except Exception as error:  # noqa: BLE001 - the next round tries again, whatever was wrong
                self._fail(error)

    def _let_answers_out(self, until_s: float) -> None:
        while (wait_s := min(self._answered_at_s, until_s) - time.monotonic()) > 0:
            if self._stopping.wait(wait_s):
                return

    def _go_round(self, now_s: float) -> None:
        """Does all that is due now. `now_s`: monotonic time."""
        self._others |= self._publish_pending()
        if self._others and now_s >= self._others_at_s:
            self._publish_others(self._others)
            self._others, self._others_at_s = set(), now_s + OTHERS_EVERY_S
        if now_s >= self._review_at_s:
            self._review_at_s = now_s + REVIEW_EVERY_S
            self._review()
        connection = self._reading.connection()
        self._announcer.say_what_is_due(connection, self._last_event, reached=self._reached)
        self._statistics.keep(connection, self._last_event)

    def _publish_pending(self) -> set[str]:
        """Publishes the acting desks and halls; returns the services whose other desks follow."""
        with self._lock:
            pending, self._pending = self._pending, _Pending()
            revision, waiting = self.revision, dict(self._waiting)
        if not pending.desks and not pending.halls and not pending.services:
            return set()
        if pending.anew:
            self._shown.clear()
        try:
            self._publish_desks(sorted(pending.desks), revision, waiting)
            self._publish_halls(sorted(pending.halls), revision, waiting)
        except Exception:
            self._give_back(pending)
            raise
        if pending.since_s is not None and not self._untaken:
            self._metrics.published(time.monotonic() - pending.since_s)
        self._metrics.waiting(waiting)
        self._tell(pending.desks, pending.halls, pending.services, revision)
        return pending.services

    def _give_back(self, pending: _Pending) -> None:
        with self._lock:
            self._pending.desks |= pending.desks
            self._pending.halls |= pending.halls
            self._pending.services |= pending.services
            self._pending.anew |= pending.anew

    def _publish_others(self, services: Iterable[str]) -> None:
        """Publishes all desks of services whose waiting tickets changed."""
        desks = {desk.name for service in services for desk in self._index.desks_of(service)}
        with self._lock:
            revision, waiting = self.revision, dict(self._waiting)
        self._publish_desks(sorted(desks), revision, waiting)
        self._tell(desks, set(), set(), revision)

    def _publish_desks(self, names: Sequence[str], revision: tuple[int, int], waiting: dict[str, int]) -> None:
        for picture in self._pictures().desks(names, revision, waiting):
            self._show(self._topics.desk_state(picture.desk), picture)

    def _publish_halls(self, names: Iterable[str], revision: tuple[int, int], waiting: dict[str, int]) -> None:
        pictures = self._pictures()
        for name in names:
            self._show(self._topics.hall_state(name), pictures.hall(name, revision, waiting))

    def _show(self, topic: str, picture: DeskState | HallState) -> bool:
        """Publishes a picture if it changed. Returns False if it changed but its revision was published already."""
        shown = self._shown.get(topic)
        if shown is not None and _bare(shown) == _bare(picture):
            self._untaken.discard(topic)
            return True
        if shown is not None and shown.revision >= picture.revision:
            return False
        if self._send(topic, encode(picture), retain=True):
            self._shown[topic] = picture
            self._untaken.discard(topic)
        else:
            self._untaken.add(topic)
        return True

    def _review(self) -> None:
        """Publishes pictures that time alone has changed; requests a new revision where the present one is used up."""
        with self._lock:
            revision, waiting = self.revision, dict(self._waiting)
        pictures, topics, site = self._pictures(), self._topics, self._index.site
        names = [desk.name for desk in site.desks]
        desks = {picture.desk: picture for picture in pictures.desks(names, revision, waiting)}
        halls = {hall.name: pictures.hall(hall.name, revision, waiting) for hall in site.halls}
        stale_desks = tuple(name for name, picture in desks.items() if not self._show(topics.desk_state(name), picture))
        stale_halls = tuple(name for name, picture in halls.items() if not self._show(topics.hall_state(name), picture))
        if stale_desks or stale_halls:
            self._later(Refresh(origin=_JOB, desks=stale_desks, halls=stale_halls))

    def _send(self, topic: str, payload: bytes, *, retain: bool = False, expiry_s: int | None = None) -> bool:
        self._reached = self._publish(topic, payload, retain=retain, expiry_s=expiry_s)
        return self._reached

    def _later(self, command: Command, then: Callable[[object], None] = lambda _: None) -> None:
        """Queues a job's command; `then` gets its answer, or the exception with which it failed."""
        try:
            self._put_later(Task(command, answered=then, failed=then))
        except Busy as busy:
            log.warning("outbox.busy", command=type(command).__name__)
            then(busy)

    def _tell(self, desks: set[str], halls: set[str], services: set[str], revision: tuple[int, int]) -> None:
        if not desks and not halls and not services:
            return
        changed = Changed(frozenset(desks), frozenset(halls), frozenset(services), revision)
        for listener in self._listeners:
            listener(changed)

    def _fail(self, error: Exception) -> None:
        fault = failure_of(error, self._engine)
        if isinstance(fault, DatabaseFault):
            self._metrics.database_error(fault)
        log.error("outbox.failed", error=str(fault), exc_info=error if isinstance(fault, HubFault) else None)
        self._reading.lose()
        self._stopping.wait(1.0)

    def _pictures(self) -> Pictures:
        return Pictures(self._reading.connection(), self._index, self._now_ms)


def _bare(picture: DeskState | HallState) -> DeskState | HallState:
    """A picture without its revision and time, to compare what it shows."""
    if isinstance(picture, DeskState):
        return msgspec.structs.replace(picture, revision=(0, 0))
    return msgspec.structs.replace(picture, revision=(0, 0), at=Instant(0))
