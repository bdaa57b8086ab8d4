"""Keeps the session book in step with the database, each second.

The database is the source of truth: a session may have been ended by the command line, from another browser or by a
limit. The keeper removes ended sessions from the book and ends those that passed a limit. When a session was ended
without the writer, even while the hub was off, it signs that person off their desk.

While the database is away nobody loses their session: the book stays unchanged and applies the limits itself.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from itertools import islice

import structlog
from sqlalchemy import Engine

from hub.auth.session_store import open_sessions, some_left_behind
from hub.auth.sessions import Session, SessionBook
from hub.failures import failure_of
from hub.queue.answers import Answer
from hub.queue.people_requests import SESSIONS_AT_ONCE, EndReason, EndSession, NoteSessions, SignOffEnded
from hub.queue.requests import Command, Origin, Source
from hub.site import MINUTE_MS
from hub.tasks import Busy

log = structlog.get_logger(__name__)

EVERY_S = 1.0
# A crash loses at most this much of when sessions were last seen; the shortest idle limit is five minutes.
SEEN_EVERY_MS = MINUTE_MS
# A writer that takes longer has a fault, which it reports itself.
ANSWER_LIMIT_S = 60
# After that the thread is left waiting for the writer; it is a daemon, so it ends with the program.
STOP_LIMIT_S = 5.0
_JOB = Origin(Source.JOB, "sessions")


class Keeper:
    """Runs one thread. `do` puts a command into the writer's queue for jobs and returns its future answer."""

    def __init__(
        self,
        engine: Engine,
        site: str,
        book: SessionBook,
        do: Callable[[Command], "Future[Answer]"],
        now_ms: Callable[[], int],
    ) -> None:
        self._engine = engine
        self._site = site
        self._book = book
        self._do = do
        self._now_ms = now_ms
        self._to_end: dict[int, EndReason] = {}
        self._some_ended = False
        self._noted_ms = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="sessions", daemon=True)

    def start(self) -> None:
        """Read the open sessions into the book, since they outlive the program, and start the thread."""
        self._book.keep(self._read)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(STOP_LIMIT_S)

    def look(self) -> None:
        """Do one round. What fails is done in the next one."""
        self._some_ended |= bool(self._book.keep(self._read))
        now_ms = self._now_ms()
        for session, limit in self._book.over(now_ms):
            self._to_end.setdefault(session.id, EndReason(limit))
        self._end()
        is_time = now_ms - self._noted_ms >= SEEN_EVERY_MS
        if self._some_ended or is_time:
            self._sign_off()
            self._some_ended = False
        if is_time:
            self._note(self._book.seen())
            self._noted_ms = now_ms

    def _read(self) -> list[Session]:
        with self._engine.connect() as connection:
            return open_sessions(connection, self._site)

    def _sign_off(self) -> None:
        with self._engine.connect() as connection:
            is_needed = some_left_behind(connection, self._site)
        if is_needed:
            self._do(SignOffEnded(origin=_JOB)).result(ANSWER_LIMIT_S)

    def _end(self) -> None:
        some = islice(self._to_end.items(), SESSIONS_AT_ONCE)
        asked = {id_: self._do(EndSession(origin=_JOB, session=id_, reason=reason)) for id_, reason in some}
        for id_, answer in asked.items():
            answer.result(ANSWER_LIMIT_S)
            del self._to_end[id_]
            self._book.drop(id_)

    def _note(self, seen: dict[int, int]) -> None:
        left = iter(seen.items())
        while slice_ := tuple(islice(left, SESSIONS_AT_ONCE)):
            self._do(NoteSessions(origin=_JOB, seen=slice_)).result(ANSWER_LIMIT_S)

    def _serve(self) -> None:
        while not self._stopping.wait(EVERY_S):
            try:
                self.look()
            except Busy:
                continue
            except Exception as error:  # noqa: BLE001 - the next second looks again
                log.error("sessions.not_kept", error=str(failure_of(error, self._engine)))  # noqa: TRY400 - one sentence says it
