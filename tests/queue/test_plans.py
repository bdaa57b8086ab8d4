"""What is asked each second, each press or each sync stands in an index, and costs the same on a large day.

Told by the databases themselves: SQLite counts the steps of its machine, PostgreSQL the pages it touches.
"""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from hub.appointments import rows
from hub.database.engine import open_engine
from hub.queue import booking_store, report_store, store
from hub.queue.requests import Origin, Source, TakeBookings
from tests.databases import sqlite_url
from tests.queue.harness import DAY, HOUR, MINUTE, SECOND, Queue
from tests.queue.test_bookings import book_of

SYNC = Origin(Source.SYNC, "sync")
SMALL, LARGE = 200, 5_000


def fill(queue: Queue, count: int) -> Queue:
    """A hall with so many expected tickets, half of them of a service without check-in."""
    changes = tuple(
        book_of(f"b-{number}", queue.now_ms + HOUR + number * SECOND, ("civil", "taxes")[number % 2])
        for number in range(count)
    )
    for start in range(0, count, 500):
        queue.do(TakeBookings(origin=SYNC, changes=changes[start : start + 500]))
    queue.open("desk-1")
    queue.issue()
    queue.called()
    if queue.connection.on_postgresql:
        with queue.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("analyze")
    return queue


def cost(queue: Queue, statement: Any, **params: Any) -> int:
    """Steps of SQLite's machine, or pages that PostgreSQL touches."""
    params = {"site": queue.site.name, **params}
    if queue.connection.on_postgresql:
        return pages(queue, statement, params)
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    queue.connection.raw.set_progress_handler(step, 1)
    queue.connection.rows(statement, params)
    queue.connection.raw.set_progress_handler(None, 0)
    return steps


def pages(queue: Queue, statement: Any, params: dict[str, Any]) -> int:
    compiled = queue.connection._compile(statement)
    with psycopg.ClientCursor(queue.connection.raw) as cursor:
        cursor.execute(f"explain (analyze, buffers, format json) {compiled.sql}", {**compiled.defaults, **params})
        plan = cursor.fetchall()[0][0][0]["Plan"]
    queue.connection.rollback()
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


ASKED: list[tuple[str, Any, Callable[[Queue], dict[str, Any]]]] = [
    ("absences", store.DUE_ABSENCES, lambda queue: {"now_ms": queue.now_ms, "limit": 64}),
    (
        "admissions",
        store.DUE_ADMISSIONS,
        lambda queue: {
            "service": "taxes",
            "after_ms": queue.now_ms - DAY,
            "until_ms": queue.now_ms + 10 * MINUTE,
            "limit": 64,
        },
    ),
    ("held", store.HELD, lambda _: {}),
    (
        "a slice",
        booking_store.KNOWN,
        lambda queue: {"ids": queue.connection.many(["b-1", "b-100", "new"]), "day": "", "series": "ticket"},
    ),
    ("names in a slice", booking_store.NAMES, lambda queue: {"ids": queue.connection.many([1, 100])}),
    ("names of what changed", rows._NAMES_BY_ID, lambda queue: {"ids": queue.connection.many(["b-1", "b-100"])}),
    ("a code", booking_store.BY_CODE, lambda _: {"code": "B100"}),
    ("a ticket's journal", booking_store.SEEN, lambda queue: {"ids": queue.connection.many([1, 100])}),
    ("the end of the journal", report_store.JOURNAL_AFTER, lambda queue: {"after": last(queue) - 3, "limit": 200}),
    ("whose tickets", report_store.BOOKINGS_OF_TICKETS, lambda queue: {"tickets": queue.connection.many([1, 100])}),
    (
        "whose bookings were moved",
        report_store.MOVED_ON,
        lambda queue: {"tickets": queue.connection.many([1, 100]), "now_ms": queue.now_ms},
    ),
    ("reports", report_store.STANDING, lambda queue: {"ids": queue.connection.many(["b-1", "b-100"])}),
    (
        "past bookings",
        report_store.PAST_BOOKINGS,
        lambda _: {"day": "2026-11-24", "last_day": "2026-10-24", "limit": 200},
    ),
]


def last(queue: Queue) -> int:
    return max(row[1] for row in queue.table("ticket_event"))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def halls(request, tmp_path_factory):
    """A small and a large day, each in a database of its own: what reads a whole table is to be seen."""
    urls = [sqlite_url(tmp_path_factory.mktemp(name)) for name in ("small", "large")]
    if request.param == "postgresql":
        server = request.getfixturevalue("postgresql")
        urls = [server.new_database(), server.new_database()]
    engines = [open_engine(url) for url in urls]
    made = [fill(Queue(engine), count) for engine, count in zip(engines, (SMALL, LARGE), strict=True)]
    yield made
    for queue, engine in zip(made, engines, strict=True):
        queue.close()
        engine.dispose()


@pytest.mark.parametrize(("_about", "statement", "params"), ASKED, ids=[each[0] for each in ASKED])
def test_a_large_day_costs_what_a_small_one_does(halls, _about, statement, params):
    small, large = (cost(queue, statement, **params(queue)) for queue in halls)
    assert large <= 1.5 * small + 20, f"{small} on a small day, {large} on a large one"
