"""Who did not come: asks the database each second what is due, on the monotonic clock.

A timer a ticket would be lost with the program and stand still when the clock is set back (measured with APScheduler:
docs/decisions). The database is the only truth: a restart, a pause of the machine or a step of the clock only makes a
mark late, never lost and never twice.
"""

import threading
from collections.abc import Callable

import structlog
from sqlalchemy import Engine

from hub.database.faults import fault_of, place_of
from hub.database.statements import Connection, open_reading_connection
from hub.queue import store
from hub.queue.requests import Command, ExpireCalled, ExpireExpected, Origin, Source
from hub.queue.states import State
from hub.writer import Busy, Task

log = structlog.get_logger(__name__)

EVERY_S = 1.0
_JOB = Origin(Source.JOB, "absence")


class Absence:
    """One thread. `put_later` is the writer's queue for jobs."""

    def __init__(self, engine: Engine, site: str, now_ms: Callable[[], int], put_later: Callable[[Task], None]) -> None:
        self._engine = engine
        self._site = site
        self._now_ms = now_ms
        self._put_later = put_later
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="absence", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _serve(self) -> None:
        connection: Connection | None = None
        while not self._stopping.wait(EVERY_S):
            try:
                connection = connection or open_reading_connection(self._engine)
                for command in due(connection, self._site, self._now_ms()):
                    self._put_later(Task(command, answered=lambda _: None, failed=lambda _: None))
            except Busy:
                continue
            except Exception as error:  # noqa: BLE001 - the next second asks again, on a new connection
                log.error("absence.failed", error=str(fault_of(error, place_of(self._engine.url))))  # noqa: TRY400 - one sentence says it
                if connection is not None:
                    connection.close()
                connection = None
        if connection is not None:
            connection.close()


def due(connection: Connection, site: str, now_ms: int) -> list[Command]:
    """The commands that are due now, 64 at most; those left are due the next second too."""
    commands: list[Command] = []
    for ticket, state, call in connection.rows(store.DUE_ABSENCES, {"site": site, "now_ms": now_ms}):
        if state == State.CALLED:
            commands.append(ExpireCalled(origin=_JOB, ticket=ticket, call=call))
        elif state == State.EXPECTED:
            commands.append(ExpireExpected(origin=_JOB, ticket=ticket))
    return commands
