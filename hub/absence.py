"""Absences and admissions, which are due at a ticket's own time.

A thread asks the database each second, on the monotonic clock. Tickets whose visitor did not come become absent;
expected tickets of a service without check-in are admitted to the queue.

There is no timer per ticket: it would be lost with the program, and would stand still when the clock is set back
(measured with APScheduler: docs/decisions). With the database as the only truth, a restart, a pause of the machine or
a clock step can delay an absence or admission, but never lose or double it. After such a break, called visitors get
their whole delay again, because nobody could record meanwhile that they are here.
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
# After a longer break, of the hub or of its database, called visitors get their whole delay again.
AWAY_MS = 10_000
# At most this many of each kind at a time; the rest is read as soon as these are done.
AT_ONCE_MOST = 64
_JOB = Origin(Source.JOB, "absence")


class Absence:
    """Runs the loop on one thread. `put_later` queues a task as a job for the writer."""

    def __init__(
        self, engine: Engine, site: Site, now_ms: Callable[[], int], put_later: Callable[[Task], None]
    ) -> None:
        self._engine = engine
        self._site = site
        self._now_ms = now_ms
        self._put_later = put_later
        # When what is due was last read; None before the first time and after a command failed.
        self._looked_ms: int | None = None
        self._lock = threading.Lock()
        self._under_way = 0
        # Whether any command of the last round changed something.
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
            self._all_done.set()  # the thread no longer waits for the writer
        if self._thread.is_alive():
            self._thread.join()

    def _serve(self) -> None:
        reading = Reading(self._engine)
        wait_s = EVERY_S
        while not self._stopping.wait(wait_s):
            wait_s = EVERY_S
            # While the writer still has the last commands, reading again would queue each of them twice.
            if not self._all_done.is_set():
                continue
            try:
                if self._put(self._look(reading.connection())) >= AT_ONCE_MOST:
                    self._all_done.wait(EVERY_S)
                    # If none could be done (a letter has no numbers left, for example), a second later is soon enough.
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
        # Runs before the commands that are due: each of them checks again whether it still is.
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
    """The commands that are due now: at most 64 absences, and 64 admissions of each service. The rest stays due."""
    return [*_absences(connection, site, now_ms), *_admissions(connection, site, now_ms)]


def put_off_after_absence(connection: Connection, site: Site) -> list[Command]:
    """The command to run first after the hub or its database was away, if any desk holds a ticket.

    While it was away, nobody could record that a called visitor is here.
    """
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
    """Admissions of appointments that the end of a day has not passed; older ones are ended with their day."""
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
