"""What the hub gives to the web side: the only connection between pages and everything else."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from starlette.concurrency import run_in_threadpool

from hub.appointments.list_state import ListState
from hub.auth.gate import Gate
from hub.database.faults import faults_of
from hub.queue.answers import Answer
from hub.queue.requests import Command
from hub.reached import ON_THIS_MACHINE, Reached
from hub.site import Site

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the hub can do its work. Each part is None if it is well, else one sentence that says what is wrong."""

    database: str | None = None
    broker: str | None = None
    beat: str | None = None

    @property
    def reasons(self) -> dict[str, str]:
        parts = {"database": self.database, "broker": self.broker, "beat": self.beat}
        return {name: reason for name, reason in parts.items() if reason is not None}


@dataclass(frozen=True, slots=True)
class WebParts:
    """The parts of the hub that the web side uses.

    - `reads`: the engine for short reads.
    - `do`: hands a command to the writer and waits for its answer, which may be a refusal.
    - `now_ms`: the hub's clock.
    - `new_id`: makes a UUIDv7 for a request that came without an id.
    - `metrics`: the text for Prometheus.
    - `mean_visit_ms`: the measured mean visit of a service; None if too little was measured.
    - `request_done`: called with the route, the status and the seconds of each request.
    - `reader_dropped`: called for each page that read too slowly.
    - `broker_reached`: whether the hub reaches screens and buttons.
    - `list_state`: how old the list of bookings is. Called at each drawing, so it must not block.
    - `push`: takes the raw query and body of Publik's call that a booking changed; returns status and document of the
      answer. It does not block, and is called from the event loop only.
    - `gate`: who may come in.
    - `reached`: where browsers reach the hub.
    """

    site: Site
    reads: Engine
    do: Callable[[Command], Awaitable[Answer]]
    now_ms: Callable[[], int]
    new_id: Callable[[], str]
    health: Callable[[], Health]
    metrics: Callable[[], bytes]
    mean_visit_ms: Callable[[str], int | None]
    request_done: Callable[[str, int, float], None]
    reader_dropped: Callable[[], None]
    broker_reached: Callable[[], bool]
    list_state: Callable[[], ListState]
    push: Callable[[bytes, bytes], tuple[int, dict[str, Any]]]
    gate: Gate
    reached: Reached = ON_THIS_MACHINE

    async def read(self, read: Callable[[Connection], T]) -> T:
        """Read in one short transaction, in a thread: the event loop never waits for the disk. Raises DatabaseFault."""

        def in_transaction() -> T:
            with faults_of(self.reads), self.reads.connect() as connection:
                return read(connection)

        return await run_in_threadpool(in_transaction)
