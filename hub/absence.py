"""What is due by a ticket's own time: asks the database each second, on the monotonic clock.

Who did not come becomes absent; who need not check in is admitted to those who wait. A timer a ticket would be lost
with the program and stand still when the clock is set back (measured with APScheduler: docs/decisions). The database is
the only truth: a restart, a pause of the machine or a step of the clock only makes a mark late, never lost and never
twice. Who is called then has the whole delay once more: nobody could say meanwhile that they are here.
"""

import threading
from collections.abc import Callable

import structlog
from sqlalchemy import Engine

from hub.database.statements import Connection, Reading
from hub.failures import failure_of
from hub.queue import store
from hub.queue.answers import Answer, DoneAnswer
from hub.queue.hours import last_ended_day, outlives_from_ms
from hub.queue.requests import Admit, Command, ExpireCalled, ExpireExpected, Origin, PutOffAbsences, Source
from hub.queue.states import State
from hub.site import MINUTE_MS, Site
from hub.tasks import Busy, Task

log = structlog.get_logger(__name__)

EVERY_S = 1.0
# After a longer silence, of the hub or of its database, who is called gets the time that nobody could use.
AWAY_MS = 10_000
# So many of each kind at a time: what is left is asked for as soon as these are done.
AT_ONCE_MOST = 64
_JOB = Origin(Source.JOB, "absence")


class Absence:
    """One thread. `put_later` is the writer's queue for jobs."""

    def __init__(
        self, engine: Engine, site: Site, now_ms: Callable[[], int], put_later: Callable[[Task], None]
    ) -> None:
        self._engine = engine
        self._site = site
        self._now_ms = now_ms
        self._put_later = put_later
        # When it was last known what is due; None before that, and once something was not done.
        self._looked_ms: int | None = None
        self._lock = threading.Lock()
        self._under_way = 0
        # Whether any of those put last did something.
        self._got_on = False
        self._all_done = threading.Event()
        self._all_done.set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="absence", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        with self._lock:
            self._all_done.set()  # nobody waits for the writer any more
        if self._thread.is_alive():
            self._thread.join()

    def _serve(self) -> None:
        reading = Reading(self._engine)
        wait_s = EVERY_S
        while not self._stopping.wait(wait_s):
            wait_s = EVERY_S
            # Asked again while the writer still has them, each would be done twice.
            if not self._all_done.is_set():
                continue
            try:
                if self._put(self._look(reading.connection())) >= AT_ONCE_MOST:
                    self._all_done.wait(EVERY_S)
                    # Where nothing can be done, as when a letter has no numbers left, the next second is soon enough.
                    wait_s = 0 if self._got_on else EVERY_S
            except Busy:
                self._looked_ms = None
            except Exception as error:  # noqa: BLE001 - the next second asks again, on a new connection
                log.error("absence.failed", error=str(failure_of(error, self._engine)))  # noqa: TRY400 - one sentence says it
                reading.lose()
        reading.lose()

    def _look(self, connection: Connection) -> list[Command]:
        now_ms = self._now_ms()
        was_away = self._looked_ms is None or now_ms - self._looked_ms > AWAY_MS
        # Before what is due: whether a mark still is, is looked at once more when it is made.
        put_off = put_off_after_absence(connection, self._site) if was_away else []
        commands = [*put_off, *due(connection, self._site, now_ms)]
        self._looked_ms = now_ms
        return commands

    def _put(self, commands: list[Command]) -> int:
        self._got_on = False
        for command in commands:
            self._put_later(Task(command, answered=self._done, failed=self._failed))
            self._count(1)
        return len(commands)

    def _failed(self, _: object) -> None:
        self._looked_ms = None
        self._count(-1)

    def _done(self, answer: Answer) -> None:
        if isinstance(answer, DoneAnswer) and answer.count:
            self._got_on = True
        self._count(-1)

    def _count(self, change: int) -> None:
        with self._lock:
            self._under_way += change
            if self._under_way == 0:
                self._all_done.set()
            elif not self._stopping.is_set():
                self._all_done.clear()


def due(connection: Connection, site: Site, now_ms: int) -> list[Command]:
    """The commands that are due now, 64 at most of each kind and service; those left are due the next time too."""
    return [*_absences(connection, site, now_ms), *_admissions(connection, site, now_ms)]


def put_off_after_absence(connection: Connection, site: Site) -> list[Command]:
    """What is due first after the hub or its database was away: nobody could say then that a called visitor is here."""
    held = connection.rows(store.HELD, {"site": site.name})
    return [PutOffAbsences(origin=_JOB)] if held else []


def _absences(connection: Connection, site: Site, now_ms: int) -> list[Command]:
    commands: list[Command] = []
    rows = connection.rows(store.DUE_ABSENCES, {"site": site.name, "now_ms": now_ms, "limit": AT_ONCE_MOST})
    for ticket, state, call in rows:
        if state == State.CALLED:
            commands.append(ExpireCalled(origin=_JOB, ticket=ticket, call=call))
        elif state == State.EXPECTED:
            commands.append(ExpireExpected(origin=_JOB, ticket=ticket))
    return commands


def _admissions(connection: Connection, site: Site, now_ms: int) -> list[Command]:
    """Of what the end of a day has not passed: what is left of others is ended with their day."""
    after_ms = outlives_from_ms(site, last_ended_day(site, now_ms), now_ms)
    commands: list[Command] = []
    for service in site.services:
        if service.checks_in:
            continue
        until_ms = now_ms + service.early_call_min * MINUTE_MS
        facts = {"site": site.name, "service": service.name, "after_ms": after_ms, "until_ms": until_ms}
        rows = connection.rows(store.DUE_ADMISSIONS, {**facts, "limit": AT_ONCE_MOST})
        commands += [Admit(origin=_JOB, ticket=ticket) for (ticket,) in rows]
    return commands
