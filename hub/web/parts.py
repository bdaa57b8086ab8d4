"""What the web side is given by the hub: the one seam between pages and everything else."""

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
    """Whether the hub can do its work. Each part is None where all is well, else one sentence saying what is wrong."""

    database: str | None = None
    broker: str | None = None
    beat: str | None = None

    @property
    def reasons(self) -> dict[str, str]:
        parts = {"database": self.database, "broker": self.broker, "beat": self.beat}
        return {name: reason for name, reason in parts.items() if reason is not None}


@dataclass(frozen=True, slots=True)
class WebParts:
    """`do` hands a command to the writer and waits for its answer, refusals included. `reads`: for short reads.

    `now_ms`: the hub's clock. `new_id`: a UUIDv7 for a request that came without one. `mean_visit_ms`: the measured
    mean of a service, or None where too little was measured. `metrics`: what Prometheus reads. `request_done` is told
    the route, the status and the seconds of each request, `reader_dropped` each page that read too slowly.
    `broker_reached`: whether screens and buttons hear the hub. `list_state`: how old the list of bookings is; asked at
    each drawing, so it must not wait. `push`: takes the query and the body of a request that says a booking changed,
    as they came, and gives the status and the document to answer: at once, and asked by the loop alone.
    `gate`: who may come in.
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
        """One short transaction in a thread: the loop never waits for the disk. Raises a DatabaseFault."""

        def in_transaction() -> T:
            with faults_of(self.reads), self.reads.connect() as connection:
                return read(connection)

        return await run_in_threadpool(in_transaction)
